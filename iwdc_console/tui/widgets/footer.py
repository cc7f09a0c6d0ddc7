"""The keys that work here, each with what it does."""

from textual.content import Content
from textual.keys import key_to_character
from textual.screen import Screen
from textual.widget import Widget

from iwdc_console.tui.keymap import label

NAMES = {
    "slash": "/", "minus": "-", "space": "␣", "enter": "⏎", "tab": "⇥", "escape": "esc", "up": "↑", "down": "↓",
    "left": "←", "right": "→", "shift+left": "⇧←", "shift+right": "⇧→",
}  # fmt: skip


def key_name(key: str) -> str:
    """A key as people know it."""
    character = key_to_character(key) or ""
    return NAMES.get(key) or (character if character.isprintable() else "") or key.replace("ctrl+", "^")


class Footer(Widget):
    """One line; what does not fit is left to `?`."""

    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; padding: 0 1; background: $panel; color: $text-muted; }
    Footer { link-color: $text-muted; link-style: none; }
    """

    def on_mount(self) -> None:
        """Keys change with the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def _update(self, screen: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Content:
        """As many keys as fit, the urgent ones first, each act once; the last ones are help and quit."""
        room = self.content_size.width
        always: list[Content] = []
        others: list[Content] = []
        named: set[str] = set()
        for active in sorted(self.screen.active_bindings.values(), key=lambda one: not one.binding.priority):
            binding = active.binding
            if not binding.show or not active.enabled or not binding.id or binding.id in named:
                continue
            named.add(binding.id)
            piece = Content.assemble((key_name(binding.key), "bold $foreground"), f" {label(binding.id)}").stylize(
                f"@click=app.simulate_key('{binding.key}')"
            )
            (always if binding.id in ("app.help", "app.quit") else others).append(piece)
        gap = Content("  ")
        end = gap.join(always)
        while others and gap.join([*others, end]).cell_length > room:
            others.pop()
        start = gap.join(others)
        return Content.assemble(start, " " * max(2, room - start.cell_length - end.cell_length), end)
