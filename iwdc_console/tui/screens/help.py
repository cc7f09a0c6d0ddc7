"""`?`: what the screen beneath shows, and every key that works there."""

from itertools import groupby
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind, label
from iwdc_console.tui.widgets.footer import key_name

SCOPES = ("table", "screen", "go", "app")
"""The order in which keys are told: the nearest first. Any other scope comes before these."""
KEYS_WIDTH = 14


class Help(ModalScreen[None]):
    """Help for where one is. Any of the keys that open or leave things closes it."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > VerticalScroll {
        width: 72; max-width: 96%; height: auto; max-height: 90%;
        background: $surface; border: round $surface-border; padding: 1 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("help.close", "dismiss")]

    def __init__(self, name: str, keys: list[ActiveBinding]) -> None:
        super().__init__()
        self._place = name
        self._keys = keys

    def compose(self) -> ComposeResult:
        """What the screen is for, then its keys by where they apply."""
        with VerticalScroll(can_focus=True):
            yield Static(Content.styled(text(f"screen.{self._place}"), "bold $primary"))
            yield Static(Content(text(f"help.{self._place}") + "\n"))
            for scope, lines in key_lines(self._keys):
                yield Static(Content.styled(scope_title(scope), "bold $text-muted"))
                yield Static(Content("\n").join([*lines, Content("")]))


def here(screen: Screen[Any]) -> list[ActiveBinding]:
    """The keys that work on a screen, as they are now."""
    return [active for active in screen.active_bindings.values() if active.enabled and active.binding.id]


def scope_title(scope: str) -> str:
    """The heading of a group of keys."""
    return text(f"help.scope.{scope}") if scope in SCOPES else text("help.scope.here")


def key_lines(keys: list[ActiveBinding]) -> list[tuple[str, list[Content]]]:
    """The keys by scope: one line for each action, all its keys before it."""
    by_id: dict[str, list[str]] = {}
    for active in keys:
        by_id.setdefault(active.binding.id or "", []).append(key_name(active.binding.key))

    def place(id_: str) -> tuple[int, str]:
        scope = id_.partition(".")[0]
        return (SCOPES.index(scope) if scope in SCOPES else -1, scope)

    found = []
    for (_, scope), ids in groupby(sorted(by_id, key=place), key=place):
        lines = [
            Content.assemble(
                (f"{'  '.join(by_id[id_]):<{KEYS_WIDTH}}", "bold $foreground"), (label(id_), "$text-muted")
            )
            for id_ in ids
        ]
        found.append((scope, lines))
    return found
