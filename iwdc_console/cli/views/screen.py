"""What a view may use: the width, colour, the shapes the encoding has, and the time."""

import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from iwdc_console.cli import output, table
from iwdc_console.cli.table import Cell, Column, Toned
from iwdc_console.cli.text import age, duration, fit, safe, wrap

HASH_CELLS = 16
LONG_MS = 10_000
"""From here on a tenth of a millisecond is of no interest."""
_SHAPES = {"healthy": "●", "degraded": "◐", "unreachable": "○", "leader": "★"}
_ASCII_SHAPES = {"healthy": "+", "degraded": "~", "unreachable": "o", "leader": "*"}
_TONES = {
    "healthy": "good",
    "degraded": "warn",
    "unreachable": "bad",
    "accepted": "good",
    "accept": "good",
    "pending": "warn",
    "rejected": "bad",
    "reject": "bad",
    "expired": "warn",
}


class Screen(NamedTuple):
    """`width` in cells, `now_ms` unix ms. `shapes` False keeps to ASCII shapes."""

    width: int
    colour: bool
    now_ms: float
    shapes: bool = True

    def shape(self, status: str) -> str:
        """The shape that carries a status or the leader; blank for others."""
        return (_SHAPES if self.shapes else _ASCII_SHAPES).get(status, " ")

    def word(self, status: str) -> Toned:
        """A status or state, with the tone it has."""
        return Toned(status, _TONES.get(status, ""))

    def paint(self, text: str, tone: str) -> str:
        """Safe `text` in a tone."""
        return table.paint(text, tone, self.colour)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
        """A table that fits."""
        return table.table(columns, rows, self.width, self.colour)

    def age(self, then_ms: float | None) -> str:
        """How long ago."""
        return age(then_ms, self.now_ms)

    def fields(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Names and values, one pair per line, long values wrapped under themselves."""
        indent = max(len(name) for name, _ in pairs) + 2
        lines = []
        for name, value in pairs:
            parts = wrap(safe(value), max(20, self.width - indent))
            lines.append(self.paint(name.ljust(indent), "dim") + parts[0])
            lines += [" " * indent + part for part in parts[1:]]
        return "\n".join(lines)

    def note(self, text: str, indent: int = 0, tone: str = "") -> str:
        """A sentence, wrapped."""
        return "\n".join(" " * indent + self.paint(p, tone) for p in wrap(safe(text), max(20, self.width - indent)))


def current_screen() -> Screen:
    """The screen that stdout is now."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        "".join(_SHAPES.values()).encode(encoding)
        shapes = True
    except (UnicodeEncodeError, LookupError):
        shapes = False
    return Screen(output.width(), output.is_coloured(), time.time() * 1000, shapes)


def count(number: int, noun: str) -> str:
    """`1 vote`, `2 votes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def milliseconds(value: Any, signed: bool = False) -> str:
    """A measured number of ms, `-` when there is none; from ten seconds on as people say it (`+2 h`)."""
    if value is None:
        return "-"
    shown = round(value, 1) + 0.0  # never -0.0
    sign = "" if shown < 0 or not signed else "+"
    return f"{sign}{duration(shown)}" if abs(shown) >= LONG_MS else f"{sign}{shown:.1f} ms"


def short_hash(digest: str) -> str:
    """Enough of a hash to tell it from others at a glance."""
    return fit(safe(digest), HASH_CELLS)
