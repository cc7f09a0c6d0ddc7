"""An engine without a core: it shows prepared views and gives prepared answers, and writes down what it was asked."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from node.observability.metrics import Metrics
from node.observability.traces import TraceRing
from node.protocol.effects import Input, Now
from node.protocol.events import Event, VersionVector
from node.protocol.messages import Envelope
from node.protocol.requests import (
    Accepted,
    AcquireLock,
    Answer,
    Answers,
    Elect,
    GoOnWithout,
    Ingest,
    Leave,
    LockGranted,
    LockReleased,
    Prediction,
    ProposalAnswer,
    Propose,
    ProposeMany,
    Publish,
    Published,
    ReleaseLock,
    RenewLock,
    Request,
    ResolveConflict,
    StepDown,
)
from node.protocol.settings import Member, Settings
from node.protocol.shapes import (
    CandidateView,
    ConflictView,
    DriftView,
    InstanceView,
    LeaderView,
    LockView,
    ProposalView,
    QuorumView,
    StatusView,
    VoteView,
)
from node.runtime.awaited import Awaited
from node.runtime.bus import Bus

AnswerT = TypeVar("AnswerT")
SETTINGS = Settings(
    id="instance-A",
    cluster="catalogue",
    members=(
        Member("instance-A", "http://127.0.0.1:3000/api/v1"),
        Member("instance-B", "http://127.0.0.1:3001/api/v1"),
        Member("instance-L", "http://127.0.0.1:3002/api/v1", "1.6"),
    ),
)
QUORUM = QuorumView(total=3, healthy=2, required=2, sufficient=True)
LOCK = LockView("build/lock", "ci", "instance-A", 7, 30_000, 29_000, 0)
LEADER = LeaderView("instance-B", 4, 1_700_000_000_000, 0, (CandidateView("instance-B", 9_000, "healthy"),), 15_000)
INSTANCE = InstanceView(
    "instance-B",
    SETTINGS.members[1].url,
    "healthy",
    (),
    9_000,
    40,
    0.4,
    -0.2,
    "1.2.0",
    "2",
    {"instance-A": "healthy"},
    9_000,
    (),
)
DRIFT = DriftView("instance-A", "instance-B", 0.2, 0.1, 1.5, 900, None, 1_000.0, {"instance-B": None}, ())
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def proposal(request: Propose) -> ProposalView:
    """What the request would look like accepted."""
    label = f"{request.kind}-" + "-".join(part for part in (request.base, request.version) if part)
    version = request.version if request.kind == "snapshot" else None
    return ProposalView(
        key="e-1",
        id=f"{label}-1234567890",
        kind=request.kind,
        hash=request.hash,
        proposer="instance-A",
        state="accepted",
        created_at=1_234_567_890,
        deadline=1_234_597_890,
        required=2,
        voters=("instance-A", "instance-B"),
        votes={"instance-A": VoteView("accept", None, 1_234_567_891, 0)},
        quorum=QUORUM,
        trace_id=request.trace,
        version=version,
        from_=request.base,
        to=None if version else request.version,
    )


PROPOSAL = proposal(Propose("snapshot", "1.2.0", "abc123", trace=TRACE))


def event(seq: int, type: str = "SNAPSHOT_CREATED", journal: str = "j-A", origin: str = "instance-A") -> Event:
    """An event of the log."""
    return Event(f"e-{journal}-{seq}", origin, journal, seq, type, 1_700_000_000_000 + seq, seq, TRACE, {"seq": seq})


class StandInCore:
    """Prepared views."""

    def __init__(self) -> None:
        self.counters: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {
            ("distributed_votes_total", (("type", "accept"),)): 3
        }

    def view_quorum(self, now: Now) -> QuorumView:
        return QUORUM

    def view_status(self, now: Now) -> StatusView:
        return StatusView(
            id=SETTINGS.id,
            cluster=SETTINGS.cluster,
            status="healthy",
            reasons=(),
            verdict="safe",
            suspect=None,
            alarms=(),
            warnings=(),
            uptime_ms=10,
            boot_id="b",
            journal_id="j-A",
            config_digest=SETTINGS.digest,
            protocol="2",
            rule="half",
            strategy="last-write-wins",
            quorum=QUORUM,
            leader=LEADER,
            instances=(INSTANCE,),
            current_version="1.2.0",
            current_hash="abc123",
            open_proposals=0,
            open_conflicts=0,
            locks=1,
            events=2,
            floor_events=0,
            state_digest="d",
            at=int(now.wall_ms),
        )

    def view_instances(self, now: Now) -> tuple[InstanceView, ...]:
        return (INSTANCE,)

    def view_leader(self, now: Now) -> LeaderView:
        return LEADER

    def view_locks(self, now: Now) -> tuple[LockView, ...]:
        return (LOCK,)

    def view_drift(self, now: Now) -> DriftView:
        return DRIFT

    def view_proposals(self, now: Now, limit: int) -> tuple[ProposalView, ...]:
        return (PROPOSAL,) * min(limit, 2)

    def view_proposal(self, now: Now, id_or_key: str) -> tuple[ProposalView, ...]:
        return (PROPOSAL,) if id_or_key in (PROPOSAL.id, PROPOSAL.key) else ()

    def view_conflicts(self, now: Now) -> tuple[ConflictView, ...]:
        return (ConflictView("version 1.2.0", (PROPOSAL, PROPOSAL), "e-1", "last-write-wins", "latest", False),)


class StandInJournal:
    """Events in memory."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    @property
    def vector(self) -> VersionVector:
        heads: VersionVector = {}
        for one in self.events:
            heads[one.journal] = max(one.seq, heads.get(one.journal, 0))
        return heads

    def list(
        self,
        *,
        since: VersionVector | None = None,
        types: Collection[str] = (),
        origin: str | None = None,
        trace: str | None = None,
        limit: int,
        newest: bool = False,
    ) -> list[Event]:
        found = [
            one
            for one in self.events
            if one.seq > (since or {}).get(one.journal, 0)
            and (not types or one.type in types)
            and (origin is None or one.origin == origin)
            and (trace is None or one.trace == trace)
        ]
        return found[-limit:] if newest else found[:limit]


