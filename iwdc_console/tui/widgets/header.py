"""The first lines of every screen: which cluster, who leads, is there a quorum, how old is all this; and the tabs."""

from textual.content import Content
from textual.widget import Widget

from iwdc_console.cli.text import cells
from iwdc_console.locale import text
from iwdc_console.tui.model.frame import Field, fields
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.words import clean
from iwdc_console.tui.widgets.words import Piece, content

GAP = 3


class Header(Widget):
    """One line, as many fields as fit, the most important first."""

    DEFAULT_CSS = """
    Header { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__(id="header")
        self._fields: tuple[Field, ...] = ()

    def show(self, moment: Moment) -> None:
        """Show the frame of this moment."""
        found = fields(moment)
        if found != self._fields:
            self._fields = found
            self.refresh()

    def render(self) -> Content:
        """The fields that fit, spread over the line."""
        room = self.content_size.width
        chosen = list(self._fields)
        while len(chosen) > 1 and _taken(chosen) > room:
            chosen.remove(max(chosen, key=lambda field: field.drop))
        spare = max(0, room - _taken(chosen))
        last = len(chosen) - 1
        pieces: list[Piece] = []
        for index, field in enumerate(chosen):
            if index:
                pieces.append((" " * (GAP + (spare if index == last else 0)), ""))
            pieces.extend(field.pieces)
        return content(*pieces)


def _taken(chosen: list[Field]) -> int:
    return sum(cells(clean(words)) for field in chosen for words, _ in field.pieces) + GAP * (len(chosen) - 1)


class Tabs(Widget):
    """The screens with their keys; the one on show stands out."""

    DEFAULT_CSS = """
    Tabs { height: 1; padding: 0 1; color: $text-muted; link-color: $text-muted; link-style: none; }
    """

    def __init__(self, screens: tuple[tuple[str, str], ...], current: str) -> None:
        super().__init__(id="tabs")
        self._screens = screens
        self._current = current

    def render(self) -> Content:
        """Key and name of each; only the keys and the current one where they do not fit."""
        room = self.content_size.width
        for short in (False, True):
            parts = [self._tab(key, name, short) for key, name in self._screens]
            line = Content("  ").join(parts)
            if line.cell_length <= room:
                break
        return line

    def _tab(self, key: str, name: str, short: bool) -> Content:
        title = text(f"screen.{name}")
        if name == self._current:
            return Content.styled(f"{key} {title}", "bold $primary")
        tab = Content.assemble((key, "$text-muted"), "" if short else (f" {title}", "$text-muted"))
        return tab.stylize(f"@click=app.go('{name}')")
