"""A trace as a waterfall: spans under their parents, each a bar on one time axis. Pure.

Starts come from each instance's own wall clock; bars of different instances are as true as their clocks agree.
"""

from collections.abc import Sequence
from typing import NamedTuple

from iwdc_console.tui.model.api import Span

_EIGHTHS = " ▏▎▍▌▋▊▉█"
MAX_DEPTH = 8
"""Deeper spans stand no further to the right."""


class Bar(NamedTuple):
    """A span's line: its depth below the root and its bar of exactly the width asked for."""

    depth: int
    span: Span
    text: str


class Extent(NamedTuple):
    """From the first start to the last end of a trace, unix ms."""

    start_ms: float
    end_ms: float

    @property
    def duration_ms(self) -> float:
        """How long the whole trace took."""
        return self.end_ms - self.start_ms


def extent(spans: Sequence[Span]) -> Extent:
    """The time axis of a trace. Expects at least one span."""
    return Extent(min(span.start_ms for span in spans), max(span.start_ms + span.duration_ms for span in spans))


def ordered(spans: Sequence[Span]) -> list[tuple[int, Span]]:
    """Spans with their depth, children under their parents, each level by start; what lost its parent stands on top."""
    by_id = {span.id: span for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(by_id.values(), key=lambda span: (span.start_ms, -span.duration_ms, span.id)):
        parent = span.parent if span.parent in by_id and span.parent != span.id else None
        children.setdefault(parent, []).append(span)
    lines: list[tuple[int, Span]] = []
    pending = [(0, span) for span in reversed(children.get(None, []))]
    while pending:
        depth, span = pending.pop()
        lines.append((depth, span))
        pending += [(depth + 1, child) for child in reversed(children.pop(span.id, []))]
    shown = {span.id for _, span in lines}
    return [*lines, *((0, span) for span in by_id.values() if span.id not in shown)]


def bars(spans: Sequence[Span], width: int) -> list[Bar]:
    """Every span's line, in order; bars are `width` cells wide, their ends true to an eighth of a cell."""
    if not spans:
        return []
    axis = extent(spans)
    scale = width * 8 / max(axis.duration_ms, 0.001)
    lines = []
    for depth, span in ordered(spans):
        start = min(width * 8 - 1, int((span.start_ms - axis.start_ms) * scale))
        end = max(start + 1, min(width * 8, round((span.start_ms + span.duration_ms - axis.start_ms) * scale)))
        lines.append(Bar(min(depth, MAX_DEPTH), span, _bar(start, end, width)))
    return lines


def _bar(start: int, end: int, width: int) -> str:
    """A bar between two eighths of cells. Blocks grow from the left, so a bar begins with a whole cell."""
    first = start // 8
    whole, rest = divmod(max(1, end - first * 8), 8)
    text = " " * first + "█" * whole + (_EIGHTHS[rest] if rest else "")
    return text.ljust(width)[:width]
