"""Packs that have come are made files by a thread of their own, while others fetch the next ones.

One thread, for small files are made by the system, and two would wait for one another's calls.
"""

import threading
from collections.abc import Callable
from itertools import accumulate
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from node.artifacts.incoming import Incoming
from node.runtime.content.work import PACK_BYTES, Pack, Work

BUFFERS: Final = 4
"""Packs that are on their way or wait for their turn; whoever wants to fetch more waits as well."""


class Unpacking:
    """The packs of one pull. Any thread may use it. A context manager: left, no pack waits any more."""

    def __init__(self, incoming: Incoming, work: Work, on_fault: Callable[[Exception], None]) -> None:
        self._incoming = incoming
        self._work = work
        self._on_fault = on_fault
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        self._come: SimpleQueue[tuple[Pack, str, bytearray] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._make, name="unpack")
        for _ in range(BUFFERS):
            self._free.put(bytearray())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._come.put(None)
        self._thread.join()

    def buffer(self, size: int) -> bytearray:
        """Room for a pack, once there is some; to be given to `take` or to `back`."""
        found = self._free.get()
        return found if len(found) >= size else bytearray(max(size, PACK_BYTES))

    def back(self, buffer: bytearray) -> None:
        """Nothing has come."""
        self._free.put(buffer if len(buffer) == PACK_BYTES else bytearray())

    def take(self, pack: Pack, peer: str, buffer: bytearray) -> None:
        """A pack has come from a peer."""
        self._come.put((pack, peer, buffer))

    def _make(self) -> None:
        while (come := self._come.get()) is not None:
            pack, peer, buffer = come
            try:
                with memoryview(buffer) as data:
                    ends = accumulate(entry.size for _, entry in pack.files)
                    bad = self._incoming.put_all(
                        (lacking, data[end - lacking[1].size : end])
                        for lacking, end in zip(pack.files, ends, strict=True)
                    )
                self._work.done(pack, peer, bad)
            except Exception as fault:  # noqa: BLE001 - told to the thread that waits for the pull
                self._on_fault(fault)
            self.back(buffer)
