"""One node's protocol: `step(now, input)` in, effects out. No clock, disk, network or randomness of its own."""

from collections.abc import Callable
from typing import Any

from node.protocol import deliveries, orders, views
from node.protocol.context import Rng
from node.protocol.effects import (
    Called,
    Cancelled,
    ContentIs,
    DiskState,
    Effect,
    Gathered,
    Input,
    LegacySeen,
    LinkState,
    LoopLag,
    Now,
    Persisted,
    Received,
    Tick,
)
from node.protocol.events import VersionVector
from node.protocol.membership import CANNOT_VOTE
from node.protocol.messages import Envelope, Message
from node.protocol.parts import Parts
from node.protocol.records import Durable
from node.protocol.requests import (
    AcquireLock,
    Elect,
    GoOnWithout,
    Ingest,
    Leave,
    Propose,
    ProposeMany,
    Publish,
    ReleaseLock,
    RenewLock,
    Request,
    ResolveConflict,
    StepDown,
)
from node.protocol.settings import Settings
from node.protocol.shapes import (
    ConflictView,
    DriftView,
    InstanceView,
    LeaderView,
    LockView,
    ProposalView,
    QuorumView,
    StatusView,
)
from node.protocol.voting import Verify

LAG_WARN_S = 0.5


class Core:
    """The whole protocol of one node.

    Raises `reconfiguration.MembersRefused` at start when the member list is too far from the last one (M3).
    """

    def __init__(
        self, settings: Settings, durable: Durable, rng: Rng, now: Now, boot: str, verify: Verify | None = None,
        *, force_members: bool = False, new_cluster: bool = False,
    ) -> None:  # fmt: skip
        self.parts = Parts(
            settings, durable, rng, now, boot, verify, force_members=force_members, new_cluster=new_cluster
        )
        self._disk_fault: str | None = None

    # The one door

    def step(self, now: Now, given: Input) -> list[Effect]:
        """Take one input at a time; what must happen in the world comes back, in order."""
        parts = self.parts
        parts.ctx.mono, parts.ctx.wall_ms = now.mono, now.wall_ms
        # Frequent ones first, without patterns: one that does not match costs two calls (msgspec's metaclass).
        if type(given) is Received:
            deliveries.receive(parts, given.envelope)
        elif type(given) is Persisted:
            parts.synced(given.number)
        elif type(given) is Called:
            self._call(given.call, given.request)
        elif type(given) is Gathered:
            for each in given.calls:
                self._call(each.call, each.request)
        else:
            self._rarely(given)
        return self._finish()

    def _rarely(self, given: Input) -> None:
        parts = self.parts
        match given:
            case Tick():
                self._tick()
            case Cancelled(call=call):
                parts.locks.cancel(call)
                parts.proposals.cancel(call)
                parts.replication.cancel(call)
            case LinkState(peer=name, refused=refused):
                if name in parts.members.peers:
                    parts.members.on_link(parts.members.peers[name], refused)
                    if refused:
                        parts.recovery.heard(name)
                        parts.election.suspect(name)
            case DiskState(fault=fault, slow=slow):
                former = {self._disk_fault: False} if self._disk_fault is not None else {}
                present = {fault: True} if fault is not None else {}
                parts.members.set_faults({"slow_disk": slow, CANNOT_VOTE: fault is not None} | former | present)
                self._disk_fault = fault
            case LoopLag(seconds=seconds):
                parts.members.set_fault("loop_lag", seconds > LAG_WARN_S)
            case LegacySeen(peer=name, uptime_ms=uptime_ms, rtt_ms=rtt_ms):
                if name in parts.members.peers:
                    parts.members.on_legacy(parts.members.peers[name], uptime_ms, rtt_ms)
            case ContentIs(key=key, state=state):
                parts.contents.report(key, state)
                parts.proposals.retry()

    @property
    def wake_at(self) -> float:
        """Monotonic second at which this core wants its next `Tick`."""
        return self.parts.ctx.wake_at

    @property
    def vector(self) -> VersionVector:
        """What this node holds: journal id -> number."""
        return self.parts.vector

    @property
    def counters(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], int]:
        """The metrics' counters, by name and labels."""
        return self.parts.ctx.counters

    @property
    def journal_id(self) -> str:
        """The id of this node's own log."""
        return self.parts.journal_id

    def envelope(self, to: str, messages: tuple[Message, ...], number: int = 0) -> Envelope:
        """Messages on their way to `to`, with who we are and what we hold, durably; the driver counts them."""
        return self.parts.envelope(to, messages, number)

    # What can be seen, see views.py

    def view_quorum(self, now: Now) -> QuorumView:
        """Seed 3.3."""
        return views.quorum_of(self.parts, now)

    def view_status(self, now: Now) -> StatusView:
        """Everything at a glance."""
        return views.status_of(self.parts, now)

    def view_instances(self, now: Now) -> tuple[InstanceView, ...]:
        """Every member as this node sees it."""
        return views.instances_of(self.parts, now)

    def view_leader(self, now: Now) -> LeaderView:
        """Who leads, and who would be next."""
        return views.leader_of(self.parts, now)

    def view_locks(self, now: Now) -> tuple[LockView, ...]:
        """The locks as this node's control log has them."""
        return views.locks_of(self.parts, now)

    def view_drift(self, now: Now) -> DriftView:
        """Time against the leader (T1)."""
        return views.drift_of(self.parts, now)

    def view_proposals(self, now: Now, limit: int = 100) -> tuple[ProposalView, ...]:
        """The newest proposals, newest first."""
        return views.proposals_of(self.parts, now, limit)

    def view_proposal(self, now: Now, name: str) -> tuple[ProposalView, ...]:
        """All proposals that carry this label, or the one with this key (P1)."""
        return views.named_proposals_of(self.parts, now, name)

    def view_conflicts(self, now: Now) -> tuple[ConflictView, ...]:
        """Slots with two or more accepted contents (S1)."""
        return views.conflicts_of(self.parts, now)

    # Inputs

    def _tick(self) -> None:
        parts = self.parts
        parts.ctx.wake_at = float("inf")
        parts.recovery.tick()
        if parts.members.beat_due():
            self._beat()
        parts.election.tick()
        parts.lock_service.tick()
        parts.locks.tick()
        parts.replication.pull()
        parts.proposals.tick()
        parts.timesync.tick()

    def _beat(self) -> None:
        parts = self.parts
        parts.members.judge_all()
        if parts.election.role == "leader":
            parts.election.handover.note_regard()
            parts.control.catch_up()
        parts.proposals.look()
        parts.contents.changed()
        parts.replication.look()
        parts.members.beat()

    def _call(self, call: int, request: Request) -> None:
        parts, kind = self.parts, type(request)
        handle = _ANY_TIME.get(kind)
        if handle is not None:
            handle(parts, call, request)
        elif parts.members.can_vote:
            _AS_VOTER[kind](parts, call, request)
        else:
            parts.ctx.reply(call, orders.cannot(parts))

    def _finish(self) -> list[Effect]:
        """End of a step: cast the votes it asked for, push what it wrote, note what will be durable when."""
        parts = self.parts
        if parts.control.leading:
            parts.compaction.look()
            parts.control.flush()
        parts.proposals.flush()
        parts.contents.flush()
        parts.replication.flush()
        effects = parts.ctx.drain()
        parts.written()
        return effects


