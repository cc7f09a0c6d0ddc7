"""The console's two clocks, passed in so that tests and replays have their own."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """`mono_s` for durations, `wall_ms` for display."""

    mono_s: Callable[[], float] = time.monotonic
    wall_ms: Callable[[], float] = lambda: time.time() * 1000
