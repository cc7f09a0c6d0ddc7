"""Clients' requests at a node: each has one answer, or *maybe* when its time is over."""

import asyncio

from node.protocol.effects import Called, Cancelled, Gathered, Input
from node.protocol.requests import Accepted, Answer, Elect, Maybe
from node.runtime.awaited import Awaited
from node.runtime.calls import Calls

LONG_S = 60.0


class Core:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[Input] = []
        self.calls = Calls(asyncio.get_running_loop(), self.given.append, lambda: False)

    def put(self, timeout_s: float) -> Awaited[Answer]:
        """Ask for something."""
        return self.calls.put(Elect(), timeout_s, lambda answer: answer)

    def asked(self) -> list[int]:
        """The numbers of the calls that reached it."""
        steps = [each.calls if isinstance(each, Gathered) else (each,) for each in self.given]
        return [each.call for step in steps for each in step if isinstance(each, Called)]


def test_who_waits_too_long_is_told_maybe_whoever_else_waits_longer() -> None:
    async def scenario() -> None:
        core = Core()
        longer = core.put(LONG_S)
        answers = await asyncio.gather(core.put(0.02), core.put(0.02))
        assert [type(answer) for answer in answers] == [Maybe, Maybe]
        assert [each.call for each in core.given if isinstance(each, Cancelled)] == core.asked()[1:]
        assert not longer.done
        core.calls.answer(core.asked()[0], Accepted("done"))
        assert await longer == Accepted("done")

    asyncio.run(scenario())


def test_who_begins_to_wait_later_is_looked_after_as_well() -> None:
    async def scenario() -> None:
        core = Core()
        await core.put(0.02)
        answer = await core.put(0.02)
        assert isinstance(answer, Maybe)
        assert answer.reason == "timeout"

    asyncio.run(scenario())


def test_what_was_answered_in_time_is_not_cancelled_when_its_time_is_over() -> None:
    async def scenario() -> None:
        core = Core()
        first = core.put(0.02)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        core.calls.answer(core.asked()[0], Accepted("done"))
        assert await first == Accepted("done")
        await core.put(0.03)
        assert [each.call for each in core.given if isinstance(each, Cancelled)] == core.asked()[1:]

    asyncio.run(scenario())


def test_who_goes_away_is_taken_back() -> None:
    async def scenario() -> None:
        core = Core()
        waiting = core.put(LONG_S)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        assert [each.call for each in core.given if isinstance(each, Cancelled)] == core.asked()

    asyncio.run(scenario())


def test_at_the_end_all_are_answered() -> None:
    async def scenario() -> None:
        core = Core()
        waiting = core.put(LONG_S)
        await asyncio.sleep(0)
        core.calls.end(Maybe("stopping", "it stops"))
        assert await waiting == Maybe("stopping", "it stops")

    asyncio.run(scenario())
