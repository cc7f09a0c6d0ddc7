"""Keys and pauses of a driven console end when all they have begun is done, not when the machine seems idle.

Textual's pilot takes a process that got little time for 20 ms for one that has nothing to do: on a busy machine it is
wrong, and on every machine each key takes 40 ms. Here the loop itself is asked. What comes from a timer, a thread or a
socket is not waited for: a test that needs it waits for it by name (`driving.until`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from textual import app, pilot
from textual._context import active_app
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.tui.driving import DEADLINE_S

CALM_TURNS = 3
"""Turns of the loop in which nothing else ran: what ends in one turn may begin the next."""
BATCH_LOOK_S = 0.002
RULES: dict[tuple[object, ...], list[RuleSet]] = {}
"""What style sheets say, by their text, whose it is and the theme's colours."""


async def settle(*_: object) -> bool:
    """Return when nothing but timers and I/O is left to wait for, and the screen shows what it should."""
    console = active_app.get()
    async with asyncio.timeout(DEADLINE_S):
        while True:
            await _calm()
            if console._exit:
                return True
            if console._batch_count:  # what is drawn waits for a timer of Textual's own
                await asyncio.sleep(BATCH_LOOK_S)
            elif not _refreshed(console):
                return True


async def _calm() -> None:
    ready: deque[asyncio.Handle] = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    calm = 0
    while calm < CALM_TURNS:
        await asyncio.sleep(0)
        calm = 0 if len(ready) else calm + 1


def _refreshed(console: App[Any]) -> bool:
    """Whether the screen had something to lay out, to draw, or to do after that, which else comes with a frame."""
    screen = console.screen
    due = screen._layout_required or screen._scroll_required or screen._repaint_required or screen._recompose_required
    if not (due or screen._dirty_widgets or screen._callbacks):
        return False
    screen._on_timer_update()
    return True


@pytest.fixture(autouse=True)
def _settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "wait_for_idle", settle)
    monkeypatch.setattr(pilot, "wait_for_idle", settle)
    monkeypatch.setattr(pilot.Pilot, "_wait_for_screen", settle)


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same style sheet is not parsed anew for every console: a seventh of what its start takes."""
    parse: Callable[..., list[RuleSet]] = Stylesheet._parse_rules

    def parsed(self: Stylesheet, css: str, *where: object, **more: object) -> list[RuleSet]:
        key = (frozenset(self._variables.items()), css, *where, *more.items())
        if key not in RULES:
            RULES[key] = parse(self, css, *where, **more)
        return RULES[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", parsed)
