"""Run seeds, and say what came of each."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from node.protocol.core import Core
from node.simulation.campaign import Campaign
from node.simulation.ground import MakeCore
from node.simulation.plan import Plan, draw
from node.simulation.settle import prove_calm, prove_use, settle
from node.simulation.violation import Violation
from node.simulation.world import World

GC_THRESHOLD = (50_000, 20, 20)


@dataclass(frozen=True, slots=True)
class Report:
    """What one run showed. `violation` is None when every promise held."""

    plan: Plan
    digest: str
    """Hash of the whole trace: the same for the same seed, always."""
    events: int
    """Scheduled events run; `steps` counts those that reached a core."""
    steps: int
    virtual_s: float
    settled_s: float | None
    """How long it took to settle after healing."""
    terms: int
    violation: Violation | None
    counts: Counter[str]

    @property
    def ok(self) -> bool:
        """Whether every promise held."""
        return self.violation is None


def run_plan(plan: Plan, show: Callable[[str], None] | None = None, make_core: MakeCore = Core) -> Report:
    """Run one plan to its end, or to the first broken promise."""
    return run_world(World(plan, show, make_core))


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage seldom meanwhile, as a node does, and once at the end: a world is one great cycle."""
    usual = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.collect()


@seldom_collected()
def run_world(world: World) -> Report:
    """Run a world that has not begun to its end, or to the first broken promise."""
    campaign = Campaign(world)
    violation, settled_s = None, None
    try:
        world.start()
        campaign.disturb()
        campaign.heal()
        settled_s = settle(world)
        world.checkers.nothing_lost()
        prove_use(world)
        prove_calm(world)
        world.checkers.nothing_lost()
    except Violation as broken:
        violation = broken
    return Report(
        plan=world.plan,
        digest=world.ground.trace.digest(),
        events=world.schedule.done,
        steps=world.ground.steps,
        virtual_s=world.schedule.t,
        settled_s=settled_s,
        terms=len(world.checkers.leaders),
        violation=violation,
        counts=world.ground.counts,
    )


def run(
    seed: str,
    nodes: int | None = None,
    minutes: float = 10.0,
    families: tuple[str, ...] | None = None,
    show: Callable[[str], None] | None = None,
    make_core: MakeCore = Core,
) -> Report:
    """Run the plan that `seed` draws; what is given is not drawn."""
    return run_plan(draw(seed, nodes, minutes, families), show, make_core)
