"""One commit on its way to the disk."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from node.journal.errors import JournalOrder
from node.journal.rows import EVENT_COLUMNS, EventRow, Latest, control_row, event_row, read_event, state_row
from node.journal.tip import Log, Tip
from node.protocol.events import Event
from node.protocol.records import Appended, ControlAppended, ControlReplaced, FloorReached, Record

_INSERT_EVENTS = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES "
_EVENT_COLUMNS = 6
_INSERT_ENTRIES = "INSERT INTO control (number, stamp, crc, body) VALUES "
_ENTRY_COLUMNS = 4
_INSERT_STATE = "INSERT OR REPLACE INTO state (key, crc, body) VALUES (?, ?, ?)"
_COVERED = "events WHERE pos BETWEEN ? AND ? AND journal = ?"
MOST_ROWS = 64
"""Rows of one statement. Each number of rows is a statement of its own, and the connection remembers them all."""
STATEMENTS = 2 * MOST_ROWS + 16
"""How many statements it has to remember."""
Statement = tuple[str, Sequence[Any]]
_NO_LOG = Log(0)


class Batch:
    """One commit: rows to write, and what will be true once they are on the disk."""

    __slots__ = ("_entries", "_events", "_first", "_fresh", "_grown", "_known", "_purged", "control", "tip")

    def __init__(self, tip: Tip, known: set[int]) -> None:
        """`known`: hashes of the ids of the events in the file."""
        self.tip = tip.copy()
        self.control: list[ControlAppended | ControlReplaced] = []
        """What it does to the control log."""
        self._known = known
        self._fresh: set[int] = set()
        self._purged: list[int] = []
        self._grown: dict[str, list[int]] = {}
        """Places of the events of this commit."""
        self._first: list[Statement] = []
        self._events: list[Any] = []
        self._entries: list[Any] = []

    def take(self, records: Sequence[Record]) -> None:
        """Take what is to be written. Raises `JournalOrder` for what does not follow on what is there."""
        for record in records:
            if isinstance(record, Appended):
                self._event(record.event)
            elif isinstance(record, ControlAppended):
                self._entry(record)
            else:
                self.latest(record)

    def _event(self, event: Event) -> None:
        """Take an event, unless it is at or below the floor: the floor's state covers it (C1)."""
        tip = self.tip
        journal, seq = event.journal, event.seq
        log = tip.logs.get(journal, _NO_LOG)
        grown = self._grown.get(journal)
        head = log.head if grown is None else log.head + len(grown)
        if seq != head + 1:
            if seq <= log.low:
                return
            raise JournalOrder(f"event {seq} of journal {journal} does not follow {head}")
        if not log.number:
            log = self._filed(journal, log.low)
        if grown is None:
            grown = self._grown[journal] = []
        tip.pos += 1
        grown.append(tip.pos)
        key = hash(event.id)
        twin = key in self._known or key in self._fresh
        if not twin:
            self._fresh.add(key)
        self._events += event_row(tip.pos, log.number, event, twin)

    def _filed(self, journal: str, low: int) -> Log:
        """The log of a journal that has no events in the file yet."""
        log = Log(len(self.tip.names()) + 1, low)
        self.tip.logs = {**self.tip.logs, journal: log}
        self._first.append(("INSERT INTO journals (number, id) VALUES (?, ?)", (log.number, journal)))
        return log

    def _entry(self, record: ControlAppended) -> None:
        """Take a control entry; the log has no gap (L1)."""
        if record.index != self.tip.index + 1:
            raise JournalOrder(f"control entry {record.index} does not follow {self.tip.index}")
        self.tip.index = record.index
        self.tip.entries += 1
        self.control.append(record)
        self._entries += control_row(record.index, record.stamp, record.entry)

    def latest(self, record: Latest) -> None:
        """Take a record of which only the latest counts."""
        match record:
            case ControlReplaced(index=index):
                self._entries = []
                self._first.append(("DELETE FROM control", ()))
                self.tip.index, self.tip.entries = index, 0
                self.control.append(record)
            case FloorReached(floor=floor):
                self._raise(floor.vector)
        self._first.append((_INSERT_STATE, state_row(record)))

    def _raise(self, floor: Mapping[str, int]) -> None:
        """A floor is reached: what it covers is hidden from now on, and deleted by and by (C1)."""
        logs = self.tip.logs
        self.tip.logs = dict(logs) | {
            journal: logs.get(journal, _NO_LOG).raised(low, self._grown.pop(journal, ()))
            for journal, low in floor.items()
        }
        self.tip.untidy = True

    def statements(self) -> list[Statement]:
        """What writes all that was taken, in as few statements as there can be.

        Between two of them, or two rows of `executemany`, the thread waits for the interpreter, that is for the loop.
        """
        return [
            *self._first,
            *_inserts(_INSERT_EVENTS, _EVENT_COLUMNS, self._events),
            *_inserts(_INSERT_ENTRIES, _ENTRY_COLUMNS, self._entries),
        ]

    def purge(self, conn: sqlite3.Connection, room: int) -> bool:
        """Delete up to `room` events that the floor covers. True if none is left."""
        for journal, log in self.tip.logs.items():
            some = log.covered[:room]
            if not some:
                continue
            where = (some[0], some[-1], log.number)
            rows: list[EventRow] = conn.execute(f"SELECT {EVENT_COLUMNS} FROM {_COVERED}", where).fetchall()
            self._purged += [hash(read_event(row, journal).id) for row in rows if not row[3]]
            conn.execute(f"DELETE FROM {_COVERED}", where)
            self.tip.logs = {**self.tip.logs, journal: log.purged(len(some))}
            room -= len(some)
            if room <= 0:
                return False
        return True

    def settle(self) -> Tip:
        """It is on the disk: have its events known. Returns where the journal ends now."""
        for journal, places in self._grown.items():
            self.tip.logs[journal].places.extend(places)
        self._known |= self._fresh
        self._known.difference_update(self._purged)
        return self.tip


def _inserts(head: str, columns: int, values: list[Any]) -> Iterator[Statement]:
    for at in range(0, len(values), MOST_ROWS * columns):
        some = values[at : at + MOST_ROWS * columns]
        yield _insert(head, columns, len(some) // columns), some


@cache
def _insert(head: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return head + ", ".join([row] * rows)
