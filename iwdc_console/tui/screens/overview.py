"""Overview: is it safe now, who is there, what is open, what happened last."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from iwdc_console.tui.model import overview
from iwdc_console.tui.model.lately import lately_lines
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
        #left { width: 78fr; }
        #right { width: 41fr; margin-left: 1; }
        #far { width: 1fr; margin-left: 2; display: none; }
        #instances { height: auto; max-height: 60%; }
        #lately { height: 1fr; margin-top: 1; }
        #matrix, #locks, #pulse, #drift { margin-top: 1; }
        #far-matrix { height: auto; }
        &.-wide #far { display: block; }
        &.-wide #matrix { display: none; }
        &.-wide #left { width: 9fr; }
        &.-wide #right { width: 5fr; }
        &.-wide #far { width: 5fr; }
        &.-narrow #columns { layout: vertical; }
        &.-narrow #left { width: 1fr; height: 1fr; }
        &.-narrow #right { width: 1fr; height: auto; max-height: 6; margin: 1 0 0 0; layout: horizontal; }
        &.-narrow #proposals { width: 3fr; }
        &.-narrow #locks { width: 2fr; margin: 0; }
        &.-narrow #matrix, &.-narrow #pulse { display: none; }
        &.-narrow #instances { max-height: 9; }
        &.-narrow #lately { margin: 1 0 0 0; }
    }
    """

    def body(self) -> ComposeResult:
        """Who is there and what happened last at the left, what is open at the right; more where there is room."""
        with Horizontal(id="columns"):
            with Vertical(id="left"):
                yield Table(overview.INSTANCE_COLUMNS, id="instances", empty="table.no_data")
                yield Lines("panel.lately", lately_lines, id="lately")
            with Vertical(id="right"):
                yield Lines("panel.proposals", overview.proposal_lines, id="proposals", most=8)
                yield Lines("panel.locks", overview.lock_lines, id="locks", most=6)
                yield Lines("panel.matrix", matrix_lines, id="matrix", most=12)
                yield Lines("panel.pulse", overview.pulse_lines, id="pulse", most=3)
            with Vertical(id="far"):
                yield Lines("panel.matrix", matrix_lines, id="far-matrix", most=24)
                yield Lines("panel.drift", overview.drift_lines, id="drift", most=16)

    def update(self, moment: Moment) -> None:
        """The instances; the panels show themselves."""
        self.query_one(Table).show_rows(overview.instance_rows(moment), self.console.clock.mono_s())

    @on(Table.Opened)
    def _opened(self, message: Table.Opened) -> None:
        self.console.go("instances", message.key)
