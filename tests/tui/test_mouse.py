"""The mouse while the console runs: what a terminal is told."""

import asyncio

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from iwdc_console.tui import mouse


class Written(LinuxDriver):
    """What would have gone to the terminal."""

    def __init__(self, on: bool) -> None:
        super().__init__(App(), mouse=on)
        self.told: list[str] = []

    def write(self, data: str) -> None:
        """Keep it."""
        self.told.append(data)

    def flush(self) -> None:
        """There is nothing to wait for."""


def terminal(on: bool) -> Written:
    """A driver wants to be made where events are waited for."""

    async def make() -> Written:
        return Written(on)

    return asyncio.run(make())


def test_the_terminal_is_told() -> None:
    driver = terminal(on=True)
    assert mouse.turn(driver) is False
    assert "\x1b[?1003l" in driver.told
    assert "\x1b[?1006l" in driver.told
    driver.told.clear()
    assert mouse.turn(driver) is True
    assert driver.told[:2] == ["\x1b[?1000h", "\x1b[?1003h"]
    assert "\x1b[?1016h" not in driver.told


def test_one_that_began_without_a_mouse_can_take_it() -> None:
    driver = terminal(on=False)
    assert mouse.turn(driver) is True
    assert "\x1b[?1003h" in driver.told


def test_places_are_told_in_the_unit_they_are_read_in() -> None:
    driver = terminal(on=True)
    driver._enable_mouse_pixels()
    mouse.turn(driver)
    driver.told.clear()
    mouse.turn(driver)
    assert driver.told[-1] == "\x1b[?1016h"