_Handler = Callable[[Parts, int, Any], None]
_ANY_TIME: dict[type[Request], _Handler] = {
    AcquireLock: lambda parts, call, ask: parts.locks.acquire(call, ask),
    RenewLock: lambda parts, call, ask: parts.locks.renew(call, ask),
    ReleaseLock: lambda parts, call, ask: parts.locks.release(call, ask),
    StepDown: lambda parts, call, ask: parts.ctx.reply(call, orders.step_down(parts, ask.to)),
    Elect: lambda parts, call, ask: parts.ctx.reply(call, orders.elect(parts)),
    Leave: lambda parts, call, ask: parts.departure.begin(call),
    GoOnWithout: lambda parts, call, ask: parts.ctx.reply(call, orders.go_on_without(parts, ask.members)),
}
"""What a client asks of the cluster's leader, or of a node that may not vote."""
_AS_VOTER: dict[type[Request], _Handler] = {
    Propose: lambda parts, call, ask: parts.proposals.propose(call, ask),
    ProposeMany: lambda parts, call, ask: parts.proposals.propose_many(call, ask),
    Publish: lambda parts, call, ask: parts.publishing.publish(call, ask),
    Ingest: lambda parts, call, ask: parts.publishing.ingest(call, ask),
    ResolveConflict: lambda parts, call, ask: parts.proposals.resolve(call, ask),
}
"""What only a node answers that may vote."""
