"""A timer for what is nearly always done before its time is over."""

import asyncio
import math
from collections.abc import Callable

TICK_S = 0.001
"""The loop's own step: what is due within it is due."""


class Alarm:
    """Calls `ring` once, at the earliest time asked for. `due`, in the loop's seconds, is infinite while it is off.

    To put it off leaves the loop's timer as it is, which looks again when it comes: to make and cancel one each time
    costs more than all else that an exchange or a commit does for it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self.due = math.inf
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def by(self, due: float) -> None:
        """Ring at `due`, if not before."""
        if due < self.due:
            self.due = due
            if due < self._timer_at:
                self._arm()

    def off(self) -> None:
        """Do not ring."""
        self.due = math.inf

    def close(self) -> None:
        """Do not ring, and leave nothing in the loop."""
        self.due = self._timer_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self.due
        self._timer = self._loop.call_at(self.due, self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self.due - self._loop.time() < TICK_S:
            self.due = math.inf
            self._ring()
        elif self.due < math.inf:
            self._arm()
