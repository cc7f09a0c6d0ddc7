"""Words with their styles as strips of cells: what is painted often is put together without Textual's `Content`."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from iwdc_console.tui.widgets.words import OLD, Piece

ELLIPSIS = "…"
MOST_PLACED = 200
"""Styles kept together with a place: a panel whose words move would keep one for each cell."""


class Looks:
    """The styles of one widget's words. There are few, and each is used by many cells.

    What `ages` is shown as old with the screen; the rest says itself how old it is.
    """

    def __init__(self, widget: Widget, *, ages: bool = True) -> None:
        self._widget = widget
        self._ages = ages
        self._own: tuple[object, ...] = ()
        self._known: dict[tuple[str, str], Style] = {}
        self._placed: dict[tuple[Style, int, int], Style] = {}

    def renewed(self) -> bool:
        """Whether the widget or the theme looks otherwise than when this was last asked."""
        own = self._widget.visual_style, self._widget.app.theme, self._last
        if own == self._own:
            return False
        self._own, self._known, self._placed = own, {}, {}
        return True

    @property
    def _last(self) -> str:
        """What decides after all else."""
        return OLD if self._ages and self._widget.screen.has_class("-stale") else ""

    def words(self, pieces: Iterable[Piece], over: str = "") -> Strip:
        """Words, each in its style, on the style `over` on the widget's own."""
        self.renewed()
        base = self._look(over, "")
        return Strip([Segment(words, self._look(over, style) if style else base) for words, style in pieces if words])

    def words_at(self, pieces: Iterable[Piece], y: int) -> Strip:
        """Words that can be selected with the mouse: each knows that it stands in line `y`, and in which column."""
        self.renewed()
        segments, x = [], 0
        for style, run in groupby(pieces, key=itemgetter(1)):
            for words in ["".join(map(itemgetter(0), run))] if not style else map(itemgetter(0), run):
                if words:
                    segments.append(Segment(words, self._look_at(style, x, y)))
                    x += len(words)
        return Strip(segments)

    def strip(self, pieces: Iterable[Piece], width: int, over: str = "") -> Strip:
        """The same, filled up to `width` cells."""
        return self.words(pieces, over).adjust_cell_length(width, self._look(over, ""))

    @property
    def ground(self) -> Style:
        """The widget's background alone: what stands where there are no words."""
        return Style(bgcolor=self._look("", "").bgcolor)

    def _look_at(self, style: str, x: int, y: int) -> Style:
        look = self._look("", style)
        if (look, x, y) not in self._placed:
            if len(self._placed) >= MOST_PLACED:
                self._placed.clear()
            self._placed[look, x, y] = look + Style.from_meta({"offset": (x, y)})
        return self._placed[look, x, y]

    def _look(self, over: str, style: str) -> Style:
        if (over, style) not in self._known:
            look = self._widget.visual_style
            # On a cursor in reverse, tones would make patches.
            alike = "$foreground" if over and self._widget.app.current_theme.ansi else ""
            for each in filter(None, (over, style, self._last, alike)):
                look += self._widget.app.stylesheet.parse_style(each)
            self._known[over, style] = look.rich_style
        return self._known[over, style]


def cropped(pieces: Iterable[Piece], width: int) -> list[Piece]:
    """As much as fits into `width` cells; where something is left out, an ellipsis says so."""
    whole = list(pieces)
    if sum(cell_len(words) for words, _ in whole) <= width:
        return whole
    left = max(0, width - cell_len(ELLIPSIS))
    found: list[Piece] = []
    for words, style in whole:
        cells = cell_len(words)
        if cells > left:
            found.append((set_cell_size(words, left) + ELLIPSIS, style))
            break
        found.append((words, style))
        left -= cells
    return found
