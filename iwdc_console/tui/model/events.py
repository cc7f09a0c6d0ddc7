"""What the Events screen says: a row for each event, the detail of one, and the words that choose which are shown."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.table import MARK, PROSE, Cell, Cells, Column, Row, instant
from iwdc_console.tui.model.timeline import LEVELS, SHAPES, TONES, Level, Selection, level, summary

Line = list[tuple[str, str]]

COLUMNS = (
    Column("time", 12, keeps=instant),
    MARK,
    Column("instance", 10, grow=1),
    Column("type", 18),
    Column("what", 20, grow=8, most=PROSE),
    Column("trace", 8, drop=1),
)
TRACE_CHARS = 8
DETAIL_CHARS = 20_000
FIELDS = ("type", "level", "on", "trace")


class BadSelection(ValueError):
    """The words do not say which events to show. The message says what was expected."""


def time_of_day(at_ms: int) -> str:
    """A moment as this machine's wall clock shows it, to the millisecond."""
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        return text("events.no_time")


def row(event: Event, names: Mapping[str, str]) -> Row:
    """An event's line."""
    return Row(event.id, partial(_cells, event, names))


def _cells(event: Event, names: Mapping[str, str]) -> Cells:
    stands = level(event)
    tone = "" if stands == "routine" else TONES[stands]
    return (
        Cell(time_of_day(event.timestamp), "text-muted", event.hlc, event.timestamp),
        Cell(SHAPES[stands], TONES[stands]),
        Cell(event.origin),
        Cell(event.type, tone),
        Cell(summary(event, names), "text-muted" if stands == "routine" else ""),
        Cell(event.trace_id[:TRACE_CHARS], "text-muted", exact=event.trace_id),
    )


def as_json(event: Event) -> str:
    """All of an event, as the API tells it."""
    told = {
        "id": event.id, "origin": event.origin, "seq": event.seq, "type": event.type, "timestamp": event.timestamp,
        "hlc": event.hlc, "traceId": event.trace_id, "payload": event.payload,
    }  # fmt: skip
    return json.dumps(told, indent=2, ensure_ascii=False)


def detail(event: Event | None, first: int, height: int) -> list[Line]:
    """An event's JSON from line `first` on."""
    if event is None:
        return [[(text("events.none_chosen"), "text-muted")]]
    lines = as_json(event)[:DETAIL_CHARS].split("\n")
    start = max(0, min(first, len(lines) - height))
    return [_json_line(line) for line in lines[start : start + height]]


def _json_line(line: str) -> Line:
    name, colon, value = line.partition('": ')
    if not colon or not name.lstrip().startswith('"'):
        return [(line, "")]
    return [(name + '": ', "text-muted"), (value, "")]


def selection(words: str) -> Selection:
    """`type:VOTES,X level:alarm on:instance-A trace:4bf9`: what is to be shown. Raises `BadSelection`."""
    given: dict[str, str] = {}
    for word in words.split():
        name, colon, value = word.partition(":")
        if not colon or name not in FIELDS or not value:
            raise BadSelection(text("events.bad_selection", word=word, fields=", ".join(f"{f}:" for f in FIELDS)))
        given[name] = value
    levels: list[Level] = []
    for name in filter(None, given.get("level", "").split(",")):
        found = next((one for one in LEVELS if one == name), None)
        if found is None:
            raise BadSelection(text("events.bad_level", word=name, levels=", ".join(LEVELS)))
        levels.append(found)
    types = frozenset(filter(None, given.get("type", "").upper().split(",")))
    return Selection(types, frozenset(levels), given.get("on", ""), given.get("trace", ""))


def suggestions(events: Sequence[Event]) -> list[str]:
    """What may be typed: types and instances that occur, levels."""
    types = sorted({f"type:{event.type}" for event in events})
    instances = sorted({f"on:{event.origin}" for event in events})
    return [*types, *(f"level:{name}" for name in LEVELS), *instances]
