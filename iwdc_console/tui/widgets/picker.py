"""Choosing a folder or a file of this machine from a tree."""

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, DirectoryTree, Static

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.widgets.panel import entitle
from iwdc_console.tui.widgets.words import content


class Picker(ModalScreen[Path | None]):
    """Gives what was chosen: a folder, or a file with `files`. Enter opens and closes folders, and takes a file.

    `title` is the key of the words that say what for.
    """

    CSS = """
    Picker { align: center middle; background: $background 60%; }
    Picker > Vertical {
        width: 84; max-width: 96%; height: 80%; background: $surface; border: round $primary; padding: 0 1;
    }
    Picker DirectoryTree { height: 1fr; background: $surface; }
    Picker Horizontal { height: 3; align-horizontal: right; }
    Picker Button { margin-left: 2; }
    Picker #chosen { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("picker.leave", "dismiss"), bind("picker.choose", "choose")]

    def __init__(self, title: str, start: Path, files: bool) -> None:
        super().__init__()
        self._title = title
        self._folder = start
        self._files = files
        self._chosen = start

    def compose(self) -> ComposeResult:
        """The tree, what the cursor is on, the way out."""
        with Vertical() as frame:
            entitle(frame, self._title)
            yield DirectoryTree(self._folder)
            yield Static(id="chosen")
            with Horizontal():
                yield Button(text("form.cancel"), id="picker-cancel")
                yield Button(text("form.choose"), id="picker-choose", variant="primary", disabled=self._files)

    @on(DirectoryTree.NodeHighlighted)
    def _moved(self, message: "DirectoryTree.NodeHighlighted[object]") -> None:
        entry = message.node.data
        path = getattr(entry, "path", self._folder)
        self._chosen = path
        self.query_one("#chosen", Static).update(content((str(path), "")))
        self.query_one("#picker-choose", Button).disabled = path.is_dir() is self._files

    @on(DirectoryTree.FileSelected)
    def _file(self, message: DirectoryTree.FileSelected) -> None:
        if self._files:
            self.dismiss(message.path)

    @on(Button.Pressed, "#picker-choose")
    def action_choose(self) -> None:
        """Take what the cursor is on, if it is of the kind that is asked for."""
        if not self.query_one("#picker-choose", Button).disabled:
            self.dismiss(self._chosen)

    @on(Button.Pressed, "#picker-cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
