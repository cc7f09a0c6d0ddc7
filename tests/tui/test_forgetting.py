"""What nobody can see any more does not stay in memory."""

import gc
from typing import Any
from weakref import ref

import msgspec
from textual.pilot import Pilot

from iwdc_console.tui import forgetting
from iwdc_console.tui.app import Console
from iwdc_console.tui.model import once
from iwdc_console.tui.source.answers import decode
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


def test_how_a_screen_was_painted_is_let_go_when_it_is_left() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        first = app.screen
        painted = [widget for widget in (first, *first.query("*")) if widget._styles_cache._cache]
        assert painted
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "instances")
        await until(pilot, lambda: not any(widget._styles_cache._cache for widget in painted))
        await pilot.press("1")
        await until(pilot, lambda: app.screen is first and all(widget._styles_cache._cache for widget in painted))

    drive(act)


def test_what_was_said_of_an_old_answer_does_not_hold_it() -> None:
    class Answer:
        """Of a node."""

    say = once.once(lambda answer: len(str(answer)))
    answer = Answer()
    assert say(answer) == say(answer)
    held = ref(answer)
    del answer
    assert held() is not None
    forgetting.forget()
    assert held() is None


def test_instances_that_see_the_same_share_what_they_see() -> None:
    """A hundred times a hundred words are a megabyte of each status."""
    names = [f"i{n}" for n in range(9)]
    views = [dict.fromkeys(names, "healthy"), {**dict.fromkeys(names, "healthy"), "i3": "unreachable"}]
    told = [{"id": name, "sees": views[n % 2]} for n, name in enumerate(names)]
    status = decode("status", msgspec.json.encode({"success": True, "data": {"instances": told}}))
    assert [item.sees for item in status.instances] == [each["sees"] for each in told]
    assert len({id(item.sees) for item in status.instances}) == len(views)
