"""Elections and the control log explored at random, in storms."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from node.simulation.explore import run_plan
from node.simulation.plan import draw_roomy
from tests.simulation import storm
from tests.simulation.stage import Stage


def explored(seed: str, nodes: int, exchange: bool, **given: Any) -> Counter[str]:
    """What a storm of that seed reached. Fails when a promise was broken."""
    drawn = draw_roomy(seed, nodes=nodes, families=storm.FAMILIES)
    dense: dict[str, Any] = {"weather": storm.WEATHER, "exchange": exchange, "fsync_s": 0.001} | storm.PLAN
    plan = replace(drawn, **(dense | given))
    report = run_plan(plan)
    assert report.ok, f"{plan}\n{report.violation}"
    return report.counts + Counter({"terms": report.terms})


@pytest.mark.parametrize("exchange", [True, False])
def test_leaders_and_locks_in_a_storm(exchange: bool) -> None:
    """Promises 1-3, E1-E7, L1: and it was a storm, in which locks were granted all the same."""
    counts: Counter[str] = Counter()
    for number in range(3):
        counts += explored(f"elections-{number}", 3 + number, exchange, duration_s=12.0)
    assert counts["terms"] > 10
    assert counts["observed LEADER_RESIGNED"] > 2
    assert counts["outcome AcquireLock LockGranted"] > 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 300, 10))
def test_many_storms(first: int) -> None:
    """The same, two hundred times."""
    for number in range(first, first + 10):
        explored(f"elections-{number}", 3 + number % 3, number % 2 == 0)


def test_a_leader_is_not_elected_anew_when_a_member_finds_it_again() -> None:
    stage = Stage(3)
    leader = stage.elect()
    other = next(name for name in "ABC" if name != leader)
    began = stage.status(other).leader.elected_at
    stage.split(other, "".join(name for name in "ABC" if name != other))
    stage.until(lambda: stage.status(other).leader.id is None, 60)
    assert stage.status(other).leader.elected_at is None
    stage.heal()
    stage.until(lambda: stage.status(other).leader.id == leader, 60)
    assert stage.status(other).leader.elected_at == began
