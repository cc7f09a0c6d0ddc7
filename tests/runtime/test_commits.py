"""Group commit: what gathers together is written together, and nobody waits for what nobody waits for."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from node.protocol.effects import DiskState, Persist
from node.protocol.records import Record, Vote
from node.runtime.commits import LAZY_S, MAX_LAZY_S, GroupCommit
from tests.runtime.scripted import DEADLINE_S


class Disk:
    """Takes commits; tells what it was given and how it went."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.commits: list[int] = []
        self.durable: asyncio.Queue[int] = asyncio.Queue()
        self.states: list[DiskState] = []
        self.group = GroupCommit(
            self._write,
            asyncio.get_running_loop(),
            lambda: None,
            self.durable.put_nowait,
            lambda state, why: self.states.append(state),
            self._failed,
        )

    def _write(self, records: Sequence[Record]) -> None:
        time.sleep(self.takes_s)
        self.commits.append(len(records))

    def _failed(self, error: Exception) -> None:
        raise AssertionError(error)

    def add(self, number: int, *, urgent: bool) -> None:
        self.group.add(Persist(number, (Vote(number, None),), urgent))

    async def reaches(self, number: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while await self.durable.get() < number:
                pass


def test_what_is_not_urgent_waits_for_what_is() -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.add(1, urgent=False)
        disk.add(2, urgent=False)
        disk.add(3, urgent=True)
        await disk.reaches(3)
        assert disk.commits == [3]
        disk.group.close()

    asyncio.run(scenario())


def test_what_is_not_urgent_is_written_soon_all_the_same() -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.add(1, urgent=False)
        assert disk.group.urgent == 0
        await disk.reaches(1)
        assert disk.commits == [1]
        disk.group.close()

    asyncio.run(scenario())


def test_on_a_slow_disk_it_waits_longer_so_that_it_is_seldom_in_the_way() -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.takes_s = MAX_LAZY_S
        disk.add(1, urgent=True)
        await disk.reaches(1)
        disk.takes_s = 0.0
        began = time.monotonic()
        disk.add(2, urgent=False)
        await disk.reaches(2)
        assert time.monotonic() - began > 2 * LAZY_S
        disk.group.close()

    asyncio.run(scenario())


def test_flush_does_not_leave_it_lying() -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.add(1, urgent=False)
        await disk.group.flush()
        assert disk.commits == [1]
        disk.group.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("urgent", [True, False])
def test_numbers_become_durable_in_order(urgent: bool) -> None:
    async def scenario() -> None:
        disk = Disk()
        for number in range(1, 40):
            disk.add(number, urgent=urgent or number % 3 == 0)
            await asyncio.sleep(0)
        await disk.reaches(39)
        assert sum(disk.commits) == 39
        assert disk.group.durable == 39
        disk.group.close()

    asyncio.run(scenario())
