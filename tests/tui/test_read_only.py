"""A console that only looks: every key that would change something says why not, and opens nothing."""

from typing import Any

import pytest
from textual.pilot import Pilot

from iwdc_console.locale import text
from iwdc_console.tui.app import Console
from iwdc_console.tui.screens.view import View
from tests.tui.driving import until
from tests.tui.prod_eu_versions import everything
from tests.tui.stations import Round, empty, visit

CHANGING = [
    ("3", "D"), ("3", "E"), ("4", "p"), ("4", "d"), ("5", "a"), ("5", "R"), ("5", "F"), ("5", "enter"), ("0", "P"),
    ("0", "R"), ("0", "V"), ("c", "R"), ("c", "enter"), ("X", "enter"),
]  # fmt: skip


@pytest.mark.parametrize("known", [everything, empty], ids=["something there", "nothing there"])
def test_every_key_that_changes_something_says_why_not(known: Any) -> None:
    async def look(app: Console, pilot: Pilot[Any]) -> None:
        app.read_only = True
        for place, key in CHANGING:
            if known is empty and key == "enter" and place != "X":
                continue  # there is no row to open
            app.clear_notifications()
            await pilot.press(place, key)
            await until(pilot, lambda: bool(app._notifications))
            said = [str(notice.message) for notice in app._notifications]
            assert said == [text("orders.read_only")], (place, key)
            assert isinstance(app.screen, View), (place, key)

    visit(Round("read only", (("overview", ("1",)),), known), look)
