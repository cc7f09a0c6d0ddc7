"""What a node tells of its clock (T1)."""

import pytest

from node.protocol.shapes import DriftView
from tests.simulation.stage import Stage


def told(stage: Stage, name: str) -> DriftView:
    """What `name` tells of its own clock."""
    return stage[name].running.view_drift(stage[name].now)


def measured(stage: Stage, name: str, times: int) -> DriftView:
    """The same, once it has been measured so often again."""
    known = len(told(stage, name).history)
    stage.until(lambda: len(told(stage, name).history) >= known + times, 60 * times)
    return told(stage, name)


@pytest.mark.parametrize("set_by_s", [5.0, -5.0])
@pytest.mark.parametrize("of_the_leader", [False, True])
def test_a_clock_that_is_set_does_not_drift_by_that(set_by_s: float, of_the_leader: bool) -> None:
    stage = Stage(3)
    leader = stage.elect()
    follower = next(name for name in stage.world.hosts if name != leader)
    measured(stage, follower, 2)
    stage[leader if of_the_leader else follower].clocks.step_wall(stage.t, set_by_s)
    after = measured(stage, follower, 1)
    assert abs(after.offset_ms or 0) > 4_000
    assert after.rate_ppm is None, "one measurement since tells of no rate"
    after = measured(stage, follower, 3)
    assert after.rate_ppm is not None
    assert abs(after.rate_ppm) < 1_000, "what network and queues add, not the five seconds"
