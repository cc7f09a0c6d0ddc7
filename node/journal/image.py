"""Reading a journal: the state it holds, its events page by page, and everything that is wrong with it.

Works on any connection, also on that of a live node's file: every read is short, so that the write-ahead log can be
taken back into the file in between.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from node.journal.errors import Damaged, Typed
from node.journal.rows import EVENT_COLUMNS, ControlRow, EventRow, Latest, StateRow, read_entry, read_event, read_state
from node.protocol.control_state import apply_entry
from node.protocol.events import Event
from node.protocol.records import (
    Configured,
    ControlReplaced,
    Durable,
    FloorReached,
    Identity,
    PeerJournal,
    Vote,
)

PAGE_EVENTS = 512
"""Events fetched at a time by a scan."""


@dataclass(slots=True)
class Image:
    """Everything but the events. `entries` counts the control entries since the checkpoint."""

    durable: Durable = field(default_factory=Durable)
    entries: int = 0

    @property
    def floor(self) -> Mapping[str, int]:
        """The floor's vector; empty before the first floor."""
        return {} if self.durable.floor is None else self.durable.floor.vector


END = 2**63 - 1
"""Beyond every position."""


def read_journals(conn: sqlite3.Connection) -> dict[str, int]:
    """Journal id -> the short number its events are filed under."""
    return dict(conn.execute("SELECT id, number FROM journals ORDER BY number"))


def read_image(conn: sqlite3.Connection) -> Image:
    """The state on the disk, without events: one consistent reading, also beside a writer. Raises `Damaged`."""
    inside = conn.in_transaction
    if not inside:
        conn.execute("BEGIN")
    try:
        state: list[StateRow] = conn.execute("SELECT key, crc, body FROM state").fetchall()
        entries: list[ControlRow] = conn.execute(
            "SELECT number, stamp, crc, body FROM control ORDER BY number"
        ).fetchall()
    finally:
        if not inside:
            conn.execute("ROLLBACK")
    image = Image(entries=len(entries))
    for state_row in state:
        _take(image.durable, read_state(state_row))
    durable = image.durable
    for entry_row in entries:
        entry = read_entry(entry_row)
        index, stamp = entry_row[:2]
        if index != durable.index + 1:
            raise Damaged(f"control entry {index} follows {durable.index}: entries between them are missing")
        apply_entry(durable.control, entry)
        durable.stamp, durable.index = stamp, index
    return image


def _take(durable: Durable, record: Latest) -> None:
    match record:
        case Vote():
            durable.hard = record
        case Identity():
            durable.identity = record
        case FloorReached():
            durable.floor = record.floor
        case ControlReplaced():
            durable.stamp, durable.index, durable.control = record.stamp, record.index, record.state
        case Configured():
            durable.configured = record
        case PeerJournal():
            durable.peer_journals[record.instance] = record


def read_page(conn: sqlite3.Connection, after: int, upto: int) -> list[EventRow]:
    """The next events in order of arrival: positions beyond `after`, not beyond `upto`, at most `PAGE_EVENTS`."""
    return conn.execute(
        f"SELECT {EVENT_COLUMNS} FROM events WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT {PAGE_EVENTS}", (after, upto)
    ).fetchall()


def read_rows(fetch: Callable[[int], list[EventRow]]) -> Iterator[EventRow]:
    """All rows that `fetch` gives, which takes a position and returns the page beyond it."""
    after = 0
    while page := fetch(after):
        yield from page
        after = page[-1][0]


class Events:
    """Events above a floor, in order of arrival; every iteration reads them anew, a page at a time."""

    def __init__(
        self, path: Path, fetch: Callable[[int], list[EventRow]], names: Mapping[int, str], floor: Mapping[str, int]
    ) -> None:
        self._path = path
        self._fetch = fetch
        self._names = names
        self._floor = floor

    def __iter__(self) -> Iterator[Event]:
        """Raises `JournalCorrupt`, `JournalFault`."""
        for row in read_rows(self._fetch):
            journal = self._names.get(row[1])
            if journal is None or row[2] > self._floor.get(journal, 0):
                with Typed(self._path):
                    event = read_event(row, journal)
                yield event


def damage(conn: sqlite3.Connection, seen: Callable[[EventRow, Event], None]) -> Iterator[str]:
    """Everything that is wrong with the file, in words; shows every sound event with its row to `seen`.

    SQLite's own check of its pages and index, every row's checksum, and that the events of each journal are without a
    gap from the floor on (V1).
    """
    for (line,) in conn.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"SQLite finds: {line}"
    try:
        floor = read_image(conn).floor
    except (Damaged, msgspec.DecodeError) as error:
        yield str(error)
        return
    names = {number: journal for journal, number in read_journals(conn).items()}
    ends: dict[str, int] = {}
    for row in read_rows(lambda after: read_page(conn, after, END)):
        try:
            event = read_event(row, names.get(row[1]))
        except (Damaged, msgspec.DecodeError) as error:
            yield str(error)
            continue
        seen(row, event)
        low = floor.get(event.journal, 0)
        end = ends.get(event.journal, low)
        if event.seq > low:
            if event.seq != end + 1:
                yield f"journal {event.journal}: event {event.seq} follows {end}"
            ends[event.journal] = event.seq
