"""A plot of measurements with error bars over time, in text cells. Pure: rows of (characters, role)."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Role = Literal["", "axis", "bar", "point", "beyond", "threshold"]
Run = tuple[str, Role]


class Measurement(NamedTuple):
    """A value with its error bound (`value` ± `error`), at a moment in unix ms."""

    at_ms: int
    value: float
    error: float


class Axis(NamedTuple):
    """The values from the bottom to the top row."""

    low: float
    high: float

    def row(self, value: float, height: int) -> int:
        """The row of a value, 0 on top; beyond the axis it is outside `range(height)`."""
        if self.high == self.low:
            return height // 2
        return math.floor((self.high - value) / (self.high - self.low) * (height - 1) + 0.5)


def axis_for(measurements: Sequence[Measurement], least: float) -> Axis:
    """An axis symmetric about zero, at a round bound, that shows every bar; at least ±`least`."""
    reach = max([least, *(abs(each.value) + each.error for each in measurements)])
    power: float = 10.0 ** math.floor(math.log10(reach))
    bound = next(step * power for step in (1, 2, 5, 10) if step * power >= reach * (1 - 1e-9))
    return Axis(-bound, bound)


def error_bars(
    measurements: Sequence[Measurement], width: int, height: int, axis: Axis, since_ms: int, until_ms: int,
    threshold: float | None = None,
) -> list[list[Run]]:  # fmt: skip
    """`height` rows of `width` cells: `●` the value, `│` its error, `─` zero, `┄` the thresholds at ±`threshold`.

    Where several measurements share a column, the surest (smallest error) is shown. Points beyond the axis stand on
    its edge as `▲` or `▼`.
    """
    grid = [[" "] * width for _ in range(height)]
    roles: list[list[Role]] = [[""] * width for _ in range(height)]

    def put(row: int, column: int, character: str, role: Role) -> None:
        if 0 <= row < height:
            grid[row][column], roles[row][column] = character, role

    for column in range(width):
        put(axis.row(0.0, height), column, "─", "axis")
        if threshold is not None:
            for value in (threshold, -threshold):
                if axis.low <= value <= axis.high:
                    put(axis.row(value, height), column, "┄", "threshold")
    for column, each in sorted(_surest(measurements, width, since_ms, until_ms).items()):
        top, bottom = axis.row(each.value + each.error, height), axis.row(each.value - each.error, height)
        for row in range(max(0, top), min(height - 1, bottom) + 1):
            put(row, column, "│", "bar")
        middle = axis.row(each.value, height)
        if middle < 0:
            put(0, column, "▲", "beyond")
        elif middle >= height:
            put(height - 1, column, "▼", "beyond")
        else:
            put(middle, column, "●", "point")
    return [_runs(characters, kinds) for characters, kinds in zip(grid, roles, strict=True)]


def _surest(measurements: Sequence[Measurement], width: int, since_ms: int, until_ms: int) -> dict[int, Measurement]:
    span_ms = max(1, until_ms - since_ms)
    chosen: dict[int, Measurement] = {}
    for each in measurements:
        if not since_ms <= each.at_ms <= until_ms:
            continue
        column = min(width - 1, (each.at_ms - since_ms) * width // span_ms)
        if column not in chosen or each.error <= chosen[column].error:
            chosen[column] = each
    return chosen


def _runs(characters: Sequence[str], roles: Sequence[Role]) -> list[Run]:
    runs: list[Run] = []
    for character, role in zip(characters, roles, strict=True):
        if runs and runs[-1][1] == role:
            runs[-1] = (runs[-1][0] + character, role)
        else:
            runs.append((character, role))
    return runs
