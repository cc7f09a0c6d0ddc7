"""The parts of one node's protocol, composed: they know one another only as they must, and are wired here."""

from collections import deque

from node.protocol.compaction import Compaction
from node.protocol.contents import Contents
from node.protocol.context import Context, Rng
from node.protocol.control import Control
from node.protocol.departure import Departure
from node.protocol.effects import Now
from node.protocol.election import Election
from node.protocol.events import LEADER_CHANGED, LEADER_ELECTED, HybridClock, VersionVector
from node.protocol.lock_calls import LockCalls
from node.protocol.locks import LockService
from node.protocol.membership import Membership
from node.protocol.messages import Envelope, Mark, Message
from node.protocol.peer import Peer, Told
from node.protocol.promptness import Promptness
from node.protocol.proposals import Proposals
from node.protocol.publishing import Publishing
from node.protocol.reconfiguration import Reconfiguration, check_step
from node.protocol.records import FORMAT, Durable, Floor, FloorReached, Identity
from node.protocol.recovery import Recovery, new_journal_id
from node.protocol.replication import Replication
from node.protocol.settings import Settings
from node.protocol.state import Fold
from node.protocol.timesync import TimeSync
from node.protocol.voting import Verify


class Parts:
    """Everything one node's protocol consists of.

    Raises `reconfiguration.MembersRefused` at start when the member list is too far from the last one (M3).
    """

    def __init__(
        self, settings: Settings, durable: Durable, rng: Rng, now: Now, boot: str, verify: Verify | None = None,
        *, force_members: bool = False, new_cluster: bool = False,
    ) -> None:  # fmt: skip
        check_step(durable.configured, settings, force=force_members)
        self.settings = settings
        self.boot = boot
        self.ctx = ctx = Context(settings, rng)
        ctx.mono, ctx.wall_ms = now.mono, now.wall_ms
        self.clock = HybridClock(settings.limits.max_clock_lead_ms)
        identity = durable.identity
        if identity is None:
            alone = all(not m.votes for m in settings.peers)
            identity = Identity(new_journal_id(rng.random(), rng.random()), new_cluster or alone)
        identity = Identity(identity.journal, identity.ready, identity.starts + 1)
        ctx.persist(identity)
        self.members = Membership(ctx)
        prompt = Promptness(ctx, self.members)
        self.control = Control(ctx, self.members, prompt)
        self.election = Election(ctx, self.members, self.control)
        self.replication = Replication(ctx, self.clock, self.members, identity.journal)
        self.fold = Fold(settings.strategy, settings.limits)
        self.contents = Contents(ctx, self.members, self.fold)
        self.proposals = Proposals(
            ctx, self.clock, self.members, prompt, self.election, self.replication, self.fold, self.contents, verify
        )
        self.publishing = Publishing(ctx, self.members, self.replication)
        self.lock_service = LockService(ctx, self.control, self.members)
        self.locks = LockCalls(ctx, self.election, self.lock_service)
        self.timesync = TimeSync(ctx, self.members, self.election)
        self.recovery = Recovery(ctx, self.members, self.election, self.control, self.replication)
        self.departure = Departure(ctx, self.members, self.election)
        self.reconfiguration = Reconfiguration(ctx, self.members, self.control)
        self.compaction = Compaction(ctx, self.members, self.election, self.control, self.replication, self.fold)
        self._wire()
        self._unsynced_marks: deque[tuple[int, Mark]] = deque()
        self._restore(durable)
        self.mark = self._mark()
        self.members.start()
        self.reconfiguration.start(durable.configured)
        self.recovery.start(identity, dict(durable.peer_journals), fresh=durable.identity is None)
        self.election.start()

    @property
    def vector(self) -> VersionVector:
        """What this node holds: journal id -> number."""
        return self.replication.vector

    @property
    def journal_id(self) -> str:
        """The id of this node's own log."""
        return self.replication.journal

    def envelope(self, to: str, messages: tuple[Message, ...], number: int = 0) -> Envelope:
        """Messages on their way to `to`, with who we are and what we hold, durably; the driver counts them."""
        peer = self.members.peers.get(to)
        noted = self.recovery.noted.get(to)
        quote = self._quote(peer, noted.journal) if peer is not None and noted is not None else None
        quoted = noted.journal if noted is not None else ""
        # By place: msgspec looks for each name among all, which takes six times as long.
        return Envelope(
            FORMAT, self.settings.cluster, self.members.digest, self.settings.id, to, self.boot,
            self.replication.journal, self.clock.last, self.mark, quote, messages, quoted, number,
            self.recovery.starts,
        )  # fmt: skip

    def begin_anew(self, why: str) -> None:
        """A new journal on this disk (D1): of the former one's events nothing is said any more, not even at once."""
        self.recovery.begin_anew(why)
        self._unsynced_marks.clear()
        self.mark = Mark(0, self.mark.term, self.mark.stamp, self.mark.index)

    def written(self) -> None:
        """A step has ended: what will be durable once its records are."""
        ctx, marks = self.ctx, self._unsynced_marks
        if ctx.persist_number > (marks[-1][0] if marks else ctx.durable_number):
            marks.append((ctx.persist_number, self._mark()))

    def synced(self, number: int) -> None:
        """The disk has caught up to persist `number`."""
        self.ctx.durable_number = number
        marks = self._unsynced_marks
        while marks and marks[0][0] <= number:
            self.mark = marks.popleft()[1]
        self.control.synced(number)
        self.proposals.synced(number)

    def _mark(self) -> Mark:
        return Mark(self.replication.seq, self.election.term, self.control.stamp, self.control.index)

    def _wire(self) -> None:
        self.members.tell = self._tell
        self.members.journal = lambda: self.replication.journal
        self.replication.on_event = self.proposals.on_event
        self.control.on_floor = self._on_floor
        self.election.on_serving = self._on_serving
        self.election.on_resigned = self.lock_service.end
        self.election.on_leader = self._on_leader
        self.lock_service.granting = lambda: self.election.granting
        self.lock_service.coming = lambda: self.election.coming

    def _tell(self) -> Told:
        """What our heartbeats say."""
        current = self.proposals.views.current
        return Told(
            self.election.term, self.election.leader, self.control.commit, self.replication.vector,
            current[0] if current else None, *self.timesync.current(),
        )  # fmt: skip

    def _restore(self, durable: Durable) -> None:
        self.election.restore(durable.hard)
        self.control.restore(durable.stamp, durable.index, durable.control)
        floor = durable.floor
        if floor is not None:
            self.recovery.floor = floor
            self.fold.reset(floor.vector, floor.state)
        self.proposals.restoring = True
        self.replication.restore(floor.vector if floor else {}, durable.events)
        self.proposals.restored()

    def _on_floor(self, floor: Floor) -> None:
        """A floor is committed: what lies at or below it is final (C1)."""
        known = self.recovery.floor
        if known is not None and all(known.vector.get(journal, 0) >= seq for journal, seq in floor.vector.items()):
            return
        self.recovery.floor = floor
        self.fold.reset(floor.vector, floor.state)
        self.contents.changed()
        self.replication.raise_to(floor.vector)
        self.ctx.persist(FloorReached(floor))
        self.ctx.observe("FLOOR_REACHED", events=sum(floor.vector.values()))

    def _on_serving(self, former: str | None, reason: str) -> None:
        own, term = self.settings.id, self.election.term
        self.lock_service.begin()
        self.reconfiguration.look()
        self.replication.append(LEADER_ELECTED, {"leader": own, "term": term, "reason": reason}, "")
        if former not in (None, own):
            changed = {"from": former, "to": own, "term": term, "reason": reason}
            self.replication.append(LEADER_CHANGED, changed, "")
        self._on_leader()

    def _on_leader(self) -> None:
        self.locks.leader_changed()
        self.timesync.leader_changed()
        self.departure.look()

    def _quote(self, peer: Peer, journal: str) -> Mark | None:
        """The most this node knows to have been on the peer's disk. What it holds of its log outlives restarts here."""
        held, mark = self.replication.vector.get(journal, 0), peer.mark
        if mark is not None and mark.seq >= held:
            return mark
        return Mark(held, mark.term, mark.stamp, mark.index) if mark is not None else Mark(held, 0, 0, 0)