def usual(request: Request) -> Answer:
    """What a healthy cluster answers."""
    match request:
        case Propose(dry_run=True):
            return Prediction(QUORUM, True, {"quorum": "ok"}, {"instance-B": "unknown"})
        case Propose():
            view = proposal(request)
            return ProposalAnswer(view.id, QUORUM, view)
        case ProposeMany(asks):
            views = [proposal(ask) for ask in asks]
            return Answers(tuple(ProposalAnswer(view.id, QUORUM, view) for view in views))
        case Publish():
            return Published(request.id or "e-9", "j-A", 9)
        case AcquireLock() | RenewLock():
            return LockGranted(LOCK)
        case ReleaseLock():
            return LockReleased(request.resource, request.token, False)
        case StepDown() | Elect() | Leave() | ResolveConflict() | Ingest() | GoOnWithout():
            return Accepted("done")


class StandIn:
    """The engine."""

    def __init__(self, answer: Callable[[Request], Answer] = usual) -> None:
        self.settings = SETTINGS
        self.core = StandInCore()
        self.traces = TraceRing()
        self.metrics = Metrics()
        self.journal = StandInJournal(
            [event(1), event(2, "DIFF_CREATED"), event(1, journal="j-B", origin="instance-B")]
        )
        self.bus = Bus(self._page, self.journal.vector)
        self.asked: list[Request] = []
        self.stepped: list[Input] = []
        self.delivered: list[Envelope] = []
        self.replies: list[Envelope | None] = []
        self.asked_now = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.never = False
        self._answer = answer

    def now(self) -> Now:
        return Now(time.monotonic(), time.time() * 1000)

    async def call(self, request: Request, timeout_s: float) -> Answer:
        return await self.put(request, timeout_s, lambda answer: answer)

    def put(self, request: Request, timeout_s: float, answered: Callable[[Answer], AnswerT]) -> Awaited[AnswerT]:
        self.asked.append(request)
        self.asked_now.set()
        result = Awaited[AnswerT](self.cancelled.set)
        if not self.never:
            loop = asyncio.get_running_loop()
            loop.call_soon(result.set, answered(self._answer(request)))
        return result

    def deliver(self, envelope: Envelope, answered: Callable[[Envelope | None], AnswerT]) -> Awaited[AnswerT]:
        self.delivered.append(envelope)
        answer = Awaited[AnswerT](self.cancelled.set)
        if not self.never:
            loop = asyncio.get_running_loop()
            loop.call_soon(answer.set, answered(self.replies.pop(0) if self.replies else None))
        return answer

    def step(self, input: Input) -> None:
        self.stepped.append(input)

    async def _page(self, since: VersionVector, limit: int) -> list[Event]:
        return self.journal.list(since=since, limit=limit)

    def publish(self, one: Event) -> None:
        """A new event is on the disk."""
        self.journal.events.append(one)
        self.bus.publish((one,))


def engine_of(stand_in: StandIn) -> Any:
    """The stand-in where an `Engine` is expected."""
    return stand_in
