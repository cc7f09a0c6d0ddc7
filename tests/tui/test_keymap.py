"""Keys: one registry; what a person chooses is used where it can be, and told of where it cannot."""

import asyncio
from typing import Any, ClassVar

import pytest
from textual.app import App
from textual.binding import BindingType
from textual.pilot import Pilot

from iwdc_console.tui.app import Console
from iwdc_console.tui.keymap import ACTIONS, bind, clashes, keymap, keys_of, label
from tests.tui import prod_eu
from tests.tui.driving import drive, shown


def test_ids_are_unique_and_every_action_has_a_name() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    assert all(label(action.id) for action in ACTIONS)


def test_no_default_key_means_two_things() -> None:
    assert list(clashes({})) == []


def test_a_chosen_key_is_normalised() -> None:
    assert keymap({"table.filter": "f, ?", "app.help": "f1"}) == (
        {"table.filter": "f,question_mark", "app.help": "f1"}, (),
    )  # fmt: skip
    assert keys_of("table.first", {}) == ("home", "g")


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"app.fly": "f"}, "there is no action app.fly. Most like it are "),
        ({"app.quit": "control-q"}, "[keys] app.quit: there is no key 'control-q'"),
        ({"app.quit": "Q,"}, "[keys] app.quit: there is no key ''"),
        ({"app.quit": "ctrl+i"}, "a terminal cannot tell ctrl+i from tab"),
        ({"app.quit": "s"}, "[keys] app.quit: s is the key of table.sort already, so the default stays"),
        ({"table.copy": "q"}, "[keys] table.copy: q is the key of app.quit already"),
    ],
)
def test_what_cannot_be_used_is_told(chosen: dict[str, str], told: str) -> None:
    used, (notice,) = keymap(chosen)
    assert used == {}
    assert told in notice.words


def test_keys_may_be_swapped_and_a_key_set_free_may_be_taken() -> None:
    assert keymap({"table.sort": "y", "table.copy": "s"}) == ({"table.sort": "y", "table.copy": "s"}, ())
    assert keymap({"app.quit": "Q", "table.copy": "q"})[1] == ()


def test_a_clash_that_follows_from_a_refused_key_is_told_as_well() -> None:
    used, notices = keymap({"app.quit": "z", "table.copy": "q"})
    assert used == {}
    assert len(notices) == 2


def test_textual_follows_the_keymap() -> None:
    class Small(App[None]):
        BINDINGS: ClassVar[list[BindingType]] = [bind("app.quit", "exit")]
        done = 0

        def action_exit(self) -> None:
            self.done += 1

    async def run() -> int:
        app = Small()
        async with app.run_test() as pilot:
            app.set_keymap(keymap({"app.quit": "f10,!"})[0])
            await pilot.press("q", "f10", "exclamation_mark")
        return app.done

    assert asyncio.run(run()) == 2


def test_of_an_action_that_there_is_not_those_most_like_it_are_named() -> None:
    (notice,) = keymap({"table.filtre": "f"})[1]
    assert "table.filter" in notice.words
    assert len(notice.words) < 160, "a notice, not a wall"


def test_an_act_with_several_keys_is_named_once_in_the_last_line() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        assert shown(app).split("\n")[-1].count("filter") == 1

    app = prod_eu.console()
    app.set_keymap({"table.filter": "f,slash"})
    drive(act, app)
