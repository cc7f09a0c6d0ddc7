"""The first two lines: what is said in full, what in brief, and what is left out where there is no room."""

import re
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from iwdc_console.cli.text import cells
from iwdc_console.locale import LANGUAGES, set_language, table
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.api import Candidate, Leader, Quorum
from iwdc_console.tui.model.frame import fields
from iwdc_console.tui.model.verdict import verdict
from iwdc_console.tui.screens.places import BY_NAME, PLACES
from iwdc_console.tui.widgets.header import Tabs, fitting
from iwdc_console.tui.widgets.verdict_line import VerdictLine
from tests.tui import prod_eu
from tests.tui.driving import drive, shown
from tests.tui.prod_eu import NAMES, moment, observation


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
        (80, "1Now 2 Instances 3Lead 4Vote 5Lock 6Time 7Log 8Trace 9Stats 0Ver cClash"),
        (120, " 1 Overview 2 Instances 3 Leadership 4 Proposals 5 Locks 6 Clock 7 Events"),
        (220, " 2 Instances  3 Leadership  4 Proposals  5 Locks"),
    ],
)
def test_every_screen_is_named_at_every_width(width: int, tabs: str) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("2")
        await pilot.pause()
        assert tabs in shown(app).split("\n")[1]

    drive(act, size=(width, 24))


@pytest.mark.parametrize("width", [30, 60, *range(78, 140)])
@pytest.mark.parametrize("code", LANGUAGES)
def test_no_tab_is_cut(code: str, width: int) -> None:
    """From 80 columns on all are named in every language, also in a demo; the one on show in full, however narrow."""
    words = table(code)
    names = {name: {str(words[f"{names}.{name}"]) for names in ("screen", "tab")} for name in BY_NAME}
    set_language(code)
    try:
        for place in PLACES:
            tabs = Tabs(tuple((each.key, each.name) for each in PLACES), place.name)
            line = tabs.fitted(width - 1).plain
            found = {name: re.search(rf"{BY_NAME[name].key} ?({'|'.join(names[name])})\b", line) for name in BY_NAME}
            title = str(words[f"screen.{place.name}"])
            assert title in line
            if width >= 80:
                assert cells(line) < width
                assert all(found.values()), line
    finally:
        set_language("en")


@pytest.mark.parametrize("code", LANGUAGES)
def test_that_all_is_well_is_said_in_one_line(code: str) -> None:
    """Whatever may still fail: in brief where there is less room."""

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        set_language(code)
        line = app.screen.query_one(VerdictLine)
        for healthy, required in ((5, 3), (4, 3), (3, 3)):
            voters = tuple(Candidate(name, status="healthy") for name in NAMES[:healthy])
            quorum, leader = Quorum(healthy, healthy, required, True), Leader("instance-B", 14, candidates=voters)
            status = msgspec.structs.replace(prod_eu.all_well(), quorum=quorum, leader=leader)
            now = moment(observation(status))
            line.show(now)
            assert len(line.lines(79)) == 1, line.lines(79)
            assert verdict(now).next in line.lines(120)[0]

    try:
        drive(act, size=(80, 24), app=prod_eu.console(language=code))
    finally:
        set_language("en")
