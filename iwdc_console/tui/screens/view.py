"""What every screen of the console shares: header, tabs, verdict, its own body, a prompt, the keys."""

from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from iwdc_console.locale import text
from iwdc_console.tui import forgetting
from iwdc_console.tui.cockpit import Cockpit
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.table import BadFilter, Filter
from iwdc_console.tui.widgets.footer import Footer
from iwdc_console.tui.widgets.header import Header, Tabs
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.table import Table
from iwdc_console.tui.widgets.timeline_bar import TimelineBar
from iwdc_console.tui.widgets.verdict_line import VerdictLine


class View(Screen[None]):
    """A screen is a function of a moment: `body` makes its widgets, `update` shows a moment in them.

    `NAME` is its name in `places`, `NEEDS` the parts of an observation it shows, `COMMAND` the command that shows the
    same.
    """

    NAME: ClassVar[str] = ""
    NEEDS: ClassVar[frozenset[PartName]] = frozenset()
    COMMAND: ClassVar[str] = ""
    AUTO_FOCUS = "Table"
    ALLOW_IN_MAXIMIZED_VIEW = "Header, TimelineBar, Prompt, Footer"
    VERDICT_LINES: ClassVar[int] = 2
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (180, "-wide")]  # noqa: RUF012 (as Textual has it)
    DEFAULT_CSS = """
    View {
        .panel {
            padding: 0 1; border: round $surface-border; border-title-color: $text-muted; border-title-style: bold;
        }
        .panel:focus { border: round $action-primary; border-title-color: $foreground; }
        &.-narrow .panel {
            padding: 0; border: blank $background; border-bottom: none; border-top: solid $surface-border;
        }
        &.-narrow .panel:focus { border-top: solid $action-primary; }
        &.-maximized-view Header { dock: top; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("screen.zoom", "zoom"),
        bind("screen.back", "back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        # Its styles are parsed with the theme in use when it is added: all styles again would be the same ones.
        self._css_update_count = self.app._css_update_count

    def compose(self) -> ComposeResult:
        """The frame around the body."""
        yield Header()
        yield Tabs(tuple((place.key, place.name) for place in self.console.places), self.NAME)
        yield VerdictLine(self.VERDICT_LINES)
        yield from self.body()
        yield TimelineBar()
        yield Prompt()
        yield Footer()

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        raise NotImplementedError

    def update(self, moment: Moment) -> None:
        """Show a moment in the body. Lines show themselves."""

    def select(self, key: str) -> None:
        """Put the cursor on a row: the one that was chosen on another screen."""

    def suggested(self, moment: Moment) -> str:
        """The row to look at where none was chosen; "" to stay."""
        return ""

    def show(self, moment: Moment) -> None:
        """Show a moment in all of the screen. News may come while it is put together or taken down: not to be shown."""
        if not self._whole():
            return
        self.set_class(moment.stale, "-stale")
        self.query_one(Header).show(moment, self.console.read_only)
        self.query_one(VerdictLine).show(moment)
        self.query_one(TimelineBar).show(self.console.time_travel.journey)
        for panel in self.query(Lines):
            panel.show(moment)
        self.update(moment)

    def _whole(self) -> bool:
        return self.is_attached and bool(self.query_children(Header)) and bool(self.query_children(Footer))

    @property
    def console(self) -> Cockpit:
        """The app, as screens know it."""
        return cast(Cockpit, self.app)

    def on_screen_resume(self) -> None:
        """Shown again: ask for what is shown here, and show what is known."""
        self.query("*").refresh()  # the language may be another one since it was last in front
        selection = self.console.entered(self.NEEDS) or self.suggested(self.console.moment())
        if selection:
            self.select(selection)

    def on_screen_suspend(self) -> None:
        """Left, or something is asked on top of it."""
        forgetting.left(self)

    def command_line(self) -> str:
        """The command that shows the same as this screen."""
        return self.COMMAND

    def action_zoom(self) -> None:
        """The focused panel alone, and back."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)

    def action_back(self) -> None:
        """Out of a zoomed panel, out of a filter, or to the last screen."""
        if self.maximized is not None:
            self.minimize()
            return
        table = self.focused
        if isinstance(table, Table) and table.filter:
            table.set_filter(Filter())
        else:
            self.console.action_last()

    @on(Table.Asked)
    def _asked(self, message: Table.Asked) -> None:
        table, prompt = message.table, self.query_one(Prompt)
        if message.what == "export":
            from iwdc_console.tui.widgets.export import export

            prompt.ask(text("prompt.export"), f"{self.NAME}.csv", done=lambda path: export(self, table, path))
            return

        def narrow(pattern: str) -> str:
            try:
                table.set_filter(Filter(pattern))
            except BadFilter as error:
                return str(error)
            return ""

        prompt.ask("/", table.filter.pattern, changed=narrow)
