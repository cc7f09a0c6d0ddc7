"""How the screens look, at three sizes: pictures to compare with."""

from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from iwdc_console.demo.cluster import Cluster
from iwdc_console.locale import set_language
from iwdc_console.tui import themes
from iwdc_console.tui.company import Company
from iwdc_console.tui.screens.places import PLACES, Place
from tests.tui import prod_eu
from tests.tui.driving import all_shown
from tests.tui.prod_eu import observation
from tests.tui.prod_eu_versions import everything, with_versions
from tests.tui.stations import OPEN, Broken, lost

SIZES = [(80, 24), (120, 40), (220, 60)]
SEEN = ("overview", "instances", "versions")
"""Screens that have pictures of their own."""


def told(size: tuple[int, int]) -> str:
    """A size as an id."""
    return f"{size[0]}x{size[1]}"


named = pytest.mark.parametrize("size", SIZES, ids=told)


async def settled(pilot: Pilot[Any], *keys: str) -> None:
    """Until the last observation is shown, then press keys."""
    app: Any = pilot.app
    await all_shown(app, pilot)
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    await pilot.wait_for_scheduled_animations()


@named
def test_overview(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(prod_eu.console(), terminal_size=size, run_before=settled)


@named
def test_instances(snap_compare: Any, size: tuple[int, int]) -> None:
    async def keys(pilot: Pilot[Any]) -> None:
        await settled(pilot, "2", "end")

    assert snap_compare(prod_eu.console(), terminal_size=size, run_before=keys)


@named
def test_versions(snap_compare: Any, size: tuple[int, int]) -> None:
    async def keys(pilot: Pilot[Any]) -> None:
        await settled(pilot, "0")

    assert snap_compare(prod_eu.console(with_versions()), terminal_size=size, run_before=keys)


@named
def test_what_differs(snap_compare: Any, size: tuple[int, int]) -> None:
    async def keys(pilot: Pilot[Any]) -> None:
        await settled(pilot, "0", "d")

    assert snap_compare(prod_eu.console(with_versions()), terminal_size=size, run_before=keys)


@pytest.mark.parametrize("place", [each for each in PLACES if each.name not in SEEN], ids=lambda place: place.name)
@pytest.mark.parametrize(
    "size", [SIZES[0], *(pytest.param(each, marks=pytest.mark.slow) for each in SIZES[1:])], ids=told
)
def test_every_other_screen(snap_compare: Any, place: Place, size: tuple[int, int]) -> None:
    async def keys(pilot: Pilot[Any]) -> None:
        await settled(pilot, place.key)

    app = prod_eu.console(everything(), company=Company(demo=cast(Cluster, Broken())))
    assert snap_compare(app, terminal_size=size, run_before=keys)


@pytest.mark.parametrize("name", ["propose a snapshot", "step down", "resolve", "chaos menu", "palette"])
def test_dialogs(snap_compare: Any, name: str) -> None:
    async def keys(pilot: Pilot[Any]) -> None:
        pilot.app.animation_level = "none"
        await settled(pilot, *OPEN[name])
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    app = prod_eu.console(everything(), company=Company(demo=cast(Cluster, Broken())))
    assert snap_compare(app, terminal_size=(80, 24), run_before=keys)


def test_nobody_answers(snap_compare: Any) -> None:
    assert snap_compare(prod_eu.console(lost()), terminal_size=(80, 24), run_before=settled)


def test_all_well(snap_compare: Any) -> None:
    app = prod_eu.console(observation(prod_eu.all_well()), history=False)
    assert snap_compare(app, terminal_size=(120, 40), run_before=settled)


def test_help(snap_compare: Any) -> None:
    async def keys(pilot: Pilot[Any]) -> None:
        await settled(pilot, "question_mark")

    assert snap_compare(prod_eu.console(), terminal_size=(120, 40), run_before=keys)


@pytest.mark.parametrize("theme", sorted(file.stem for file in themes.FOLDERS[1].glob("*.toml")))
def test_every_theme(snap_compare: Any, theme: str) -> None:
    async def dressed(pilot: Pilot[Any]) -> None:
        pilot.app.theme = theme
        await settled(pilot)

    assert snap_compare(prod_eu.console(), terminal_size=(80, 24), run_before=dressed)


@pytest.mark.parametrize("theme", ["iwdc-light", "ansi-16"])
@pytest.mark.parametrize("size", [SIZES[1], pytest.param(SIZES[2], marks=pytest.mark.slow)], ids=told)
def test_those_unlike_the_others_on_larger_screens(snap_compare: Any, theme: str, size: tuple[int, int]) -> None:
    """A bright ground, and no colours but the terminal's."""

    async def dressed(pilot: Pilot[Any]) -> None:
        pilot.app.theme = theme
        await settled(pilot)

    assert snap_compare(prod_eu.console(), terminal_size=size, run_before=dressed)


def test_in_russian(snap_compare: Any) -> None:
    async def spoken(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        set_language("ru")
        await settled(pilot, "2", "1")

    try:
        assert snap_compare(prod_eu.console(), terminal_size=(120, 40), run_before=spoken)
    finally:
        set_language("en")
