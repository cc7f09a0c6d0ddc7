"""A tape: frames in the order of time, in blocks that are read when they are looked at."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from iwdc_console.tui.model.api import Status
from iwdc_console.tui.model.milestones import Milestone
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.recording.lines import Frame, Line, frame, status_of, tells_status

FRAMES_PER_BLOCK = 60
MAX_BLOCK_BYTES = 512 * 1024
"""A block ends after the first frame that makes it longer than this."""


class Block(NamedTuple):
    """When its frames are (unix ms), what stands out among them, and how to read it."""

    times_ms: tuple[int, ...]
    milestones: tuple[Milestone, ...]
    read: Callable[[], Sequence[Line]]


class Tape:
    """The frames of some blocks. One block is kept read at a time."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = tuple(block for block in blocks if block.times_ms)
        self._times_ms = [at_ms for block in self._blocks for at_ms in block.times_ms]
        self._starts = list(accumulate((len(block.times_ms) for block in self._blocks), initial=0))
        self.milestones = tuple(mark for block in self._blocks for mark in block.milestones)
        self._read: tuple[int, Sequence[Line]] = (-1, ())

    def __len__(self) -> int:
        return len(self._times_ms)

    @property
    def first_ms(self) -> int:
        """When it begins. There must be a frame."""
        return self._times_ms[0]

    @property
    def last_ms(self) -> int:
        """When it ends. There must be a frame."""
        return self._times_ms[-1]

    def index(self, at_ms: float) -> int:
        """Which frame was the newest at this moment; -1 before the first."""
        return bisect_right(self._times_ms, at_ms) - 1

    def frame(self, index: int) -> Frame:
        """The frame of this number."""
        block, place = self._place(index)
        return frame(self._lines(block), place)

    def statuses(self, index: int, most: int) -> Iterator[Part[Status]]:
        """The newest `most` statuses told up to this frame, oldest first: what a history is made of.

        Each is read when it is asked for: a history keeps little of it, and all at once they take megabytes.
        """
        telling = islice(filter(tells_status, self._backwards(index)), most)
        return map(status_of, reversed(list(telling)))

    def _backwards(self, index: int) -> Iterator[Line]:
        block, place = self._place(index)
        yield from reversed(self._lines(block)[: place + 1])
        for earlier in range(block - 1, -1, -1):
            yield from reversed(self._blocks[earlier].read())

    def _place(self, index: int) -> tuple[int, int]:
        block = bisect_right(self._starts, index) - 1
        return block, index - self._starts[block]

    def _lines(self, block: int) -> Sequence[Line]:
        if self._read[0] != block:
            self._read = (block, self._blocks[block].read())
        return self._read[1]
