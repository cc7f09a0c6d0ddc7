"""The last minutes of the whole cluster: who was there, how busy it was, how slow its slowest link."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from iwdc_console.locale import number, text
from iwdc_console.tui.model.bars import area, sparkline
from iwdc_console.tui.model.history import Pulse
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.quantity import milliseconds
from iwdc_console.tui.model.words import fitted

Line = list[tuple[str, str]]
LABEL, VALUE = 14, 9
RATE_LEAST, SLOWEST_LEAST_MS = 10.0, 5.0
"""What lies far beneath these stays flat: noise should look like noise."""
TALLEST = 10
GRAPHS = 2


def pulse_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """One line each where there is little room, otherwise curves as high as there is room for."""
    pulses = list(moment.history.pulses)
    if len(pulses) < 2:
        return [[(text(moment.unknown), "text-muted")]]
    last = pulses[-1]
    rates: list[float | None] = [
        max(0, new.events - old.events) * 1000 / max(1, new.at_ms - old.at_ms) for old, new in pairwise(pulses)
    ]
    rate = text("unit.per_s", value=number(rates[-1] or 0))
    lines = [_healthy(pulses, width)]
    height = min(TALLEST, (most - 1) // GRAPHS - 1)
    lines += _graph("overview.rate", rates, rate, RATE_LEAST, width, height)
    worst = [pulse.worst_rtt_ms for pulse in pulses]
    lines += _graph("overview.worst_rtt", worst, milliseconds(last.worst_rtt_ms), SLOWEST_LEAST_MS, width, height)
    return lines[:most]


def _healthy(pulses: Sequence[Pulse], width: int) -> Line:
    """Shape says how many, colour whether that was all."""
    last, room = pulses[-1], max(10, width - LABEL - VALUE)
    newest = pulses[-room:]
    drawn = sparkline([pulse.healthy for pulse in newest], room, max(pulse.total for pulse in newest))
    whole = [True] * (room - len(newest)) + [pulse.healthy == pulse.total for pulse in newest]
    runs = groupby(zip(drawn, whole, strict=True), key=lambda cell: cell[1])
    return [
        (fitted(text("overview.healthy"), LABEL), "text-muted"),
        *(("".join(c for c, _ in run), "status-healthy" if all_ else "status-degraded") for all_, run in runs),
        (f"{f'{last.healthy}/{last.total}':>{VALUE}}", ""),
    ]


def _graph(key: str, values: Sequence[float | None], now: str, least: float, width: int, height: int) -> list[Line]:
    """A curve beneath its name and its newest value; beside them where it would be one line high."""
    if height < 1:
        drawn = sparkline(values, max(10, width - LABEL - VALUE), least)
        return [[(fitted(text(key), LABEL), "text-muted"), (drawn, "proposal-pending"), (f"{now:>{VALUE}}", "")]]
    curve: list[Line] = [[(row, "proposal-pending")] for row in area(values, width, height, least)]
    return [[(fitted(text(key), max(1, width - VALUE)), "text-muted"), (f"{now:>{VALUE}}", "")], *curve]
