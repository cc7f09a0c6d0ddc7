"""What a node tells of why an instance is as it is: since when, and who says so (H2)."""

from node.protocol.shapes import InstanceView
from tests.simulation.stage import Stage


def seen(stage: Stage, observer: str, name: str) -> InstanceView:
    """How `observer` sees `name`."""
    return next(item for item in stage.status(observer).instances if item.id == name)


def test_a_dead_host_is_told_with_those_whom_it_refuses_and_since_when() -> None:
    stage = Stage(3)
    stage.elect()
    stage.settle()
    assert seen(stage, "A", "C").refused_by == ()
    stage.kill("C")
    stage.until(lambda: seen(stage, "A", "C").status == "unreachable", 10)
    stage.until(lambda: seen(stage, "A", "C").refused_by == ("A", "B"), 10)
    gone_ms = seen(stage, "A", "C").status_age_ms
    stage.until(lambda: seen(stage, "A", "C").status_age_ms >= gone_ms + 5_000, 6)
    assert seen(stage, "A", "A").status_age_ms > seen(stage, "A", "C").status_age_ms, "its own stays as it was"
    stage["C"].start()
    stage.until(lambda: seen(stage, "A", "C").status == "healthy", 20)
    assert seen(stage, "A", "C").status_age_ms < 1_000
    stage.until(lambda: seen(stage, "A", "C").refused_by == (), 5)


def test_a_cut_link_is_no_refusal() -> None:
    stage = Stage(3)
    stage.elect()
    stage.settle()
    stage.split("AB", "C")
    stage.until(lambda: seen(stage, "A", "C").status == "unreachable", 60)
    assert seen(stage, "A", "C").reasons == ("no_answer",)
    assert seen(stage, "A", "C").refused_by == ()
