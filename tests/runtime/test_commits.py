"""Group commit: what gathers together is written together, and nobody waits for what nobody waits for."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from node.journal import schema
from node.journal.errors import JournalFault, JournalFull
from node.journal.store import BUSY_PAUSE_S, Journal
from node.protocol.effects import DiskState, Persist
from node.protocol.records import Record, Vote
from node.runtime import commits
from node.runtime.commits import LAZY_S, MAX_LAZY_S, QUICK_S, RECENT_SHARE, GroupCommit
from node.runtime.kernel_sync import KernelSync
from tests.journal.samples import appended
from tests.runtime.scripted import DEADLINE_S, until


class Disk:
    """A journal that takes commits, from the loop if they are brief; tells what it was given and how it went."""

    def __init__(self, path: Path, brief: bool) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        self.log = self
        self.brief = brief
        self.takes_s = 0.0
        self.faults: list[Exception] = []
        self.written: list[int] = []
        self.commits: list[int] = []
        self.threads: list[str] = []
        self.durable: asyncio.Queue[int] = asyncio.Queue()
        self.states: list[DiskState] = []
        self.group = GroupCommit(
            cast(Any, self),
            asyncio.get_running_loop(),
            lambda: None,
            self.durable.put_nowait,
            lambda state, why: self.states.append(state),
            self._failed,
        )

    def is_brief(self, records: Sequence[Record]) -> bool:
        return self.brief

    def write(self, records: Sequence[Record]) -> None:
        assert not self.written, "the one before was settled"
        time.sleep(self.takes_s)
        if self.faults:
            raise self.faults.pop(0)
        self.written = [len(records)]
        self.threads.append(threading.current_thread().name)

    def settle(self) -> None:
        self.commits += self.written
        self.written = []

    def commit(self, records: Sequence[Record]) -> None:
        if not self.written:
            self.write(records)
        self.settle()

    def _failed(self, error: Exception) -> None:
        raise AssertionError(error)

    def add(self, number: int, *, urgent: bool) -> None:
        self.group.add(Persist(number, (Vote(number, None),), urgent))

    async def reaches(self, number: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while await self.durable.get() < number:
                pass


Scenario = Callable[[Disk], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture(params=[True, False], ids=["from the loop", "in a thread"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    async def whole(scenario: Scenario) -> None:
        disk = Disk(tmp_path / "log", request.param)
        try:
            await scenario(disk)
        finally:
            await disk.group.close()
            os.close(disk.descriptor)

    return lambda scenario: asyncio.run(whole(scenario))


def test_what_is_not_urgent_waits_for_what_is(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        disk.add(1, urgent=False)
        disk.add(2, urgent=False)
        disk.add(3, urgent=True)
        await disk.reaches(3)
        assert disk.commits == [3]

    run(scenario)


def test_what_is_not_urgent_is_written_soon_all_the_same(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        disk.add(1, urgent=False)
        assert disk.group.urgent == 0
        await disk.reaches(1)
        assert disk.commits == [1]

    run(scenario)


def test_on_a_slow_disk_it_waits_longer_so_that_it_is_seldom_in_the_way(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        disk.takes_s = MAX_LAZY_S
        disk.add(1, urgent=True)
        await disk.reaches(1)
        disk.takes_s = 0.0
        began = time.monotonic()
        disk.add(2, urgent=False)
        await disk.reaches(2)
        assert time.monotonic() - began > 2 * LAZY_S

    run(scenario)


def test_flush_does_not_leave_it_lying(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        disk.add(1, urgent=False)
        await disk.group.flush()
        assert disk.commits == [1]

    run(scenario)


@pytest.mark.parametrize("urgent", [True, False])
def test_numbers_become_durable_in_order(run: Run, urgent: bool) -> None:
    async def scenario(disk: Disk) -> None:
        for number in range(1, 40):
            disk.add(number, urgent=urgent or number % 3 == 0)
            await asyncio.sleep(0)
        await disk.reaches(39)
        assert sum(disk.commits) == 39
        assert disk.group.durable == 39

    run(scenario)


def test_a_disk_that_refuses_is_tried_again_by_a_thread_until_it_takes_it(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        disk.faults = [JournalFull("no room"), JournalFault("broken")]
        disk.add(1, urgent=True)
        await disk.reaches(1)
        assert disk.states == [DiskState("disk_full"), DiskState("disk_fault"), DiskState(None)]
        assert (disk.commits, disk.threads) == ([1], ["journal-writer"])
        disk.add(2, urgent=True)
        await disk.reaches(2)
        assert disk.commits == [1, 1]

    run(scenario)


def test_while_commits_take_long_a_thread_writes(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        number = 0

        async def commit() -> str:
            nonlocal number
            number += 1
            disk.add(number, urgent=True)
            await disk.reaches(number)
            return disk.threads[-1]

        brief = await commit()
        assert brief == ("MainThread" if disk.brief else "journal-writer")
        disk.takes_s = QUICK_S / RECENT_SHARE * 1.1
        await commit()
        disk.takes_s = 0.0
        assert await commit() == "journal-writer"
        while await commit() != brief:
            assert number < 100

    run(scenario)


def test_once_it_is_closed_nothing_more_is_begun(run: Run) -> None:
    async def scenario(disk: Disk) -> None:
        disk.add(1, urgent=False)
        await disk.group.close()
        disk.add(2, urgent=True)
        await asyncio.sleep(2 * LAZY_S)
        assert disk.threads == []

    run(scenario)


class HeldKernel:
    """Syncs when the test says so, and ends as it says."""

    def __init__(self, done: Callable[[OSError | None], None], able: bool) -> None:
        self.done = done
        self.able = able
        self.asked = 0

    def sync(self, descriptor: int) -> bool:
        self.asked += self.able
        return self.able

    def ignore(self) -> None:
        self.done = lambda error: None

    def close(self) -> None:
        self.able = False


class OnRealDisk:
    """A real journal behind a group commit, with a kernel that the test plays."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, *, able: bool = True) -> None:
        self.kernels: list[HeldKernel] = []
        monkeypatch.setattr(KernelSync, "open", lambda loop, done: self._opened(done, able))
        self.journal = Journal.open(path)
        for term in range(2):  # the first commit makes the log, the second finds that there is nothing to put in order
            self.journal.commit([Vote(term, None)])
        self.durable: list[int] = []
        self.states: list[DiskState] = []
        self.failed: list[Exception] = []
        self.group = GroupCommit(
            self.journal,
            asyncio.get_running_loop(),
            lambda: None,
            self.durable.append,
            lambda state, why: self.states.append(state),
            self.failed.append,
        )

    def _opened(self, done: Callable[[OSError | None], None], able: bool) -> KernelSync:
        self.kernels.append(HeldKernel(done, able))
        return cast(KernelSync, self.kernels[0])

    def add(self, number: int) -> None:
        self.group.add(Persist(number, tuple(appended([number])), urgent=True))

    async def close(self) -> None:
        await self.group.close()
        self.journal.close()


