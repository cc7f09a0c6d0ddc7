"""Rows of a table before they are painted: which are shown, in which order, how wide the columns are."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from iwdc_console.locale import text

Sortable = str | float | None


class Cell(NamedTuple):
    """`tone` is the name of a theme variable; `sort` what the column sorts by when the text will not do.

    `exact` is what the text is short for: a whole hash, a number that was rounded, the unix ms of a time of day.
    """

    text: str
    tone: str = ""
    sort: Sortable = None
    exact: Sortable = None


Cells = tuple[Cell, ...]


def exactly(cell: Cell) -> Sortable:
    """What a cell says when there is room."""
    return cell.text if cell.exact is None else cell.exact


def instant(cell: Cell) -> Sortable:
    """The same of a time of day: with its date and zone."""
    try:
        return datetime.fromtimestamp(float(cell.exact or "") / 1000).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return cell.text


class Column(NamedTuple):
    """`width` is the least, in cells; `grow` its share of spare room; the highest `drop` goes first when room is short.

    It grows to `most` cells: on a wide screen, words that belong together shall not stand a hand apart.
    Its heading is the text `column.<id>`, or its `name` where that comes from the cluster. A column that `glows` shows
    for a moment that a value has changed. `keeps` is what an export has of a cell; it leaves out
    what is but drawn.
    """

    id: str
    width: int
    right: bool = False
    grow: int = 0
    drop: int = 0
    glows: bool = False
    name: str = ""
    most: int = 40
    keeps: Callable[[Cell], Sortable] | None = exactly


PROSE = 1_000
"""The `most` of a column of whole sentences."""
MARK = Column("mark", 1, keeps=None)
"""A shape that goes with the words beside it."""


class Row:
    """`key` is what the cursor holds on to; `note` a dim line beneath; `copy` what `y` copies.

    Where there are many rows, what makes their cells is given instead of them: it is called when somebody looks, and
    at most rows nobody does.
    """

    __slots__ = ("_cells", "copy", "key", "note", "note_tone")

    def __init__(
        self,
        key: str,
        cells: Cells | Callable[[], Cells],
        note: str = "",
        note_tone: str = "text-muted",
        copy: str = "",
    ) -> None:
        self.key = key
        self.note = note
        self.note_tone = note_tone
        self.copy = copy
        self._cells = cells

    @property
    def cells(self) -> Cells:
        """What stands in it, one for each column."""
        if not isinstance(self._cells, tuple):
            self._cells = self._cells()
        return self._cells

    @property
    def seen(self) -> tuple[tuple[str, str], ...]:
        """Everything of it that is painted: its words with their tones."""
        return (*((cell.text, cell.tone) for cell in self.cells), (self.note, self.note_tone))

    @property
    def plain(self) -> str:
        """All its words: what the filter looks at."""
        return " ".join(words for words in (*(cell.text for cell in self.cells), self.note) if words)


class BadFilter(ValueError):
    """The filter is not a regular expression. The message says why."""


class Filter:
    """A regular expression without regard to case; a leading `!` turns it around."""

    def __init__(self, pattern: str = "") -> None:
        self.pattern = pattern
        self.inverse = pattern.startswith("!")
        source = pattern.removeprefix("!")
        try:
            self._regex = re.compile(source, re.IGNORECASE) if source else None
        except re.error as error:
            raise BadFilter(text("table.bad_filter", at=(error.pos or 0) + 1)) from error

    def __bool__(self) -> bool:
        return self._regex is not None

    def keeps(self, words: str) -> bool:
        """Whether a row with these words is shown."""
        return self._regex is None or bool(self._regex.search(words)) is not self.inverse


def ordered(rows: Sequence[Row], by: int | None, descending: bool) -> list[Row]:
    """The rows by one column, those without a value last; as they come when `by` is None."""
    if by is None:
        return list(rows)
    known = [row for row in rows if _value(row.cells[by]) is not None]
    unknown = [row for row in rows if _value(row.cells[by]) is None]
    numbers = all(not isinstance(_value(row.cells[by]), str) for row in known)
    known.sort(key=lambda row: _sort_key(row.cells[by], numbers), reverse=descending)
    return known + unknown


def _value(cell: Cell) -> Sortable:
    return cell.sort if cell.sort is not None else cell.text.strip(" –") or None


def _sort_key(cell: Cell, numbers: bool) -> tuple[float, str]:
    value = _value(cell)
    if numbers and not isinstance(value, str):
        return (value or 0.0, "")
    return (0.0, str(value).casefold())


GAP = 2
"""Cells between two columns."""


def widths(columns: Sequence[Column], room: int) -> list[int]:
    """The width of each column in `room` cells, 0 for one that is dropped or lies beyond the edge."""
    shown = list(range(len(columns)))
    while len(shown) > 1 and _taken(columns, shown) > room:
        droppable = [index for index in shown if columns[index].drop]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda index: columns[index].drop))
    while len(shown) > 1 and _taken(columns, shown[:-1]) + GAP >= room:
        shown.pop()
    spare = max(0, room - _taken(columns, shown))
    result = [columns[index].width if index in shown else 0 for index in range(len(columns))]
    growing = [index for index in shown if columns[index].grow]
    while growing:
        shares = sum(columns[index].grow for index in growing)
        more = {index: spare * columns[index].grow // shares for index in growing}
        full = [index for index in growing if columns[index].width + more[index] > columns[index].most]
        for index in full or growing:
            result[index] += min(more[index], max(0, columns[index].most - columns[index].width))
            spare -= result[index] - columns[index].width
        growing = [index for index in growing if index not in full] if full else []
    return result


def _taken(columns: Sequence[Column], shown: Sequence[int]) -> int:
    return sum(columns[index].width for index in shown) + GAP * (len(shown) - 1)
