"""What the console itself has seen since it began, as far back as a bounded piece of memory reaches.

Observations are added in a thread: a large one takes longer than a key should wait.
"""

import zlib
from collections import deque
from functools import partial
from threading import Lock
from typing import NamedTuple

from iwdc_console.tui.model.milestones import Milestone, between
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.recording.lines import Frame, Line, decode, encode
from iwdc_console.tui.recording.tape import FRAMES_PER_BLOCK, MAX_BLOCK_BYTES, Block, Tape

MAX_BYTES = 2 * 1024 * 1024
"""Compressed: about an hour of a small cluster."""
LEVEL = 1
"""Of compression, line by line: a whole block at once would hold up a key."""
LEAST_GAP_S = 0.5
"""Observations that follow one another faster are left out; the next one tells what they told."""


class _Closed(NamedTuple):
    times_ms: tuple[int, ...]
    milestones: tuple[Milestone, ...]
    content: bytes

    def block(self) -> Block:
        return Block(self.times_ms, self.milestones, partial(_read, self.content))


class Ring:
    """Takes observations, forgets the oldest block when there are more than `most` bytes."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._adding = Lock()
        self._closed: deque[_Closed] = deque()
        self._size = 0
        self._block = zlib.compressobj(LEVEL)
        self._compressed: list[bytes] = []
        self._open_size = 0
        self._times_ms: list[int] = []
        self._milestones: list[Milestone] = []
        self._last: Observation | None = None
        self._last_s = float("-inf")

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._size + sum(map(len, self._compressed))

    def add(self, observation: Observation, at_s: float, at_ms: int) -> None:
        """Keep an observation, if the last one is long enough ago. One that is no good Unicode cannot be kept."""
        if at_s - self._last_s >= LEAST_GAP_S:
            with self._adding:
                self._add(observation, at_s, at_ms)

    def _add(self, observation: Observation, at_s: float, at_ms: int) -> None:
        try:
            line = encode(Frame(observation, at_s, at_ms), self._last, begins=not self._times_ms)
        except UnicodeEncodeError:
            return
        self._milestones += () if self._last is None else between(self._last, observation, at_ms)
        self._compressed.append(self._block.compress(line))
        self._open_size += len(line)
        self._times_ms.append(at_ms)
        self._last, self._last_s = observation, at_s
        if len(self._times_ms) >= FRAMES_PER_BLOCK or self._open_size > MAX_BLOCK_BYTES:
            self._close()

    def tape(self) -> Tape:
        """All there is now; what comes later does not change it."""
        with self._adding:
            blocks = [closed.block() for closed in self._closed]
            if self._times_ms:
                blocks.append(self._as_closed(self._block.copy().flush()).block())
            return Tape(blocks)

    def _as_closed(self, end: bytes) -> _Closed:
        return _Closed(tuple(self._times_ms), tuple(self._milestones), b"".join((*self._compressed, end)))

    def _close(self) -> None:
        closed = self._as_closed(self._block.flush())
        self._closed.append(closed)
        self._size += len(closed.content)
        while self._size > self._most and len(self._closed) > 1:
            self._size -= len(self._closed.popleft().content)
        self._block, self._compressed, self._open_size = zlib.compressobj(LEVEL), [], 0
        self._times_ms, self._milestones = [], []


def _read(content: bytes) -> list[Line]:
    return [decode(line) for line in zlib.decompress(content).splitlines()]
