"""The question before a dangerous act: what will happen, and the context's name to be typed.

What will happen may become known while the question is open: it takes what is typed from the first moment on.
"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model.words import clean


class Confirm(ModalScreen[bool]):
    """Asks once; True when `name` was typed and the act chosen. Enter alone never does it."""

    DEFAULT_CSS = """
    Confirm { align: center middle; }
    Confirm > Vertical {
        width: 72; max-width: 96%; height: auto; background: $surface; border: round $status-unreachable; padding: 1 2;
    }
    Confirm Label { width: 1fr; margin-bottom: 1; }
    Confirm .confirm--title { text-style: bold; }
    Confirm Input { margin-bottom: 1; }
    Confirm Horizontal { height: auto; align-horizontal: right; }
    Confirm Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("confirm.cancel", "cancel")]

    def __init__(self, title: str, consequence: str, name: str, act: str, *, ready: bool = True) -> None:
        """Not `ready`: what will happen is not known yet, `tell` says it; until then nothing can be done."""
        super().__init__()
        self._title = title
        self._consequence = consequence
        self._expected = name
        self._act = act
        self._ready = ready

    def compose(self) -> ComposeResult:
        """The act, what will happen, the name to type, the way out first."""
        with Vertical():
            yield Label(clean(self._title), classes="confirm--title", markup=False)
            yield Label(clean(self._consequence), id="confirm-follows", markup=False)
            yield Label(text("confirm.type", name=clean(self._expected)), markup=False)
            yield Input(id="confirm-name")
            with Horizontal():
                yield Button(text("confirm.cancel"), id="confirm-cancel")
                yield Button(clean(self._act), id="confirm-act", variant="error", disabled=True)

    def tell(self, consequence: str, *, ready: bool) -> None:
        """What will happen, or how far it is from being known."""
        self._consequence, self._ready = consequence, ready
        if self.is_mounted and self.is_current:  # neither still on its way to the screen nor on its way out
            self._show()

    def on_mount(self) -> None:
        """What was told while it was on its way."""
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        self.query_one("#confirm-follows", Label).update(clean(self._consequence))
        self.query_one("#confirm-act", Button).disabled = not self._ready or not self._is_named()

    def _is_named(self) -> bool:
        return self.query_one(Input).value == self._expected

    @on(Input.Submitted)
    def _submitted(self) -> None:
        act = self.query_one("#confirm-act", Button)
        if not act.disabled:
            act.focus()

    @on(Button.Pressed, "#confirm-act")
    def _chosen(self) -> None:
        self.dismiss(self._ready and self._is_named())

    @on(Button.Pressed, "#confirm-cancel")
    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(False)
