"""The mouse, taken from the terminal and given back while the console runs.

While the terminal has it, it selects and pastes text as everywhere else. Textual decides that once, at its start.
"""

from typing import Any, cast

from textual.driver import Driver


def turn(driver: Driver) -> bool:
    """The other way around than it is now; whether the console has the mouse then."""
    terminal = cast(Any, driver)  # a driver without a terminal has no such switches
    if driver._mouse:
        if hasattr(terminal, "_disable_mouse_support"):
            terminal._disable_mouse_support()
        driver._mouse = False
    else:
        driver._mouse = True
        if hasattr(terminal, "_enable_mouse_support"):
            terminal._enable_mouse_support()
            if getattr(terminal, "_mouse_pixels", False):  # places are still read as pixels
                terminal._enable_mouse_pixels()
    return driver._mouse
