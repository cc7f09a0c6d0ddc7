"""What the Metrics screen says: one row for each series, and its help beneath the cursor."""

import math
from collections.abc import Sequence
from functools import partial

from iwdc_console.locale import language, number, text
from iwdc_console.tui.model import codes
from iwdc_console.tui.model.bars import sparkline
from iwdc_console.tui.model.meters import Bucket, Meter
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.quantity import NONE
from iwdc_console.tui.model.table import Cell, Cells, Column, Row

SPARK = 12
SPEAKS = "instance"
"""A label whose value says what it is."""

COLUMNS = (
    Column("metric", 36, grow=3, most=60),
    Column("labels", 13, grow=2, most=60),
    Column("value", 12, right=True, glows=True),
    Column("rate", 10, right=True),
    Column("p50", 11, right=True, drop=3),
    Column("p95", 11, right=True, drop=2),
    Column("trend", SPARK, drop=1, keeps=None),
)


def rows(meters: Sequence[Meter]) -> list[Row]:
    """A row for each series."""
    return _rows(meters, language())


@once
def _rows(meters: Sequence[Meter], spoken: str) -> list[Row]:
    return [_row(meter) for meter in meters]


def _row(meter: Meter) -> Row:
    labels = " ".join(f"{name}={value}" for name, value in meter.labels)
    series = f"{meter.name}{{{labels}}}"
    return Row(series, partial(_cells, meter), copy=f"{series} {meter.value:g}")


def _cells(meter: Meter) -> Cells:
    labels = " ".join(value if name == SPEAKS else f"{name}={value}" for name, value in meter.labels)
    pace = meter.rate_per_s
    least = 1.0 if meter.kind == "gauge" else 0.1
    trend = sparkline(list(meter.recent[-SPARK:]), SPARK, least) if any(meter.recent) else ""
    return (
        Cell(meter.name),
        Cell(labels, "text-muted"),
        Cell(brief(meter.value), "", meter.value, meter.value),
        Cell(NONE if pace is None else rate(pace), "text-muted", pace, pace),
        _quantile(meter, meter.p50),
        _quantile(meter, meter.p95),
        Cell(trend, "action-primary"),
    )


def _quantile(meter: Meter, found: Bucket | None) -> Cell:
    """What is known of a quantile, in the unit of its metric's name: `≤ 0.05 s`, `> 10 s`, `-100…0`."""
    if found is None:
        return Cell("" if meter.kind != "histogram" else NONE)
    low, high = found
    if math.isinf(high):
        said = f"> {_bound(low)}"
    elif low < 0 and math.isfinite(low):
        said = f"{_bound(low)}…{_bound(high)}"
    else:
        said = f"≤ {_bound(high)}"
    return Cell(text("unit.s", value=said) if meter.name.endswith("_seconds") else said, "", high, high)


def _bound(value: float) -> str:
    """A bucket's bound as it was written: 0.05, not 0.050."""
    return next(number(value, digits) for digits in (0, 1, 2, 3) if digits == 3 or round(value, digits) == value)


def brief(value: float) -> str:
    """A number without more digits than it has worth."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return number(value)
    return number(value, 3) if abs(value) < 1e6 else f"{value:.3e}"


def rate(per_s: float) -> str:
    """A rate in a cell of fixed shape."""
    return text("unit.per_s", value=number(per_s, 1 if per_s < 1_000 else 0))


def note(meter: Meter | None, left_out: int) -> list[tuple[str, str]]:
    """What the series under the cursor counts, and how many series are not shown."""
    pieces: list[tuple[str, str]] = []
    if meter is not None:
        pieces.append((f"{meter.kind}  ", "text-muted"))
        pieces.append((codes.metric(meter.name, meter.help), ""))
        if meter.mean is not None:
            pieces.append(("  " + text("metrics.mean", value=brief(meter.mean)), "text-muted"))
    if left_out:
        pieces.append(("  " + text("metrics.left_out", count=left_out), "text-warning"))
    return pieces
