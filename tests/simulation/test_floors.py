"""What a leader makes final for everyone is on its own disk (C1)."""

from node.protocol.events import SNAPSHOT_CREATED
from node.protocol.requests import Publish
from node.protocol.settings import Limits
from node.simulation.clients import Script
from tests.simulation.stage import Stage


def test_c1_no_floor_covers_what_a_crash_of_the_leader_may_take_back() -> None:
    """Its own vote was below the floor before it was on its disk: a crash took it back, and it could vote otherwise."""
    stage = Stage(3, limits=Limits(retain_events=8))
    node = stage[stage.elect()]
    node.disk.slow_s = 3.0
    chosen: set[int] = set()

    def several() -> bool:
        stage.world.clients.perform(publish())
        floor = node.running.parts.control.state.floor
        if floor is not None:
            assert all(seq <= node.disk.vector.get(journal, 0) for journal, seq in floor.vector.items())
            chosen.add(sum(floor.vector.values()))
        return len(chosen) > 3

    numbers = iter(range(10_000))

    def publish() -> Script:
        yield node, Publish(SNAPSHOT_CREATED, {}, f"event-{next(numbers)}"), 60.0

    stage.until(several, 120)
