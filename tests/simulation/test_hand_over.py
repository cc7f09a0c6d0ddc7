"""Hand-over of leadership (E6) where the ranking of more than two counts."""

from node.protocol.requests import StepDown
from tests.simulation.stage import Stage


def test_leadership_goes_to_the_best_at_once_not_by_way_of_the_second_best() -> None:
    """B clearly outranks A, and C clearly outranks B, but not A: found by seed 3025 (E6)."""
    stage = Stage(3)
    stage.settle()
    stage.kill("A", "B", "C")
    for name, gap_s in (("A", 0.0), ("B", 0.26), ("C", 0.38)):
        stage.world.run_for(gap_s)
        stage[name].start()
    stage.ask(stage.elect(), StepDown("A"))
    stage.until(lambda: stage.leader_of("ABC") == "A", 30)
    led = len(stage.world.checkers.leaders)
    stage.until(lambda: stage.leader_of("ABC") == "C", 120)
    assert len(stage.world.checkers.leaders) == led + 1
