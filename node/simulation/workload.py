"""What the clients of a drawn world do: they propose, publish and lock, lose answers, and try again on another node.

A maybe is tried again elsewhere with the same request id, event id or idempotency key, as the console does.
"""

from node.protocol.events import SNAPSHOT_CREATED
from node.protocol.requests import (
    AcquireLock,
    Answer,
    Answers,
    LockGranted,
    LockReleased,
    ProposalAnswer,
    Propose,
    ProposeMany,
    Publish,
    Published,
    Refusal,
    ReleaseLock,
    RenewLock,
    Request,
)
from node.protocol.shapes import ContentRef
from node.simulation.clients import REFUSED, Script
from node.simulation.process import LOST_CONTENT, Process
from node.simulation.strangers import nonsense
from node.simulation.violation import Violation
from node.simulation.world import World

TRIES = 3
BURST, BURST_SHARE = 3, 0.2
"""Proposals that come in the same moment as another one, and how often that is so."""
CONTENT_EVERY, LOST_EVERY = 3, 21
"""Of so many requests one may be a snapshot that content comes with, or one whose content nobody has."""


class Workload:
    """The load on a world. Everything its clients learn goes to the checkers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients = world.clients
        self._rng = world.ground.random("workload")
        self._plan = world.plan
        self._open = True
        self._minor = 0
        self._serial = 0

    def start(self) -> None:
        """Let the clients begin."""
        for number in range(self._plan.clients):
            self._world.schedule.after(self._rng.random() * self._plan.think_s, self._next, f"client-{number}")

    def close(self) -> None:
        """No client begins anything new."""
        self._open = False

    def _next(self, client: str) -> None:
        if not self._open:
            return
        begin = self._rng.choices((self._propose, self._publish, self._lock, self._err), (50, 30, 40, 3))[0]

        def think() -> None:
            think_s = self._rng.expovariate(1.0) * self._plan.think_s
            self._world.schedule.after(think_s, self._next, client)

        self._clients.perform(begin(client), think)

    def _anyone(self) -> Process:
        return self._rng.choice(self._world.processes)

    def _fresh(self, what: str) -> str:
        self._serial += 1
        return f"{what}-{self._serial}"

    def _draw_proposal(self, at: Process) -> Propose:
        draw, key = self._rng.random(), self._fresh("key")
        wait_s = self._rng.choice((0.0, self._plan.timing.proposal_timeout / 2))
        content = self._rng.choice("abcd")
        known = at.running.view_status(at.now).current_version if at.up else None
        if draw < 0.55 or self._minor == 0:
            self._minor += 1
        version = f"1.{self._minor}.0"
        if known and draw > 0.95:
            return Propose("rollback", f"1.{max(self._minor - 2, 1)}.0", content, known, None, key, wait_s)
        if known and draw > 0.8:
            self._minor += draw > 0.9
            return Propose("diff", f"1.{self._minor}.0", content, known, None, key, wait_s)
        carried = None
        if self._serial % CONTENT_EVERY == 0:
            lost = LOST_CONTENT if self._serial % LOST_EVERY == 0 else "content"
            carried = ContentRef(f"{lost}-{version}-{content}", 1, 1)
        return Propose("snapshot", version, content, None, None, key, wait_s, content=carried)

    def _propose(self, client: str) -> Script:
        process = self._anyone()
        request = self._draw_proposal(process)
        if self._rng.random() < BURST_SHARE:
            beside = [self._draw_proposal(process) for _ in range(BURST)]
            # Every other time in one call. To the protocol it is the same.
            requests: list[Request] = [ProposeMany(tuple(beside))] if self._serial % 2 else [*beside]
            for one in requests:
                self._clients.perform(self._propose_beside(process, one))
        for _ in range(TRIES):
            answer = yield process, request, self._plan.timing.proposal_timeout
            if isinstance(answer, ProposalAnswer):
                self._world.checkers.told(process, answer.proposal)
            if answer not in (None, REFUSED):
                return
            process = self._anyone()

    def _propose_beside(self, process: Process, request: Request) -> Script:
        """What comes in the same moment as another proposal, so that they share a step and perhaps an event."""
        answer = yield process, request, self._plan.timing.proposal_timeout
        for each in answer.answers if isinstance(answer, Answers) else (answer,):
            if isinstance(each, ProposalAnswer):
                self._world.checkers.told(process, each.proposal)

    def _publish(self, client: str) -> Script:
        request = Publish(SNAPSHOT_CREATED, {"by": client}, self._fresh("event"), self._rng.random() < 0.3)
        for _ in range(TRIES):
            process = self._anyone()
            answer = yield process, request, self._plan.timing.heartbeat_timeout
            if isinstance(answer, Published):
                self._world.checkers.published(answer, request.quorum)
            if answer not in (None, REFUSED):
                return

    def _err(self, client: str) -> Script:
        """What no node may take (promise 7)."""
        process, request = self._anyone(), nonsense(self._rng, self._fresh("nonsense"))
        answer = yield process, request, self._plan.timing.heartbeat_timeout
        if answer is not None and not isinstance(answer, Refusal):
            raise Violation("promise 7", process.name, f"does not refuse {request}: {answer}")

    def _lock(self, client: str) -> Script:
        rng, timing, told = self._rng, self._plan.timing, self._world.holdings
        machine = self._anyone()
        """The client runs beside this node and measures by its monotonic clock."""
        owner = self._fresh(client)
        resource, ttl_s = rng.choice(self._plan.resources), timing.lock_ttl * rng.choice((0.2, 1.0))
        wait_s = rng.choice((0.0, 0.0, timing.lock_ttl))
        acquire = AcquireLock(resource, owner, self._fresh("request"), ttl_s, wait_s)
        process = machine
        highest, sent = told.highest_token, self._mono(machine)
        answer: Answer | None = None
        for _ in range(TRIES):
            answer = yield process, acquire, wait_s + timing.heartbeat_timeout
            if answer not in (None, REFUSED):
                break
            process = self._anyone()
        if not isinstance(answer, LockGranted):
            return
        token = answer.lock.fencing_token
        told.granted(machine, acquire, answer.lock, highest, sent + ttl_s)
        while rng.random() < 0.6:
            yield ttl_s * rng.uniform(0.1, 0.6)
            sent = self._mono(machine)
            if sent >= told.until(resource, token):
                break
            answer = yield self._anyone(), RenewLock(resource, owner, token, ttl_s), ttl_s / 3
            if isinstance(answer, LockGranted):
                told.renewed(machine, answer.lock, sent + ttl_s)
            elif isinstance(answer, Refusal) and answer.reason in ("wrong_token", "not_held"):
                break
        if rng.random() < 0.2:
            return
        told.let_go(resource, token)
        for _ in range(TRIES):
            answer = yield self._anyone(), ReleaseLock(resource, owner, token), timing.heartbeat_timeout
            if isinstance(answer, LockReleased):
                told.released(token)
                return

    def _mono(self, machine: Process) -> float:
        return machine.clocks.mono(self._world.schedule.t)
