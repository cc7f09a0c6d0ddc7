"""A titled panel of lines: what a function of the moment says, cut to the panel's width and height."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.words import clean
from iwdc_console.tui.widgets.looks import Looks, cropped
from iwdc_console.tui.widgets.panel import PANEL, entitle
from iwdc_console.tui.widgets.words import content, toned

Line = list[tuple[str, str]]
Writer = Callable[[Moment, int, int], list[Line]]
"""Lines for a moment, a width and a height."""


class Lines(Widget, can_focus=True):
    """`writer` says what stands here; it is asked again whenever there is news. Lines that differ are painted again.

    With `most` the panel is as high as its lines, up to so many; otherwise its style says how high it is.
    """

    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [bind("panel.copy", "copy")]
    DEFAULT_CSS = """
    Lines { height: auto; }
    """

    def __init__(self, title: str, writer: Writer, *, id: str, most: int = 0) -> None:
        super().__init__(id=id, classes=PANEL)
        self._most = most
        self._title = title
        self._about = ""
        self._writer = writer
        self._moment: Moment | None = None
        self._lines: list[Line] = []
        self._width = 0
        self._looks = Looks(self)
        self._strips: dict[int, Strip] = {}

    def show(self, moment: Moment) -> None:
        """Show what is said of this moment."""
        self._moment = moment
        entitle(self, self._title, self._about)
        self._write()

    def about(self, what: str) -> None:
        """What this panel is about stands behind its title."""
        self._about = what
        entitle(self, self._title, what)

    def on_resize(self) -> None:
        """Another width, other lines."""
        self._write()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """With `most`, said at the width it is given, so that it is laid out once."""
        if not self._most or self._moment is None:
            return super().get_content_height(container, viewport, width)
        if width != self._width:
            self._lines, self._width = self._writer(self._moment, width, self._most), width
            self._strips.clear()
        return max(1, len(self._lines))

    def _write(self) -> None:
        width, height = self.content_size
        if self._moment is None or not width:
            return
        lines = self._writer(self._moment, width, self._most or max(1, height))
        if width != self._width:
            self._width = width
            self._strips.clear()
        if len(lines) != len(self._lines):
            self._lines = lines
            self._strips.clear()
            self.refresh(layout=bool(self._most))
            return
        changed = [y for y, (old, new) in enumerate(zip(self._lines, lines, strict=True)) if old != new]
        self._lines = lines
        for y in changed:
            self._strips.pop(y, None)
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def action_copy(self) -> None:
        """Copy what stands here: works over ssh, too."""
        self.app.copy_to_clipboard("\n".join("".join(words for words, _ in line).rstrip() for line in self._lines))
        self.notify(text("table.copied"))

    def render_line(self, y: int) -> Strip:
        """One line: the same strip as long as it says the same. What is being selected Textual marks itself."""
        width = self.content_size.width
        if self.text_selection is not None:
            return super().render_line(y)
        if self._looks.renewed():
            self._strips.clear()
        if y >= len(self._lines):
            return self._looks.strip((), width)
        if y not in self._strips:
            pieces = cropped(((clean(words), toned(tone)) for words, tone in self._lines[y]), width)
            self._strips[y] = self._looks.words_at(pieces, y).adjust_cell_length(width, self._looks.ground)
        return self._strips[y]

    def render(self) -> Content:
        """The lines, to be measured and selected from."""
        width = max(1, self.content_size.width)
        return Content("\n").join(content(*line).truncate(width, ellipsis=True) for line in self._lines)
