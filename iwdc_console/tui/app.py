"""The console: takes observations from a source and shows the newest to the screen in front.

First paint comes before the first request: the source begins once the first screen has been painted.
"""

from typing import ClassVar

from textual import work
from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.screen import Screen

from iwdc_console.locale import text
from iwdc_console.tui import themes
from iwdc_console.tui.clock import Clock
from iwdc_console.tui.company import Company, leave_on_signals
from iwdc_console.tui.keys import bind
from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.moment import Mode, Moment
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.palette import Palette
from iwdc_console.tui.screens.help import Help, here
from iwdc_console.tui.screens.places import PLACES
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.source.source import Source
from iwdc_console.tui.widgets.prompt import Prompt

TICK_S = 1.0
"""How often ages are counted on when there is no news."""
FIRST = PLACES[0].name
ALONE = Company()


class Console(App[None]):
    """One source, one screen in front; `moment` is what it shows."""

    TITLE = "iwdc"
    ENABLE_COMMAND_PALETTE = False
    MODES: ClassVar[dict[str, object]] = {place.name: place.open for place in PLACES}  # type: ignore[assignment]
    DEFAULT_MODE = FIRST
    CSS = """
    CommandPalette > Vertical { width: 72; max-width: 96%; }
    .-stale Table, .-stale Lines { text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(bind(place.key, f"go('{place.name}')", f"go.{place.name}") for place in PLACES),
        bind("colon", "command", "app.command", footer=True),
        bind("space", "pause", "app.pause", footer=True),
        bind("equals_sign", "as_command", "app.as_command", footer=True),
        bind("minus", "last", "app.last"),
        bind("r", "retry", "app.retry"),
        bind("ctrl+p", "palette", "app.palette"),
        bind("question_mark", "help", "app.help", footer=True),
        bind("q", "quit", "app.quit", footer=True),
    ]

    def __init__(
        self,
        source: Source,
        observation: Observation,
        clock: Clock | None = None,
        company: Company = ALONE,
    ) -> None:
        super().__init__()
        self.company = company
        self.places = tuple(place for place in PLACES if company.demo is not None or not place.demo)
        self._complained = False
        self.source = source
        self.clock = clock or Clock()
        self._newest = observation
        self._held: Observation | None = None
        self._history = History()
        self._last_place = FIRST
        self._selection = ""
        for theme in themes.builtin():
            self.register_theme(theme)
        self.theme = "iwdc-dark"

    def on_mount(self) -> None:
        """Paint, then ask."""
        leave_on_signals(self)
        self.set_interval(TICK_S, self._tick)
        self.call_after_refresh(self._listen)

    def _tick(self) -> None:
        self._show()
        complaint = "" if self._complained else self.company.complaint()
        if complaint:
            self._complained = True
            self.notify(complaint, severity="error", markup=False, timeout=30)

    @work(exclusive=True)
    async def _listen(self) -> None:
        async for observation in self.source.observations():
            self._newest = observation
            self._history.add(observation)
            if self._held is None:
                self._show()

    def moment(self) -> Moment:
        """What is shown, and when."""
        observation = self._held or self._newest
        mode: Mode = "paused" if self._held is not None else "live"
        return Moment(
            observation, self._history, self.clock.mono_s(), int(self.clock.wall_ms()), mode, self.company.beside()
        )

    @property
    def view(self) -> View | None:
        """The screen in front, beneath what is asked on top of it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, View)), None)

    def _show(self) -> None:
        view = self.view
        if view is not None and view.is_mounted:
            view.show(self.moment())

    def entered(self, view: View) -> None:
        """A screen has come to the front."""
        self.source.want(view.NEEDS)
        self._show()
        if self._selection:
            view.select(self._selection)
            self._selection = ""

    # Keys

    def go(self, name: str, selection: str = "") -> None:
        """To a screen, and to a row of it."""
        self._selection = selection
        if name != self.current_mode:
            self._last_place = self.current_mode
            self.switch_mode(name)

    def action_go(self, name: str) -> None:
        """To a screen."""
        self.go(name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A screen that this console does not have cannot be gone to."""
        return action != "go" or parameters[0] in self._names()

    def _names(self) -> list[str]:
        return [place.name for place in self.places]

    def action_last(self) -> None:
        """To the screen before this one."""
        self.go(self._last_place)

    def action_pause(self) -> None:
        """Hold what is shown; the source goes on."""
        self._held = None if self._held is not None else self._newest
        self._show()

    def action_retry(self) -> None:
        """Ask the cluster now."""
        self.source.retry()

    def action_as_command(self) -> None:
        """The command that shows the same, and copy it."""
        view = self.view
        if view is None:
            return
        nodes = self._newest.link.node
        where = f"--context {self._newest.context}" if self._newest.context else f"--node {nodes}"
        line = f"iwdc-distributed {view.command_line()} {where}"
        self.copy_to_clipboard(line)
        self.notify(line, title=text("app.as_command"), markup=False, timeout=10)

    def action_command(self) -> None:
        """A line for the name of a screen."""
        view = self.view
        if view is not None:
            view.query_one(Prompt).ask(":", done=self.run_command, words=[*self._names(), "quit"])

    def run_command(self, line: str) -> str | None:
        """Do what a command line says; a problem is returned."""
        word = line.strip().casefold()
        if word in ("q", "quit"):
            self.exit()
            return None
        found = [name for name in self._names() if name.startswith(word)] if word else []
        if len(found) != 1:
            return text("app.no_such_command", word=word) if word else None
        self.go(found[0])
        return None

    def action_help(self) -> None:
        """What this screen shows, and its keys."""
        view = self.view
        if view is not None and view is self.screen:
            self.push_screen(Help(view.NAME, here(view)))

    def action_palette(self) -> None:
        """Everything that can be done here, by its words."""
        if self.view is self.screen:
            self.push_screen(CommandPalette(providers=[Palette], placeholder=text("palette.placeholder")))

    def get_default_screen(self) -> Screen[None]:
        """Modes hold all screens; this one is never seen."""
        return Screen()
