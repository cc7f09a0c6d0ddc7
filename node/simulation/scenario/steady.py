"""A small steady load, so that a rehearsal shows what clients feel: one keeps a lock, one proposes new versions.

Both ask the next node when one refuses or does not answer, with the same request, as the commands of the console do.
"""

from collections.abc import Generator
from itertools import cycle

from node.protocol.requests import (
    AcquireLock,
    Answer,
    LockGranted,
    ProposalAnswer,
    Propose,
    Refusal,
    RenewLock,
    Request,
)
from node.simulation.clients import REFUSED, Script, Wish
from node.simulation.scenario.chronicle import UNTOLD, Chronicle
from node.simulation.scenario.outcomes import tell_answer, tell_request, went_well
from node.simulation.world import World

RESOURCE = "catalogue"
OWNER = "build"
CONTENT = "steady"
Asking = Generator[Wish, Answer | None, Answer | None]

SLOW_S = 1.0
"""What takes longer than this has suffered."""


class Steady:
    """The clients. `done` counts what they got, `suffered` tells what came late, not at once or not at all."""

    def __init__(self, world: World, chronicle: Chronicle) -> None:
        self._world = world
        self._chronicle = chronicle
        self._timing = world.plan.timing
        self._patience_s = self._timing.heartbeat_interval
        self._open = True
        self._version = (0, 0, 0)
        self.done = 0
        self.suffered: list[str] = []

    def start(self) -> None:
        """Let them begin."""
        for script in (self._keep_a_lock(), self._propose()):
            self._world.clients.perform(script, lambda: None)

    def close(self) -> None:
        """They begin nothing new."""
        self._open = False

    def _suffer(self, what: str) -> None:
        self.suffered.append(what)
        self._chronicle.note("client", what)

    def _ask(self, request: Request, within_s: float) -> Asking:
        """Ask one node after the other, until it went well or time is up. Returns the last answer."""
        world, began_s, tries, told = self._world, self._world.schedule.t, 0, False
        answer: Answer | None = None
        for process in cycle(world.processes):
            if tries and tries % len(world.processes) == 0:
                yield self._patience_s / 5
            left_s = began_s + within_s - world.schedule.t
            if left_s <= 0:
                break
            tries += 1
            answer = yield process, request, min(left_s, self._patience_s)
            if went_well(answer) or _rejected(answer):
                break
            if isinstance(answer, Refusal) and answer != REFUSED and not told:
                told = True
                self._chronicle.note("client", f"{tell_request(request)} via {process.id}: {tell_answer(answer)}")
        took_s = world.schedule.t - began_s
        cost = f"{took_s:.1f} s and {tries} {'try' if tries == 1 else 'tries'}"
        if not went_well(answer):
            self._suffer(f"{tell_request(request)} failed after {cost}, in the end {tell_answer(answer)}")
            return answer
        self.done += 1
        if took_s > SLOW_S:
            self._suffer(f"{tell_request(request)} took {cost}")
        return answer

    def _propose(self) -> Script:
        wait_s, timeout_s = self._patience_s / 2, self._timing.proposal_timeout
        while self._open:
            version = self._next_version()
            request = Propose("snapshot", version, CONTENT, None, None, version, wait_s, trace=UNTOLD)
            yield from self._ask(request, timeout_s)
            yield self._timing.heartbeat_interval / 2

    def _next_version(self) -> str:
        for process in self._world.processes:
            current = process.running.view_status(process.now).current_version if process.up else None
            numbers = tuple(int(part) for part in (current or "").split(".") if part.isdecimal())
            if len(numbers) == len(self._version):
                self._version = max(self._version, (numbers[0], numbers[1], numbers[2]))
        major, minor, patch = self._version
        self._version = (major, minor, patch + 1)
        return f"{major}.{minor}.{patch + 1}"

    def _keep_a_lock(self) -> Script:
        timing, schedule, times = self._timing, self._world.schedule, 0
        while self._open:
            times += 1
            acquire = AcquireLock(RESOURCE, OWNER, f"{OWNER}-{times}", timing.lock_ttl, trace=UNTOLD)
            asked_s = schedule.t
            answer = yield from self._ask(acquire, timing.lock_ttl)
            if not isinstance(answer, LockGranted):
                continue
            until_s, token = asked_s + timing.lock_ttl, answer.lock.fencing_token
            renew = RenewLock(RESOURCE, OWNER, token, trace=UNTOLD)
            while self._open:
                yield min(timing.lock_renew_interval, max(0.0, until_s - schedule.t))
                asked_s = schedule.t
                answer = yield from self._ask(renew, until_s - asked_s)
                if not isinstance(answer, LockGranted):
                    self._suffer(f"lock {RESOURCE} #{token} is lost to its holder")
                    break
                until_s = asked_s + timing.lock_ttl


def _rejected(answer: Answer | None) -> bool:
    return isinstance(answer, ProposalAnswer) and answer.proposal.state == "rejected"
