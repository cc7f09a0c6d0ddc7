"""Driving the console without a terminal, and reading what stands on its screen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual._xterm_parser import XTermParser
from textual.pilot import Pilot

from iwdc_console.tui.app import Console
from tests.tui import prod_eu
from tests.tui.prod_eu import Script

Act = Callable[[Console, Pilot[Any]], Awaitable[None]]
SIZES = [(80, 24), (120, 40), (220, 60)]


def drive(act: Act, app: Console | None = None, size: tuple[int, int] = (120, 40)) -> None:
    """Run the console without a terminal and do something with it, once the last observation has been shown."""

    async def run() -> None:
        console = app or prod_eu.console()
        async with console.run_test(size=size) as pilot:
            source = console.source
            assert isinstance(source, Script)
            await until(pilot, lambda: console.moment().observation is source.told[-1] if source.told else True)
            await pilot.pause()
            await act(console, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[Any], met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not met():
            await pilot.pause(0.01)


def write(app: Console, data: str) -> None:
    """Everything comes from the terminal at one time."""
    for message in XTermParser().feed(data):
        message.set_sender(app)
        app.post_message(message)


def shown(app: Console) -> str:
    """What stands on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
