"""Metrics: everything the connected node counts, with rates and quantiles."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from iwdc_console.tui.model import metrics
from iwdc_console.tui.model.exposition import BadText
from iwdc_console.tui.model.meters import Meter, Meters
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.table import Row
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Line, Lines
from iwdc_console.tui.widgets.table import Table


class Metrics(View):
    """Rates begin with the second scrape this screen sees."""

    NAME = "metrics"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"metrics"})
    COMMAND = "metrics"
    DEFAULT_CSS = """
    Metrics {
        #series { height: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._meters = Meters()
        self._problem = ""
        self._past, self._at_s = False, 0.0
        self._by_key: dict[str, Meter] = {}
        self._rows: list[Row] = []

    def body(self) -> ComposeResult:
        """All series, and what the one under the cursor counts."""
        yield Table(metrics.COLUMNS, "screen.metrics", id="series")
        yield Lines("panel.meaning", self._note, id="note", most=2)

    def _note(self, moment: Moment, width: int, most: int) -> list[Line]:
        if self._problem:
            return [[(self._problem, "text-error")]]
        return [metrics.note(self._by_key.get(self.query_one(Table).cursor), self._meters.left_out)]

    def update(self, moment: Moment) -> None:
        """Take in the newest scrape. A journey to another time begins anew: rates are those of the time looked at."""
        part = moment.observation.metrics
        if moment.past != self._past or part is None or part.at_s < self._at_s:
            self._meters, self._by_key = Meters(), {}
        self._past, self._at_s = moment.past, part.at_s if part is not None else 0.0
        if part is None:
            self.query_one(Table).show_rows([], self.console.clock.mono_s(), moment.missing("metrics"))
            return
        try:
            self._meters.add(part)
        except BadText as error:
            self._problem = str(error)
            return
        self._problem = ""
        found = self._meters.all()
        rows = metrics.rows(found)
        if rows is not self._rows:
            self._rows, self._by_key = rows, {row.key: meter for row, meter in zip(rows, found, strict=True)}
        self.query_one(Table).show_rows(rows, self.console.clock.mono_s())

    @on(Table.Moved)
    def _moved(self) -> None:
        self.query_one(Lines).show(self.console.moment())
