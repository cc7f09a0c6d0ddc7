"""Virtual time: what happens next. And the trace: what has happened, as lines for people and as a hash for machines."""

import hashlib
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Schedule:
    """A queue of things to do, in order of true time, then of when they were put in."""

    def __init__(self) -> None:
        self.t = 0.0
        self.done = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._number = count().__next__

    def after(self, delay_s: float, do: Callable[..., None], *args: object) -> None:
        """Call `do(*args)` in `delay_s` seconds of true time."""
        heappush(self._queue, (self.t + delay_s, self._number(), do, args))

    def run(self, until: float) -> None:
        """Let time pass up to true time `until`."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.t, _, do, args = heappop(queue)
            self.done += 1
            do(*args)
        self.t = until


class Trace:
    """Hashes every line; shows each to `show` as well, when given."""

    _CHUNK = 512

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self.show = show
        self._hash = hashlib.blake2b(digest_size=16)
        self._lines: list[str] = []

    def note(self, t: float, who: str, what: str) -> None:
        """One line: true time, instance, what happened."""
        line = f"{t:12.6f} {who:<6} {what}"
        self._lines.append(line)
        if len(self._lines) >= self._CHUNK:
            self._flush()
        if self.show:
            self.show(line)

    def _flush(self) -> None:
        self._hash.update("\n".join(self._lines).encode())
        self._lines.clear()

    def digest(self) -> str:
        """Hex hash of everything noted so far: equal for equal seeds, on every machine."""
        self._flush()
        return self._hash.copy().hexdigest()
