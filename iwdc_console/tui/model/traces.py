"""What the Traces screen says: the latest traces, and one as a waterfall across all instances."""

import json
from collections.abc import Sequence
from functools import partial

from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Span, Trace, TraceSummary
from iwdc_console.tui.model.events import time_of_day
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.quantity import milliseconds
from iwdc_console.tui.model.table import Cell, Cells, Column, Row, instant
from iwdc_console.tui.model.waterfall import bars, extent

Line = list[tuple[str, str]]

COLUMNS = (
    Column("time", 12, keeps=instant),
    Column("name", 20, grow=1),
    Column("what", 28, grow=2),
    Column("took", 9, right=True),
    Column("spans", 6, right=True, drop=2),
    Column("trace", 12, grow=2, drop=3),
)
NAME_WIDTH = 28
WHO_WIDTH = 12
TOOK_WIDTH = 10
_TONES = ("action-primary", "action-accent", "result-success", "action-secondary", "result-warning")
"""Instances are told apart by their column; the colour only helps the eye."""


def rows(moment: Moment) -> list[Row]:
    """One row per trace the asked node knows, newest first."""
    part = moment.observation.traces
    return [] if part is None else _rows(part, language())


@once
def _rows(part: Part[tuple[TraceSummary, ...]], spoken: str) -> list[Row]:
    return [_row(item) for item in part.value]


def _row(item: TraceSummary) -> Row:
    return Row(item.id, partial(_cells, item), copy=item.id)


def _cells(item: TraceSummary) -> Cells:
    return (
        Cell(time_of_day(int(item.start_ms)), "text-muted", item.start_ms, item.start_ms),
        Cell(item.name),
        Cell(item.about),
        Cell(milliseconds(item.duration_ms), "", item.duration_ms),
        Cell(str(item.spans), "text-muted", item.spans),
        Cell(item.id, "text-muted"),
    )


def waterfall_lines(moment: Moment, chosen: str, first: int, width: int, height: int) -> list[Line]:
    """The chosen trace: a head line, then a line for each span from `first` on."""
    part = moment.observation.trace
    if not chosen:
        return [[(text("traces.none_chosen"), "text-muted")]]
    if part is None or part.value.id != chosen:
        return [[(text("traces.past" if moment.past else "traces.gathering"), "text-muted")]]
    trace = part.value
    if not trace.spans:
        return [[(text("traces.forgotten"), "text-muted")], *_missing(trace)]
    lines = _lines(trace, width, language())
    start = max(0, min(first, len(lines) - height))
    return lines[start : start + height]


@once
def _lines(trace: Trace, width: int, spoken: str) -> list[Line]:
    return [_head(trace), *_missing(trace), *_spans(trace.spans, width)]


def _head(trace: Trace) -> Line:
    whole = extent(trace.spans)
    instances = len({span.instance for span in trace.spans})
    words = text(
        "traces.head", spans=text("traces.spans", count=len(trace.spans)), on=text("traces.on", count=instances),
        took=milliseconds(whole.duration_ms), at=time_of_day(int(whole.start_ms)),
    )  # fmt: skip
    return [(words, "text-muted")]


def _missing(trace: Trace) -> list[Line]:
    if not trace.missing:
        return []
    return [[(text("traces.missing", instances=", ".join(trace.missing)), "text-warning")]]


def _spans(spans: Sequence[Span], width: int) -> list[Line]:
    room = max(10, width - NAME_WIDTH - WHO_WIDTH - TOOK_WIDTH - 4)
    tones = {name: _TONES[at % len(_TONES)] for at, name in enumerate(sorted({span.instance for span in spans}))}
    lines = []
    for line in bars(spans, room):
        span = line.span
        name = ("  " * line.depth + span.name)[:NAME_WIDTH]
        lines.append(
            [
                (f"{name:<{NAME_WIDTH}} ", ""),
                (f"{span.instance[:WHO_WIDTH]:<{WHO_WIDTH}} ", "text-muted"),
                (f"{milliseconds(span.duration_ms):>{TOOK_WIDTH}} ", ""),
                (line.text, tones[span.instance]),
            ]
        )
    return lines


def as_json(trace: Trace) -> str:
    """A gathered trace with all its fields."""
    spans = [
        {
            "id": span.id, "parent": span.parent, "name": span.name, "instance": span.instance,
            "startMs": span.start_ms, "durationMs": span.duration_ms, "fields": span.fields,
        }
        for span in trace.spans
    ]  # fmt: skip
    return json.dumps({"trace": trace.id, "spans": spans}, indent=2, ensure_ascii=False)
