"""Elections and the control log explored at random: nodes die between two effects, links come and go, locks are taken.

Denser than a drawn campaign: faults that last about as long as an election takes, so that changes of leader meet.
"""

from collections import Counter
from dataclasses import replace

import pytest

from node.protocol.settings import Timing
from node.simulation.explore import run_plan
from node.simulation.network import Weather
from node.simulation.plan import draw

FAMILIES = ("crash", "crash_between_effects", "pause", "partition", "one_way", "flap", "slow_link", "restart_all")
STORM = Weather(delay_s=0.001, jitter_s=0.02, loss=0.02, duplicate=0.05, straggle=0.05, straggle_s=0.5)
QUICK = Timing(
    heartbeat_interval=0.2, heartbeat_timeout=0.6, election_interval=1.2, lock_ttl=1.2, lock_renew_interval=0.4,
    drift_interval=2.4, proposal_timeout=1.2,
)  # fmt: skip
"""The seed's timings, 25 times faster. The faults are 50 times shorter than at the seed's."""


def explored(seed: str, nodes: int, exchange: bool, duration_s: float = 30.0) -> Counter[str]:
    """What a storm of that seed reached. Fails when a promise was broken."""
    drawn = draw(seed, nodes=nodes, families=FAMILIES)
    plan = replace(
        drawn, scale=0.02, timings=QUICK, duration_s=duration_s, fault_every_s=0.5, think_s=0.1, clients=6,
        weather=STORM, exchange=exchange, fsync_s=0.001, slowest=1.0, fastest=1.05, start_spread_s=0.5,
    )  # fmt: skip
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
