"""The form for a lock: this console takes it, waits for it if need be, and holds it from then on."""

from typing import ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from iwdc_console.caller import default_owner
from iwdc_console.locale import text
from iwdc_console.tui.cockpit import Cockpit
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model.locks import problems
from iwdc_console.tui.widgets.field import Field
from iwdc_console.tui.widgets.words import content


class Acquire(ModalScreen[None]):
    """Enter in a field goes to the button. Leaving while it waits takes it out of the queue."""

    AUTO_FOCUS = "#resource Input"
    """The resource is what is missing."""
    CSS = """
    Acquire { align: center middle; background: $background 60%; }
    Acquire > Vertical {
        width: 72; max-width: 98%; height: auto; background: $surface; border: round $primary; padding: 0 2;
    }
    Acquire #title { text-style: bold; height: 2; }
    Acquire #result { height: auto; min-height: 1; }
    Acquire Horizontal { height: auto; }
    Acquire #buttons { height: 3; align-horizontal: right; }
    Acquire Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("acquire.leave", "leave"), bind("acquire.send", "send")]

    @property
    def console(self) -> Cockpit:
        """The app, as screens know it."""
        return cast(Cockpit, self.app)

    def compose(self) -> ComposeResult:
        """What for, who, for how long, how long to wait; the way out first."""
        with Vertical():
            yield Static(text("acquire.title"), id="title", markup=False)
            yield Field(text("column.resource").capitalize(), id="resource")
            yield Field(text("column.owner").capitalize(), default_owner(), id="owner")
            yield Field(text("acquire.ttl"), id="ttl")
            yield Field(text("acquire.wait"), id="wait")
            yield Static(id="result")
            with Horizontal(id="buttons"):
                yield Button(text("form.cancel"), id="leave")
                yield Button(text("acquire.send", context=self.console.source.context), id="send", variant="primary")

    @on(Input.Changed)
    def _check(self) -> None:
        wrong = problems(*(self._value(name) for name in ("resource", "owner", "ttl", "wait")))
        for field in self.query(Field):
            name = field.id or ""
            known = name in wrong and field.value
            hint = text(f"acquire.{name}_hint") if name in ("ttl", "wait") else ""
            field.say(wrong[name] if known else hint, "text-error" if known else "text-muted")
        self.query_one("#send", Button).disabled = bool(wrong)

    def on_mount(self) -> None:
        """Say what is missing."""
        self._check()

    def _value(self, field: str) -> str:
        return self.query_one(f"#{field}", Field).value

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#send").focus()

    @on(Button.Pressed, "#send")
    def action_send(self) -> None:
        """Take it."""
        if not self.query_one("#send", Button).disabled:
            self._send()

    @work(exclusive=True, group="order")
    async def _send(self) -> None:
        send = self.query_one("#send", Button)
        if self.focused is send:
            self.set_focus(None)  # disabled, it would give the focus to the way out, and a second enter would leave
        send.disabled = True
        resource, ttl, wait = self._value("resource"), self._value("ttl"), self._value("wait")
        self._say(text("acquire.asking") if not wait else text("acquire.waiting"), "text-muted")
        outcome = await self.console.holdings.acquire(
            resource, self._value("owner"), float(ttl) if ttl else None, float(wait or 0)
        )
        self.console.source.retry()
        if outcome.kind == "done":
            self.notify(text("locks.taken", resource=resource), markup=False)
            self.dismiss(None)
            return
        self._say(outcome.words, "text-warning" if outcome.kind == "maybe" else "text-error")
        self._check()
        if self.focused is None:
            self.set_focus(send)

    def _say(self, words: str, tone: str) -> None:
        self.query_one("#result", Static).update(content((words, tone)))

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        """Take nothing."""
        self.dismiss(None)
