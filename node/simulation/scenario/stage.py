"""The world a script plays in: calm, until a command breaks something."""

from collections.abc import Callable, Sequence

from node.protocol.core import Core
from node.protocol.requests import Answer, Request
from node.protocol.shapes import StatusView
from node.simulation.clients import REFUSED
from node.simulation.ground import MakeCore
from node.simulation.process import Process
from node.simulation.scenario.chronicle import Chronicle
from node.simulation.scenario.language import Unfit
from node.simulation.scenario.setup import Setup
from node.simulation.scenario.steady import Steady
from node.simulation.world import World

LOOK_S = 0.05
"""How often a condition is looked at."""
WITHIN_S = 120.0
"""How long a condition is waited for, and an answer."""


class Unmet(Exception):
    """What a script expects does not hold."""


class Stage:
    """A world without drawn faults or load, and what its commands have to remember."""

    def __init__(self, setup: Setup, make_core: MakeCore = Core) -> None:
        self.world = World(setup.plan(), make_core=make_core)
        self.chronicle = Chronicle(self.world)
        self.backups: dict[str, int] = {}
        self.serial = 0
        self.steady: Steady | None = None

    @property
    def t_s(self) -> float:
        """True seconds since the world began."""
        return self.world.schedule.t

    def start(self) -> None:
        """Start everything that is there."""
        self.world.start()
        self.world.run_for(0.0)

    def node(self, name: str) -> Process:
        """The process under an id. Raises `Unfit`."""
        if name not in self.world.hosts:
            raise Unfit(f"no instance {name!r}", "one of " + ", ".join(self.world.hosts))
        return self.world.hosts[name]

    def running(self, name: str) -> Process:
        """The same, and it runs. Raises `Unfit`."""
        process = self.node(name)
        if not process.up:
            raise Unfit(f"{name} does not run", f"`start {name}` before this")
        return process

    def status(self, name: str) -> StatusView:
        """What an instance shows of itself."""
        process = self.running(name)
        return process.running.view_status(process.now)

    def chosen(self, nodes: Sequence[str] | None) -> list[str]:
        """The nodes named, or all that run."""
        if nodes:
            return [self.running(name).id for name in nodes]
        return [process.id for process in self.world.processes if process.up]

    def unladen(self, command: str) -> None:
        """Raise `Unfit` when the steady load is on: its lock is held, so that nothing comes to rest."""
        if self.steady is not None:
            raise Unfit(f"{command!r} under the steady load, which never rests", "`wait` or `until`")

    # Time.

    def until(self, missing: Callable[[], str], within_s: float = WITHIN_S) -> float:
        """Let time pass until nothing is missing; gives the seconds it took. Raises `Unmet` past `within_s`."""
        began = self.t_s
        while self.t_s - began < within_s:
            self.world.run_for(LOOK_S)
            if not missing():
                return self.t_s - began
        raise Unmet(f"{missing()}, {within_s:g} s later")

    # Links.

    def cut(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Cut one-way links."""
        self.world.network.cut(self.links(pairs))

    def links(self, pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """The links between these. Raises `Unfit`."""
        for a, b in pairs:
            self.node(a)
            if self.node(b) is self.node(a):
                raise Unfit(f"{a} is at both ends", "two instances")
        return pairs

    def heal(self) -> None:
        """End every fault: links, disks, clocks, pauses; what was killed starts again."""
        world = self.world
        world.network.heal()
        for process in world.processes:
            process.disk.mend()
            process.crash_in = None
            process.clocks.set_right(world.schedule.t)
            process.resume(1.0)
            if not process.up:
                process.start()
            process.rearm()

    # Disks.

    def lose_disk(self, name: str, writes: int) -> None:
        """Kill a process and put its disk back to what it was after so many writes."""
        process = self.node(name)
        process.stop("is killed")
        before = dict(process.disk.vector)
        process.disk.roll_back(writes)
        self.world.checkers.disks_lost += 1
        self.world.checkers.disk_lost(process, before)

    # Clients.

    def fresh(self, what: str) -> str:
        """An id that was not used before."""
        self.serial += 1
        return f"{what}-{self.serial}"

    def begin(self, request: Request, nodes: Sequence[str], patience_s: float) -> Callable[[], bool]:
        """Ask the first of `nodes`, and the next while the outcome is unknown. Gives whether there is an end yet."""
        ended: list[Answer | None] = []
        rest = [self.node(name) for name in nodes]

        def ask() -> None:
            self.world.clients.call(rest.pop(0), request, patience_s, answered)

        def answered(answer: Answer | None) -> None:
            if rest and answer in (None, REFUSED):
                ask()
            else:
                ended.append(answer)

        ask()
        return lambda: bool(ended)
