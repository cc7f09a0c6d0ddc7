"""Instances: who is there, who sees whom, and why one is not well."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from iwdc_console.tui.model.instances import Line, detail_lines, to_look_at
from iwdc_console.tui.model.matrix import matrix_lines
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.overview import MEMBER_COLUMNS, instance_rows
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table


class Instances(View):
    """The table; beneath it the instance under the cursor and the matrix."""

    NAME = "instances"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"drift"})
    COMMAND = "instances"
    DEFAULT_CSS = """
    Instances {
        #members { height: auto; max-height: 60%; }
        #lower { height: 1fr; }
        #detail { width: 3fr; height: 1fr; }
        #detail-lines { height: 1fr; }
        #matrix { width: 2fr; height: 1fr; }
        &.-narrow #matrix { display: none; }
    }
    """

    def body(self) -> ComposeResult:
        """Table, detail, matrix."""
        yield Table(MEMBER_COLUMNS, "screen.instances", id="members")
        with Horizontal(id="lower"):
            with Vertical(id="detail"):
                yield Lines("panel.detail", self._detail, id="detail-lines")
            yield Lines("panel.matrix", matrix_lines, id="matrix")

    def _detail(self, moment: Moment, width: int, most: int) -> list[Line]:
        return detail_lines(moment, self.query_one(Table).cursor, width, most)

    def update(self, moment: Moment) -> None:
        """The table first: the detail follows its cursor."""
        self.query_one(Table).show_rows(instance_rows(moment), self.console.clock.mono_s(), moment.missing("status"))

    def suggested(self, moment: Moment) -> str:
        """Who is not well is what one came for, unless that is already looked at."""
        return to_look_at(moment, self.query_one(Table).cursor)

    def select(self, key: str) -> None:
        """Put the cursor on an instance."""
        self.query_one(Table).select(key)

    @on(Table.Moved)
    def _moved(self) -> None:
        self.query_one("#detail-lines", Lines).show(self.console.moment())
