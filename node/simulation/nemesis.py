"""The nemesis: which fault begins when, whom it may hit and how long it lasts. What each does: `faults`, `cuts`.

A fault belongs to a machine or to some links. One machine has at most one process fault at a time; cuts overlap freely.
"""

from collections.abc import Callable, Mapping
from math import exp, log

from node.simulation.process import Process
from node.simulation.rollout import Rollout
from node.simulation.world import World


class Nemesis:
    """The faults of one world, drawn one by one from the plan's families, each with its own end.

    `begins` says what begins a fault of a family.
    """

    def __init__(self, world: World, begins: "Mapping[str, Callable[[Nemesis], None]]") -> None:
        self.world = world
        self._begins = begins
        self.rng = world.ground.random("faults")
        self.busy: set[str] = set()
        """Processes that have a fault now."""
        self.quiet_until = 0.0
        """Nothing new breaks before."""
        self.rollout = Rollout(world, lambda: self.lasting(1, 20), self.busy)
        self._open = True

    def start(self) -> None:
        """Let the faults begin."""
        if self.world.plan.families:
            self._later()

    def close(self) -> None:
        """No new fault begins; those that run are ended by `Campaign.heal`."""
        self._open = False
        self.busy.clear()

    @property
    def quiet(self) -> bool:
        """Whether nothing may break now."""
        return self.world.schedule.t < self.quiet_until

    def _later(self) -> None:
        self.world.schedule.after(self.rng.expovariate(1 / self.world.plan.fault_every_s), self._next)

    def _next(self) -> None:
        if not self._open:
            return
        family = self.rng.choice(self.world.plan.families)
        if not self.quiet:
            self._begins[family](self)
        self._later()

    # What the faults are made with.

    def begin(self, family: str, what: str) -> None:
        """A fault begins: tell of it."""
        ground = self.world.ground
        ground.count(f"fault {family}")
        ground.note("fault", what)
        ground.happened("fault", what)

    def lasting(self, low_s: float, high_s: float) -> float:
        """How long a fault lasts: durations are at the seed's timings, and spread evenly over their magnitudes."""
        return self.world.plan.scale * exp(self.rng.uniform(log(low_s), log(high_s)))

    def until(self, seconds: float, end: Callable[[], None]) -> None:
        """Do `end` then, unless everything was healed meanwhile."""

        def ended() -> None:
            if self._open:
                end()

        self.world.schedule.after(seconds, ended)

    def victim(self) -> Process | None:
        """A process that runs and has no fault."""
        free = [p for p in self.world.processes if p.up and p.name not in self.busy]
        return self.rng.choice(free) if free else None

    def occupy(self, process: Process, seconds: float, end: Callable[[], None]) -> None:
        """A process has a fault for so long, which `end` ends."""

        def ended() -> None:
            self.busy.discard(process.name)
            end()

        self.busy.add(process.name)
        self.until(seconds, ended)
