"""Travelling in time: which moment is looked at, and how it moves. Pure; the app gives it keys and elapsed time."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.milestones import Milestone
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.model.retold import Retold
from iwdc_console.tui.recording.lines import Frame
from iwdc_console.tui.recording.tape import Tape

SPEEDS = (1, 2, 5, 10, 30, 60)
"""Seconds of the past in a second."""
WINDOWS_S = (60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600, 24 * 3_600, 3 * 24 * 3_600, 7 * 24 * 3_600)
"""How much the track shows: the least that reaches back to the moment looked at; twice as much beyond the last."""
LEAST_STEP_MS = 1_000
HISTORY, HISTORY_INSTANCES = 120, 600
"""At most so many statuses make the history of a moment, and so many entries of instances in them."""


class Track(NamedTuple):
    """The piece of time that is shown, unix ms, and from when on it was recorded, not only retold."""

    start_ms: float
    end_ms: float
    recorded_ms: float


class Travel:
    """A moment between the first one known and the last one recorded.

    With `whole` the track always shows all there is, as for a replay.
    """

    def __init__(self, tape: Tape, retold: Retold | None = None, *, whole: bool = False) -> None:
        self.tape = tape
        self._whole = whole
        self._retold = retold
        self.position_ms = float(tape.last_ms)
        self.playing = False
        self.speed = SPEEDS[0]
        self.milestones: tuple[Milestone, ...] = tape.milestones
        self._history: tuple[int, History] = (-1, History())
        if retold is not None:
            self.tell(retold)

    def tell(self, retold: Retold) -> None:
        """Take in what events tell of the time before the tape."""
        self._retold = retold
        self.milestones = (*retold.milestones(self.tape.first_ms), *self.tape.milestones)

    @property
    def first_ms(self) -> int:
        """The first moment there is anything to tell of."""
        told = self._retold.first_ms if self._retold is not None else None
        return self.tape.first_ms if told is None else min(told, self.tape.first_ms)

    @property
    def last_ms(self) -> int:
        """The last moment: when the journey began, or where a recording ends."""
        return self.tape.last_ms

    # What is seen

    def frame(self) -> Frame:
        """What was known at the moment looked at, and when that moment is."""
        index = self.tape.index(self.position_ms)
        if index >= 0:
            frame = self.tape.frame(index)
            return frame._replace(
                at_s=frame.at_s + (self.position_ms - frame.at_ms) / 1000, at_ms=int(self.position_ms)
            )
        told = self._retold or Retold(())
        return Frame(told.observation(int(self.position_ms)), self.position_ms / 1000, int(self.position_ms))

    def history(self) -> History:
        """What was recorded in the minutes before the moment looked at."""
        index = self.tape.index(self.position_ms)
        known, history = self._history
        if index < 0:
            return History()
        if index != known:
            newest = next(self.tape.statuses(index, 1), None)
            most = min(HISTORY, HISTORY_INSTANCES // max(1, len(newest.value.instances))) if newest is not None else 0
            if 0 <= known < index <= known + most:
                statuses = self.tape.statuses(index, index - known)
            else:
                history, statuses = History(), self.tape.statuses(index, max(1, most))
            for status in statuses:
                history.add(Observation(status=status))
            self._history = (index, history)
        return history

    def track(self) -> Track:
        """What piece of time to draw."""
        if self._whole:
            return Track(self.first_ms, self.last_ms, self.tape.first_ms)
        back_ms = self.last_ms - self.position_ms
        window_ms = next((one * 1000 for one in WINDOWS_S if one * 1000 > back_ms), WINDOWS_S[-1] * 1000)
        while window_ms <= back_ms:
            window_ms *= 2
        return Track(self.last_ms - window_ms, self.last_ms, self.tape.first_ms)

    def near(self) -> Milestone | None:
        """The last thing that stood out, up to the moment looked at."""
        index = bisect_right(self.milestones, self.position_ms, key=_when)
        return self.milestones[index - 1] if index else None

    # How it moves

    def go(self, at_ms: float) -> None:
        """To a moment, or as near as there is one."""
        self.position_ms = float(min(max(at_ms, self.first_ms), self.last_ms))

    def step(self, columns: int, width: int) -> None:
        """Along the track, by so many of its `width` columns."""
        track = self.track()
        self.go(self.position_ms + columns * max(LEAST_STEP_MS, (track.end_ms - track.start_ms) / max(1, width)))

    def jump(self, direction: int) -> None:
        """To the next thing that stood out, or the one before; to the end where there is no more."""
        if direction > 0:
            index = bisect_right(self.milestones, self.position_ms, key=_when)
            self.go(self.milestones[index].at_ms if index < len(self.milestones) else self.last_ms)
        else:
            index = bisect_left(self.milestones, self.position_ms, key=_when)
            self.go(self.milestones[index - 1].at_ms if index else self.first_ms)

    def play(self) -> None:
        """Let time run, or stop it; from the end it begins again."""
        if not self.playing and self.position_ms >= self.last_ms:
            self.go(self.first_ms)
        self.playing = not self.playing

    def change_speed(self, direction: int) -> None:
        """Faster or slower."""
        place = SPEEDS.index(self.speed) + direction
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]

    def tick(self, elapsed_s: float) -> None:
        """Time has passed."""
        if self.playing:
            self.go(self.position_ms + elapsed_s * self.speed * 1000)
            self.playing = self.position_ms < self.last_ms


def _when(milestone: Milestone) -> float:
    return milestone.at_ms
