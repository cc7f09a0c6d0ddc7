"""The first lines of every screen: which cluster, who leads, is there a quorum, how old is all this; and the tabs."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from iwdc_console.cli.text import cells
from iwdc_console.locale import text
from iwdc_console.tui.model.frame import Field, fields
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.words import clean
from iwdc_console.tui.widgets.looks import Looks
from iwdc_console.tui.widgets.words import Piece, content, toned

GAP, NARROW_GAP = 3, 2


class Spacing(NamedTuple):
    """Cells between two tabs, and what stands between key and name of the one on show and of the others."""

    gap: int
    on_show: str
    others: str


SPACINGS = (Spacing(2, " ", " "), Spacing(1, " ", " "), Spacing(1, " ", ""), Spacing(1, "", ""))
ON_SHOW = "bold $background on $primary"


class Header(Widget):
    """One line, as many fields as fit, the most important first."""

    DEFAULT_CSS = """
    Header { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__(id="header")
        self._fields: tuple[Field, ...] = ()
        self._looks = Looks(self, ages=False)

    def show(self, moment: Moment, read_only: bool) -> None:
        """Show the frame of this moment."""
        found = fields(moment, read_only)
        if found != self._fields:
            self._fields = found
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; what is being selected in it Textual marks itself."""
        if self.text_selection is not None:
            return super().render_line(y)
        pieces = ((clean(words), toned(tone)) for words, tone in self._pieces())
        return self._looks.words_at(pieces, y).adjust_cell_length(self.content_size.width, self._looks.ground)

    def render(self) -> Content:
        """The line, to be selected from."""
        return content(*self._pieces())

    def _pieces(self) -> list[Piece]:
        """The fields that fit, spread over the line."""
        room = self.content_size.width
        chosen, gap = fitting(self._fields, room)
        spare = max(0, room - _taken(chosen, gap))
        last = len(chosen) - 1
        pieces: list[Piece] = []
        for index, field in enumerate(chosen):
            if index:
                pieces.append((" " * (gap + (spare if index == last else 0)), ""))
            pieces.extend(field.pieces)
        return pieces


def fitting(fields: Iterable[Field], room: int) -> tuple[list[Field], int]:
    """What fits into `room` cells, and the gap between two fields: closer first, then in brief, then less of it."""
    chosen, gap = list(fields), GAP
    if _taken(chosen, gap) > room:
        gap = NARROW_GAP
    for field in sorted(chosen, key=lambda field: -field.drop):
        if field.brief and _taken(chosen, gap) > room:
            chosen[chosen.index(field)] = Field(field.drop, field.brief)
    while len(chosen) > 1 and _taken(chosen, gap) > room:
        chosen.remove(max(chosen, key=lambda field: field.drop))
    return chosen, gap


def _taken(chosen: Sequence[Field], gap: int) -> int:
    return sum(cells(clean(words)) for field in chosen for words, _ in field.pieces) + gap * (len(chosen) - 1)


class Tabs(Widget):
    """The screens with their keys; the one on show stands out, and is always named in full."""

    DEFAULT_CSS = """
    Tabs { height: 1; padding: 0 0 0 1; color: $text-muted; link-color: $text-muted; link-style: none; }
    """

    def __init__(self, screens: tuple[tuple[str, str], ...], current: str) -> None:
        super().__init__(id="tabs")
        self._screens = screens
        self._current = current

    def render(self) -> Content:
        """What there is room for."""
        return self.fitted(self.content_size.width)

    def fitted(self, room: int) -> Content:
        """All in full, or else all by their short names, or else by their keys; as wide apart as there is room."""
        for named in (_in_full, _in_short, _by_key):
            for spacing in SPACINGS:
                line = self._line(named, spacing)
                if line.cell_length <= room:
                    return line
        return line

    def _line(self, named: Callable[[str], str], spacing: Spacing) -> Content:
        """The one on show brings a cell of its own to either side."""
        parts: list[Content] = []
        for at, (key, name) in enumerate(self._screens):
            if at:
                beside = self._current in (name, self._screens[at - 1][1])
                parts.append(Content(" " * (spacing.gap - beside)))
            if name == self._current:
                parts.append(Content.styled(f" {key}{spacing.on_show}{_in_full(name)} ", ON_SHOW))
            else:
                title = (spacing.others + named(name)).rstrip()
                tab = Content.assemble((key, "bold $text-secondary"), (title, "$text-muted"))
                parts.append(tab.stylize(f"@click=app.go('{name}')"))
        return Content("").join(parts)


def _in_full(name: str) -> str:
    return text(f"screen.{name}")


def _in_short(name: str) -> str:
    return text(f"tab.{name}")


def _by_key(name: str) -> str:
    return ""
