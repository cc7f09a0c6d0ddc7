"""`w`: what is wrong and what to do next, as all members tell it when they are asked: the diagnosis of `doctor`."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from iwdc_console.client import Client
from iwdc_console.diagnosis import Finding, diagnose
from iwdc_console.examination import examine
from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import doctor
from iwdc_console.tui.widgets.words import content


class Doctor(ModalScreen[None]):
    """Asks in a thread: the screen goes on, and members that do not answer are waited for no longer than seconds."""

    CSS = """
    Doctor { align: center middle; background: $background 60%; }
    Doctor > VerticalScroll {
        width: 100; max-width: 96%; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 1 2;
        scrollbar-gutter: stable;
    }
    Doctor .doctor--title { color: $primary; text-style: bold; }
    Doctor .doctor--same { color: $text-muted; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("doctor.close", "dismiss"),
        bind("doctor.again", "again"),
        bind("doctor.copy", "copy"),
    ]

    def __init__(self, nodes: Sequence[str], listed: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._asked = nodes
        self._listed = listed
        self._found: list[Finding] | None = None

    def compose(self) -> ComposeResult:
        """What it is, then what was found."""
        with VerticalScroll(can_focus=True):
            yield Static(Content(text("doctor.title")), classes="doctor--title")
            yield Static(Content(text("doctor.same")), classes="doctor--same")
            yield Static(id="doctor-found")

    def on_mount(self) -> None:
        """Begin to ask."""
        self.action_again()

    def on_resize(self) -> None:
        """Another width, other lines."""
        self._show()

    @work(exclusive=True)
    async def action_again(self) -> None:
        """Ask all members, as they are now."""
        self._found = None
        self._show()
        seen = await asyncio.to_thread(examine, Client(self._asked, command="console"), self._listed)
        self._found = diagnose(seen)
        self._show()

    def _show(self) -> None:
        panel = self.query_one("#doctor-found", Static)
        if self._found is None:
            panel.update(content((text("doctor.asking"), "text-muted")))
        else:
            told = doctor.lines(self._found, panel.content_size.width)
            panel.update(Content("\n").join(content(*line) for line in told))

    def action_copy(self) -> None:
        """All that was found, to be shown to somebody else."""
        if self._found is not None:
            told = doctor.lines(self._found, 120)
            self.app.copy_to_clipboard("\n".join("".join(words for words, _ in line).rstrip() for line in told))
            self.notify(text("table.copied"))
