"""`w`: the diagnosis of `doctor` on the console: asked for without holding anything up, readable, told what to do."""

import threading
from typing import Any

import pytest
from textual.pilot import Pilot

from iwdc_console.client import Client
from iwdc_console.diagnosis import Evidence, Finding, Look
from iwdc_console.examination import examine
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.doctor import lines
from iwdc_console.tui.screens import doctor
from iwdc_console.tui.screens.doctor import Doctor
from tests.tui.driving import drive, shown, until
from tests.tui.prod_eu import NAMES, NODE

DEAD = "http://127.0.0.1:9"
BROKEN = Finding("bad", "network", "instance-E does not answer at http://10.0.0.5: connection refused", "Start it.")
CALM = (Finding("ok", "quorum", "sufficient"), Finding("ok", "clocks", "clocks agree within a second"))


def plain(found: list[Finding], width: int) -> list[str]:
    return ["".join(words for words, _ in line).rstrip() for line in lines(found, width)]


def test_what_needs_somebody_stands_apart_and_what_to_do_beneath_it() -> None:
    assert plain([BROKEN, *CALM], 100) == [
        "1 thing broken; the first is what to do next.",
        "",
        "○ network    instance-E does not answer at http://10.0.0.5: connection refused",
        "             → Start it.",
        "",
        "● quorum     sufficient",
        "● clocks     clocks agree within a second",
    ]


def test_long_sentences_are_wrapped_and_hostile_ones_are_text() -> None:
    told = plain([BROKEN._replace(text="\x1b[2J" + "word " * 30)], 40)
    assert all(len(line) <= 40 for line in told)
    assert not any("\x1b" in line for line in told)


def test_members_are_asked_by_name_though_no_node_tells_who_they_are() -> None:
    seen = examine(Client([DEAD]), [("instance-A", DEAD)])
    assert [(look.id, look.status) for look in seen.looks] == [("instance-A", None)]
    assert "refused" in seen.looks[0].why
    assert [look.id for look in examine(Client([DEAD])).looks] == [DEAD]


def test_the_screen_goes_on_while_members_are_asked_and_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], list[tuple[str, str]]]] = []
    answer = threading.Event()

    def slow(client: Client, listed: list[tuple[str, str]]) -> Evidence:
        asked.append((list(client.nodes), listed))
        assert answer.wait(60)
        return Evidence([Look("instance-E", DEAD, None, "connection refused")])

    monkeypatch.setattr(doctor, "examine", slow)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("w")
        await until(pilot, lambda: len(asked) == 1)
        assert "Asking all members" in shown(app)
        nodes, listed = asked[0]
        assert nodes == [NODE]
        assert [name for name, _ in listed] == list(NAMES)
        await pilot.press("escape")
        assert app.view is app.screen, "it can be left before anybody has answered"
        answer.set()
        await pilot.press("colon", *"doctor", "enter")
        await until(pilot, lambda: f"instance-E does not answer at {DEAD}: connection refused" in shown(app))
        assert "1 thing broken; the first is what to do next." in shown(app)
        assert "→ Its process is down: start it there" in shown(app)
        await pilot.press("y")
        assert "○ network    instance-E does not answer" in app.clipboard
        await pilot.press("r")
        await until(pilot, lambda: len(asked) == 3)
        await pilot.press("w")
        assert not isinstance(app.screen, Doctor)

    drive(act)
