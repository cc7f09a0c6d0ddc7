"""The campaign takes the rare turns of the protocol (see `node.simulation.marks`)."""

from collections import Counter
from dataclasses import replace

import pytest

from node.simulation.explore import run, run_plan
from node.simulation.marks import MARKS
from node.simulation.plan import draw

RARE = {"observed LEADER_HANDOVER_FAILED"}
"""Reached by the nightly campaign only."""


def conflicts(seeds: range) -> Counter[str]:
    """Both halves of four accept, and clocks jump."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        drawn = draw(str(seed), nodes=4, families=("partition", "slow_link", "flap", "wall_step"))
        plan = replace(drawn, rule="half", scale=0.2, duration_s=30.0, think_s=0.1, clients=6, fault_every_s=3.0)
        counts += run_plan(plan).counts
    return counts


def losses(seeds: range, *families: str) -> Counter[str]:
    """Four nodes under these faults."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        counts += run(str(seed), nodes=4, minutes=3.0, families=families).counts
    return counts


def test_a_slice_of_the_campaign_takes_the_rare_turns() -> None:
    reached = losses(range(500, 508), "partition", "crash", "members", "flap")
    reached += losses(range(520, 526), "wipe", "roll_back", "pause", "one_way", "crash_between_effects")
    reached += conflicts(range(610, 618))
    assert [mark for mark in MARKS if not reached[mark] and mark not in RARE] == []


@pytest.mark.slow
def test_the_campaign_takes_them_all() -> None:
    reached = losses(range(700, 760), "partition", "crash", "members", "flap", "wall_step")
    reached += losses(range(760, 820), "wipe", "roll_back", "pause", "one_way", "crash_between_effects")
    reached += conflicts(range(600, 660))
    assert [mark for mark in MARKS if not reached[mark]] == []
