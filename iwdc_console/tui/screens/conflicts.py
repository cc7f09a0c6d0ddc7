"""Conflicts: two accepted contents for one slot, side by side; what the strategy chose; settling an open one."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from iwdc_console.locale import text
from iwdc_console.tui import orders
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import conflicts
from iwdc_console.tui.model.conflicts import Line
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.overview import subject
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.menu import Menu
from iwdc_console.tui.widgets.table import Table


class Conflicts(View):
    """Losers are kept and listed; nothing is lost by a conflict."""

    NAME = "conflicts"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"conflicts"})
    COMMAND = "conflicts"
    DEFAULT_CSS = """
    Conflicts {
        #slots { height: 1fr; }
        #candidates { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("conflicts.resolve", "resolve")]

    def body(self) -> ComposeResult:
        """The slots, and the candidates of the one under the cursor."""
        yield Table(conflicts.COLUMNS, "screen.conflicts", id="slots", empty="conflicts.none")
        yield Lines("panel.candidates", self._candidates, id="candidates")

    def _candidates(self, moment: Moment, width: int, most: int) -> list[Line]:
        return conflicts.side_by_side(moment, self.query_one(Table).cursor, width, most)

    def update(self, moment: Moment) -> None:
        """The slots; the candidates show themselves."""
        self.query_one(Table).show_rows(
            conflicts.rows(moment), self.console.clock.mono_s(), moment.missing("conflicts")
        )

    @on(Table.Moved)
    def _moved(self) -> None:
        self.query_one(Lines).show(self.console.moment())

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_resolve()

    @work(exclusive=True, group="order")
    async def action_resolve(self) -> None:
        """Choose who shall win an open conflict."""
        if not self.console.may_change():
            return
        moment = self.console.moment()
        conflict = conflicts.find(moment, self.query_one(Table).cursor)
        if conflict is None or not conflict.open:
            known = moment.observation.conflicts is not None
            self.notify(text("conflicts.nothing_open" if known else "conflicts.not_known"))
            return
        candidates = conflict.candidates
        names = [f"{subject(each)}  {each.hash[:12]}  {each.proposer}" for each in candidates]
        about = text("conflicts.about")
        chosen = await self.app.push_screen_wait(
            Menu(text("conflicts.choose", slot=conflict.slot), names, lambda at: about)
        )
        if chosen is None:
            return
        winner = candidates[chosen]
        title = text("conflicts.resolve.title", winner=names[chosen], slot=conflict.slot)
        follows = text("conflicts.resolve.follows", count=len(candidates) - 1)
        order = orders.resolve(conflict.slot, winner.key)
        await self.console.order(order, title, follows, text("conflicts.resolve.act"))
