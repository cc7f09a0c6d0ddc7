"""Durations, ages and numbers as people read them. Each form has a fixed shape, so that columns do not jump."""

from iwdc_console.locale import number, text

_S, _MIN, _H, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
NONE = "–"


def duration(ms: float | None) -> str:
    """Milliseconds in a cell: `12 ms`, `0.4 s`, `41 s`, `3m 20s`, `4h 05m`, `12d 04h`."""
    if ms is None:
        return NONE
    if ms < 100:
        return text("unit.ms", value=number(ms, grouped=False))
    return _coarse(ms)


def age(ms: float | None) -> str:
    """How long ago, in a cell: tenths of seconds at the least."""
    return NONE if ms is None else _coarse(max(0.0, ms))


def _coarse(ms: float) -> str:
    if ms < 9_950:
        return text("unit.s", value=number(ms / _S, 1))
    if ms < 59_500:
        return text("unit.s", value=number(ms / _S))
    seconds = round(ms / _S)
    if seconds < 3_600:
        return text("unit.min_s", minutes=seconds // 60, seconds=f"{seconds % 60:02d}")
    if ms < _DAY:
        return text("unit.h_min", hours=seconds // 3_600, minutes=f"{seconds % 3_600 // 60:02d}")
    return text("unit.d_h", days=seconds // 86_400, hours=f"{seconds % 86_400 // 3_600:02d}")


def milliseconds(ms: float | None) -> str:
    """A round trip in a cell, to the tenth: `0.8 ms`, `1204.0 ms`."""
    return NONE if ms is None else text("unit.ms", value=number(ms, 1, grouped=False))


def offset(ms: float | None) -> str:
    """A clock's offset in a cell, with its sign: `+3 ms`, `-4h 05m`."""
    if ms is not None and abs(ms) >= 10 * _S:
        return ("+" if ms > 0 else "-") + _coarse(abs(ms))
    return NONE if ms is None else text("unit.ms", value=number(ms, signed=True, grouped=False) if round(ms) else "0")


def short_hash(value: str) -> str:
    """Enough of a hash to tell it from others."""
    return value if len(value) <= 12 else f"{value[:8]}…"


def size(count: int) -> str:
    """Bytes in a cell: `312 B`, `4.0 KiB`, `1.5 GiB`."""
    amount, unit, larger = float(count), "b", ["tib", "gib", "mib", "kib"]
    while amount >= 1024 and larger:
        amount, unit = amount / 1024, larger.pop()
    return text(f"unit.{unit}", value=number(amount, 1 if unit != "b" else 0))
