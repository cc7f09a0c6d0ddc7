"""A stage for scenarios: a calm world in which a test breaks things by hand and waits for what must follow."""

from collections.abc import Callable, Sequence
from typing import Any

from node.protocol.requests import AcquireLock, Answer, LockGranted, ProposalAnswer, Propose, Request
from node.protocol.shapes import LockView, ProposalView, StatusView
from node.simulation.plan import Plan
from node.simulation.process import Process
from node.simulation.settle import ask, settle
from node.simulation.world import World


class Stage:
    """A world without drawn faults or load. Instances are A, B, C and so on."""

    def __init__(self, nodes: int, **plan: Any) -> None:
        self.world = World(Plan(seed="stage", nodes=nodes, **plan))
        self.world.start()

    def __getitem__(self, name: str) -> Process:
        return self.world.hosts[name]

    @property
    def t(self) -> float:
        """True seconds since the world began."""
        return self.world.schedule.t

    def status(self, name: str) -> StatusView:
        """What instance `name` shows of itself."""
        return self[name].running.view_status(self[name].now)

    def leader_of(self, names: Sequence[str]) -> str | None:
        """The leader that all of `names` agree on and that serves."""
        known = {self.status(name).leader.id for name in names}
        leader = known.pop() if len(known) == 1 else None
        return leader if leader and self.status(leader).leader.lease_remaining_ms else None

    def until(self, met: Callable[[], object], within_s: float) -> float:
        """Let time pass until `met`; gives the seconds it took, fails past `within_s`."""
        began = self.t
        while self.t - began < within_s:
            self.world.run_for(0.05)
            if met():
                return self.t - began
        raise AssertionError(f"not met within {within_s} s")

    def elect(self, names: Sequence[str] = ()) -> str:
        """Wait for a serving leader of `names` (all instances if none are given)."""
        names = names or tuple(self.world.hosts)
        self.until(lambda: self.leader_of(names), 60)
        leader = self.leader_of(names)
        assert leader
        return leader

    def settle(self) -> None:
        """Wait until the cluster is at rest."""
        settle(self.world)

    def ask(self, name: str, request: Request) -> Answer | None:
        """Call instance `name` and wait for its answer."""
        return ask(self.world, self[name], request)

    def lock(self, name: str, resource: str, owner: str = "owner", ttl_s: float = 30.0) -> LockView:
        """Take a lock through `name`."""
        answer = self.ask(name, AcquireLock(resource, owner, f"{resource}/{owner}", ttl_s))
        assert isinstance(answer, LockGranted), answer
        return answer.lock

    def propose(self, name: str, version: str, content: str, wait_s: float = 10.0) -> ProposalView:
        """Put a snapshot to the vote through `name`."""
        answer = self.ask(name, Propose("snapshot", version, content, wait_s=wait_s))
        assert isinstance(answer, ProposalAnswer), answer
        return answer.proposal

    def kill(self, *names: str) -> None:
        """Kill processes; their disks stay."""
        for name in names:
            self[name].stop("is killed")

    def split(self, *sides: str) -> None:
        """Cut the network between sides, each given as a string of ids."""
        side = {name: number for number, names in enumerate(sides) for name in names}
        self.world.network.cut((a, b) for a in side for b in side if side[a] != side[b])

    def heal(self) -> None:
        """End all cuts."""
        self.world.network.heal()
