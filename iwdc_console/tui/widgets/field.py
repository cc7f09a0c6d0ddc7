"""A line of a form: a label, a value, and room beneath for what is wrong with it or known of it."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from iwdc_console.tui.widgets.words import content


class Field(Vertical):
    """`value` is what was typed, without the spaces around it; `say` writes beneath it."""

    DEFAULT_CSS = """
    Field { height: auto; }
    Field > Horizontal { height: 1; }
    Field .field--label { width: 12; color: $text-muted; }
    Field Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
    Field Input:focus { border: none; background: $action-selection; }
    Field > .field--note { height: auto; min-height: 1; max-height: 2; padding-left: 13; }
    """

    def __init__(self, label: str, value: str = "", *, id: str) -> None:
        super().__init__(id=id)
        self._label = label
        self._start = value

    def compose(self) -> ComposeResult:
        """The label and the value, the note beneath."""
        with Horizontal():
            yield Static(content((self._label, "")), classes="field--label")
            yield Input(self._start, select_on_focus=False)
        yield Static(classes="field--note")

    @property
    def value(self) -> str:
        """What was typed."""
        return self.query_one(Input).value.strip()

    @value.setter
    def value(self, words: str) -> None:
        self.query_one(Input).value = words

    def say(self, words: str, tone: str = "text-error") -> None:
        """What stands beneath it."""
        self.query_one(".field--note", Static).update(content((words, tone)))
