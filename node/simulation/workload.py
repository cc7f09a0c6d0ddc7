"""Clients: they propose, publish and lock, lose answers, and try again on another node.

An outcome is an answer, or None when it is unknown (*maybe*): the connection broke or the client gave up waiting. A
maybe is tried again elsewhere with the same request id, event id or idempotency key, as the console does.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.protocol.events import SNAPSHOT_CREATED
from node.protocol.requests import (
    AcquireLock,
    Answer,
    ContentRef,
    LockGranted,
    LockReleased,
    Maybe,
    ProposalAnswer,
    Propose,
    Publish,
    Published,
    Refusal,
    ReleaseLock,
    RenewLock,
    Request,
)
from node.simulation.process import LOST_CONTENT, Process
from node.simulation.strangers import nonsense
from node.simulation.violation import Violation

if TYPE_CHECKING:
    from node.simulation.world import World

Wish = float | tuple[Process, Request, float]
"""What a script asks for: to sleep so many seconds, or to have a request answered within so many."""
Script = Generator[Wish, Answer | None, None]

OnOutcome = Callable[[Answer | None], None]

TRIES = 3
BURST, BURST_SHARE = 3, 0.2
"""Proposals that come in the same moment as another one, and how often that is so."""
CONTENT_EVERY, LOST_EVERY = 3, 21
"""Of so many requests one may be a snapshot that content comes with, or one whose content nobody has."""
REFUSED = Refusal("unreachable", "the node's host refuses connections")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request to `via`. `answer` None: the connection broke, or the client gave up waiting."""

    request: Request
    via: str
    answer: Answer | None
    took_s: float


class Workload:
    """The clients of a world. Everything they learn goes to the checkers."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = world.random("workload")
        self._plan = world.plan
        self._open = True
        self._minor = 0
        self._serial = 0
        self._running = 0

    def start(self) -> None:
        """Let the clients begin."""
        for number in range(self._plan.clients):
            self._world.schedule.after(self._rng.random() * self._plan.think_s, self._next, f"client-{number}")

    def close(self) -> None:
        """No client begins anything new."""
        self._open = False

    @property
    def idle(self) -> bool:
        """Whether all clients have ended what they had begun."""
        return self._running == 0

    def _next(self, client: str) -> None:
        if not self._open:
            return
        begin = self._rng.choices((self._propose, self._publish, self._lock, self._err), (50, 30, 40, 3))[0]

        def think() -> None:
            think_s = self._rng.expovariate(1.0) * self._plan.think_s
            self._world.schedule.after(think_s, self._next, client)

        self.perform(begin(client), think)

    def perform(self, script: Script, ended: Callable[[], None]) -> None:
        """Do what a script wishes; `ended` is called after its last wish."""
        self._running += 1
        self._advance(script, None, ended)

    def _advance(self, script: Script, value: Answer | None, ended: Callable[[], None]) -> None:
        try:
            wish = script.send(value)
        except StopIteration:
            self._running -= 1
            ended()
            return
        if isinstance(wish, float):
            self._world.schedule.after(wish, self._advance, script, None, ended)
        else:
            process, request, timeout_s = wish
            self.call(process, request, timeout_s, lambda answer: self._advance(script, answer, ended))

    def call(self, process: Process, request: Request, timeout_s: float, on_answer: OnOutcome) -> None:
        """Have a request answered; the outcome is None when it is unknown."""
        world = self._world
        world.histories.asked(request)
        if not process.up:
            world.histories.ended(request, REFUSED)
            world.happened("client", Outcome(request, process.name, REFUSED, 0.001))
            world.schedule.after(0.001, on_answer, REFUSED)
            return
        done = False
        asked = world.schedule.t

        def finish(answer: Answer | None) -> None:
            nonlocal done
            if not done:
                done = True
                world.histories.ended(request, answer)
                outcome = f"{type(request).__name__} {_outcome(answer)}"
                world.count(f"outcome {outcome}")
                world.trace.note(world.schedule.t, "client", f"{outcome} from {process.name}")
                world.happened("client", Outcome(request, process.name, answer, world.schedule.t - asked))
                on_answer(None if isinstance(answer, Maybe) else answer)

        def give_up() -> None:
            if not done:
                calls.cancel(number)
                finish(None)

        calls = process.calls
        number = calls.take(request, finish)
        world.schedule.after(timeout_s, give_up)

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
            for _ in range(BURST):
                self._propose_beside(process)
        for _ in range(TRIES):
            answer = yield process, request, self._plan.timing.proposal_timeout
            if isinstance(answer, ProposalAnswer):
                self._world.checkers.told(process, answer.proposal)
            if answer not in (None, REFUSED):
                return
            process = self._anyone()

    def _propose_beside(self, process: Process) -> None:
        """A proposal that comes in the same moment as another, so that they share a step and perhaps an event."""

        def answered(answer: Answer | None) -> None:
            self._running -= 1
            if isinstance(answer, ProposalAnswer):
                self._world.checkers.told(process, answer.proposal)

        self._running += 1
        self.call(process, self._draw_proposal(process), self._plan.timing.proposal_timeout, answered)

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


def _outcome(answer: Answer | None) -> str:
    match answer:
        case None | Maybe():
            return "maybe"
        case Refusal(reason):
            return reason
        case ProposalAnswer():
            return answer.proposal.state
        case _:
            return type(answer).__name__
