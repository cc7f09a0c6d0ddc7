"""What a planted bug is, and the hunt for it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from node.simulation.explore import run_plan
from node.simulation.network import CALM, Weather
from node.simulation.plan import Plan, draw_roomy

Plant = Callable[[pytest.MonkeyPatch], None]

STORM = Weather(delay_s=0.02, jitter_s=0.3, straggle=0.1, straggle_s=3.0)
"""Answers so late that several stand for election at once."""
LATE = Weather(delay_s=0.02, jitter_s=0.3)
"""Packets overtake one another, and none is lost."""
LOSSY = Weather(delay_s=0.005, jitter_s=0.05, loss=0.1, duplicate=0.1, straggle=0.1, straggle_s=2.0)
DOUBLED = Weather(delay_s=0.005, jitter_s=0.02, duplicate=0.3, straggle_s=20.0)
"""Second copies that come long after the first."""
CRASHES = ("crash", "crash_between_effects", "restart_all", "partition")
CUTS = ("partition", "isolate", "one_way", "crash")
MOST_SEEDS = 2_000
MISFITS = ("TypeError", "AttributeError", "NameError")
"""What is raised by a plant that does not fit the core any more: it finds itself, and nothing else."""
MANY = tuple(f"resource-{number}" for number in range(20))
"""What clients lock where many entries of the control log are wanted."""


@dataclass(frozen=True)
class Bug:
    """A small change of the real core that breaks `rule`; `plant` makes it, for as long as the patch lives."""

    name: str
    rule: str
    plant: Plant
    families: tuple[str, ...]
    weather: Weather = CALM
    nodes: int | None = 3
    plan: dict[str, Any] = field(default_factory=dict)
    """Fields of the plan that are not drawn."""
    rare: bool = False
    """Whether more than a few seeds are needed."""
    first: int = 0
    """The seed to begin with: those before it see nothing, or later."""


@dataclass(frozen=True)
class Found:
    """The first of the seeds tried, counted from 1, in which a checker saw the bug, and what it said."""

    seeds: int
    rule: str
    story: str


BUGS: list[Bug] = []


def bug(name: str, rule: str, /, *families: str, **given: Any) -> Callable[[Plant], Plant]:
    """Register a bug under its name."""

    def register(plant: Plant) -> Plant:
        known = {key: given.pop(key) for key in ("weather", "nodes", "rare", "first") if key in given}
        BUGS.append(Bug(name, rule, plant, families or CRASHES, plan=given, **known))
        return plant

    return register


def plan_of(planted: Bug, seed: int) -> Plan:
    """Seed number `seed` of the campaign against a bug: short, dense, and as the bug needs it."""
    drawn = draw_roomy(f"planted-{seed}", nodes=planted.nodes, families=planted.families)
    dense = replace(
        drawn, scale=0.2, duration_s=40.0, fault_every_s=1.0, think_s=0.3, clients=3, weather=planted.weather,
        exchange=planted.weather is CALM,
    )  # fmt: skip
    return replace(dense, **planted.plan)


def hunt(planted: Bug, seeds: int = MOST_SEEDS, first: int = 0) -> Found | None:
    """Run seeds until a checker sees the bug; None if it never does."""
    with pytest.MonkeyPatch.context() as patch:
        planted.plant(patch)
        for seed in range(first, first + seeds):
            violation = run_plan(plan_of(planted, seed)).violation
            if violation is not None:
                told = violation.story.splitlines()[-1]
                assert not told.startswith(MISFITS), f"{planted.name} is not planted right: {told}"
                return Found(seed - first + 1, violation.rule, told)
    return None
