"""Forms that ask: an answer may come when the parts of a form are gone and the form is not, yet it harms nobody."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Button

from iwdc_console.client import Client
from iwdc_console.evidence import Evidence
from iwdc_console.exchange import Answer
from iwdc_console.outcomes import ClusterRefused
from iwdc_console.tui import orders
from iwdc_console.tui.app import Console
from iwdc_console.tui.hashing import Hashed, Hashing
from iwdc_console.tui.screens import doctor
from iwdc_console.tui.screens.acquire import Acquire
from iwdc_console.tui.screens.doctor import Doctor
from iwdc_console.tui.screens.propose import Propose
from iwdc_console.tui.widgets.confirm import Confirm
from tests.tui.driving import DEADLINE_S, drive, until


class Asked:
    """Whoever is asked answers when `answer` is set."""

    def __init__(self) -> None:
        self.begun, self.answer = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.begun.set()
        assert self.answer.wait(DEADLINE_S)


def cluster(monkeypatch: pytest.MonkeyPatch, asked: Asked, refuses: bool = False) -> None:
    class Slow(Client):
        def get(self, path: str, **query: object) -> Answer:
            asked.wait()
            return Answer({}, "", "", 0.0)

        def text(self, path: str) -> Answer:
            asked.wait()
            return Answer("", "", "", 0.0)

        def post(self, path: str, body: Any = None, **more: Any) -> Answer:
            asked.wait()
            if refuses:
                raise ClusterRefused("no leader", data={"reason": "no_leader"})
            return Answer({"resource": "shelf", "owner": "me", "fencingToken": 7, "ttlMs": 600_000, "proposalId": "p"},
                "", "", 0.0)  # fmt: skip

        def try_out(self, path: str, body: Any) -> Answer:
            return self.post(path, body)

    monkeypatch.setattr(orders, "Client", Slow)


def refusing(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> None:
    cluster(monkeypatch, asked, refuses=True)


def members(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> None:
    def examine(*_: object) -> Evidence:
        asked.wait()
        return Evidence([])

    monkeypatch.setattr(doctor, "examine", examine)


def disk(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> None:
    def tree(_: Hashing) -> Hashed:
        asked.wait()
        return Hashed("ab12", 1, 2, {})

    monkeypatch.setattr(Hashing, "tree", tree)


@pytest.mark.parametrize(
    ("form", "whom", "keys"),
    [
        pytest.param(Doctor, members, ["w"], id="diagnosis"),
        pytest.param(Acquire, cluster, ["5", "a", *"shelf", "enter", "enter"], id="lock"),
        pytest.param(Acquire, refusing, ["5", "a", *"shelf", "enter", "enter"], id="lock that is refused"),
        pytest.param(Propose, cluster, ["4", "p", "tab", *"ab12"], id="dry run"),
        pytest.param(Propose, disk, ["4", "p", "."], id="hash"),
        pytest.param(Propose, cluster, ["4", "p", "."], id="what the folder changes"),
        pytest.param(Propose, cluster, ["4", "p", "tab", *"ab12", "ctrl+s"], id="proposal"),
    ],
)
def test_an_answer_that_comes_while_a_form_is_taken_down_harms_nobody(
    form: type[ModalScreen[object]],
    whom: Callable[[pytest.MonkeyPatch, Asked], None],
    keys: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "a.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    asked, gone = Asked(), asyncio.Event()
    whom(monkeypatch, asked)

    async def answered(screen: ModalScreen[object]) -> None:
        """Between the end of a form's parts and its own."""
        assert not screen.children
        asked.answer.set()
        async with asyncio.timeout(DEADLINE_S):
            while any(worker.node is screen and not worker.is_finished for worker in screen.app.workers):  # noqa: ASYNC110
                await asyncio.sleep(0)
        gone.set()

    monkeypatch.setattr(form, "on_unmount", answered, raising=False)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press(*keys)
        await until(pilot, asked.begun.is_set)
        assert isinstance(app.screen, form)
        app.screen.dismiss()
        await until(pilot, gone.is_set)
        assert len(app.screen_stack) == 1
        assert not app._exception

    drive(act)


def test_what_is_told_to_a_question_on_its_way_out_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job whose end it shall tell goes on, whoever has left."""

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        question = Confirm("Publish?", "storing", "prod-eu", "Publish", ready=False)
        told = asyncio.Event()

        def tell(_: Button) -> None:
            question.tell("stored", ready=True)
            told.set()

        app.push_screen(question)
        await until(pilot, lambda: bool(question.query(Button)))
        monkeypatch.setattr(Button, "on_unmount", tell, raising=False)
        await pilot.press("escape")
        await until(pilot, told.is_set)
        assert app.view is app.screen

    drive(act)
