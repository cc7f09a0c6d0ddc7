"""What clients were told, held against what was done: what was refused each time it was asked for never happens.

A request is known by the id that its client gave it, on whichever nodes it was tried. An outcome is done, refused or
*maybe*; only a request of which every try was refused is called failed.
"""

from collections import Counter
from collections.abc import Iterable

from node.protocol.events import DIFF_PROPOSAL, ROLLBACK_PROPOSAL, SNAPSHOT_PROPOSAL
from node.protocol.records import Appended, ControlAppended, ControlReplaced, Grant, LockRecord, Record
from node.protocol.requests import AcquireLock, Answer, Answers, Propose, ProposeMany, Publish, Refusal, Request
from node.simulation.violation import Violation

_PROPOSALS = (SNAPSHOT_PROPOSAL, DIFF_PROPOSAL, ROLLBACK_PROPOSAL)


class Histories:
    """The clients of one world. Raises `Violation` when one was told of a failure, and what it asked for happened."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        """Tries that have not ended yet."""
        self._perhaps: set[str] = set()
        """Requests of which one try at least was done, or may have been."""
        self._failed: dict[str, Refusal] = {}
        self._done: dict[str, str] = {}
        """Request -> where it was seen to be done."""
        self._stamp = 0
        """The highest under which a control log was written."""

    def asked(self, request: Request) -> None:
        """A try begins."""
        if isinstance(request, ProposeMany):
            for ask in request.asks:
                self.asked(ask)
            return
        known_as = _id_of(request)
        if known_as is not None:
            self._open[known_as] += 1
            self._failed.pop(known_as, None)

    def ended(self, request: Request, answer: Answer | None) -> None:
        """A try has ended; None and `Maybe` say that its outcome is unknown."""
        if isinstance(request, ProposeMany):
            # What is said to the whole call is said to each.
            answers = answer.answers if isinstance(answer, Answers) else [answer] * len(request.asks)
            for ask, each in zip(request.asks, answers, strict=True):
                self.ended(ask, each)
            return
        known_as = _id_of(request)
        if known_as is None:
            return
        self._open[known_as] -= 1
        if not isinstance(answer, Refusal):
            self._perhaps.add(known_as)
        elif not self._open[known_as] and known_as not in self._perhaps:
            self._failed[known_as] = answer
            if not isinstance(request, AcquireLock):  # It may have been granted, and have expired unacknowledged.
                self._compare(known_as)

    def written(self, where: str, record: Record) -> None:
        """A record is durable at `where`: perhaps it is what a client wanted."""
        match record:
            case Appended(event) if event.type in _PROPOSALS:
                for body in event.payload.get("proposals", [event.payload]):
                    if key := body.get("idempotencyKey"):
                        self._happened(key, where)
            case Appended(event):
                self._happened(event.id, where)
            case ControlAppended(stamp, _, Grant(lock)):
                self._granted([lock], stamp, where)
            case ControlReplaced(stamp, _, state):
                self._granted(state.locks.values(), stamp, where)

    def _granted(self, locks: Iterable[LockRecord], stamp: int, where: str) -> None:
        """Under a lower stamp a leader wrote that does not know that it is replaced: nobody confirms it (L1)."""
        if stamp >= self._stamp:
            self._stamp = stamp
            for lock in locks:
                self._happened(lock.request_id, where)

    def _happened(self, known_as: str, where: str) -> None:
        if known_as not in self._done:
            self._done[known_as] = where
            self._compare(known_as)

    def _compare(self, known_as: str) -> None:
        if known_as in self._failed and known_as in self._done:
            told = self._failed[known_as]
            raise Violation("client", self._done[known_as], f"did {known_as}, which was refused: {told.reason}")


def _id_of(request: Request) -> str | None:
    match request:
        case Propose(idempotency_key=key):
            return key
        case Publish(id=event_id):
            return event_id
        case AcquireLock(request_id=request_id):
            return request_id
        case _:
            return None
