"""What the Clock screen says: every instance's offset against the leader, with its error, over time (T1)."""

from collections.abc import Mapping, Sequence
from functools import partial

from iwdc_console.cli.text import wrap
from iwdc_console.locale import language, number, text
from iwdc_console.tui.model.api import Drift, Instance, Status
from iwdc_console.tui.model.marks import LEADER, UNREACHABLE
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.plot import Axis, Measurement, axis_for, error_bars
from iwdc_console.tui.model.quantity import NONE, age, milliseconds, offset
from iwdc_console.tui.model.table import MARK, Cell, Cells, Column, Row
from iwdc_console.tui.model.words import clean

Line = list[tuple[str, str]]

LEAST_REACH_MS = 10.0
"""The plot never zooms in further: noise should look like noise."""
NOT_TOLD = Drift()
LABEL_WIDTH = 10
_TONES = {"point": "action-primary", "bar": "text-muted", "axis": "text-disabled", "threshold": "status-degraded"}

COLUMNS = (
    MARK,
    Column("instance", 12, grow=2),
    Column("offset", 11, right=True, glows=True),
    Column("error", 11, right=True, drop=1),
    Column("pace", 12, right=True, drop=2),
    Column("verdict", 16, grow=2),
)


def rows(moment: Moment) -> list[Row]:
    """One row per instance: what it reports of itself against the leader; of those that were asked also the error."""
    status, part = moment.observation.status, moment.observation.drift
    if status is None:
        return []
    return _rows(status, part.value if part is not None else NOT_TOLD, _measured(moment), language())


@once
def _rows(status: Part[Status], drift: Drift, measured: Mapping[str, Drift], spoken: str) -> list[Row]:
    """In the language `spoken`."""
    leader = status.value.leader.id
    return [
        Row(item.id, partial(_cells, item, drift, measured, item.id == leader), copy=f"{item.id} {item.drift_ms}")
        for item in status.value.instances
    ]


def _cells(item: Instance, drift: Drift, measured: Mapping[str, Drift], leads: bool) -> Cells:
    gone = item.status == UNREACHABLE
    own = NOT_TOLD if leads or gone else measured.get(item.id, NOT_TOLD)
    error_ms, pace = own.error_ms, own.rate_ppm
    words, tone = _verdict(item, drift, leads)
    return (
        Cell(LEADER if leads else "", "status-leader"),
        Cell(item.id, "text-muted" if gone else ""),
        Cell(text("overview.reference") if leads else offset(None if gone else item.drift_ms)),
        Cell(NONE if error_ms is None else "± " + milliseconds(error_ms), "text-muted", error_ms),
        Cell(NONE if pace is None else text("unit.ppm", value=_ppm(pace)), "text-muted", pace),
        Cell(words, tone),
    )


def _ppm(rate: float) -> str:
    """A rate that is measured over a clock being set is beyond all decimals."""
    return number(rate, 1 if abs(rate) < 1_000 else 0, signed=True)


def _measured(moment: Moment) -> Mapping[str, Drift]:
    """What each instance has measured of its own clock, as far as it was asked."""
    return _by_instance(moment.observation.clocks, moment.observation.drift)


@once
def _by_instance(clocks: Part[tuple[Drift, ...]] | None, drift: Part[Drift] | None) -> Mapping[str, Drift]:
    gathered = clocks.value if clocks is not None else ()
    own = (drift.value,) if drift is not None else ()
    return {each.instance: each for each in (*gathered, *own)}


@once
def _measurements(drift: Drift) -> Sequence[Measurement]:
    return [Measurement(one.at, one.offset_ms, one.error_ms) for one in drift.history]


def _verdict(item: Instance, drift: Drift, leads: bool) -> tuple[str, str]:
    if item.id == drift.suspect:
        return text("drift.suspect"), "status-unreachable"
    if item.status == UNREACHABLE:
        return text("drift.gone"), "text-muted"
    if leads:
        return text("drift.leads"), "text-muted"
    if item.drift_ms is None:
        return text("drift.unmeasured"), "text-muted"
    if drift.warn_ms and abs(item.drift_ms) > drift.warn_ms:
        return text("drift.off"), "status-degraded"
    return text("drift.fine"), "status-healthy"


