"""Leaving the console while it holds locks: they are given back, or left to run out, as the person says."""

from typing import TYPE_CHECKING

from iwdc_console.locale import text
from iwdc_console.tui.widgets.menu import Menu

if TYPE_CHECKING:
    from iwdc_console.tui.app import Console


async def may_leave(console: "Console") -> bool:
    """Ask what becomes of the locks that are held here, and see to it."""
    held = sorted(console.holdings.held)
    if not held:
        return True
    choices = [text("quit.release"), text("quit.keep")]
    about = [text("quit.release_follows"), text("quit.keep_follows")]
    title = text("quit.title", resources=", ".join(held))
    chosen = await console.push_screen_wait(Menu(title, choices, lambda at: about[at]))
    return chosen == 1 or (chosen == 0 and await _released(console))


async def _released(console: "Console") -> bool:
    """Whether all were given back; what was not is told, and the console stays."""
    failed = [one for one in await console.holdings.release_all() if one.kind in ("maybe", "unreachable")]
    for outcome in failed:
        console.tell(outcome)
    return not failed
