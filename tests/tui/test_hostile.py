"""Whatever a cluster says is shown as text: every name, state, reason and value of every screen is hostile at once."""

from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from iwdc_console.cli.text import cells
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.observation import Observation
from tests.tui.driving import shown
from tests.tui.prod_eu_versions import everything
from tests.tui.stations import PLACE_KEYS, Round, in_turn, visit
from tests.tui.test_console import HOSTILE

OURS = frozenset({"context", "node", "nodes", "link"})
"""What the console itself was given."""
MARKUP = HOSTILE[0]
ALL = "".join(each for each in HOSTILE if len(each) < 1_000)
"""Everything short at once: each is told by its own only where it matters which one breaks something."""
DIALOGS = (
    "detail of an event", "what differs", "step down", "propose a snapshot", "acquire", "force-release", "resolve",
    "roll back", "verify", "palette", "filter", "as command", "copied", "past",
)  # fmt: skip
WIDTH = 120


def poisoned(told: Any, words: str) -> Any:
    """The same with `words` before every text, so that names stay apart."""
    if isinstance(told, str):
        return words + told
    if isinstance(told, dict):
        return {key: value if key in OURS else poisoned(value, words) for key, value in told.items()}
    return [poisoned(each, words) for each in told] if isinstance(told, list | tuple) else told


def hostile(words: str) -> Observation:
    """All that is known of a cluster whose every word is hostile."""
    return msgspec.convert(poisoned(msgspec.to_builtins(everything()), words), Observation)


def harmless(app: Console, words: str) -> None:
    """The screen is whole, and what stands on it is text."""
    screen = shown(app)
    assert all(cells(line) <= WIDTH for line in screen.split("\n"))
    assert not any(bad in screen for bad in "\x1b\x9b\r\t\u202e\ud800")
    assert not app._exit
    if words.startswith(MARKUP) and app.view is app.screen and app.current_mode != "chaos":  # that one is ours
        assert "[bold red]" in screen, f"markup stands there as it was told: {app.current_mode}"


def look_everywhere(words: str) -> None:
    async def look(app: Console, pilot: Pilot[Any]) -> None:
        for keys in ((), ("down", "enter")):
            await pilot.press(*keys)
            await pilot.pause()
            harmless(app, words)
        await pilot.press("escape")

    visit(Round("hostile", PLACE_KEYS), look, (WIDTH, 40), known=hostile(words))


def test_every_screen_shows_hostile_words_as_text() -> None:
    look_everywhere(ALL)


@pytest.mark.slow
@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_every_screen_shows_each_hostile_word_as_text(words: str) -> None:
    look_everywhere(words)


def test_every_dialog_shows_hostile_words_as_text() -> None:
    async def look(app: Console, pilot: Pilot[Any]) -> None:
        harmless(app, ALL)

    visit(in_turn(DIALOGS), look, (WIDTH, 40), known=hostile(ALL))
