"""The command palette: every screen, every action that works where one is, every theme and language, by its words."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from iwdc_console.locale import LANGUAGES, text
from iwdc_console.tui.cockpit import Cockpit
from iwdc_console.tui.keymap import label
from iwdc_console.tui.screens.help import here
from iwdc_console.tui.widgets.footer import key_name

LEFT_TO_KEYS = frozenset(
    {"app.palette", *(f"table.{name}" for name in ("down", "up", "page_down", "page_up", "first", "last"))}
)


def _place(id_: str, scopes: tuple[str, ...]) -> int:
    scope = id_.partition(".")[0]
    return scopes.index(scope) if scope in scopes else len(scopes)


class Palette(Provider):
    """What can be done on the screen the palette was opened from."""

    def _actions(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        """Screens first, then what works everywhere, then what works here; not the moves that keys are for."""
        seen: set[str] = set(LEFT_TO_KEYS)
        scopes = ("go", "app", "screen")
        for active in sorted(here(self.screen), key=lambda one: _place(one.binding.id or "", scopes)):
            id_ = active.binding.id or ""
            if id_ not in seen:
                seen.add(id_)
                words = text("palette.go", screen=label(id_)) if id_.startswith("go.") else label(id_)
                run = partial(self.app.run_action, active.binding.action, active.node)
                yield words, text("palette.key", press=key_name(active.binding.key)), run

    def _choices(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        """What can be chosen after `:` as well."""
        console = cast(Cockpit, self.app)
        for name in console.themes.by_name:
            yield text("palette.theme", name=name), f":theme {name}", partial(console.set_theme, name)
        for code, name in LANGUAGES.items():
            yield text("palette.language", name=name), f":language {code}", partial(console.set_language, code)

    async def discover(self) -> Hits:
        """Everything, while nothing is typed."""
        for words, key, run in chain(self._actions(), self._choices()):
            yield DiscoveryHit(words, run, help=key)

    async def search(self, query: str) -> Hits:
        """What fits the words typed."""
        matcher = self.matcher(query)
        nothing = True
        for words, key, run in chain(self._actions(), self._choices()):
            score = matcher.match(words)
            if score > 0:
                nothing = False
                yield Hit(score, matcher.highlight(words), run, help=key)
        if nothing:
            yield Hit(1, text("palette.nothing"), lambda: None)
