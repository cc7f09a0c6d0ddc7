"""The alarm rings once, at the earliest time asked for, and only if it was not put off."""

import asyncio
import math
from collections.abc import Callable

import pytest

from node.runtime.alarm import TICK_S, Alarm


class Clock:
    """A loop whose time stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> "Timer":
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def until(self, now: float) -> None:
        """Go on to `now`; timers come in order."""
        while open_ := [timer for timer in self.timers if timer.when <= now and not timer.over]:
            first = min(open_, key=lambda timer: timer.when)
            first.over = True
            self.now = max(self.now, first.when)
            first.callback()
        self.now = now


class Timer:
    """What `call_at` gives."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.over = False

    def cancel(self) -> None:
        self.over = True


def alarm() -> tuple[Clock, list[float], Alarm]:
    clock, rung = Clock(), list[float]()
    return clock, rung, Alarm(clock, lambda: rung.append(clock.now))  # type: ignore[arg-type]


def test_it_rings_once_at_the_earliest_time() -> None:
    clock, rung, bell = alarm()
    bell.by(105.0)
    bell.by(103.0)
    bell.by(104.0)
    clock.until(110.0)
    assert rung == [103.0]
    assert bell.due == math.inf


def test_what_was_put_off_does_not_ring_and_costs_no_timer() -> None:
    clock, rung, bell = alarm()
    for _ in range(10):
        bell.by(clock.now + 5.0)
        bell.off()
        clock.until(clock.now + 0.1)
    assert len(clock.timers) == 1
    clock.until(200.0)
    assert rung == []


def test_put_off_and_set_again_it_rings_at_the_later_time() -> None:
    clock, rung, bell = alarm()
    bell.by(105.0)
    bell.off()
    bell.by(108.0)
    clock.until(107.0)
    assert rung == []
    clock.until(110.0)
    assert rung == [108.0]


def test_set_for_later_and_then_for_sooner_it_rings_sooner() -> None:
    clock, rung, bell = alarm()
    bell.by(108.0)
    bell.off()
    bell.by(103.0)
    clock.until(110.0)
    assert rung == [103.0]


def test_it_can_be_set_while_it_rings() -> None:
    clock, rung, bell = alarm()

    def again() -> None:
        rung.append(clock.now)
        if len(rung) < 3:
            bell.by(clock.now + 1.0)

    bell = Alarm(clock, again)  # type: ignore[arg-type]
    bell.by(101.0)
    clock.until(110.0)
    assert rung == [101.0, 102.0, 103.0]


def test_less_than_the_loops_step_is_not_waited_for() -> None:
    clock, rung, bell = alarm()
    bell.by(105.0)
    clock.timers[0].when -= TICK_S / 2
    clock.until(110.0)
    assert rung == [105.0 - TICK_S / 2]


def test_closed_it_leaves_nothing_in_the_loop() -> None:
    clock, rung, bell = alarm()
    bell.by(105.0)
    bell.close()
    assert all(timer.over for timer in clock.timers)
    clock.until(110.0)
    assert rung == []


@pytest.mark.parametrize("make", [asyncio.new_event_loop, pytest.importorskip("uvloop").new_event_loop])
def test_it_rings_on_the_loops_that_nodes_run_on(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def scenario() -> None:
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        bell = Alarm(loop, rung.set)
        due = loop.time() + 0.02
        bell.by(due)
        await asyncio.wait_for(rung.wait(), 10)
        assert loop.time() > due - 2 * TICK_S

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(scenario())
