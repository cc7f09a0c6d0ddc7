"""A machine's two clocks as functions of true time (virtual seconds since the world began).

The monotonic clock may run fast or slow or stand still, but never goes back. The wall clock may besides be stepped.
A core only ever sees these two; the world schedules by true time.
"""

import math
from dataclasses import dataclass

from node.protocol.effects import Now

EPOCH_MS = 1_750_000_000_000.0
"""Unix ms at which true time 0 lies."""


@dataclass(slots=True)
class _Line:
    """A reading that moves in a straight line: `value` at true time `since`, then `rate` seconds per second."""

    value: float
    rate: float = 1.0
    since: float = 0.0

    def at(self, t: float) -> float:
        return self.value + (t - self.since) * self.rate

    def bend(self, t: float, rate: float, step: float = 0.0) -> None:
        self.value, self.since, self.rate = self.at(t) + step, t, rate


class Clocks:
    """Monotonic and wall clock of one machine; both go on while its process is down or paused."""

    def __init__(self, *, mono_origin_s: float = 0.0, rate: float = 1.0, wall_offset_s: float = 0.0) -> None:
        self._mono = _Line(mono_origin_s, rate)
        self._wall = _Line(wall_offset_s, rate)

    @property
    def rate(self) -> float:
        """Monotonic seconds per true second."""
        return self._mono.rate

    @property
    def wall_rate(self) -> float:
        """Seconds of the wall clock per true second."""
        return self._wall.rate

    def mono(self, t: float) -> float:
        """Monotonic seconds at true time `t`."""
        return self._mono.at(t)

    def now(self, t: float) -> Now:
        """What the process reads at true time `t`."""
        mono, wall = self._mono, self._wall
        # `_Line.at`, without the calls: every step asks.
        wall_s = wall.value + (t - wall.since) * wall.rate
        return Now(mono.value + (t - mono.since) * mono.rate, EPOCH_MS + wall_s * 1000.0)

    def wall_offset_s(self, t: float) -> float:
        """Wall clock minus true time, seconds."""
        return self._wall.at(t) - t

    def true_time_of(self, mono: float, t: float) -> float:
        """The true time, not before `t`, at which the monotonic clock will show `mono`; infinite if it stands still."""
        line = self._mono
        behind = mono - (line.value + (t - line.since) * line.rate)
        if behind <= 0:
            return t
        return t + behind / line.rate if line.rate > 0 else math.inf

    def bent(self, since: float) -> bool:
        """Whether either clock was stepped or changed its rate after true time `since`."""
        return max(self._mono.since, self._wall.since) > since

    def set_rate(self, t: float, rate: float) -> None:
        """Let both clocks run at `rate` from now on; 0 freezes them."""
        self._mono.bend(t, rate)
        self._wall.bend(t, rate)

    def set_wall_rate(self, t: float, rate: float) -> None:
        """Let the wall clock alone drift, or freeze at 0."""
        self._wall.bend(t, rate)

    def step_wall(self, t: float, seconds: float) -> None:
        """Set the wall clock forward or back by `seconds`."""
        self._wall.bend(t, self._wall.rate, seconds)

    def set_right(self, t: float) -> None:
        """Both clocks at rate 1 and the wall clock at true time, as after a time service has done its work."""
        self._mono.bend(t, 1.0)
        self._wall = _Line(t, 1.0, t)
