"""Who is there and how well: heartbeats and each observer's own statuses (H1, H2, M1, M2).

An instance is `unreachable` when nothing came from it for `heartbeat_timeout`, when its host refuses connections, or
when it says that it cannot vote. It is `degraded` for stated reasons. Everything else is `healthy`. Who-sees-whom and
the version vector travel only when the peer does not confirm to hold them already.

Two nodes that are well need one exchange per interval, not one each: a beat that finds the receiver's own half due is
answered with it, and that one is confirmed with the next beat. A leader beats on its own time all the same: its lease
is counted from confirmations (E5).
"""

from collections.abc import Callable, Mapping
from math import inf

from node.protocol import quorum
from node.protocol.context import Context
from node.protocol.messages import ConfigView, Heartbeat, HeartbeatAck
from node.protocol.peer import DEGRADED, HEALTHY, INSTANCE_STATUS, UNREACHABLE, Peer, Told, fingerprint
from node.protocol.shapes import Entry, QuorumView

CANNOT_VOTE = "cannot_vote"
LEAVING = "leaving"
"""A node's own word that it is about to stop: it campaigns no more."""
SILENCING = (CANNOT_VOTE, "recovering", "listening")
"""Own faults with which a node may not vote, promise or ack (H2, D1)."""
BEATS_REMEMBERED = 8
LEAST_GAP = 0.02
"""Heartbeats that news calls for are at least this share of `heartbeat_interval` apart."""
HALF_DUE = 0.5
"""A beat of ours that is this share of `heartbeat_interval` old may be followed by one in answer to the peer's."""
ROOM_TO_ANSWER = 3.0
"""... where `heartbeat_timeout` is so many intervals: a confirmation may then come one and a half of them later."""


