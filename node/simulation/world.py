"""The world: machines, a network and clients, drawn from one seed and moved by one queue; and the promises, watched."""

from collections.abc import Callable

from node.protocol.core import Core
from node.protocol.effects import Emit, Observe, Wanted
from node.protocol.records import Record
from node.protocol.settings import Settings
from node.simulation.checkers import Checkers
from node.simulation.clients import Clients
from node.simulation.clocks import Clocks
from node.simulation.commits import Dependent
from node.simulation.disk import Disk
from node.simulation.ground import Ground, MakeCore
from node.simulation.histories import Histories
from node.simulation.holdings import Holdings
from node.simulation.plan import Plan
from node.simulation.process import Process
from node.simulation.sights import Sights

CRASH_SEEN_S = 0.005
"""Within this time the peers of a crashed process see their connections refused."""


class World:
    """The world of a plan, calm until something is done to it. `make_core` is the core under trial."""

    def __init__(self, plan: Plan, show: Callable[[str], None] | None = None, make_core: MakeCore = Core) -> None:
        self.ground = ground = Ground(plan, show, make_core)
        self.plan = plan
        self.schedule = ground.schedule
        self.network = ground.network
        self.processes: list[Process] = []
        self.doubles: list[Process] = []
        self.hosts: dict[str, Process] = {}
        self.holdings = Holdings(ground)
        self.checkers = Checkers(ground, self.processes, self.holdings)
        self.sights = Sights(ground, self.processes, self.hosts)
        self.histories = Histories()
        self.clients = Clients(ground, self.histories)
        for settings in plan.settings():
            self.join(settings)

    # Machines.

    def join(self, settings: Settings) -> Process:
        """One more machine with an empty disk."""
        process = self._machine(settings, settings.id)
        self.processes.append(process)
        self.hosts[process.id] = process
        return process

    def part(self, process: Process) -> None:
        """A machine is switched off for good."""
        self.processes.remove(process)
        del self.hosts[process.id]

    def double_of(self, original: Process) -> Process:
        """A second process under the same id, on another machine."""
        double = self._machine(original.settings, f"{original.id}'{len(self.doubles) + 1}")
        self.doubles.append(double)
        return double

    def _machine(self, settings: Settings, name: str) -> Process:
        plan, rng = self.plan, self.ground.rng
        clocks = Clocks(
            mono_origin_s=rng.uniform(1, 1e6),
            rate=rng.uniform(plan.slowest, plan.fastest),
            wall_offset_s=rng.uniform(-2, 2) if plan.families else 0.0,
        )
        return Process(self.ground, self, self.hosts, settings, Disk(), clocks, name)

    def start(self) -> None:
        """Start the processes, within the spread the plan draws."""
        for process in self.processes:
            self.schedule.after(self.ground.rng.random() * self.plan.start_spread_s, process.start)

    def run_for(self, seconds: float) -> None:
        """Let so many true seconds pass."""
        self.schedule.run(self.schedule.t + seconds)

    # What processes do, as their witness.

    def started(self, process: Process) -> None:
        """A process begins on what its disk holds."""
        self.checkers.started(process)
        self.sights.forgets(process)

    def ended(self, process: Process) -> None:
        """A process has died: its peers' connections break, and new ones are refused."""
        if self.hosts[process.id] is not process:
            return
        for other in self.processes:
            reachable = self.network.open(process.id, other.id) and self.network.open(other.id, process.id)
            if other is not process and other.transport and reachable:
                seen_s = self.ground.rng.random() * CRASH_SEEN_S
                self.schedule.after(seen_s, other.transport.evidence, process.id, True)

    def heard(self, process: Process, sender: str) -> None:
        """A process reads a delivery."""
        self.sights.heard(process, sender)

    def intended(self, process: Process, records: tuple[Record, ...]) -> None:
        """A core has decided to write this."""
        self.checkers.intended(process, records)

    def committed(self, process: Process, records: tuple[Record, ...]) -> None:
        """This is on a disk."""
        for record in records:
            self.histories.written(process.name, record)
        self.checkers.committed(process, records)

    def left(self, process: Process, effect: Dependent) -> None:
        """An effect leaves a process."""
        self.checkers.left(process, effect)

    def shows(self, process: Process, emit: Emit) -> None:
        """Events are shown to subscribers."""
        self.sights.shows(process, emit)

    def measured(self, process: Process, observed: Observe) -> None:
        """A process says how far its wall clock is off."""
        self.sights.measured(process, observed)

    def floor_reached(self, process: Process) -> None:
        """A process has put a floor in place."""
        self.sights.forgets(process)
        self.checkers.floor_reached(process)

    def used(self, process: Process, content: Wanted) -> None:
        """Content is to stand for its version."""
        self.checkers.used(process, content)
