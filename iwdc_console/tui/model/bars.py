"""Small pictures made of characters: bars and sparklines. Each has exactly the width asked for."""

from collections.abc import Sequence

FULL, EMPTY = "█", "░"
LEVELS = "▁▂▃▄▅▆▇█"


def bar(part: float, whole: float, width: int) -> tuple[str, str]:
    """The filled and the empty cells of a bar; something, however little, shows as one cell."""
    share = 0.0 if whole <= 0 else min(1.0, max(0.0, part / whole))
    filled = round(share * width)
    if min(part, whole) > 0 and not filled:  # a share may be too small for a number
        filled = 1
    return FULL * filled, EMPTY * (width - filled)


def sparkline(values: Sequence[float | None], width: int, least: float = 0.0) -> str:
    """The newest `width` values from zero to the greatest of them; a gap where there was none.

    `least` is the smallest greatest: what lies far beneath it stays flat instead of filling the height with noise.
    """
    return area(values, width, 1, least)[0]


def area(values: Sequence[float | None], width: int, height: int, least: float = 0.0) -> list[str]:
    """A sparkline of `height` rows, the top one first: its edge drawn, what is beneath it shaded.

    What is known and small still shows as a line at the foot.
    """
    newest = list(values)[-width:]
    top = max(max((value for value in newest if value is not None), default=0.0), least)
    levels = [None if value is None else _level(value, top, height) for value in newest]
    return [
        "".join(" " if level is None else _cell(level - (height - 1 - row) * len(LEVELS)) for level in levels).rjust(
            width
        )
        for row in range(height)
    ]


def _level(value: float, top: float, height: int) -> int:
    """The eighths of rows that are filled."""
    steps = height * len(LEVELS)
    return 1 if top <= 0 else min(steps, int(value / top * steps) + 1)


def _cell(eighths: int) -> str:
    if eighths > len(LEVELS):
        return EMPTY
    return LEVELS[eighths - 1] if eighths > 0 else " "
