"""The world: machines, a network, clients and faults, all drawn from one seed and moved by one queue.

Two phases. First faults and load, with the promises watched at every step. Then everything is healed, and within a
bounded time the cluster must have decided, converged and be of use again (`settle`).
"""

from collections import Counter
from collections.abc import Callable
from random import Random

from node.protocol.core import Core
from node.protocol.effects import Now
from node.protocol.records import Durable
from node.protocol.settings import Settings
from node.simulation.checkers import Checkers
from node.simulation.clocks import Clocks
from node.simulation.disk import Disk
from node.simulation.faults import put_configs_right
from node.simulation.histories import Histories
from node.simulation.holdings import Holdings
from node.simulation.nemesis import Nemesis
from node.simulation.network import Network
from node.simulation.plan import Plan
from node.simulation.process import Process
from node.simulation.schedule import Schedule, Trace
from node.simulation.sights import Sights
from node.simulation.workload import Workload

Hear = Callable[[str, object], None]
"""Told who did something, and what: an `Observe`, an `Event` it shows, a client's `Outcome`, or words."""
MakeCore = Callable[[Settings, Durable, Random, Now, str], Core]

CRASH_SEEN_S = 0.005
"""Within this time the peers of a crashed process see their connections refused."""


class World:
    """One run of a plan. `make_core` is the core under trial."""

    def __init__(self, plan: Plan, show: Callable[[str], None] | None = None, make_core: MakeCore = Core) -> None:
        self.plan = plan
        self.make_core = make_core
        self.schedule = Schedule()
        self.trace = Trace(show)
        self.counts: Counter[str] = Counter()
        self.hear: Hear | None = None
        self.steps = 0
        self.disks_lost = 0
        self.rng = self.random("world")
        self.network = Network(self.random("network"), plan.weather)
        self.processes = [Process(self, s, Disk(), self._clocks(), s.id) for s in plan.settings()]
        self.doubles: list[Process] = []
        self.hosts = {process.id: process for process in self.processes}
        self.holdings = Holdings(self)
        self.checkers = Checkers(self)
        self.sights = Sights(self)
        self.histories = Histories()
        self.workload = Workload(self)
        self.nemesis = Nemesis(self)

    def random(self, purpose: str) -> Random:
        """A generator of its own for one purpose, so that a change in one does not shift the draws of the others."""
        return Random(f"{self.plan.seed}/{purpose}")

    def _clocks(self) -> Clocks:
        plan, rng = self.plan, self.rng
        return Clocks(
            mono_origin_s=rng.uniform(1, 1e6),
            rate=rng.uniform(plan.slowest, plan.fastest),
            wall_offset_s=rng.uniform(-2, 2) if plan.families else 0.0,
        )

    def count(self, what: str) -> None:
        """Count something that happened: what a campaign has reached."""
        self.counts[what] += 1

    def happened(self, who: str, what: object) -> None:
        """Tell whoever listens."""
        if self.hear:
            self.hear(who, what)

    def join(self, settings: Settings) -> Process:
        """One more machine with an empty disk."""
        process = Process(self, settings, Disk(), self._clocks(), settings.id)
        self.processes.append(process)
        self.hosts[process.id] = process
        return process

    def part(self, process: Process) -> None:
        """A machine is switched off for good."""
        self.processes.remove(process)
        del self.hosts[process.id]

    def double_of(self, original: Process) -> Process:
        """A second process under the same id, on another machine."""
        double = Process(self, original.settings, Disk(), self._clocks(), f"{original.id}'{len(self.doubles) + 1}")
        self.doubles.append(double)
        return double

    def ended(self, process: Process) -> None:
        """A process has died: its peers' connections break, and new ones are refused."""
        if self.hosts[process.id] is not process:
            return
        for other in self.processes:
            reachable = self.network.open(process.id, other.id) and self.network.open(other.id, process.id)
            if other is not process and other.transport and reachable:
                seen_s = self.rng.random() * CRASH_SEEN_S
                self.schedule.after(seen_s, other.transport.evidence, process.id, True)

    def start(self) -> None:
        """Start the processes, within the spread the plan draws."""
        for process in self.processes:
            self.schedule.after(self.rng.random() * self.plan.start_spread_s, process.start)

    def disturb(self) -> None:
        """Load and faults, for as long as the plan says."""
        self.sights.start()
        self.workload.start()
        self.nemesis.start()
        self.run_for(self.plan.duration_s)

    def run_for(self, seconds: float) -> None:
        """Let so many true seconds pass."""
        self.schedule.run(self.schedule.t + seconds)

    def heal(self) -> None:
        """End all faults and all new load: every process runs, every link is calm, every disk and clock is right.

        Returns when the packets that were still on their way have arrived.
        """
        self.nemesis.close()
        self.workload.close()
        self.trace.note(self.schedule.t, "world", "heals")
        self.happened("world", "heals")
        self.network.heal()
        for double in self.doubles:
            double.stop("is killed")
        for process in self.processes:
            process.disk.mend()
            process.clocks.set_right(self.schedule.t)
            process.crash_in = None
            process.resume(1.0)
            if not process.up:
                process.start()
            process.rearm()
        put_configs_right(self.nemesis)
        self.nemesis.rollout.finish()
        self.run_for(self.plan.weather.straggle_s)
