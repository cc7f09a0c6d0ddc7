"""Traces: the latest operations, and one of them across all instances."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import traces
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.traces import Line
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table


class Traces(View):
    """The trace under the cursor is gathered from all members and drawn as a waterfall."""

    NAME = "traces"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"traces", "trace"})
    COMMAND = "traces"
    DEFAULT_CSS = """
    Traces {
        #traces { height: 1fr; min-height: 7; }
        #waterfall { height: 2fr; }
        &.-narrow #waterfall { height: 3fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("traces.spans_up", "scroll_spans(-5)"),
        bind("traces.spans_down", "scroll_spans(5)"),
        bind("traces.copy_trace", "copy_trace"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen = ""
        self._first = 0

    def body(self) -> ComposeResult:
        """The list, and the chosen one beneath."""
        yield Table(traces.COLUMNS, "screen.traces", id="traces", empty="traces.none")
        yield Lines("panel.waterfall", self._waterfall, id="waterfall")

    def _waterfall(self, moment: Moment, width: int, most: int) -> list[Line]:
        return traces.waterfall_lines(moment, self._chosen, self._first, width, most)

    def update(self, moment: Moment) -> None:
        """The list; the waterfall shows itself."""
        self.query_one(Table).show_rows(traces.rows(moment), self.console.clock.mono_s(), moment.missing("traces"))

    def select(self, key: str) -> None:
        """Show a trace, though it may not be in the list."""
        self.query_one(Table).select(key)
        self._choose(key)

    @on(Table.Moved)
    def _moved(self) -> None:
        self._choose(self.query_one(Table).cursor)

    @on(Table.Opened)
    def _opened(self) -> None:
        self._choose(self.query_one(Table).cursor)

    def _choose(self, trace: str) -> None:
        if trace == self._chosen:
            return
        self._chosen, self._first = trace, 0
        self.console.source.look_at_trace(trace)
        self.query_one(Lines).show(self.console.moment())

    def action_scroll_spans(self, by: int) -> None:
        """The waterfall further up or down."""
        self._first = max(0, self._first + by)
        self.query_one(Lines).show(self.console.moment())

    def action_copy_trace(self) -> None:
        """The gathered trace as JSON to the clipboard."""
        part = self.console.moment().observation.trace
        if part is not None and part.value.spans:
            self.app.copy_to_clipboard(traces.as_json(part.value))
            self.notify(text("table.copied"))

    def command_line(self) -> str:
        """The command that shows the same waterfall."""
        return f"{self.COMMAND} {self._chosen}".strip()
