"""What will be answered: told at once, once, and not to who has gone."""

import asyncio

from node.runtime.awaited import Awaited


def test_who_waits_is_told_before_what_came_in_the_same_moment_goes_on() -> None:
    told: list[int] = []
    answer = Awaited[int]()
    answer.then(told.append)
    answer.set(1)
    assert told == [1]
    answer.set(2)
    assert told == [1]


def test_who_comes_later_is_told_as_well() -> None:
    told: list[int] = []
    answer = Awaited[int]()
    answer.set(1)
    answer.then(told.append)
    assert told == [1]


def test_what_was_taken_back_is_told_to_nobody() -> None:
    told: list[str] = []
    answer = Awaited[str](lambda: told.append("gone"))
    answer.then(told.append)
    answer.cancel()
    answer.set("late")
    answer.cancel()
    assert told == ["gone"]


def test_a_task_that_waits_and_is_cancelled_takes_it_back() -> None:
    async def scenario() -> None:
        told: list[str] = []
        answer = Awaited[str](lambda: told.append("gone"))

        async def waits() -> None:
            await answer

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert told == ["gone"]

    asyncio.run(scenario())


def test_a_task_that_is_cancelled_in_the_moment_the_answer_comes_is_cancelled() -> None:
    async def scenario() -> None:
        answer = Awaited[str]()

        async def waits() -> None:
            await answer

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        task.cancel()
        answer.set("late")
        await asyncio.wait((task,))
        assert task.cancelled()

    asyncio.run(scenario())
