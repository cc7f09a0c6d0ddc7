"""What is typed faster than the console answers, or pasted, reaches what each key has opened, in the order typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from iwdc_console.tui import keyboard
from iwdc_console.tui.app import Console
from iwdc_console.tui.screens.propose import Propose
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.table import Table
from tests.tui.driving import drive, until, write

CTRL_P, BACKSPACE = "\x10", "\x7f"
PASTED = "\x1b[200~{}\x1b[201~"


def field(app: Console) -> str:
    """What was typed into the field that takes keys."""
    return app.focused.value if isinstance(app.focused, Input) else ""


def table(app: Console) -> Table:
    """The first one of the screen in front."""
    assert app.view is not None
    return app.view.query(Table).first()


def asked(app: Console) -> bool:
    """Whether the prompt asks for something."""
    return app.view is not None and app.view.query_one(Prompt).display


@pytest.mark.parametrize(
    ("typed", "arrived"),
    [
        (":events", lambda app: field(app) == "events" and asked(app)),
        (":events\r", lambda app: app.current_mode == "events" and not asked(app)),
        (":ev\r:lo\r:pro\r", lambda app: app.current_mode == "proposals" and not asked(app)),
        (":" + PASTED.format("events"), lambda app: field(app) == "events"),
        (":quiet" + BACKSPACE * 5 + "locks\ra" + "shelf-9", lambda app: field(app) == "shelf-9"),
        ("/instance-[AE]\r", lambda app: not asked(app) and table(app).filter.pattern == "instance-[AE]"),
        ("/A\r/" + BACKSPACE + "B\r", lambda app: not asked(app) and table(app).filter.pattern == "B"),
        ("7ftype:VOTES\r", lambda app: {row.cells[3].text for row in table(app).shown} == {"VOTES"}),
        ("e" + "zebra.json", lambda app: field(app) == "overview.csvzebra.json"),
        ("4pdata/eqs", lambda app: isinstance(app.screen, Propose) and field(app) == "data/eqs"),
        ("4d/e", lambda app: isinstance(app.screen, Propose) and field(app) == "/e"),
        ("5aqueue", lambda app: field(app) == "queue"),
        ("3Dprod-eq", lambda app: field(app) == "prod-eq"),
        (CTRL_P + "eqs", lambda app: field(app) == "eqs"),
        ("?q3", lambda app: not isinstance(app.screen, ModalScreen) and app.current_mode == "leadership"),
        ("wq?q3", lambda app: not isinstance(app.screen, ModalScreen) and app.current_mode == "leadership"),
        ("7jz", lambda app: app.current_mode == "events" and app.screen.maximized is table(app)),
        ("tt3", lambda app: app.current_mode == "leadership" and app.time_travel.journey is None),
    ],
)
def test_keys_that_come_at_once_go_where_the_keys_before_them_lead(
    typed: str, arrived: Callable[[Console], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        write(app, typed)
        await until(pilot, lambda: arrived(app))
        await pilot.pause()
        assert arrived(app), "no key comes after"

    drive(act)
    assert not list(tmp_path.iterdir()), "nothing is exported"


def test_keys_are_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a key has begun, the next one is handed over in the end."""

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        monkeypatch.setattr(keyboard, "PATIENCE_S", 0.1)
        table = app.screen.query_one("#instances", Table)
        monkeypatch.setattr(type(table), "message_queue_size", 1)
        start = table.cursor
        write(app, "jj")
        await until(pilot, lambda: table.cursor == table.shown[2].key)
        assert start == table.shown[0].key

    drive(act)
