"""Elections where everything takes long: disks and links slower than answers are waited for at first (E3)."""

from itertools import permutations

from tests.simulation.stage import Stage


def test_a_leader_is_elected_on_slow_disks() -> None:
    """A vote is on two disks before it counts; on a busy machine candidates gave up before it came, again and again."""
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    for process in stage.world.processes:
        process.disk.slow_s = 3.0
    stage.kill(leader)
    stage.until(lambda: stage.leader_of([name for name in "ABC" if name != leader]), 60)


def test_a_leader_is_elected_over_slow_links() -> None:
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    stage.world.network.slow(list(permutations("ABC", 2)), 1.0)
    stage.kill(leader)
    stage.until(lambda: stage.leader_of([name for name in "ABC" if name != leader]), 60)
