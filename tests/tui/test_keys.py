"""Every key on every screen and form leads to what it is for, or into the field that is typed in; and every panel of
every screen can have the screen alone.
"""

from typing import Any
from unittest.mock import patch

import pytest
from textual.actions import parse
from textual.keys import key_to_character
from textual.pilot import Pilot
from textual.widgets import Input

from iwdc_console.tui.app import Console
from iwdc_console.tui.keymap import ACTIONS
from iwdc_console.tui.screens.help import here
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table
from tests.tui.stations import PLACE_KEYS, Round, visit

FORMS = {
    "prompt": ("slash",),
    "help": ("question_mark",),
    "confirm": ("3", "D"),
    "doctor": ("w",),
    "menu": ("X", "enter"),
    "propose": ("4", "p"),
    "picker": ("4", "p", "ctrl+o"),
    "acquire": ("5", "a"),
    "a panel": ("tab",),
    "time travel": ("t",),
}
"""In this order they can be led to in one console: the focus and the past are not left with esc."""
SIGNS = {"minus": "-", "slash": "/"}
"""What `key_to_character` does not know."""
WHERE = (Round("every screen", PLACE_KEYS), *(Round(form[0], (form,)) for form in FORMS.items()))


@pytest.mark.parametrize("where", WHERE, ids=lambda where: where.name)
def test_every_key_does_what_it_is_said_to_do(where: Round) -> None:
    async def look(app: Console, pilot: Pilot[Any]) -> None:
        done: list[str] = []

        async def run_action(action: str, *_: Any, **__: Any) -> bool:
            name, parameters = parse(action)[1:]
            if app.check_action(name, parameters):
                done.append(action)
            return bool(done)

        keys = here(app.screen)
        assert keys
        with patch.object(app, "run_action", run_action):
            for active in keys:
                done.clear()
                await pilot.press(active.binding.key)
                character = SIGNS.get(active.binding.key) or key_to_character(active.binding.key) or "\x1b"
                typed = isinstance(app.focused, Input) and character.isprintable()
                assert done == ([] if typed else [active.binding.action]), (app.current_mode, active.binding)

    visit(where, look)


def test_no_action_is_left_out() -> None:
    """Each is reached by a key of one of the places where the test above presses them all."""
    reached: set[str] = set()

    async def look(app: Console, pilot: Pilot[Any]) -> None:
        reached.update(active.binding.id or "" for active in here(app.screen))

    forms = ((name, ("escape", "escape", *keys)) for name, keys in FORMS.items())
    visit(Round("all places", (*PLACE_KEYS, *forms)), look)
    assert {action.id for action in ACTIONS} - reached == set()


def test_every_panel_can_have_the_screen_alone_and_be_copied() -> None:
    async def look(app: Console, pilot: Pilot[Any]) -> None:
        panels = [widget for widget in app.screen.focus_chain if isinstance(widget, Table | Lines)]
        assert panels
        for panel in panels:
            panel.focus()
            await pilot.pause()
            await pilot.press("z")
            await pilot.pause()
            assert app.screen.maximized is panel, app.current_mode
            assert panel.region.width == app.size.width
            assert panel.region.height >= app.size.height - 3
            app._clipboard = ""
            await pilot.press("y")
            await pilot.pause()
            assert app.clipboard or not panel._lines, "what it says is copied"
            await pilot.press("escape")
            await pilot.pause()
            assert app.screen.maximized is None

    visit(Round("every screen", PLACE_KEYS), look)
