"""Leadership: who leads, who would be next and why, every change with its reason; step down and elect now."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType

from iwdc_console.locale import text
from iwdc_console.tui import orders
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import leadership
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.succession import successor
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table


class Leadership(View):
    """Candidates stand by rank: longest uptime, then the highest id."""

    NAME = "leadership"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"elections", "leader"})
    COMMAND = "leader"
    DEFAULT_CSS = """
    Leadership {
        #candidates { height: auto; max-height: 50%; }
        #changes { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("leadership.step_down", "step_down"),
        bind("leadership.elect", "elect"),
    ]

    def body(self) -> ComposeResult:
        """The leader, the candidates, the history."""
        yield Lines("panel.leader", leadership.head_lines, id="head", most=4)
        yield Table(leadership.CANDIDATES, "panel.voters", id="candidates")
        yield Table(leadership.CHANGES, "panel.elections", id="changes", empty="leadership.no_changes")

    def update(self, moment: Moment) -> None:
        """Both tables; the head shows itself."""
        now_s = self.console.clock.mono_s()
        self.query_one("#candidates", Table).show_rows(
            leadership.candidate_rows(moment), now_s, moment.missing("status")
        )
        self.query_one("#changes", Table).show_rows(leadership.change_rows(moment), now_s, moment.missing("elections"))

    @work(exclusive=True, group="order")
    async def action_step_down(self) -> None:
        """Let the leader hand over."""
        if not self.console.may_change():
            return
        status = self.console.moment().observation.status
        leader = status.value.leader if status is not None else None
        if leader is None or leader.id is None:
            self.notify(text("orders.no_leader"), severity="warning")
            return
        heir = successor(leader)
        follows = text("leadership.step_down.to", heir=heir) if heir else text("leadership.step_down.nobody")
        title = text("leadership.step_down.title", leader=leader.id)
        await self.console.order(orders.step_down(), title, follows, text("leadership.step_down.act"))

    @work(exclusive=True, group="order")
    async def action_elect(self) -> None:
        """Look for a better-ranked leader now."""
        title, follows = text("leadership.elect.title"), text("leadership.elect.follows")
        await self.console.order(orders.elect(), title, follows, text("leadership.elect.act"))
