"""What happened last, newest first, for the overview: events, and what was seen from here of statuses and clocks."""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from typing import NamedTuple

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.evidence import reason, status_word, telling
from iwdc_console.tui.model.history import Change, Doubt
from iwdc_console.tui.model.marks import DEGRADED, HEALTHY, shape, tone
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.timeline import SHAPES, TONES, level, names_of, summary
from iwdc_console.tui.model.words import fitted

Line = list[tuple[str, str]]
QUIET = frozenset({"VOTES", "ROUND_OPENED"})
"""The engine's own business: on the Events screen, not on the overview."""
LOOKED_AT = 200
ORIGIN, TYPE = 16, 17
"""Cells: of an instance's name at the most, of an event's type."""


class Entry(NamedTuple):
    """One line: when, where, what kind, what it is about."""

    at_ms: int
    origin: str
    mark: str
    word: str
    tone: str
    what: str


def entries(moment: Moment, most: int) -> list[Entry]:
    """The newest `most` entries, newest first."""
    part = moment.observation.events
    told = _newest(part.value[-LOOKED_AT:] if part is not None else ())
    changes = sorted(moment.history.changes, key=lambda change: -change.at_ms)
    seen = (_of_change(change) for change in changes)
    found: list[Entry] = []
    doubted = (_of_doubt(doubt) for doubt in reversed(moment.history.doubts))
    for entry in merge(told, seen, doubted, key=lambda entry: -entry.at_ms):
        if len(found) == most:
            break
        found.append(entry)
    return found


def _newest(events: tuple[Event, ...]) -> Iterator[Entry]:
    names = names_of(events)
    for event in sorted(events, key=lambda event: -event.timestamp):
        if event.type not in QUIET:
            kind = level(event)
            yield Entry(event.timestamp, event.origin, SHAPES[kind], event.type, TONES[kind], summary(event, names))


def _of_change(change: Change) -> Entry:
    why = "; ".join(reason(word) for word in telling(change.reasons))
    was = text("lately.was", status=status_word(change.was))
    what = f"{why} ({was})" if why else was
    return Entry(
        change.at_ms, change.instance, shape(change.status), status_word(change.status), tone(change.status), what
    )


def _of_doubt(doubt: Doubt) -> Entry:
    status = HEALTHY if doubt.cleared else DEGRADED
    what = text("lately.cleared" if doubt.cleared else "lately.suspect")
    return Entry(doubt.at_ms, doubt.instance, shape(status), text("lately.clock"), tone(status), what)


def time_of_day(at_ms: int) -> str:
    """Local time, to the second."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S")


def date_and_time(at_ms: float, beside_ms: float) -> str:
    """Local time, to the second; with the date where it is another day than `beside_ms`."""
    at, beside = (datetime.fromtimestamp(one / 1000).astimezone() for one in (at_ms, beside_ms))
    return at.strftime("%H:%M:%S" if at.date() == beside.date() else "%Y-%m-%d %H:%M:%S")


def lately_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """One line per entry, the newest at the top."""
    found = entries(moment, most)
    if not found:
        return [[(text("lately.none" if moment.observation.events else moment.unknown), "text-muted")]]
    origin = min(ORIGIN, max(len(entry.origin) for entry in found))
    return [
        [
            (f"{time_of_day(entry.at_ms)}  ", "text-muted"),
            (f"{entry.mark} ", entry.tone),
            (fitted(entry.origin, origin) + "  ", ""),
            (fitted(entry.word, TYPE) + "  ", entry.tone),
            (entry.what, "text-muted"),
        ]
        for entry in found
    ]
