"""Leaving the console while it holds locks: they are given back, or left to run out, as the person says."""

from collections.abc import Callable

from textual.app import App

from iwdc_console.locale import text
from iwdc_console.tui.holdings import Holdings
from iwdc_console.tui.orders import Outcome
from iwdc_console.tui.widgets.menu import Menu


async def may_leave(app: App[None], holdings: Holdings, tell: Callable[[Outcome], None]) -> bool:
    """Ask what becomes of the locks that are held here, and see to it."""
    held = sorted(holdings.held)
    if not held:
        return True
    choices = [text("quit.release"), text("quit.keep")]
    about = [text("quit.release_follows"), text("quit.keep_follows")]
    title = text("quit.title", resources=", ".join(held))
    chosen = await app.push_screen_wait(Menu(title, choices, lambda at: about[at]))
    return chosen == 1 or (chosen == 0 and await _released(holdings, tell))


async def _released(holdings: Holdings, tell: Callable[[Outcome], None]) -> bool:
    """Whether all were given back; what was not is told, and the console stays."""
    failed = [one for one in await holdings.release_all() if one.kind in ("maybe", "unreachable")]
    for outcome in failed:
        tell(outcome)
    return not failed
