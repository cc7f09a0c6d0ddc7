"""Group commit: what gathers while one transaction is on its way to the disk becomes the next one.

A commit begins at once when the disk is idle, at the end of the loop's turn, so that requests which arrived together
share it. What nobody waits for, such as the others' votes, waits a moment for company: that halves the number of
commits. A faulty disk is reported and tried again until it works; the batch stays whole and in its place.

A brief transaction is written by the loop and synced by the kernel (`kernel_sync`); what may take longer, and what
a slow disk or one in doubt is given, is left to a thread (`writer`). A disk that hangs holds up commits, not the loop.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from node.journal.errors import JournalBusy, JournalFault, JournalFull, unsynced
from node.protocol.effects import DiskState, Persist
from node.protocol.records import Record
from node.runtime.alarm import Alarm
from node.runtime.kernel_sync import KernelSync
from node.runtime.writer import Writer

if TYPE_CHECKING:
    from node.journal import Journal

SLOW_COMMIT_S = 1.0
"""A commit that takes longer makes the node `degraded: slow_disk` (H1)."""
LAZY_S, MAX_LAZY_S = 0.005, 0.05
"""How long records that nobody waits for may wait for others: so long, or `LAZY_COMMITS` commits on a slower disk."""
LAZY_COMMITS = 5
"""What somebody asks for while they are written has to wait for it, so that they should seldom go alone."""
QUICK_S = 0.05
"""Where commits lately took longer, even writing may wait for the disk, and the loop does not write."""
RECENT_SHARE = 0.25
"""What the last commit counts in how long one takes lately."""
SLOW_MEMORY_S = 60.0
"""An idle disk that was slow counts as slow for this long."""
FIRST_RETRY_S, MAX_RETRY_S = 0.1, 2.0
"""Pauses between attempts to commit on a faulty disk."""
WELL = DiskState(None)


class GroupCommit:
    """Brings `Persist`s to the disk in order.

    `on_free` hears that a commit has ended, before the next one begins: what it adds goes into that one. `on_durable`
    hears the number of the last one on disk, `on_state` how the disk does whenever that changes, `on_failure` of an
    error that trying again cannot mend.
    """

    def __init__(
        self,
        journal: "Journal",
        loop: asyncio.AbstractEventLoop,
        on_free: Callable[[], None],
        on_durable: Callable[[int], None],
        on_state: Callable[[DiskState, str], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.urgent = 0
        """Number of the last one that somebody waits for."""
        self.durable = 0
        """Number of the last one on disk."""
        self.unwritten_records = 0
        """Records that wait for the transaction after the one under way."""
        self._journal = journal
        self._loop = loop
        self._on_free = on_free
        self._on_durable = on_durable
        self._on_state = on_state
        self._on_failure = on_failure
        self._writer = Writer(journal.commit, loop, self._done)
        self._kernel = KernelSync.open(loop, self._synced)
        self._gathered: list[Persist] = []
        self._writing: list[Persist] = []
        self._started = 0.0
        self._usual_s = 0.0
        self._due = False
        self._pressing = False
        self._lazy = Alarm(loop, self._press)
        self._retry_s = 0.0
        self._state = WELL
        self._idle = asyncio.Event()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a commit is under way, on a disk that works: what is asked to be written now has to wait for it."""
        return bool(self._writing) and self._state.fault is None

    def add(self, persist: Persist) -> None:
        """Have these records written."""
        self._gathered.append(persist)
        self.unwritten_records += len(persist.records)
        if persist.urgent:
            self.urgent = persist.number
            self._press()
        elif not self._pressing:
            self._lazy.by(self._loop.time() + min(MAX_LAZY_S, max(LAZY_S, LAZY_COMMITS * self._usual_s)))

    def look(self) -> None:
        """Notice a commit that hangs; called now and then."""
        if self._writing and self._state.fault is None and time.monotonic() - self._started > SLOW_COMMIT_S:
            self._is(DiskState(None, slow=True), "a commit is under way for long")

    async def flush(self) -> None:
        """Wait until all is on disk, but not for a disk that is faulty or hangs."""
        if self._gathered:
            self._press()
        if self._state.fault is None and (self._gathered or self._writing):
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SLOW_COMMIT_S):
                    await self._idle.wait()

    async def close(self) -> None:
        """Begin no more commits, and wait until the one under way is done. Safe to call twice."""
        self._closed = True
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            kernel.ignore()
            await self._loop.run_in_executor(None, kernel.close)
        await self._loop.run_in_executor(None, self._writer.close)

    def _press(self) -> None:
        """What has gathered shall be written as soon as the disk is free."""
        self._pressing = True
        self._lazy.off()
        if not self._due and not self._writing:
            self._due = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._due = False
        if self._writing or not self._gathered or not self._pressing:
            return
        self._pressing = False
        self._writing, self._gathered = self._gathered, []
        self.unwritten_records = 0
        self._submit()

    def _submit(self) -> None:
        if self._closed:
            return
        self._started = time.monotonic()
        records = [record for persist in self._writing for record in persist.records]
        kernel = self._kernel
        brief = self._is_quick() and self._journal.is_brief(records)
        if kernel is None or not brief or not self._wrote(records, kernel):
            self._writer.submit(records)

    def _is_quick(self) -> bool:
        return self._usual_s < QUICK_S and self._state.fault is None and not self._state.slow

    def _wrote(self, records: Sequence[Record], kernel: KernelSync) -> bool:
        """Write what is brief, and have it synced. False: a thread has to do what is left of it."""
        try:
            self._journal.write(records)
        except JournalBusy:
            return False
        except Exception as problem:  # noqa: BLE001 - as in the thread: a fault of the disk or a bug of ours
            self._loop.call_soon(self._done, time.monotonic() - self._started, problem)
            return True
        if kernel.sync(self._journal.log.descriptor):
            return True
        kernel.ignore()
        kernel.close()
        self._kernel = None
        return False

    def _synced(self, error: OSError | None) -> None:
        if error is None:
            self._journal.settle()
        self._done(time.monotonic() - self._started, error and unsynced(self._journal.path, error))

    def _done(self, seconds: float, error: Exception | None) -> None:
        if error is None:
            self._retry_s = 0.0
            self._usual_s += RECENT_SHARE * (seconds - self._usual_s)
            self.durable = self._writing[-1].number
            self._writing = []
            self._on_durable(self.durable)
            self._on_free()
            self._begin()
            if seconds > SLOW_COMMIT_S or self._state != WELL:
                self._is(DiskState(None, slow=seconds > SLOW_COMMIT_S), f"a commit took {seconds:.3f} s")
            if self._state.slow:
                self._loop.call_later(SLOW_MEMORY_S, self._forget_slow, self.durable)
            if not self._writing and not self._gathered:
                self._idle.set()
        elif isinstance(error, JournalFull | JournalFault):
            self._is(DiskState("disk_full" if isinstance(error, JournalFull) else "disk_fault"), str(error))
            self._retry_s = min(MAX_RETRY_S, max(FIRST_RETRY_S, 2 * self._retry_s))
            self._loop.call_later(self._retry_s, self._submit)
        else:
            self._on_failure(error)

    def _forget_slow(self, durable: int) -> None:
        if self.durable == durable and not self._writing and self._state.slow:
            self._is(WELL, "nothing was written since")

    def _is(self, state: DiskState, why: str) -> None:
        if state != self._state:
            self._state = state
            self._on_state(state, why)