def on_real_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Callable[[OnRealDisk], Awaitable[None]], *, able: bool = True
) -> None:
    async def whole() -> None:
        disk = OnRealDisk(path / "journal.sqlite", monkeypatch, able=able)
        try:
            await scenario(disk)
        finally:
            await disk.close()

    asyncio.run(whole())


def test_nothing_counts_as_durable_before_the_kernel_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(disk: OnRealDisk) -> None:
        [kernel] = disk.kernels
        disk.add(1)
        await until(lambda: kernel.asked == 1, "sync")
        disk.add(2)
        await asyncio.sleep(2 * LAZY_S)
        assert (kernel.asked, disk.durable, disk.journal.vector) == (1, [], {})
        assert disk.journal.list(limit=10) == []
        kernel.done(None)
        assert (kernel.asked, disk.durable, disk.journal.vector) == (2, [1], {"ja": 1})
        kernel.done(None)
        assert (disk.durable, disk.journal.vector) == ([1, 2], {"ja": 2})

    on_real_disk(tmp_path, monkeypatch, scenario)


def test_a_sync_that_fails_is_reported_and_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(disk: OnRealDisk) -> None:
        [kernel] = disk.kernels
        disk.add(1)
        await until(lambda: kernel.asked == 1, "sync")
        kernel.done(OSError(5, "Input/output error"))
        assert disk.states == [DiskState("disk_fault")]
        assert disk.durable == []
        await until(lambda: disk.durable == [1], "repair")
        assert disk.states == [DiskState("disk_fault"), DiskState(None)]
        assert kernel.asked == 1, "a disk in doubt is a thread's affair"
        disk.add(2)
        await until(lambda: kernel.asked == 2, "trust in the disk")
        kernel.done(OSError(28, "No space left on device"))
        await until(lambda: disk.durable == [1, 2], "repair")
        assert disk.states[2] == DiskState("disk_full")

    on_real_disk(tmp_path, monkeypatch, scenario)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        assert [event.seq for event in journal.load().events] == [1, 2]


def test_a_sync_that_hangs_makes_the_disk_slow_and_hands_over_to_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "SLOW_COMMIT_S", 0.02)

    async def scenario(disk: OnRealDisk) -> None:
        [kernel] = disk.kernels
        disk.add(1)
        await until(lambda: kernel.asked == 1, "sync")
        await asyncio.sleep(0.03)
        disk.group.look()
        assert disk.states == [DiskState(None, slow=True)]
        kernel.done(None)
        assert disk.durable == [1]
        disk.add(2)
        await until(lambda: disk.durable == [1, 2], "a commit by the thread")
        assert kernel.asked == 1

    on_real_disk(tmp_path, monkeypatch, scenario)


def test_where_the_kernel_cannot_sync_a_thread_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(disk: OnRealDisk) -> None:
        for number in (1, 2):
            disk.add(number)
            await until(lambda upto=number: disk.durable[-1:] == [upto], "commit")  # type: ignore[misc]
        assert not disk.states
        assert not disk.failed

    on_real_disk(tmp_path, monkeypatch, scenario, able=False)


def test_a_file_that_another_process_holds_does_not_hold_up_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(disk: OnRealDisk) -> None:
        with closing(sqlite3.connect(disk.journal.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            disk.add(1)
            await asyncio.sleep(10 * BUSY_PAUSE_S)
            assert not disk.durable
            other.execute("ROLLBACK")
            await until(lambda: disk.durable == [1], "commit")
            assert not disk.states
            assert time.monotonic() - began < schema.BUSY_S, "the loop did not wait for it"

    on_real_disk(tmp_path, monkeypatch, scenario)
