"""Driving the console without a terminal, and reading what stands on its screen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.pilot import Pilot

from iwdc_console.tui.app import Console
from tests.tui import prod_eu
from tests.tui.prod_eu import Script

Act = Callable[[Console, Pilot[Any]], Awaitable[None]]
DEADLINE_S = 60
SIZES = [(80, 24), (120, 40), (220, 60)]


def drive(act: Act, app: Console | None = None, size: tuple[int, int] = (120, 40), notices: bool = False) -> None:
    """Run the console without a terminal and do something with it, once the last observation has been shown.

    Only with `notices` these stand on the screen.
    """

    async def run() -> None:
        console = app or prod_eu.console()
        async with console.run_test(size=size, notifications=notices) as pilot:
            await all_shown(console, pilot)
            await act(console, pilot)
            console.workers.cancel_all()  # first, as when a real one ends

    asyncio.run(run())


async def all_shown(app: Console, pilot: Pilot[Any]) -> None:
    """Until what its source has told stands on the screen."""
    source = app.source
    assert isinstance(source, Script)
    await until(pilot, lambda: source.seen)
    await pilot.pause()


async def until(pilot: Pilot[Any], met: Callable[[], bool]) -> None:
    """Until something holds that a timer, a thread or a socket brings about."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                await pilot.pause(0.01)
    except TimeoutError as late:
        late.add_note(shown(pilot.app))
        raise


def write(app: Console, data: str) -> None:
    """Everything comes from the terminal at one time."""
    for message in XTermParser().feed(data):
        message.set_sender(app)
        app.post_message(message)


def shown(app: App[Any]) -> str:
    """What stands on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
