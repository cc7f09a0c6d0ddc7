"""`w`: the diagnosis of `doctor` on the console: asked for without holding anything up, readable, told what to do."""

import ast
import inspect
import threading
from typing import Any

import pytest
from textual.pilot import Pilot

from iwdc_console import diagnosis, locale, silence
from iwdc_console.client import Client
from iwdc_console.diagnosis import Finding, Phrase
from iwdc_console.evidence import Evidence, Look
from iwdc_console.examination import examine
from iwdc_console.locale import set_language
from iwdc_console.reasons import unanswered
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.doctor import lines
from iwdc_console.tui.screens import doctor
from iwdc_console.tui.screens.doctor import Doctor
from tests.tui.driving import drive, shown, until
from tests.tui.prod_eu import NAMES, NODE

DEAD = "http://127.0.0.1:9"
SILENT = {"id": "instance-E", "url": "http://10.0.0.5", "why": "connection refused"}
BROKEN = Finding("bad", "network", Phrase("silent", SILENT), Phrase("do.start_voters", {"names": "it"}))
NUMBERS = {"healthy": 3, "total": 3, "required": 2}
CALM = (Finding("ok", "quorum", Phrase("quorum", NUMBERS)), Finding("ok", "clocks", Phrase("clocks_agree")))


def plain(found: list[Finding], width: int) -> list[str]:
    return ["".join(words for words, _ in line).rstrip() for line in lines(found, width)]


def test_what_needs_somebody_stands_apart_and_what_to_do_beneath_it() -> None:
    assert plain([BROKEN, *CALM], 100) == [
        "1 thing broken; the first is what to do next.",
        "",
        "○ network    instance-E does not answer at http://10.0.0.5: connection refused",
        "             → Start it.",
        "",
        "● quorum     sufficient: 3 of 3 healthy, 2 needed",
        "● clocks     clocks agree within a second",
    ]


def test_long_sentences_are_wrapped_and_hostile_ones_are_text() -> None:
    told = plain([BROKEN._replace(what=Phrase("silent", SILENT | {"id": "\x1b[2J" + "word " * 30}))], 40)
    assert all(len(line) <= 40 for line in told)
    assert not any("\x1b" in line for line in told)


def test_what_is_found_is_said_in_the_language_of_the_console() -> None:
    set_language("ru")
    try:
        assert plain([BROKEN, *CALM], 100) == [
            "1 неисправность; начинать с первого.",
            "",
            "○ сеть         instance-E не отвечает по адресу http://10.0.0.5: в соединении отказано",
            "               → Запустите it.",
            "",
            "● quorum       достаточно: здоровы 3 из 3, нужно 2",
            "● часы         часы расходятся меньше чем на секунду",
        ]
    finally:
        set_language("en")


def codes() -> set[str]:
    """Every code that a diagnosis may say."""
    found = {f"path.{reason}" for reason in diagnosis.PATHS}
    found |= {f"{part}.{reason}" for part in ("fault", "do") for reason in diagnosis.OWN_FAULTS} | {"or", "and"}
    for call in ast.walk(ast.parse(inspect.getsource(diagnosis))):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        places = {"Phrase": [(0, "")], "_said": [(1, ""), (2, "do.")], "_entry": [(0, "")]}.get(call.func.id, [])
        for at, before in places:
            found |= {before + word for word in constants(call.args[at])} if len(call.args) > at else set()
    return found


def constants(said: ast.expr) -> set[str]:
    """The words an expression may be, as far as they stand there."""
    if isinstance(said, ast.IfExp):
        return constants(said.body) | constants(said.orelse)
    return {said.value} if isinstance(said, ast.Constant) and isinstance(said.value, str) else set()


@pytest.mark.parametrize("code", locale.LANGUAGES)
def test_whatever_may_be_found_has_words_in_every_language(code: str) -> None:
    words = locale.table(code)
    assert [each for each in sorted(codes()) if f"finding.{each}" not in words] == []


@pytest.mark.parametrize(
    ("why", "russian"),
    [
        (silence.REFUSED, "в соединении отказано"),
        (silence.CLOSED, "соединение закрыто без ответа"),
        (silence.no_answer(2.5), "нет ответа за 2.5 с"),
        (silence.no_connection(2), "нет соединения за 2 с"),
        (silence.answered(503), "ответ 503"),
        (silence.no_node(200), "ответ 200, но не такой, как у узла: это точно узел IWDC?"),
        (silence.unknown("snapshots/1.0.0/summary"), "snapshots/1.0.0/summary там неизвестен"),
        ("connection refused; no route to host", "в соединении отказано; нет пути до хоста"),
        ("words of the system's own", "words of the system's own"),
    ],
)
def test_why_nobody_answered_is_said_in_the_language_of_the_console(why: str, russian: str) -> None:
    assert unanswered(why) == why, "English is what commands and logs say"
    set_language("ru")
    try:
        assert unanswered(why) == russian
    finally:
        set_language("en")


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
