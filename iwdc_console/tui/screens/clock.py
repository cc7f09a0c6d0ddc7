"""Clock: how far the instances' clocks are from the leader's, how sure that is, and who is suspect."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from iwdc_console.tui.model import drift
from iwdc_console.tui.model.drift import Line
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table


class Clock(View):
    """Only warnings and display rest on clocks; no lock and no vote does."""

    NAME = "clock"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"drift", "clocks"})
    COMMAND = "drift"
    DEFAULT_CSS = """
    Clock {
        #clocks { height: auto; max-height: 40%; }
        #plot { height: 1fr; }
    }
    """

    def body(self) -> ComposeResult:
        """The asked node's clock, all clocks, and the measurements over time."""
        yield Lines("panel.clock", drift.head_lines, id="head", most=4)
        yield Table(drift.COLUMNS, "panel.clocks", id="clocks")
        yield Lines("panel.offset", self._plot, id="plot")

    def _plot(self, moment: Moment, width: int, most: int) -> list[Line]:
        return drift.plot_of(moment, self.query_one(Table).cursor, width, most)

    def update(self, moment: Moment) -> None:
        """The table; the panels show themselves."""
        self.query_one(Table).show_rows(drift.rows(moment), self.console.clock.mono_s(), moment.missing("status"))
        self._about()

    def _about(self) -> None:
        self.query_one("#plot", Lines).about(self.query_one(Table).cursor)

    def select(self, key: str) -> None:
        """The clock of one instance."""
        self.query_one(Table).select(key)

    @on(Table.Moved)
    def _moved(self) -> None:
        self._about()
        self.query_one("#plot", Lines).show(self.console.moment())
