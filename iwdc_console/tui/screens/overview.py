"""Overview: is it safe now, who is there, what is open, what happened last."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from iwdc_console.tui.model import overview
from iwdc_console.tui.model.matrix import matrix_lines
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table


class Overview(View):
    """One look tells whether one may go back to sleep."""

    NAME = "overview"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"locks", "proposals", "events", "drift"})
    COMMAND = "status"
    VERDICT_LINES = 3
    CSS = """
    Overview {
        #upper { height: 1fr; }
        #left { width: 3fr; }
        #right { width: 2fr; padding-left: 2; }
        #far { display: none; width: 2fr; padding-left: 2; }
        #proposals { height: 2fr; }
        #locks { height: 1fr; }
        #events { height: 9; margin-top: 1; }
        #matrix { height: 1fr; }
        &.-wide #far { display: block; }
        &.-narrow #upper { layout: vertical; }
        &.-narrow #left { width: 1fr; height: 1fr; }
        &.-narrow #right { width: 1fr; height: 6; padding: 0; layout: horizontal; }
        &.-narrow #proposals { width: 3fr; height: 6; }
        &.-narrow #locks { width: 2fr; height: 6; }
        &.-narrow #events { height: 4; margin: 0; }
    }
    """

    def body(self) -> ComposeResult:
        """Instances at the left, what is open at the right, what happened below."""
        with Horizontal(id="upper"):
            with Vertical(id="left"):
                yield Table(overview.INSTANCE_COLUMNS, id="instances", empty="table.no_data")
            with Vertical(id="right"):
                yield Lines("panel.proposals", overview.proposal_lines, id="proposals")
                yield Lines("panel.locks", overview.lock_lines, id="locks")
            with Vertical(id="far"):
                yield Lines("panel.matrix", matrix_lines, id="matrix")
        yield Lines("panel.events", overview.event_lines, id="events")

    def update(self, moment: Moment) -> None:
        """The instances; the panels show themselves."""
        self.query_one(Table).show_rows(overview.instance_rows(moment), self.console.clock.mono_s())

    @on(Table.Opened)
    def _opened(self, message: Table.Opened) -> None:
        self.console.go("instances", message.key)
