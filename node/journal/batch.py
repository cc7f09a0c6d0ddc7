"""One commit on its way to the disk."""

import sqlite3
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from node.journal.errors import JournalOrder
from node.journal.rows import EVENT_COLUMNS, Latest, control_row, event_row, state_row
from node.journal.tip import TWIN, Log, Tip
from node.protocol.events import Event
from node.protocol.records import Appended, ControlAppended, ControlReplaced, FloorReached, Record

MOST_ROWS = 64
"""Rows of one statement. Each number of rows is a statement of its own, and the connection remembers them all."""
STATEMENTS = 2 * MOST_ROWS + 16
"""How many statements it has to remember."""
Statement = tuple[str, Sequence[Any]]
_NO_LOG = Log(0)


def _inserts(table: str, columns: str) -> dict[int, str]:
    """Statements that write rows of one table, by how many values they take."""
    row = f"({', '.join('?' * (columns.count(',') + 1))})"
    texts = [f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * rows)}" for rows in range(1, MOST_ROWS + 1)]
    return {text.count("?"): text for text in texts}


_EVENTS = _inserts("events", EVENT_COLUMNS)
_ENTRIES = _inserts("control", "number, stamp, crc, body")
_MOST_EVENTS, _MOST_ENTRIES = max(_EVENTS), max(_ENTRIES)
_STATE = "INSERT OR REPLACE INTO state (key, crc, body) VALUES (?, ?, ?)"


class Batch:
    """One commit: rows to write, and what will be true once they are on the disk.

    What it takes is put into the logs at once, beyond what readers look at, and among the known ids. `undo` takes it
    out again if it does not come onto the disk.
    """

    __slots__ = ("_before", "_entries", "_events", "_fresh", "_known", "_statements", "purged", "tip")

    def __init__(self, tip: Tip, known: set[int]) -> None:
        """`known`: hashes of the ids of the events in the file."""
        self.tip = Tip(tip.logs, tip.pos, tip.index, tip.entries, tip.untidy)
        self.purged: list[int] = []
        """Hashes of the ids of events that it deletes, among them `TWIN`."""
        self._before = tip
        self._known = known
        self._fresh: list[int] = []
        """Hashes of the ids that were not known."""
        self._statements: list[Statement] = []
        self._events: list[Any] = []
        self._entries: list[Any] = []

    def take(self, records: Sequence[Record]) -> None:
        """Take what is to be written. Raises `JournalOrder` for what does not follow on what is there (V1, L1)."""
        for record in records:
            if isinstance(record, Appended):
                self._event(record.event)
            elif isinstance(record, ControlAppended):
                self._entry(record)
            else:
                self.latest(record)

    def _event(self, event: Event) -> None:
        """Take an event, unless it is at or below the floor: the floor's state covers it (C1)."""
        tip, known = self.tip, self._known
        journal, seq = event.journal, event.seq
        log = tip.logs.get(journal, _NO_LOG)
        head = log.low + len(log.places)
        if seq != head + 1:
            if seq <= log.low:
                return
            raise JournalOrder(f"event {seq} of journal {journal} does not follow {head}")
        if not log.number:
            log = self._filed(journal, log.low)
        tip.pos += 1
        log.places.append(tip.pos)
        key = hash(event.id)
        if key in known:
            twin, key = 1, TWIN
        else:
            twin = 0
            known.add(key)
            self._fresh.append(key)
        log.ids.append(key)
        values = self._events
        values += event_row(tip.pos, log.number, event, twin)
        if len(values) == _MOST_EVENTS:
            self._statements.append((_EVENTS[_MOST_EVENTS], values))
            self._events = []

    def _filed(self, journal: str, low: int) -> Log:
        """The log of a journal that has no events in the file yet."""
        log = Log(len(self.tip.names()) + 1, low)
        self.tip.logs = {**self.tip.logs, journal: log}
        self._statements.append(("INSERT INTO journals (number, id) VALUES (?, ?)", (log.number, journal)))
        return log

    def _entry(self, record: ControlAppended) -> None:
        """Take a control entry."""
        tip = self.tip
        if record.index != tip.index + 1:
            raise JournalOrder(f"control entry {record.index} does not follow {tip.index}")
        tip.index += 1
        tip.entries += 1
        values = self._entries
        values += control_row(record.index, record.stamp, record.entry)
        if len(values) == _MOST_ENTRIES:
            self._statements.append((_ENTRIES[_MOST_ENTRIES], values))
            self._entries = []

    def latest(self, record: Latest) -> None:
        """Take a record of which only the latest counts."""
        match record:
            case ControlReplaced(index=index):
                self._entries = []
                self._statements.append(("DELETE FROM control", ()))
                self.tip.index, self.tip.entries = index, 0
            case FloorReached(floor=floor):
                self._raise(floor.vector)
        self._statements.append((_STATE, state_row(record)))

    def _raise(self, floor: Mapping[str, int]) -> None:
        """A floor is reached: what it covers is hidden from now on, and deleted by and by (C1)."""
        logs = self.tip.logs
        self.tip.logs = logs | {journal: logs.get(journal, _NO_LOG).raised(low) for journal, low in floor.items()}
        self.tip.untidy = True

    def statements(self) -> list[Statement]:
        """What writes all that was taken, in as few statements as there can be.

        Between two of them, or two rows of `executemany`, the thread waits for the interpreter, that is for the loop.
        """
        statements, events, entries = self._statements, self._events, self._entries
        if events:
            statements.append((_EVENTS[len(events)], events))
        if entries:
            statements.append((_ENTRIES[len(entries)], entries))
        return statements

    def purge(self, conn: sqlite3.Cursor, room: int) -> bool:
        """Delete up to `room` events that the floor covers, the earliest first. True if none is left."""
        logs = self.tip.logs
        first = min((log.covered[0] for log in logs.values() if log.covered), default=None)
        if first is None:
            return True
        kept = min((log.places[0] for log in logs.values() if log.places), default=self.tip.pos + 1)
        if first < kept:
            # As nearly always: nothing that stays lies among them, and they are whole pages.
            last = min(first + room, kept) - 1
            conn.execute("DELETE FROM events WHERE pos BETWEEN ? AND ?", (first, last))
            gone = {journal: bisect_right(log.covered, last) for journal, log in logs.items()}
        else:
            journal, log = next((journal, log) for journal, log in logs.items() if log.covered)
            some = log.covered[:room]
            where = (some[0], some[-1], log.number)
            conn.execute("DELETE FROM events WHERE pos BETWEEN ? AND ? AND journal = ?", where)
            gone = {journal: len(some)}
        for journal, count in gone.items():
            self.purged += logs[journal].covered_ids[:count]
        self.tip.logs = logs | {journal: logs[journal].purged(count) for journal, count in gone.items() if count}
        return not any(log.covered for log in self.tip.logs.values())

    def undo(self) -> None:
        """It did not come onto the disk."""
        before = self._before
        for log in before.logs.values():
            kept = before.head(log) - log.low
            del log.places[kept:], log.ids[kept:]
        self._known.difference_update(self._fresh)
