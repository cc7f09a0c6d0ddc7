"""Where the journal ends, and one commit on its way there."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any

from node.journal.errors import JournalOrder
from node.journal.rows import EVENT_COLUMNS, ControlRow, EventRow, Latest, control_row, event_row, read_event, state_row
from node.protocol.events import Event
from node.protocol.records import ControlAppended, ControlReplaced, Floor, FloorReached

_INSERT_EVENTS = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES "
_INSERT_ENTRIES = "INSERT INTO control (number, stamp, crc, body) VALUES "
_INSERT_STATE = "INSERT OR REPLACE INTO state (key, crc, body) VALUES (?, ?, ?)"
MOST_ROWS = 64
"""Rows of one statement. Each number of rows is a statement of its own, and the connection remembers them all."""
STATEMENTS = 2 * MOST_ROWS + 16
"""How many statements it has to remember."""
Statement = tuple[str, tuple[Any, ...]]


@dataclass(slots=True)
class Tip:
    """Where every log ends. Never changed once it is the journal's: a commit works on a copy, which takes its place."""

    numbers: dict[str, int] = field(default_factory=dict)
    """Journal id -> the short number its events are filed under."""
    heads: dict[str, int] = field(default_factory=dict)
    """Journal id -> last event, or the floor where that is higher."""
    floor: Mapping[str, int] = field(default_factory=dict)
    pos: int = 0
    index: int = 0
    entries: int = 0
    """Control entries since the checkpoint."""
    untidy: bool = True
    """There may be events to delete or pages to give back."""

    def copy(self) -> "Tip":
        return Tip(dict(self.numbers), dict(self.heads), self.floor, self.pos, self.index, self.entries, self.untidy)


class Batch:
    """One commit: rows to write, and what will be true once they are on the disk."""

    def __init__(self, conn: sqlite3.Connection, tip: Tip, known: Mapping[int, int]) -> None:
        self.tip = tip
        self.fresh: dict[int, int] = {}
        """Hash of an event's id -> position, of the events of this commit."""
        self.purged: list[tuple[int, int]] = []
        """The same of the events that this commit deletes."""
        self._conn = conn
        self._known = known
        self._first: list[Statement] = []
        self._events: list[EventRow] = []
        self._entries: list[ControlRow] = []

    def event(self, event: Event) -> None:
        """Take an event. One at or below the floor is not stored: the floor's state covers it (C1).

        Raises `JournalOrder` if it leaves a gap or is there already (V1).
        """
        tip = self.tip
        journal, seq = event.journal, event.seq
        head = tip.heads.get(journal, 0)
        if seq != head + 1:
            if seq <= tip.floor.get(journal, 0):
                return
            raise JournalOrder(f"event {seq} of journal {journal} does not follow {head}")
        number = tip.numbers.get(journal)
        if number is None:
            number = tip.numbers[journal] = len(tip.numbers) + 1
            self._first.append(("INSERT INTO journals (number, id) VALUES (?, ?)", (number, journal)))
        tip.heads[journal] = seq
        tip.pos += 1
        key = hash(event.id)
        twin = key in self._known or key in self.fresh
        if not twin:
            self.fresh[key] = tip.pos
        self._events.append(event_row(tip.pos, number, event, twin))

    def entry(self, record: ControlAppended) -> None:
        """Take a control entry. Raises `JournalOrder` if it leaves a gap or is there already (L1)."""
        if record.index != self.tip.index + 1:
            raise JournalOrder(f"control entry {record.index} does not follow {self.tip.index}")
        self.tip.index = record.index
        self.tip.entries += 1
        self._entries.append(control_row(record.index, record.stamp, record.entry))

    def _control(self, index: int) -> None:
        """The control log is replaced by a checkpoint at `index`."""
        self._entries = []
        self._first.append(("DELETE FROM control", ()))
        self.tip.index, self.tip.entries = index, 0

    def _floor(self, floor: Floor) -> None:
        """A floor is reached: what it covers is hidden from now on, and deleted by and by (C1)."""
        self.tip.floor = dict(floor.vector)
        for journal, low in floor.vector.items():
            self.tip.heads[journal] = max(low, self.tip.heads.get(journal, 0))
        self.tip.untidy = True

    def latest(self, record: Latest) -> None:
        """Take a record of which only the latest counts."""
        match record:
            case ControlReplaced(index=index):
                self._control(index)
            case FloorReached(floor=floor):
                self._floor(floor)
        self._first.append((_INSERT_STATE, state_row(record)))

    def statements(self) -> list[Statement]:
        """What writes all that was taken, in as few statements as there can be.

        Between two of them, or two rows of `executemany`, the thread waits for the interpreter, that is for the loop.
        """
        return [*self._first, *_inserts(_INSERT_EVENTS, self._events), *_inserts(_INSERT_ENTRIES, self._entries)]

    def purge(self, room: int) -> bool:
        """Delete up to `room` events that the floor covers. True if none is left."""
        for journal, low in self.tip.floor.items():
            number = self.tip.numbers.get(journal)
            if number is None:
                continue
            rows: list[EventRow] = self._conn.execute(
                f"SELECT {EVENT_COLUMNS} FROM events WHERE journal = ? AND seq <= ? ORDER BY seq LIMIT ?",
                (number, low, room),
            ).fetchall()
            if not rows:
                continue
            self.purged += [(hash(read_event(row, journal).id), row[0]) for row in rows]
            self._conn.execute("DELETE FROM events WHERE journal = ? AND seq <= ?", (number, rows[-1][2]))
            room -= len(rows)
            if room <= 0:
                return False
        return True


def _inserts(head: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[Statement]:
    for at in range(0, len(rows), MOST_ROWS):
        some = rows[at : at + MOST_ROWS]
        yield _insert(head, len(some), len(some[0])), tuple(chain.from_iterable(some))


@cache
def _insert(head: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return head + ", ".join([row] * rows)
