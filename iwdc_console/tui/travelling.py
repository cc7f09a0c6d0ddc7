"""The way into the past and back: the keys of time travel, and the time that runs there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from textual import work
from textual.app import App
from textual.binding import BindingType
from textual.widgets import Input

from iwdc_console.locale import text
from iwdc_console.tui.clock import Clock
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.timeline_bar import TimelineBar

if TYPE_CHECKING:
    from iwdc_console.tui.model.retold import Retold
    from iwdc_console.tui.recording.tape import Tape
    from iwdc_console.tui.travel import Travel

PLAY_S = 0.1
KEYS: Final[Sequence[BindingType]] = (
    bind("app.travel", "travel"),
    bind("travel.live", "travel_live"),
    bind("travel.play", "travel_play"),
    bind("travel.back", "travel_step(-1)"),
    bind("travel.on", "travel_step(1)"),
    bind("travel.far_back", "travel_step(-10)"),
    bind("travel.far_on", "travel_step(10)"),
    bind("travel.previous", "travel_jump(-1)"),
    bind("travel.next", "travel_jump(1)"),
    bind("travel.slower", "travel_speed(-1)"),
    bind("travel.faster", "travel_speed(1)"),
)
"""Those of time travel; the console binds them in its own order, which is that of the last line of the screen."""


class Travelling(App[None]):
    """`travel` is the journey under way, None in the present. A replay is a journey with no present to come back to."""

    def __init__(self, clock: Clock, replay: "Tape | None") -> None:
        super().__init__()
        self.clock = clock
        self.replays = replay is not None
        self.travel = None if replay is None else _journey(replay, whole=True)
        self._ticked_s = 0.0

    @property
    def view(self) -> View | None:
        """The screen in front, beneath what is asked on top of it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, View)), None)

    def seen(self) -> "Tape":
        """What this console has seen since it began."""
        raise NotImplementedError

    async def retold(self) -> "Retold":
        """What the journal tells of the time before."""
        raise NotImplementedError

    def show_moment(self) -> None:
        """Show the moment that is looked at now."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """A replay begins to run."""
        self._player = self.set_interval(PLAY_S, self._play, pause=True)
        if self.travel is not None:
            self.travel.go(self.travel.first_ms)
            self.action_travel_play()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One travels only on a journey, not in a field; there is no other journey from there."""
        if action == "travel_live" and self.replays:
            return False
        if action.startswith("travel_"):
            return self.travel is not None and not isinstance(self.focused, Input) and self.view is self.screen
        return action != "travel" or self.travel is None

    def _play(self) -> None:
        now_s = self.clock.mono_s()
        elapsed_s, self._ticked_s = now_s - self._ticked_s, now_s
        if self.travel is None or not self.travel.playing:
            self._player.pause()
        else:
            self.travel.tick(elapsed_s)
            self.show_moment()

    def action_travel(self) -> None:
        """Into the past; the source goes on meanwhile."""
        tape = self.seen()
        if not tape:
            self.notify(text("travel.nothing_yet"), markup=False)
            return
        self.travel = _journey(tape)
        self._ask_journal(self.travel)
        self.refresh_bindings()
        self.show_moment()

    def action_travel_live(self) -> None:
        """Back to the present."""
        self.travel = None
        self.refresh_bindings()
        self.show_moment()

    def action_travel_play(self) -> None:
        """Let time run, or stop it."""
        if self.travel is not None:
            self.travel.play()
            self._ticked_s = self.clock.mono_s()
            self._player.resume()
            self.show_moment()

    @work(exclusive=True, group="journal")
    async def _ask_journal(self, travel: "Travel") -> None:
        travel.tell(await self.retold())
        self.show_moment()

    def action_travel_step(self, columns: int) -> None:
        """Along the timeline."""
        view = self.view
        if self.travel is not None and view is not None:
            self.travel.step(columns, view.query_one(TimelineBar).columns)
            self.show_moment()

    def action_travel_jump(self, direction: int) -> None:
        """To the next thing that stood out, or the one before."""
        if self.travel is not None:
            self.travel.jump(direction)
            self.show_moment()

    def action_travel_speed(self, direction: int) -> None:
        """Faster or slower."""
        if self.travel is not None:
            self.travel.change_speed(direction)
            self.show_moment()


def _journey(tape: "Tape", *, whole: bool = False) -> "Travel":
    from iwdc_console.tui.travel import Travel

    return Travel(tape, whole=whole)
