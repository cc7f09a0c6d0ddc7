"""The lines of a table as words with their styles: the headings, a row, its note; and which column stands where."""

from collections.abc import Callable, Iterator, Sequence

from iwdc_console.locale import text
from iwdc_console.tui.model.table import GAP, Column, Row
from iwdc_console.tui.model.words import cut, fitted
from iwdc_console.tui.widgets.words import Piece, toned

HEADING, SORTED = "$text-muted", "bold $foreground"
GLOW = "bold on $action-selection"
SPACE: Piece = (" " * GAP, "")


def headings(columns: Sequence[Column], widths: Sequence[int], sort_by: int | None, descending: bool) -> list[Piece]:
    """The names of the columns that have a width; an arrow at the one that the rows are sorted by."""
    pieces: list[Piece] = []
    for index, (column, width) in enumerate(zip(columns, widths, strict=True)):
        if width:
            arrow = ("▼" if descending else "▲") if index == sort_by else ""
            words = fitted((column.name or text(f"column.{column.id}")) + arrow, width, column.right)
            pieces += [(words, SORTED if arrow else HEADING), SPACE]
    return pieces[:-1]


def cells(row: Row, columns: Sequence[Column], widths: Sequence[int], glows: Callable[[int], bool]) -> list[Piece]:
    """A row's cells; those glow for whose column `glows` says so."""
    pieces: list[Piece] = []
    for index, (column, width) in enumerate(zip(columns, widths, strict=True)):
        if width:
            cell = row.cells[index]
            style = toned(cell.tone)
            if glows(index):
                style = f"{style} {GLOW}" if style else GLOW
            pieces += [(fitted(cell.text, width, column.right), style), SPACE]
    return pieces[:-1]


def note(row: Row, width: int) -> list[Piece]:
    """What stands beneath a row."""
    return [(cut(f"    {row.note}", width), toned(row.note_tone))]


def column_at(widths: Sequence[int], x: int) -> int | None:
    """The column that a cell of a line belongs to; None between two."""
    return next((index for index, left in _lefts(widths) if left <= x < left + widths[index]), None)


def _lefts(widths: Sequence[int]) -> Iterator[tuple[int, int]]:
    left = 0
    for index, width in enumerate(widths):
        if width:
            yield index, left
            left += width + GAP
