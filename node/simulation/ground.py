"""What everything in one world shares: the plan, true time, chance, the network, the trace, and who listens."""

from collections import Counter
from collections.abc import Callable
from random import Random

from node.protocol.core import Core
from node.protocol.effects import Now
from node.protocol.records import Durable
from node.protocol.settings import Settings
from node.simulation.network import Network
from node.simulation.plan import Plan
from node.simulation.schedule import Schedule, Trace

Hear = Callable[[str, object], None]
"""Told who did something, and what: an `Observe`, an `Event` it shows, a client's `Outcome`, or words."""
MakeCore = Callable[[Settings, Durable, Random, Now, str], Core]


class Ground:
    """The ground of one world. `make_core` is the core under trial."""

    def __init__(self, plan: Plan, show: Callable[[str], None] | None = None, make_core: MakeCore = Core) -> None:
        self.plan = plan
        self.make_core = make_core
        self.schedule = Schedule()
        self.trace = Trace(show)
        self.counts: Counter[str] = Counter()
        self.hear: Hear | None = None
        self.steps = 0
        """How many inputs reached a core."""
        self.rng = self.random("world")
        self.network = Network(self.random("network"), plan.weather)

    def random(self, purpose: str) -> Random:
        """A generator of its own for one purpose, so that a change in one does not shift the draws of the others."""
        return Random(f"{self.plan.seed}/{purpose}")

    def count(self, what: str) -> None:
        """Count something that happened: what a campaign has reached."""
        self.counts[what] += 1

    def note(self, who: str, what: str) -> None:
        """A line in the trace."""
        self.trace.note(self.schedule.t, who, what)

    def happened(self, who: str, what: object) -> None:
        """Tell whoever listens."""
        if self.hear:
            self.hear(who, what)
