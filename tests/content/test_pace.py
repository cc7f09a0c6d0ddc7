"""No more bytes a second than is allowed, whoever asks, and no waiting for one that is stopped."""

import threading

import pytest

from node.runtime.content.pace import Pace


class Clock(threading.Event):
    """Time passes while something waits for the stop, and not else."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.now_s += 0.0 if self.is_set() else timeout
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("node.runtime.content.pace.time.monotonic", lambda: found.now_s)
    return found


def test_all_pulls_together_get_what_is_allowed(clock: Clock) -> None:
    pace = Pace(1_000)
    for _ in range(40):
        pace.take(250, clock)
    assert clock.now_s == pytest.approx(110.0)


def test_time_in_which_nothing_came_is_not_saved_up(clock: Clock) -> None:
    pace = Pace(1_000)
    pace.take(1_000, clock)
    clock.now_s += 60
    began_s = clock.now_s
    pace.take(2_000, clock)
    assert clock.now_s - began_s == pytest.approx(2.0)


def test_without_a_bound_and_when_stopped_nobody_waits(clock: Clock) -> None:
    Pace(None).take(1 << 40, clock)
    clock.set()
    Pace(1).take(1 << 40, clock)
    assert clock.now_s == 100.0
