"""Proposals: what is under vote and what was decided; the chosen one before its voters; put one to the vote."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import proposals
from iwdc_console.tui.model.draft import Kind
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.proposals import Line
from iwdc_console.tui.screens.propose import Propose
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table


class Proposals(View):
    """The table holds the history; the votes of the one under the cursor arrive live."""

    NAME = "proposals"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"proposals"})
    COMMAND = "proposals"
    DEFAULT_CSS = """
    Proposals {
        #split { height: 1fr; }
        #history { height: 1fr; }
        #board { height: 1fr; }
        &.-normal #board { height: 18; }
        &.-wide #split { layout: horizontal; }
        &.-wide #history { width: 3fr; }
        &.-wide #board { width: 2fr; height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("proposals.snapshot", "propose('snapshot')"),
        bind("proposals.diff", "propose('diff')"),
        bind("proposals.trace", "trace"),
    ]

    def body(self) -> ComposeResult:
        """The history, and the vote beneath it or beside."""
        with Container(id="split"):
            yield Table(proposals.COLUMNS, "screen.proposals", id="history", empty="proposals.none")
            yield Lines("panel.board", self._board, id="board")

    def _board(self, moment: Moment, width: int, most: int) -> list[Line]:
        return proposals.board_lines(moment, self.query_one(Table).cursor, width, most)

    def update(self, moment: Moment) -> None:
        """The history; the vote shows itself."""
        self.query_one(Table).show_rows(
            proposals.rows(moment), self.console.clock.mono_s(), moment.missing("proposals")
        )

    def select(self, key: str) -> None:
        """The vote on one proposal."""
        self.query_one(Table).select(key)

    @on(Table.Moved)
    def _moved(self) -> None:
        self.query_one(Lines).show(self.console.moment())

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_trace()

    @work(exclusive=True, group="order")
    async def action_propose(self, kind: Kind) -> None:
        """Open the form; the vote in it is live."""
        if not self.console.may_change():
            return
        moment = self.console.moment()
        if moment.mode == "paused":
            self.console.action_pause()
        status = moment.observation.status
        current = status.value.current_version if status is not None else None
        made = await self.app.push_screen_wait(Propose(kind, current))
        if (proposal := proposals.find(self.console.moment(), made)) is not None:
            self.select(proposal.key)

    def action_trace(self) -> None:
        """To the trace of the chosen proposal."""
        proposal = proposals.find(self.console.moment(), self.query_one(Table).cursor)
        if proposal is None or not proposal.trace_id:
            self.notify(text("proposals.no_trace"))
        else:
            self.console.go("traces", proposal.trace_id)

    def command_line(self) -> str:
        """The command that shows the same proposal."""
        proposal = proposals.find(self.console.moment(), self.query_one(Table).cursor)
        return self.COMMAND if proposal is None else f"{self.COMMAND} {proposal.id}"
