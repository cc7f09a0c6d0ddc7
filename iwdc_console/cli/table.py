"""Tables that fit the width there is. Pure: text in, lines out.

Where not everything fits, the least important columns go first (`Column.drop`), then the cells with most to spare are
cut. A cell longer than `COMFORT` is no reason to lose a column: it is cut.
"""

from collections.abc import Sequence
from typing import NamedTuple

from iwdc_console.cli.text import cells, pad, safe

GAP = "  "
COMFORT = 32
"""Cells up to which a column is worth more than those that may be dropped."""
_CODES = {"good": "32", "warn": "33", "bad": "31", "strong": "1", "dim": "2"}


class Toned(NamedTuple):
    """Text with a meaning that colour may underline: `good`, `warn`, `bad`, `strong`, `dim`."""

    text: str
    tone: str


Cell = str | Toned


class Column(NamedTuple):
    """A column. `drop` 0 always stays; of the others the highest goes first when room is short."""

    title: str
    align: str = "<"
    drop: int = 0
    least: int = 6
    """Cells below which the column is not cut."""


def paint(text: str, tone: str, colour: bool) -> str:
    """`text` in the colour of `tone`, or as it is."""
    code = _CODES.get(tone)
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code and text else text


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, colour: bool = False) -> str:
    """Columns with a heading, at most `width` cells wide (never narrower than the columns' least)."""
    texts = [[safe(_text(cell)) for cell in row] for row in rows]
    wanted = [max([cells(column.title), *(cells(row[i]) for row in texts)]) for i, column in enumerate(columns)]
    shown = _choose(columns, wanted, width)
    sizes = _shrink(columns, wanted, shown, width)
    lines = [_join([pad(columns[i].title, sizes[i], columns[i].align) for i in shown])]
    lines[0] = paint(lines[0], "dim", colour)
    for row, row_texts in zip(rows, texts, strict=True):
        parts = []
        for i in shown:
            text = pad(row_texts[i], sizes[i], columns[i].align)
            cell = row[i]
            parts.append(paint(text, cell.tone, colour) if isinstance(cell, Toned) else text)
        lines.append(_join(parts))
    return "\n".join(lines)


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Toned) else cell


def _join(parts: Sequence[str]) -> str:
    return GAP.join(parts).rstrip()


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + len(GAP) * max(0, len(sizes) - 1)


def _choose(columns: Sequence[Column], wanted: Sequence[int], width: int) -> list[int]:
    shown = list(range(len(columns)))
    while _total([min(wanted[i], COMFORT) for i in shown]) > width:
        optional = [i for i in shown if columns[i].drop]
        if not optional:
            break
        shown.remove(max(optional, key=lambda i: columns[i].drop))
    return shown


def _shrink(columns: Sequence[Column], wanted: Sequence[int], shown: Sequence[int], width: int) -> dict[int, int]:
    sizes = {i: wanted[i] for i in shown}
    while _total(list(sizes.values())) > width:
        widest = max(shown, key=lambda i: sizes[i] - min(wanted[i], columns[i].least))
        if sizes[widest] <= columns[widest].least:
            break
        sizes[widest] -= 1
    return sizes
