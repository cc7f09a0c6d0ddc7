"""Overview: is it safe now, who is there, what is open, what happened last."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from iwdc_console.tui.model import overview
from iwdc_console.tui.model.drift import plot_lines
from iwdc_console.tui.model.lately import lately_lines
from iwdc_console.tui.model.matrix import matrix_lines
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.pulse import pulse_lines
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table

MATRIX_LINES = 4
"""As many are kept for the matrix, whatever the table needs."""


class Overview(View):
    """One look tells whether one may go back to sleep."""

    NAME = "overview"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"locks", "proposals", "events", "drift"})
    COMMAND = "status"
    VERDICT_LINES = 3
    DEFAULT_CSS = """
    Overview {
        #top { height: 5; max-height: 60%; }
        #bottom { height: 1fr; }
        #instances { width: 89fr; }
        #matrix { width: 31fr; height: 1fr; }
        #lately { width: 76fr; height: 1fr; }
        #open { width: 44fr; }
        #pulse { height: 1fr; min-height: 5; }
        #drift, #offset { display: none; width: 5fr; height: 1fr; }
        &.-wide {
            #instances, #lately { width: 9fr; }
            #matrix, #open { width: 5fr; }
            #drift, #offset { display: block; }
        }
        &.-narrow {
            #matrix, #pulse { display: none; }
            #top { max-height: 10; }
            #bottom { layout: vertical; }
            #lately { width: 1fr; }
            #open { width: 1fr; height: auto; layout: horizontal; }
            #proposals { width: 3fr; max-height: 6; }
            #locks { width: 2fr; max-height: 6; }
        }
    }
    """

    def body(self) -> ComposeResult:
        """Who is there, above; what happened last and what is open, beneath; more at the right where there is room."""
        with Horizontal(id="top"):
            yield Table(overview.INSTANCE_COLUMNS, "screen.instances", id="instances")
            yield Lines("panel.matrix", matrix_lines, id="matrix")
            yield Lines("panel.drift", overview.drift_lines, id="drift")
        with Horizontal(id="bottom"):
            yield Lines("panel.lately", lately_lines, id="lately")
            with Vertical(id="open"):
                yield Lines("panel.proposals", overview.proposal_lines, id="proposals", most=10)
                yield Lines("panel.locks", overview.lock_lines, id="locks", most=6)
                yield Lines("panel.pulse", pulse_lines, id="pulse")
            yield Lines("panel.offset", plot_lines, id="offset")

    def update(self, moment: Moment) -> None:
        """The instances, all of them if there is room; the panels show themselves."""
        table = self.query_one(Table)
        table.show_rows(overview.instance_rows(moment), self.console.clock.mono_s(), moment.missing("status"))
        lines = max(MATRIX_LINES, table.virtual_size.height)
        self.query_one("#top").styles.height = lines + table.gutter.height

    @on(Table.Opened)
    def _opened(self, message: Table.Opened) -> None:
        self.console.go("instances", message.key)
