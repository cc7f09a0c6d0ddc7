"""The bound on what this node pulls per second, shared by all its pulls."""

import threading
import time
from typing import Final

MAX_NAP_S: Final = 0.25


class Pace:
    """Lets `bytes_per_s` through, None for as many as come. Any thread may use it."""

    def __init__(self, bytes_per_s: int | None) -> None:
        self._bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, count: int, stop: threading.Event) -> None:
        """Wait until `count` bytes more are due, or `stop` is set."""
        if self._bytes_per_s is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + count / self._bytes_per_s
            due = self._free_at
        while (left_s := due - time.monotonic()) > 0 and not stop.wait(min(left_s, MAX_NAP_S)):
            continue
