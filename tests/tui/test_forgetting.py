"""What nobody can see any more does not stay in memory."""

import gc
from typing import Any
from weakref import ref

from textual.pilot import Pilot

from iwdc_console.tui import forgetting
from iwdc_console.tui.app import Console
from tests.tui.driving import drive, until


def test_a_dialog_that_was_closed_and_its_painted_lines_are_let_go() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        gc.disable()
        try:
            await pilot.press("question_mark")
            await pilot.pause()
            seen: list[ref[object]] = [ref(app.screen)]
            seen += [ref(widget._styles_cache) for widget in app.screen.query("*")]
            await pilot.press("escape")
            await until(pilot, lambda: app.view is app.screen)
            await pilot.press("2", "1")
            await until(pilot, lambda: app.current_mode == "overview")
            await pilot.pause()
            assert any(one() is not None for one in seen), "they do not go by themselves"
            app._forgot_s -= forgetting.EVERY_S
            app._tick()
            assert [one() for one in seen if one() is not None] == []
        finally:
            gc.enable()

    drive(act)
