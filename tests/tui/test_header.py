"""The first two lines: what is said in full, what in brief, and what is left out where there is no room."""

from typing import Any

import pytest
from textual.pilot import Pilot

from iwdc_console.cli.text import cells
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.frame import fields
from iwdc_console.tui.widgets.header import fitting
from tests.tui.driving import drive, shown
from tests.tui.prod_eu import moment


def said(room: int) -> str:
    chosen, gap = fitting(fields(moment()), room)
    line = (" " * gap).join("".join(words for words, _ in field.pieces) for field in chosen)
    assert cells(line) <= room
    return line


def test_all_of_it_is_said_in_full_where_there_is_room() -> None:
    line = said(200)
    for words in ("iwdc  prod-eu", "term 14", "quorum ●●●●○ 4/5 need 3, may lose 1", "version 1.4.2"):
        assert words in line


def test_at_120_all_is_said_in_brief() -> None:
    line = said(118)
    for words in (
        "prod-eu",
        "★ instance-B t14",
        "●●●●○ 4/5 need 3, may lose 1",
        "+1204 ms",
        "v1.4.2",
        "via instance-A",
    ):
        assert words in line
    assert "iwdc" not in line


def test_at_80_the_least_important_is_left_out() -> None:
    line = said(78)
    for words in ("prod-eu", "★ instance-B", "4/5 need 3, may lose 1", "live"):
        assert words in line
    assert "via" not in line


@pytest.mark.parametrize(
    ("width", "tabs"),
    [
        (80, " 2 Instances  3Lead 4Prop 5Lock 6Cloc 7Even 8Trac 9Metr 0Vers cConf"),
        (120, " 2 Instances  3 Leadership 4 Proposals 5 Locks"),
        (220, " 2 Instances   3 Leadership  4 Proposals  5 Locks"),
    ],
)
def test_every_screen_is_named_at_every_width(width: int, tabs: str) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("2")
        await pilot.pause()
        assert tabs in shown(app).split("\n")[1]

    drive(act, size=(width, 24))
