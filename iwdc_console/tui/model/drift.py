"""What the Clock screen says: every instance's offset against the leader, with its error, over time (T1)."""

from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Drift, Instance, Status
from iwdc_console.tui.model.bars import sparkline
from iwdc_console.tui.model.history import History, Pulse
from iwdc_console.tui.model.marks import LEADER, UNREACHABLE
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.plot import Axis, Measurement, axis_for, error_bars
from iwdc_console.tui.model.quantity import NONE, age, milliseconds, offset
from iwdc_console.tui.model.table import Cell, Column, Row

Line = list[tuple[str, str]]

LEAST_REACH_MS = 10.0
"""The plot never zooms in further: noise should look like noise."""
NOT_TOLD = Drift()
LABEL_WIDTH = 10
SPARK = 20
_TONES = {"point": "action-primary", "bar": "text-muted", "axis": "text-disabled", "threshold": "status-degraded"}

COLUMNS = (
    Column("mark", 1),
    Column("instance", 12, grow=2),
    Column("offset", 11, right=True, glows=True),
    Column("error", 11, right=True, drop=1),
    Column("verdict", 16, grow=2),
    Column("trend", SPARK, drop=2),
)


def rows(moment: Moment) -> list[Row]:
    """One row per instance: what it reports of itself against the leader; of the asked one also the error."""
    status, part = moment.observation.status, moment.observation.drift
    if status is None:
        return []
    newest = moment.history.pulses[-1] if moment.history.pulses else None
    return _rows(status, part.value if part is not None else NOT_TOLD, moment.history, newest, language())


@once
def _rows(status: Part[Status], drift: Drift, history: History, newest: Pulse | None, spoken: str) -> list[Row]:
    """`newest` and `spoken` say that the history and the language are the same still."""
    found = []
    for item in status.value.instances:
        leads, gone = item.id == status.value.leader.id, item.status == UNREACHABLE
        error_ms = drift.error_ms if item.id == drift.instance else None
        words, tone = _verdict(item, drift, leads)
        samples = [one.drift_ms for one in history.samples(item.id, SPARK)]
        trend = "" if leads or gone else sparkline([None if ms is None else abs(ms) for ms in samples], SPARK, 1.0)
        found.append(
            Row(
                key=item.id,
                cells=(
                    Cell(LEADER if leads else "", "status-leader"),
                    Cell(item.id, "text-muted" if gone else ""),
                    Cell(text("overview.reference") if leads else offset(None if gone else item.drift_ms)),
                    Cell(NONE if error_ms is None else "± " + milliseconds(error_ms), "text-muted", error_ms),
                    Cell(words, tone),
                    Cell(trend, "text-muted"),
                ),
                copy=f"{item.id} {item.drift_ms}",
            )
        )
    return found


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
        pace = "" if drift.rate_ppm is None else "  " + text("drift.rate", ppm=f"{drift.rate_ppm:+.1f}")
        lines.append([(measured, ""), (pace, "text-muted")])
    if drift.suspect:
        lines.append([(text("drift.suspected", suspect=drift.suspect), "status-unreachable")])
    return lines[:most]


def plot_lines(moment: Moment, width: int, height: int) -> list[Line]:
    """The asked node's measurements with their error bars, since the oldest it remembers."""
    part = moment.observation.drift
    if part is None or not part.value.history or height < 3:
        return [[(text("drift.no_history"), "text-muted")]]
    return _plot(part.value, moment.now_ms // 1000 * 1000, width, height, language())


@once
def _plot(drift: Drift, now_ms: int, width: int, height: int, spoken: str) -> list[Line]:
    measured = [Measurement(one.at, one.offset_ms, one.error_ms) for one in drift.history]
    axis = axis_for(measured, LEAST_REACH_MS)
    room = max(1, width - LABEL_WIDTH - 1)
    since_ms, until_ms = measured[0].at_ms, max(now_ms, measured[-1].at_ms)
    plotted = error_bars(measured, room, height - 1, axis, since_ms, until_ms, drift.warn_ms or None)
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
