"""Events: one causal timeline of all instances, as it grows."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from iwdc_console.locale import language, text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import events
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.events import BadSelection, Line
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.table import Row
from iwdc_console.tui.model.timeline import ALL, KEPT, Selection, Timeline
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.table import Table

SPARE = 500
"""So many rows of events that are no longer remembered are kept before they are cleared away together."""


class Events(View):
    """The newest stand at the end, and the cursor stays there until it is moved away (`G` brings it back)."""

    NAME = "events"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"events"})
    COMMAND = "events --follow"
    DEFAULT_CSS = """
    Events {
        #timeline { height: 2fr; }
        #detail { height: 1fr; display: none; }
        &.-detail #detail { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("events.choose", "choose"),
        bind("events.only_instance", "only_instance"),
        bind("events.trace", "trace"),
        bind("events.detail_up", "scroll_detail(-5)"),
        bind("events.detail_down", "scroll_detail(5)"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._timeline = Timeline()
        self._rows: dict[str, Row] = {}
        self._selection = Selection()
        self._words = ""
        self._mode = ""
        self._first = 0
        self._untold = ""
        self._filled = (-1, "", "")
        """The timeline's version that the table shows, the language in which, and what it says if there is none."""

    def body(self) -> ComposeResult:
        """The timeline, and beneath it the event under the cursor when asked for."""
        yield Table(events.COLUMNS, "screen.events", id="timeline", empty="events.none", copies=self._copied, tail=True)
        yield Lines("panel.event", self._detail, id="detail")

    def _detail(self, moment: Moment, width: int, most: int) -> list[Line]:
        return events.detail(self.chosen, self._first, most)

    def _copied(self, key: str) -> str:
        event = self._timeline.find(key)
        return "" if event is None else events.as_json(event)

    @property
    def chosen(self) -> Event | None:
        """The event under the cursor."""
        return self._timeline.find(self.query_one(Table).cursor)

    def update(self, moment: Moment) -> None:
        """Take in what is new. The past has a timeline of its own."""
        if moment.past or self._mode == "past":
            self._timeline, self._rows = Timeline(), {}
            self._filled = (-1, "", "")
        self._mode = moment.mode
        part = moment.observation.events
        if part is not None:
            self._timeline.add(part.value)
        self._untold = moment.missing("events")
        if self._filled != (self._timeline.version, language(), self._untold):
            self._refill()

    def _refill(self) -> None:
        if self._filled[1] != language():
            self._rows = {}
        self._filled = (self._timeline.version, language(), self._untold)
        table = self.query_one(Table)
        if len(self._rows) > KEPT + SPARE:
            self._rows = {event.id: self._rows[event.id] for event in self._timeline.events if event.id in self._rows}
        chosen = self._timeline.events
        if self._selection != ALL:
            chosen = [event for event in chosen if self._selection.keeps(event)]
        rows = [self._rows.get(event.id) or self._row(event) for event in chosen]
        table.choice = self._words
        missing = "events.not_chosen" if self._timeline.events else self._untold
        table.show_rows(rows, self.console.clock.mono_s(), missing)

    def _row(self, event: Event) -> Row:
        """An event's row is made once."""
        made = self._rows[event.id] = events.row(event, self._timeline.names)
        return made

    def select(self, key: str) -> None:
        """Put the cursor on an event."""
        self.query_one(Table).select(key)

    @on(Table.Moved)
    def _moved(self) -> None:
        self._first = 0
        if self.has_class("-detail"):
            self.query_one(Lines).show(self.console.moment())

    @on(Table.Opened)
    def _opened(self) -> None:
        self.toggle_class("-detail")
        self.query_one(Lines).show(self.console.moment())

    def action_scroll_detail(self, by: int) -> None:
        """The detail's lines further up or down."""
        self._first = max(0, self._first + by)
        self.query_one(Lines).show(self.console.moment())

    def action_choose(self) -> None:
        """Ask which events to show."""
        self.query_one(Prompt).ask(
            text("events.show_only"), self._words, changed=self._choose, words=events.suggestions(self._timeline.events)
        )

    def _choose(self, words: str) -> str:
        try:
            self._selection = events.selection(words)
        except BadSelection as error:
            return str(error)
        self._words = words
        self._refill()
        return ""

    def action_only_instance(self) -> None:
        """Only the events of the instance under the cursor, and all again."""
        event = self.chosen
        if self._words:
            self._choose("")
        elif event is not None:
            self._choose(f"on:{event.origin}")

    def action_trace(self) -> None:
        """To the waterfall of the operation this event belongs to."""
        event = self.chosen
        if event is not None and event.trace_id:
            self.console.go("traces", event.trace_id)
        else:
            self.notify(text("events.no_trace"))
