"""Envelopes of one peer go on in the order they left it, and none is waited for long."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from node.runtime.arrivals import MAX_HELD, Arrivals
from tests.runtime.scripted import envelope, until


@given(st.permutations(range(2, 12)))
def test_whatever_overtakes_waits_for_what_left_earlier(order: list[int]) -> None:
    async def scenario() -> None:
        got: list[int] = []
        arrivals = Arrivals(asyncio.get_running_loop(), lambda taken: got.append(taken.number))
        for number in (1, *order):
            arrivals.arrive(envelope("B", "A", number=number))
        assert got == list(range(1, 12))

    asyncio.run(scenario())


def test_what_is_lost_is_passed_over() -> None:
    async def scenario() -> None:
        got: list[int] = []
        arrivals = Arrivals(asyncio.get_running_loop(), lambda taken: got.append(taken.number))
        for number in (1, 4, 3):
            arrivals.arrive(envelope("B", "A", number=number))
        assert got == [1]
        await until(lambda: len(got) == 3, "end of patience")
        arrivals.arrive(envelope("B", "A", number=2))
        arrivals.arrive(envelope("B", "A", number=5))
        assert got == [1, 3, 4, 2, 5]

    asyncio.run(scenario())


def test_what_is_held_is_bounded() -> None:
    async def scenario() -> None:
        got: list[int] = []
        arrivals = Arrivals(asyncio.get_running_loop(), lambda taken: got.append(taken.number))
        arrivals.arrive(envelope("B", "A", number=1))
        for number in range(3, 3 + MAX_HELD + 1):
            arrivals.arrive(envelope("B", "A", number=number))
        assert len(got) >= 2
        arrivals.close()
        assert set(got) == {1, *range(3, 3 + MAX_HELD + 1)}

    asyncio.run(scenario())
