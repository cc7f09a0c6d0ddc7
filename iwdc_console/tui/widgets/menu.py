"""A menu over a screen: lines to choose from with arrows and Enter; Esc leaves without choosing."""

from collections.abc import Callable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model.words import clean


class Menu(ModalScreen[int | None]):
    """Gives the index of the line that was chosen. `about` tells, line by line, what choosing it would bring."""

    CSS = """
    Menu { align: center middle; background: $background 60%; }
    Menu > Vertical {
        width: 76; max-width: 95%; height: auto; max-height: 90%;
        background: $panel; border: round $primary; padding: 0 1;
    }
    Menu #title { text-style: bold; }
    Menu OptionList {
        height: auto; max-height: 22; background: $panel; background-tint: $panel 0%; border: none; padding: 0;
    }
    Menu OptionList > .option-list--option-highlighted { background: $action-selection; color: $foreground; }
    Menu #about { color: $text-muted; height: 4; margin-top: 1; }
    """
    BINDINGS = [bind("menu.leave", "dismiss")]  # noqa: RUF012 (as Textual has it)

    def __init__(self, title: str, lines: Sequence[str], about: Callable[[int], str]) -> None:
        super().__init__()
        self._title_words = title
        self._lines = lines
        self._about = about

    def compose(self) -> ComposeResult:
        """Title, lines, what the line under the cursor brings."""
        with Vertical():
            yield Static(Content(clean(self._title_words)), id="title")
            yield OptionList(*(Option(Content(clean(line))) for line in self._lines))
            yield Static(id="about")

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, message: OptionList.OptionHighlighted) -> None:
        about = self._about(message.option_index)
        self.query_one("#about", Static).update(Content("\n".join(clean(line) for line in about.split("\n"))))

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(message.option_index)