class Membership:
    """Heartbeats out and in, statuses, and the quorum they add up to."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        settings = ctx.settings
        self.digest = settings.digest
        self.peers = {m.id: Peer(m) for m in settings.peers}
        self.voters = settings.voters
        self.own = next(m for m in settings.members if m.id == settings.id)
        self.status = HEALTHY
        self.reasons: tuple[str, ...] = ()
        self.since = 0.0
        self.started = 0.0
        self.faults: dict[str, bool] = {}
        self.can_vote = True
        """Whether this node may vote, promise and ack (H2)."""
        self.sees: dict[str, str] = {settings.id: HEALTHY}
        self._sees_hash = fingerprint(self.sees)
        self._next_beat = 0.0
        self._last_beat = -inf
        self._news = False
        self._suspects: set[str] = set()
        """Peers whose host has refused us at some time."""
        self._vector_size = (0, 0)
        self._vector_hash = 0
        self._timing = timing = settings.timing
        self._half_due_s = timing.heartbeat_interval * HALF_DUE
        self._in_pairs = timing.heartbeat_timeout >= ROOM_TO_ANSWER * timing.heartbeat_interval
        self._quorum: QuorumView | None = None
        self._deciding: frozenset[str] = frozenset()
        self._beats_sent = {name: ctx.counter("distributed_heartbeat_sent_total", instance=name) for name in self.peers}
        self._beats_received = {
            name: ctx.counter("distributed_heartbeat_received_total", instance=name) for name in self.peers
        }
        self.tell: Callable[[], Told] = Told
        self.journal: Callable[[], str] = str
        """The id of this disk's journal; a disk that was rolled back goes on under another one."""

    # What others ask

    def uptime_s(self) -> float:
        """This node's own uptime."""
        return self._ctx.mono - self.started

    def uptimes(self) -> dict[str, float]:
        """Uptime in seconds of each voter that is alive here, this node included (E2)."""
        own_id = self._ctx.settings.id
        known = {own_id: self.uptime_s()} if own_id in self.voters and self.can_vote else {}
        for name in self.voters:
            peer = self.peers.get(name)
            if peer is not None and peer.alive:
                uptime = peer.uptime_s(self._ctx.mono)
                if uptime is not None:
                    known[name] = uptime
        return known

    @property
    def refusing(self) -> tuple[str, ...]:
        """Peers whose host refuses us right now."""
        return tuple(name for name in sorted(self._suspects) if self.peers[name].refused)

    def refused_by_majority(self, name: str) -> bool:
        """Whether a strict majority of the voters, this node among them, finds `name` refusing connections (H2)."""
        if not self.peers[name].refused:
            return False
        witnesses = 1 + sum(
            1
            for voter in self.voters
            if voter != name and (peer := self.peers.get(voter)) and peer.said and name in peer.said.refused
        )
        return witnesses >= quorum.strict_majority(len(self.voters))

    def quorum(self) -> QuorumView:
        """The seed's quorum, from this node's point of view (seed 3.3). Kept until a status or a digest changes."""
        return self._quorum or self._count()

    def deciding(self) -> frozenset[str]:
        """The voters that can decide together with this node, as far as it sees; kept as `quorum` is."""
        if self._quorum is None:
            self._count()
        return self._deciding

    def _count(self) -> QuorumView:
        alive = {name for name, peer in self.peers.items() if peer.alive}
        if self.status != UNREACHABLE:
            alive.add(self._ctx.settings.id)
        total = len(self.peers) + 1
        self._deciding = frozenset(
            name for name in self.voters if name in alive and self.same_digest(name) and self.takes_us(name)
        )
        rule = self._ctx.settings.rule
        self._quorum = quorum.view(total, len(alive), len(self.voters), len(self._deciding), rule)
        return self._quorum

    def same_digest(self, name: str) -> bool:
        """Whether promises, acks and votes may pass between us (M2)."""
        return name == self._ctx.settings.id or self.peers[name].digest == self.digest

    def takes_us(self, name: str) -> bool:
        """Whether `name` takes this disk to be ours: of another one it takes no event and no vote (D1)."""
        return name == self._ctx.settings.id or self.peers[name].quoted in ("", self.journal())

    def differing(self, name: str) -> tuple[Entry, ...]:
        """The config entries in which `name` differs from us (M2)."""
        ours, theirs = self._ctx.settings.entries(), self.peers[name].entries
        return tuple(
            Entry(key, ours.get(key), theirs.get(key))
            for key in sorted(ours.keys() | theirs.keys())
            if theirs and ours.get(key) != theirs.get(key)
        )

    # What happens

    def start(self) -> None:
        """Begin to beat; called once, at the node's start."""
        ctx = self._ctx
        self.started = self.since = ctx.mono
        for peer in self.peers.values():
            peer.since = ctx.mono
        self._next_beat = ctx.mono

    @property
    def leaving(self) -> bool:
        """Whether this node is about to stop."""
        return LEAVING in self.faults

    def set_fault(self, name: str, present: bool) -> None:
        """Raise or clear one of this node's own reasons (`cannot_vote`, `slow_disk`, `loop_lag`, `drift`, ...)."""
        self.set_faults({name: present})

    def set_faults(self, present: Mapping[str, bool]) -> None:
        """Several of them in one go: what comes together is told together."""
        former = dict(self.faults)
        self.faults.update(present)
        if any(former.get(name, False) != on for name, on in present.items()):
            self.can_vote = not any(self.faults.get(silencing) for silencing in SILENCING)
            self._judge_self()

    def heard(self, peer: Peer, boot: str, digest: str, quoted: str) -> None:
        """An envelope came from `peer`."""
        ctx = self._ctx
        peer.heard = ctx.mono
        if boot != peer.boot:
            peer.old_boots.discard(boot)
            if peer.boot:
                peer.old_boots.add(peer.boot)
            peer.boot, peer.said, peer.confirmed_sees, peer.confirmed_vector = boot, None, 0, 0
            peer.sent_at.clear()
            peer.owed = None
            # It knows nothing of us yet, perhaps not even who leads.
            told = self.tell()
            self._beat_to(peer, told, self._hash(told.vector), self.refusing)
        if quoted != peer.quoted:
            peer.quoted = quoted
            self._quorum = None
        if digest != peer.digest:
            peer.digest = digest
            self._quorum = None
            if digest != self.digest:
                ctx.send(peer.member.id, ConfigView(ctx.settings.entries()))
                ctx.observe("CONFIG_MISMATCH", level="warn", instance=peer.member.id)

    def heard_stranger(self, peer: Peer) -> None:
        """Somebody speaks under `peer`'s id from a disk that is not the one noted for it (D1, D2)."""
        peer.stranger_at = self._ctx.mono
        self.judge(peer)

    def beat(self) -> None:
        """Send a heartbeat to all peers at once, but for those that had one in answer to theirs just now (H1)."""
        ctx = self._ctx
        self._last_beat = ctx.mono
        told = self.tell()
        vector_hash, refusing = self._hash(told.vector), self.refusing
        to_all = self._news or told.leader == ctx.settings.id
        self._news = False
        for name, peer in self.peers.items():
            if peer.member.votes:
                if to_all or peer.status != HEALTHY or ctx.mono - peer.beat_at >= self._half_due_s:
                    self._beat_to(peer, told, vector_hash, refusing)
                if peer.digest and peer.digest != self.digest:
                    ctx.send(name, ConfigView(ctx.settings.entries()))
        ctx.observe("HEARTBEAT_SEND", level="debug", peers=len(self.peers))

    def _beat_to(
        self, peer: Peer, told: Told, vector_hash: int, refusing: tuple[str, ...], *, in_answer: bool = False
    ) -> None:
        ctx = self._ctx
        if peer.owed is not None:
            number, came_at = peer.owed
            peer.owed = None
            self._confirm(peer, number, (ctx.mono - came_at) * 1000)
        peer.beat += 1
        peer.beat_at = ctx.mono
        peer.sent_at[peer.beat] = ctx.mono
        if len(peer.sent_at) > BEATS_REMEMBERED:
            del peer.sent_at[next(iter(peer.sent_at))]
        if peer.unanswered_since is None:
            peer.unanswered_since = ctx.mono
        ctx.send(
            peer.member.id,
            Heartbeat(
                number=peer.beat,
                uptime_ms=int(self.uptime_s() * 1000),
                status=self.status,
                reasons=self.reasons,
                term=told.term,
                leader=told.leader,
                commit=told.commit,
                sees_hash=self._sees_hash,
                vector_hash=vector_hash,
                sees=None if peer.confirmed_sees == self._sees_hash else dict(self.sees),
                vector=None if peer.confirmed_vector == vector_hash else dict(told.vector),
                refused=refusing,
                drift_ms=told.drift_ms,
                drift_error_ms=told.drift_error_ms,
                version=told.version,
                in_answer=in_answer,
            ),
        )
        self._beats_sent[peer.member.id].n += 1

    def _hash(self, vector: Mapping[str, int]) -> int:
        """The fingerprint of our version vector. It only grows, so that its sum tells whether it is another."""
        size = (len(vector), sum(vector.values()))
        if size != self._vector_size:
            self._vector_size, self._vector_hash = size, fingerprint(vector)
        return self._vector_hash

    def _confirm(self, peer: Peer, number: int, held_ms: float = 0.0) -> None:
        self._ctx.send(peer.member.id, HeartbeatAck(number, peer.sees_hash, peer.vector_hash, held_ms))

    def beat_due(self) -> bool:
        """Whether it is time for the next heartbeat; keeps the rhythm when it is."""
        ctx = self._ctx
        if ctx.mono < self._next_beat:
            ctx.wake(self._next_beat)
            return False
        self._next_beat = max(self._next_beat + ctx.settings.timing.heartbeat_interval, ctx.mono)
        ctx.wake(self._next_beat)
        return True

    def beat_now(self) -> None:
        """Let the next heartbeat leave at once, or soon after the last: something changed that others should know."""
        ctx = self._ctx
        gap_s = ctx.settings.timing.heartbeat_interval * LEAST_GAP
        self._news = True
        self._next_beat = min(self._next_beat, max(ctx.mono, self._last_beat + gap_s))
        ctx.wake(self._next_beat)

    def on_heartbeat(self, peer: Peer, beat: Heartbeat) -> bool:
        """Take in a heartbeat and confirm it. True if the peer's version vector came along or changed."""
        ctx = self._ctx
        if peer.said is not None and beat.number <= peer.said.number:
            return False  # late or doubled
        peer.said = beat
        peer.uptime_ms, peer.uptime_at = beat.uptime_ms, ctx.mono
        if beat.sees is not None:
            peer.sees, peer.sees_hash = beat.sees, beat.sees_hash
        if beat.vector is not None:
            peer.vector, peer.vector_hash = beat.vector, beat.vector_hash
        if beat.in_answer:
            peer.owed = (beat.number, ctx.mono)
        else:
            self._confirm(peer, beat.number)
            if self._in_pairs and peer.status == HEALTHY and ctx.mono - peer.beat_at >= self._half_due_s:
                told = self.tell()
                if told.leader != ctx.settings.id:
                    self._beat_to(peer, told, self._hash(told.vector), self.refusing, in_answer=True)
        self._beats_received[peer.member.id].n += 1
        ctx.observe("HEARTBEAT_RECEIVE", level="debug", instance=peer.member.id)
        return beat.vector is not None

    def on_ack(self, peer: Peer, ack: HeartbeatAck) -> None:
        """A beat of ours was received and answered."""
        ctx = self._ctx
        sent = peer.sent_at.pop(ack.number, None)
        if sent is None:
            return
        peer.rtt_s = max(0.0, ctx.mono - sent - ack.held_ms / 1000)
        if peer.said is None or CANNOT_VOTE not in peer.said.reasons:
            peer.answered = ctx.mono  # who may not vote keeps no leader serving (E5)
        peer.unanswered_since = None
        peer.confirmed_sees, peer.confirmed_vector = ack.sees_hash, ack.vector_hash

    def on_link(self, peer: Peer, refused: bool) -> None:
        """The peer's host refuses connections, or takes them again."""
        was = peer.refused
        if refused:
            peer.refused_at = self._ctx.mono
            self._suspects.add(peer.member.id)
        # An open connection alone says nothing of who is behind it: only a delivery ends the refusal.
        self.judge(peer)
        if peer.refused and not was:
            self.beat_now()

    def on_legacy(self, peer: Peer, uptime_ms: int | None, rtt_ms: float | None) -> None:
        """A v1.6 member is alive (M4)."""
        ctx = self._ctx
        peer.heard = peer.answered = ctx.mono
        peer.unanswered_since = None
        peer.rtt_s = None if rtt_ms is None else rtt_ms / 1000
        if uptime_ms is not None:
            peer.uptime_ms, peer.uptime_at = uptime_ms, ctx.mono
        self.judge(peer)

    def judge_all(self) -> None:
        """Look at every peer's status anew: silence shows only by time passing."""
        for peer in self.peers.values():
            self.judge(peer)

    def judge(self, peer: Peer) -> None:
        """Settle `peer`'s status, with its reasons (H1, H2)."""
        status, reasons = self._assess(peer)
        if status == peer.status and reasons == peer.reasons:
            return
        name, ctx = peer.member.id, self._ctx
        if status != peer.status:
            peer.since = ctx.mono
            if status == UNREACHABLE:
                ctx.count("distributed_heartbeat_timeout_total", instance=name)
        worse = status != HEALTHY
        ctx.observe(
            INSTANCE_STATUS, level="warn" if worse else "info", instance=name, status=status,
            was=peer.status, reasons=list(reasons),
        )  # fmt: skip
        changed = status != peer.status
        peer.status, peer.alive, peer.reasons = status, status != UNREACHABLE, reasons
        self._quorum = None
        if changed:
            self.sees[name] = status
            self._sees_hash = fingerprint(self.sees)

    def _assess(self, peer: Peer) -> tuple[str, tuple[str, ...]]:
        mono, timing = self._ctx.mono, self._timing
        if peer.stranger_at is not None and _is_another_disk(peer, peer.stranger_at, timing.heartbeat_interval):
            return UNREACHABLE, ("unknown_journal",)
        if peer.refused_at is not None and peer.refused:
            return UNREACHABLE, ("refused",)
        if peer.heard is None:
            return UNREACHABLE, ("not_heard_yet",)
        silent = mono - peer.heard
        if silent > timing.heartbeat_timeout:
            return UNREACHABLE, ("no_answer",)
        said = peer.said
        if said is None and peer.member.votes:
            return UNREACHABLE, ("not_heard_yet",)  # A new process, which has not said yet whether it can vote (H2).
        reasons: tuple[str, ...] = ()
        if said is not None:
            if said.status == UNREACHABLE:
                return UNREACHABLE, said.reasons or (CANNOT_VOTE,)
            reasons = said.reasons
        if peer.digest != self.digest and peer.digest:
            reasons += ("config_mismatch",)
        if silent > 2 * timing.heartbeat_interval:
            reasons += ("missed_beats",)
        if peer.unanswered_since is not None and mono - peer.unanswered_since > timing.heartbeat_timeout:
            reasons += ("one_way",)
        return (DEGRADED, tuple(dict.fromkeys(reasons))) if reasons else (HEALTHY, ())

    def _judge_self(self) -> None:
        present = [name for name, on in self.faults.items() if on]
        if not self.can_vote:
            status = UNREACHABLE
            present = [CANNOT_VOTE, *(name for name in present if name != CANNOT_VOTE)]
        else:
            status = DEGRADED if present else HEALTHY
        if (status, tuple(present)) == (self.status, self.reasons):
            return
        changed = status != self.status
        if changed:
            self.since = self._ctx.mono
        self.status, self.reasons = status, tuple(present)
        self._quorum = None
        self.sees[self._ctx.settings.id] = status
        self._sees_hash = fingerprint(self.sees)
        self._ctx.observe("OWN_STATUS", level="warn" if present else "info", status=status, reasons=present)
        if changed:
            self.beat_now()


def _is_another_disk(peer: Peer, since: float, heartbeat_interval: float) -> bool:
    """Whether what it said last, at `since`, came from another disk than the one noted for it (D1)."""
    return (peer.refused_at is None or since > peer.refused_at) and (
        peer.heard is None or since > peer.heard + heartbeat_interval
    )