def head_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The asked node's clock in a sentence, and who is suspect."""
    part = moment.observation.drift
    if part is None:
        return [[(text(moment.unknown), "text-muted")]]
    drift = part.value
    lines: list[Line] = []
    if drift.reference is None:
        lines.append([(text("drift.no_reference", instance=drift.instance), "text-muted")])
    elif drift.reference == drift.instance:
        lines.append([(text("drift.is_reference", instance=drift.instance), "")])
    elif drift.offset_ms is None:
        lines.append([(text("drift.not_yet", instance=drift.instance, reference=drift.reference), "text-muted")])
    else:
        aged_ms = 0.0 if moment.past else max(0.0, moment.now_s - part.at_s) * 1000
        measured = text(
            "drift.measured", instance=drift.instance, reference=drift.reference, offset=offset(drift.offset_ms),
            error=milliseconds(drift.error_ms), age=age((drift.age_ms or 0) + aged_ms),
        )  # fmt: skip
        pace = "" if drift.rate_ppm is None else "  " + text("drift.rate", ppm=_ppm(drift.rate_ppm))
        whole = wrap(clean(measured + pace), width)
        lines += [[(measured, ""), (pace, "text-muted")]] if len(whole) == 1 else [[(line, "")] for line in whole]
    if drift.suspect:
        suspected = clean(text("drift.suspected", suspect=drift.suspect))
        lines += [[(line, "status-unreachable")] for line in wrap(suspected, width)]
    return lines[:most]


def plot_lines(moment: Moment, width: int, height: int) -> list[Line]:
    """The asked node's measurements with their error bars, since the oldest it remembers."""
    part = moment.observation.drift
    return plot_of(moment, part.value.instance if part is not None else "", width, height)


def plot_of(moment: Moment, instance: str, width: int, height: int) -> list[Line]:
    """An instance's measurements with their error bars; what it reported of itself, where it could not be asked."""
    status, part = moment.observation.status, moment.observation.drift
    if status is not None and instance == status.value.leader.id:
        return [[(text("drift.is_reference", instance=instance), "text-muted")]]
    measured = _measurements(_measured(moment).get(instance, NOT_TOLD))
    if not measured:
        samples = moment.history.samples(instance)
        measured = [Measurement(one.at_ms, one.drift_ms, 0.0) for one in samples if one.drift_ms is not None]
    if not measured or height < 3:
        return [[(text("drift.no_history"), "text-muted")]]
    warn_ms = part.value.warn_ms if part is not None else 0.0
    return _plot(measured, warn_ms, moment.now_ms // 1000 * 1000, width, height, language())


@once
def _plot(
    measured: Sequence[Measurement], warn_ms: float, now_ms: int, width: int, height: int, spoken: str
) -> list[Line]:
    axis = axis_for(measured, LEAST_REACH_MS)
    room = max(1, width - LABEL_WIDTH - 1)
    since_ms, until_ms = measured[0].at_ms, max(now_ms, measured[-1].at_ms)
    plotted = error_bars(measured, room, height - 1, axis, since_ms, until_ms, warn_ms or None)
    lines: list[Line] = [
        [(_label(axis, at, height - 1), "text-muted"), *((words, _TONES.get(role, "")) for words, role in runs)]
        for at, runs in enumerate(plotted)
    ]
    past, now = text("overview.ago", age=age(until_ms - since_ms)), text("drift.now")
    lines.append([(" " * (LABEL_WIDTH + 1) + past + now.rjust(max(0, room - len(past))), "text-muted")])
    return lines


def _label(axis: Axis, at: int, height: int) -> str:
    """The axis' ends and zero beside their rows."""
    for value in (axis.high, 0.0, axis.low):
        if axis.row(value, height) == at:
            return f"{offset(value):>{LABEL_WIDTH}} "
    return " " * (LABEL_WIDTH + 1)
