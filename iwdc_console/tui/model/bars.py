"""Small pictures made of characters: bars and sparklines. Each has exactly the width asked for."""

from collections.abc import Sequence

FULL, EMPTY = "█", "░"
LEVELS = "▁▂▃▄▅▆▇█"


def bar(part: float, whole: float, width: int) -> tuple[str, str]:
    """The filled and the empty cells of a bar; something, however little, shows as one cell."""
    share = 0.0 if whole <= 0 else min(1.0, max(0.0, part / whole))
    filled = round(share * width)
    if share > 0 and not filled:
        filled = 1
    return FULL * filled, EMPTY * (width - filled)


def sparkline(values: Sequence[float | None], width: int, least: float = 0.0) -> str:
    """The newest `width` values from zero to the greatest of them; a gap where there was none.

    `least` is the smallest greatest: what lies far beneath it stays flat instead of filling the height with noise.
    """
    newest = list(values)[-width:]
    top = max((value for value in newest if value is not None), default=0.0)
    top = max(top, least)
    drawn = "".join(" " if value is None else _level(value, top) for value in newest)
    return drawn.rjust(width)


def _level(value: float, top: float) -> str:
    if top <= 0:
        return LEVELS[0]
    return LEVELS[min(len(LEVELS) - 1, int(value / top * len(LEVELS)))]
