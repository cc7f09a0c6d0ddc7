"""The two ways events are asked for: by a peer that lacks some, and by people."""

import contextlib
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain

import msgspec

from node.journal.rows import EVENT_COLUMNS, read_event
from node.journal.tip import Tip
from node.protocol.events import Event

_encode = msgspec.msgpack.Encoder().encode
_PART = f"SELECT {EVENT_COLUMNS} FROM events WHERE pos BETWEEN ? AND ? AND journal = ? ORDER BY pos"
"""Of one journal."""


def beyond(
    conn: sqlite3.Connection, tip: Tip, have: Mapping[str, int], limit: int, max_bytes: int
) -> tuple[list[Event], bool]:
    """What lies beyond `have` in the journals it names, contiguous in each, and whether there is more."""
    events: list[Event] = []
    size = 0
    for journal, held in have.items():
        log = tip.logs.get(journal)
        if log is None:
            continue
        last, head = max(held, log.low), tip.head(log)
        upto = min(head, last + limit - len(events))
        places = log.places[last - log.low : upto - log.low]
        if places:
            where = (places[0], places[-1], log.number)
            with contextlib.closing(conn.execute(_PART, where)) as rows:
                for row in rows:
                    size += len(row[5])
                    if row[2] != last + 1 or (size > max_bytes and events):
                        # A gap here is a floor reached since `tip`: the next question is answered from above it.
                        return events, True
                    events.append(read_event(row, journal))
                    last += 1
        if last < head:
            return events, True
    return events, False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events people want to see; what is empty or None does not narrow the choice."""

    types: Collection[str]
    origin: str | None
    trace: str | None

    def admits(self, event: Event) -> bool:
        return (
            (not self.types or event.type in self.types)
            and (self.origin is None or event.origin == self.origin)
            and (self.trace is None or event.trace == self.trace)
        )

    def clause(self) -> tuple[str, list[bytes]]:
        """SQL that rules most others out unread: a body that lacks the encoded text cannot be admitted.

        It stands in for columns and indexes, which would cost every commit to speed up a rare question.
        """
        choices: list[list[str | None]] = [list(self.types), [self.origin], [self.trace]]
        texts = [[_encode(text) for text in choice if text is not None] for choice in choices]
        tests = [" OR ".join(["instr(body, ?) > 0"] * len(choice)) for choice in texts if choice]
        return "".join(f" AND ({test})" for test in tests), [text for choice in texts for text in choice]


def listed(
    conn: sqlite3.Connection, tip: Tip, since: Mapping[str, int], wanted: Wanted, limit: int, newest: bool
) -> list[Event]:
    """The first (or newest) `limit` events beyond `since` that are wanted, in order of arrival, twins left out (V1)."""
    clause, texts = wanted.clause()
    starts: dict[int, int] = {}
    firsts: list[int] = []
    for journal, log in tip.logs.items():
        start = starts[log.number] = max(since.get(journal, 0), log.low)
        if start < tip.head(log):
            firsts.append(log.places[start - log.low])
    if not firsts:
        return []
    cases = " ".join(["WHEN ? THEN ?"] * len(starts))
    query = (
        f"SELECT {EVENT_COLUMNS} FROM events WHERE pos BETWEEN ? AND ? AND twin = 0"
        f" AND seq > CASE journal {cases} ELSE 0 END{clause} ORDER BY pos {'DESC' if newest else 'ASC'}"
    )
    values = (min(firsts), tip.pos, *chain.from_iterable(starts.items()), *texts)
    names = tip.names()
    events: list[Event] = []
    # Closed even when a row turns out to be damaged: the error may outlive the connection.
    with contextlib.closing(conn.execute(query, values)) as rows:
        for row in rows:
            if len(events) >= limit:
                break
            event = read_event(row, names.get(row[1]))
            if wanted.admits(event):
                events.append(event)
    return events[::-1] if newest else events
