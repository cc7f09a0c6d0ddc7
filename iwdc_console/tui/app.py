"""The console: takes observations from a source and shows the newest to the screen in front.

First paint comes before the first request: the source begins once the first screen has been painted. What the first
screen does not show is imported where it is first used.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from iwdc_console.locale import set_language, text
from iwdc_console.tui import commandline, forgetting, mouse, styles, themes, time_travel
from iwdc_console.tui.clock import Clock
from iwdc_console.tui.company import Company, leave_on_signals
from iwdc_console.tui.keyboard import Keyboard
from iwdc_console.tui.keymap import bind, keymap
from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.moment import Mode, Moment
from iwdc_console.tui.model.observation import Observation, PartName
from iwdc_console.tui.notice import Notice
from iwdc_console.tui.screens.places import PLACES
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.settings import Settings
from iwdc_console.tui.settings import save as save_setting
from iwdc_console.tui.time_travel import TimeTravel
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.timeline_bar import TimelineBar

if TYPE_CHECKING:
    from iwdc_console.tui.holdings import Holdings
    from iwdc_console.tui.model.retold import Retold
    from iwdc_console.tui.orders import Order, Outcome
    from iwdc_console.tui.recording.ring import Ring
    from iwdc_console.tui.recording.tape import Tape
    from iwdc_console.tui.source.source import Source

TICK_S = 1.0
QUIET_S = 0.5
"""Ages are counted on with a tick when nothing was shown for so long."""
LOUD_S = 3600.0
"""How long a notice stands that must not be missed."""
FIRST = PLACES[0].name
ALONE = Company()


class Console(App[None]):
    """One source, one screen in front; `moment` is what it shows."""

    TITLE = "iwdc"
    ENABLE_COMMAND_PALETTE = False
    MODES: ClassVar[dict[str, object]] = {place.name: place.open for place in PLACES}  # type: ignore[assignment]
    DEFAULT_MODE = FIRST
    CSS = styles.CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        *(bind(f"go.{place.name}", f"go('{place.name}')") for place in PLACES),
        bind("app.command", "command"),
        bind("app.pause", "pause"),
        bind("app.as_command", "as_command"),
        bind("app.last", "last"),
        bind("app.retry", "retry"),
        bind("app.doctor", "doctor"),
        bind("app.palette", "palette"),
        bind("app.mouse", "mouse"),
        *time_travel.KEYS,
        bind("app.help", "help"),
        bind("app.quit", "quit"),
    ]

    def __init__(
        self,
        source: "Source",
        observation: Observation,
        clock: Clock | None = None,
        company: Company = ALONE,
        settings: Settings | None = None,
        read_only: bool = False,
        notices: Iterable[Notice] = (),
        replay: "Tape | None" = None,
    ) -> None:
        super().__init__()
        self.clock = clock or Clock()
        self.time_travel = TimeTravel(
            self.clock, replay, self._retold, self._timeline_columns, self.run_worker, self.show_moment
        )
        self.company = company
        self.places = tuple(place for place in PLACES if company.demo is not None or not place.demo)
        self.read_only = read_only
        self._complained = False
        self.source = source
        self._newest = observation
        self._held: Observation | None = None
        self._history = History()
        self._forgot_s = self.clock.mono_s()
        self._shown_s = float("-inf")
        self._last_place = FIRST
        self._selection = ""
        self._keyboard = Keyboard(self, super().on_event)
        self.themes = themes.load()
        self._notices = [*notices, *self._use(settings or Settings())]

    @cached_property
    def holdings(self) -> "Holdings":
        """The locks that are held here."""
        from iwdc_console.tui.holdings import Holdings

        return Holdings(lambda: self.nodes, self._lock_lost)

    @cached_property
    def _ring(self) -> "Ring":
        from iwdc_console.tui.recording.ring import Ring

        return Ring()

    def _use(self, settings: Settings) -> Iterator[Notice]:
        """Look and speak as the person wants it. What of it cannot be done is told."""
        set_language(settings.language)
        for theme in self.themes.by_name.values():
            self.register_theme(theme)
        self.theme, unknown = self.themes.choose(settings.theme)
        keys, unusable = keymap(settings.keys)
        self.set_keymap(keys)
        yield from (*self.themes.notices, *unknown, *unusable)

    def set_language(self, code: str) -> None:
        """Speak this language from now on, on all screens, and keep the choice."""
        set_language(code)
        for screen in self.screen_stack:
            screen.query("*").refresh(layout=True)
        self.show_moment()
        self._keep("language", code)

    def set_theme(self, name: str) -> None:
        """Look like this from now on, and keep the choice."""
        self.theme = name
        self._keep("theme", name)

    def _keep(self, key: str, value: str | bool) -> None:
        hindered = save_setting(key, value)
        if hindered is not None:
            self.notify(hindered.words, severity="warning", markup=False, timeout=10)

    def on_mount(self) -> None:
        """Paint, then ask."""
        for notice in self._notices:
            self.notify(notice.words, severity="warning", markup=False, timeout=15)
        leave_on_signals(self, self.company)
        self.run_worker(self._keyboard.run(), group="keyboard")
        self.set_interval(TICK_S, self._tick)
        self.call_after_refresh(self._begin)
        if self.time_travel.replays:
            self.time_travel.play()

    def _tick(self) -> None:
        if self.clock.mono_s() - self._forgot_s >= forgetting.EVERY_S:
            self._forgot_s = self.clock.mono_s()
            forgetting.forget()
        if self.clock.mono_s() - self._shown_s >= QUIET_S:
            self.show_moment()
        complaint = "" if self._complained else self.company.complaint()
        if complaint:
            self._complained = True
            self.notify(complaint, severity="error", markup=False, timeout=30)

    def _begin(self) -> None:
        """The first paint is out."""
        forgetting.begin()
        self._listen()

    @work(exclusive=True)
    async def _listen(self) -> None:
        async with aclosing(self.source.observations()) as observations:
            async for observation in observations:
                self._newest = observation
                self._history.add(observation)
                await asyncio.to_thread(self._ring.add, observation, self.clock.mono_s(), int(self.clock.wall_ms()))
                if self._held is None and self.time_travel.journey is None:
                    self.show_moment()

    def moment(self) -> Moment:
        """What is shown, and when."""
        journey = self.time_travel.journey
        if journey is not None:
            frame = journey.frame()
            present_ms = None if self.time_travel.replays else int(self.clock.wall_ms())
            return Moment(
                frame.observation, journey.history(), frame.at_s, frame.at_ms, "past", self.company.beside(),
                present_ms,
            )  # fmt: skip
        observation = self._held or self._newest
        mode: Mode = "paused" if self._held is not None else "live"
        return Moment(
            observation, self._history, self.clock.mono_s(), int(self.clock.wall_ms()), mode, self.company.beside()
        )

    @property
    def view(self) -> View | None:
        """The screen in front, beneath what is asked on top of it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, View)), None)

    def show_moment(self) -> None:
        """On the screen in front, if it stands."""
        view = self.view
        if view is not None and view.is_mounted:
            moment = self.moment()
            self._shown_s = self.clock.mono_s()
            view.show(moment)

    def entered(self, needs: frozenset[PartName]) -> str:
        """A screen that shows these parts has come to the front. Gives the row that was chosen for it, or ""."""
        self.source.want(needs)
        self.show_moment()
        selection, self._selection = self._selection, ""
        return selection

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """What is typed waits for its turn."""
        if not self._keyboard.takes(event):
            await super().on_event(event)

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
        """A screen that this console does not have cannot be gone to; what is past is not held.

        One travels only on a journey, not in a field; there is no other journey from there.
        """
        travels = self.time_travel.journey is not None
        if action == "go":
            return parameters[0] in self._names()
        if action in ("pause", "travel"):
            return not travels
        if action == "travel_move":
            present = parameters[0] != "live" or not self.time_travel.replays
            return travels and present and not isinstance(self.focused, Input) and self.view is self.screen
        return super().check_action(action, parameters)

    def _names(self) -> list[str]:
        return [place.name for place in self.places]

    def pop_screen(self) -> AwaitComplete:
        """Close what is in front. What it still asks ends first: its answer would find no screen to stand in."""
        self.workers.cancel_node(self.screen)
        return super().pop_screen()

    def action_last(self) -> None:
        """To the screen before this one."""
        self.go(self._last_place)

    def action_pause(self) -> None:
        """Hold what is shown; the source goes on."""
        self._held = None if self._held is not None else self._newest
        self.show_moment()

    # Time travel

    def action_travel(self) -> None:
        """Into the past; what was held is let go, and the source goes on meanwhile."""
        tape = self._ring.tape()
        if not tape:
            self.notify(text("travel.nothing_yet"), markup=False)
            return
        self._held = None
        self.time_travel.begin(tape)
        self.refresh_bindings()
        self.show_moment()

    def action_travel_move(self, how: str, amount: int = 0) -> None:
        """To another moment, at another pace, or back to the present."""
        self.time_travel.move(how, amount)
        self.refresh_bindings()
        self.show_moment()

    async def _retold(self) -> "Retold":
        from iwdc_console.tui.model.retold import Retold

        return Retold(await self.source.journal(), self.source.context, self._newest.link.node)

    def _timeline_columns(self) -> int:
        view = self.view
        return view.query_one(TimelineBar).columns if view is not None else 1

    # Requests

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
            view.query_one(Prompt).ask(":", done=partial(commandline.run, self), words=commandline.words(self))

    # Orders

    async def order(self, order: "Order", title: str, consequence: str, act: str) -> "Outcome | None":
        """Ask, say what will happen, and give a dangerous order; None when it was not given."""
        from iwdc_console.tui.widgets.confirm import Confirm

        if not self.may_change():
            return None
        if not await self.push_screen_wait(Confirm(title, consequence, self.source.context, act)):
            return None
        return await self.give(order)

    async def give(self, order: "Order") -> "Outcome":
        """Give an order and tell what came of it."""
        from iwdc_console.tui import orders

        outcome = await orders.give(self.nodes, order)
        self.tell(outcome)
        return outcome

    def tell(self, outcome: "Outcome") -> None:
        """Say what came of an order, and look at what is now so."""
        from iwdc_console.tui import orders

        self.notify(outcome.words, severity=orders.SEVERITY[outcome.kind], markup=False, timeout=10)
        self.source.retry()

    def _lock_lost(self, resource: str, why: str) -> None:
        self.bell()
        words = text("locks.lost", resource=resource, why=why)
        self.notify(words, title=text("locks.lost.title"), severity="error", markup=False, timeout=LOUD_S)

    async def action_quit(self) -> None:
        """Leave; of locks that are held here, ask first."""
        self.leave()

    @work(exclusive=True, group="leave")
    async def leave(self) -> None:
        """End the console, unless the person stays for the locks it holds."""
        from iwdc_console.tui.leaving import may_leave

        if await may_leave(self, self.holdings, self.tell):
            self.exit()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Who takes orders: the node that is asked, then the others that were given."""
        return tuple(dict.fromkeys((self._newest.link.node, *self._newest.nodes)))

    def may_change(self) -> bool:
        """Whether orders are given from here and now; if not, the person is told why."""
        past = "orders.replay" if self.time_travel.replays else "orders.past" if self.moment().past else ""
        why = "orders.read_only" if self.read_only else past
        if why:
            self.notify(text(why), severity="warning")
        return not why

    def copy_to_clipboard(self, text: str) -> None:
        """Copy what can be written; a name may hold half a character."""
        super().copy_to_clipboard(text.encode(errors="replace").decode())

    def action_help(self) -> None:
        """What this screen shows, and its keys."""
        from iwdc_console.tui.screens.help import Help, here

        view = self.view
        if view is not None and view is self.screen:
            self.push_screen(Help(view.NAME, here(view)))

    def action_doctor(self) -> None:
        """What is wrong, and what to do next."""
        from iwdc_console.tui.screens.doctor import Doctor

        if self.time_travel.replays:
            self.notify(text("doctor.no_cluster"), markup=False)
        elif self.view is self.screen:
            status = self._newest.status
            listed = [(item.id, item.url) for item in status.value.instances] if status is not None else []
            self.push_screen(Doctor(self.nodes, listed))

    def action_palette(self) -> None:
        """Everything that can be done here, by its words."""
        from textual.command import CommandPalette

        from iwdc_console.tui.palette import Palette

        if self.view is self.screen:
            self.push_screen(CommandPalette(providers=[Palette], placeholder=text("palette.placeholder")))

    def action_mouse(self) -> None:
        """Give the mouse to the terminal, or take it back, and keep the choice."""
        driver = self._driver
        if driver is not None:
            taken = mouse.turn(driver)
            self.notify(text("mouse.on" if taken else "mouse.off"), markup=False)
            self._keep("mouse", taken)

    def get_default_screen(self) -> Screen[None]:
        """Modes hold all screens; this one is never seen."""
        return Screen()
