"""Time travel as the console holds it: the journey under way, what its keys do, and the time that runs on it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from textual.binding import BindingType

from iwdc_console.tui.clock import Clock
from iwdc_console.tui.keymap import bind

if TYPE_CHECKING:
    from iwdc_console.tui.model.retold import Retold
    from iwdc_console.tui.recording.tape import Tape
    from iwdc_console.tui.travel import Travel

PLAY_S = 0.1
KEYS: Final[Sequence[BindingType]] = (
    bind("app.travel", "travel"),
    bind("travel.live", "travel_move('live')"),
    bind("travel.play", "travel_move('play')"),
    bind("travel.back", "travel_move('step', -1)"),
    bind("travel.on", "travel_move('step', 1)"),
    bind("travel.far_back", "travel_move('step', -10)"),
    bind("travel.far_on", "travel_move('step', 10)"),
    bind("travel.previous", "travel_move('jump', -1)"),
    bind("travel.next", "travel_move('jump', 1)"),
    bind("travel.slower", "travel_move('speed', -1)"),
    bind("travel.faster", "travel_move('speed', 1)"),
)
"""The console binds them in its own order, which is that of the last line of the screen."""


class TimeTravel:
    """`journey` is the one under way, None in the present. A replay is a journey with no present to come back to.

    `retold` asks what the journal tells of the time before, `columns` how wide the timeline is now; `work` runs what
    takes its time, as `App.run_worker` does; `moved` is called when time has led to another moment.
    """

    def __init__(
        self,
        clock: Clock,
        replay: "Tape | None",
        retold: Callable[[], Awaitable["Retold"]],
        columns: Callable[[], int],
        work: Callable[..., object],
        moved: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._retold = retold
        self._columns = columns
        self._work = work
        self._moved = moved
        self.replays = replay is not None
        self.journey = None if replay is None else _journey(replay, whole=True)

    def begin(self, tape: "Tape") -> None:
        """Into the past; the journal is asked what it tells of the time before the tape."""
        self.journey = _journey(tape)
        self._work(self._ask_journal(self.journey), group="journal", exclusive=True)

    def move(self, how: str, amount: int) -> None:
        """What a key does on the journey."""
        journey = self.journey
        if journey is None:
            return
        moves: Mapping[str, Callable[[], None]] = {
            "live": self._end,
            "play": self.play,
            "step": lambda: journey.step(amount, self._columns()),
            "jump": lambda: journey.jump(amount),
            "speed": lambda: journey.change_speed(amount),
        }
        moves[how]()

    def play(self) -> None:
        """Let time run, or stop it."""
        if self.journey is not None:
            self.journey.play()
            self._work(self._run(self.journey), group="play", exclusive=True)

    def _end(self) -> None:
        self.journey = None

    async def _run(self, journey: "Travel") -> None:
        ticked_s = self._clock.mono_s()
        while journey.playing and journey is self.journey:
            await asyncio.sleep(PLAY_S)
            now_s = self._clock.mono_s()
            journey.tick(now_s - ticked_s)
            ticked_s = now_s
            self._show(journey)

    async def _ask_journal(self, journey: "Travel") -> None:
        journey.tell(await self._retold())
        self._show(journey)

    def _show(self, journey: "Travel") -> None:
        if journey is self.journey:
            self._moved()


def _journey(tape: "Tape", *, whole: bool = False) -> "Travel":
    from iwdc_console.tui.travel import Travel

    return Travel(tape, whole=whole)
