"""Event logs: written here, pushed to all at once, repaired by pull (V1-V4).

Each journal's log is taken strictly in order; what leaves a gap is asked for again. Any node can serve any journal.
A gap first waits a moment: usually the missing events are already on their way from their origin.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from node.protocol.context import Context
from node.protocol.effects import Ship
from node.protocol.events import Event, HybridClock, VersionVector
from node.protocol.membership import Membership
from node.protocol.messages import Held, Pull, Push
from node.protocol.peer import Peer
from node.protocol.records import Appended

CATCHING_UP_EVENTS = 1_000
"""Lacking more than this many events is a stated reason to be `degraded` (H1)."""


class Awaiting(NamedTuple):
    """A publisher that waits until `needed` peers hold this node's log up to `seq`."""

    seq: int
    needed: int
    done: Callable[[], None]
    holders: set[str]


class Replication:
    """What this node holds, what it writes, and what it still lacks."""

    def __init__(self, ctx: Context, clock: HybridClock, members: Membership, journal: str) -> None:
        self._ctx = ctx
        self._clock = clock
        self._members = members
        self.journal = journal
        self.vector: VersionVector = {}
        self.on_event: Callable[[Event], None] = lambda event: None
        self._foreign_ids: dict[str, tuple[str, int]] = {}
        self._voters = [name for name, peer in members.peers.items() if peer.member.votes]
        self._fresh: list[Event] = []
        self._confirm = False
        self._urgent_to: set[str] = set()
        self._wanted: dict[str, tuple[int, float]] = {}
        self._pulls: dict[str, tuple[int, float]] = {}
        self._pull_number = 0
        self._awaiting: dict[int, Awaiting] = {}
        self._pushed = ctx.counter("distributed_sync_total", direction="push")
        self._received = ctx.counter("distributed_sync_total", direction="push_received")
        self._pulled = ctx.counter("distributed_sync_total", direction="pull")
        timing = ctx.settings.timing
        self._grace_s = min(max(timing.heartbeat_interval / 10, 0.05), 0.3)
        self._pull_timeout_s = max(timing.heartbeat_interval, 0.5)

    @property
    def seq(self) -> int:
        """Number of the last event of this node's own log."""
        return self.vector.get(self.journal, 0)

    def restore(self, floor: VersionVector, events: Iterable[Event]) -> None:
        """Take in what the disk holds, at start."""
        self.vector.update(floor)
        for event in events:
            self.vector[event.journal] = event.seq
            self._clock.receive(event.hlc, self._ctx.wall_ms)
            self._remember_id(event)
            self.on_event(event)

    def append(
        self, kind: str, payload: dict[str, Any], trace: str, event_id: str | None = None, *,
        urgent_to: Collection[str] | None = None, origin: str | None = None, timestamp_ms: int | None = None,
    ) -> Event:  # fmt: skip
        """Write an event into this node's own log; it goes to all peers once it is on disk.

        With `urgent_to` only these are in a hurry for it: the others, or all if it is empty, may get it a little later.
        """
        ctx = self._ctx
        seq = self.seq + 1
        stamp_ms = int(ctx.wall_ms) if timestamp_ms is None else timestamp_ms
        # By place, which costs msgspec less than names do.
        event = Event(
            event_id or f"{self.journal}-{seq}", origin or ctx.settings.id, self.journal, seq, kind, stamp_ms,
            self._clock.tick(ctx.wall_ms), trace, payload,
        )  # fmt: skip
        self._fresh.append(event)
        self._urgent_to.update(self._members.peers if urgent_to is None else urgent_to)
        if urgent_to is None or urgent_to:
            self._ctx.hurry()
        self._take(event)
        return event

    def known(self, event_id: str) -> tuple[str, int] | None:
        """Where an event with this id stands, if a client or a v1.6 instance gave it (V1, V4)."""
        return self._foreign_ids.get(event_id)

    @property
    def awaiting(self) -> int:
        """How many publishers wait for others to hold what they wrote."""
        return len(self._awaiting)

    def when_held(self, call: int, seq: int, needed: int, done: Callable[[], None]) -> None:
        """Call `done` when `needed` peers hold this node's log up to `seq` (V4, `durability=quorum`)."""
        if needed <= 0:
            done()
            return
        self._confirm = True
        self._awaiting[call] = Awaiting(seq, needed, done, set())

    def cancel(self, call: int) -> None:
        """The publisher has gone; the event stays."""
        self._awaiting.pop(call, None)

    def look(self) -> None:
        """With every heartbeat: ask again who holds what publishers wait for; a message may have been lost."""
        if self._awaiting:
            for name, peer in self._members.peers.items():
                if peer.member.votes and peer.alive:
                    self._ctx.send(name, Push((), confirm=True), self._ctx.durable_number)

    def flush(self) -> None:
        """End of a step: push what was written in it, all in one message per peer."""
        if not self._fresh:
            return
        ctx = self._ctx
        push = Push(tuple(self._fresh), confirm=self._confirm)
        for name in self._voters:
            ctx.send(name, push, ctx.persist_number, lazy=name not in self._urgent_to)
        self._pushed.n += len(self._fresh)
        for trace in {event.trace: None for event in self._fresh}:
            if trace:
                ctx.observe("REMOTE_PUSH", trace, "debug", events=len(self._fresh))
        self._fresh, self._confirm = [], False
        self._urgent_to.clear()

    def on_push(self, peer: Peer, push: Push, sender_journal: str) -> bool:
        """Take in a peer's events; it may ask how far its own log, `sender_journal`, is held here.

        False if they show that this node's own disk was rolled back (D1).
        """
        ctx, vector = self._ctx, self.vector
        taken = 0
        for event in push.events:
            have = vector.get(event.journal, 0)
            if event.seq <= have:
                continue
            if event.journal == self.journal:
                return False
            if event.seq > have + 1:
                self._want(event.journal, event.seq - 1, 0.0)
                peer.vector[event.journal] = max(peer.vector.get(event.journal, 0), event.seq)
                continue
            self._clock.receive(event.hlc, ctx.wall_ms)
            self._take(event)
            taken += 1
        if taken:
            (self._pulled if push.answers else self._received).n += taken
        if push.confirm:
            ctx.hurry()
            ctx.send(peer.member.id, Held(sender_journal, vector.get(sender_journal, 0)), ctx.persist_number)
        if push.answers:
            self._on_answer(peer, push)
        elif self._wanted:
            self.pull()
        return True

    def on_held(self, peer: Peer, held: Held) -> None:
        """A peer holds this node's log up to a number, durably."""
        if held.journal != self.journal or not self._awaiting:
            return
        for call, waiting in list(self._awaiting.items()):
            if held.seq >= waiting.seq:
                waiting.holders.add(peer.member.id)
                if len(waiting.holders) >= waiting.needed:
                    del self._awaiting[call]
                    waiting.done()

    def on_pull(self, peer: Peer, pull: Pull) -> None:
        """A peer lacks events: have the journal send them."""
        self._ctx.count("distributed_remote_sync_requests_total", instance=peer.member.id, status="served")
        self._ctx.effect(Ship(peer.member.id, pull.number, pull.have))

    def on_vector(self, peer: Peer) -> None:
        """A peer's version vector came: note what this node lacks of it."""
        for journal, seq in peer.vector.items():
            if seq > self.vector.get(journal, 0):
                self._want(journal, seq, self._grace_s)
        self._judge_lack()
        self.pull()

    def raise_to(self, floor: VersionVector) -> None:
        """A compaction floor was applied: everything at or below it counts as held (C1)."""
        for journal, seq in floor.items():
            if seq > self.vector.get(journal, 0):
                self.vector[journal] = seq
        self._foreign_ids = {
            event_id: (journal, seq)
            for event_id, (journal, seq) in self._foreign_ids.items()
            if seq > floor.get(journal, 0)
        }

    def pull(self) -> None:
        """Ask for what is lacking, each journal from one peer at a time."""
        ctx = self._ctx
        busy = {name for name, (_, until) in self._pulls.items() if until > ctx.mono}
        asks: dict[str, dict[str, int]] = {}
        done: list[str] = []
        for journal, (seq, due) in self._wanted.items():
            have = self.vector.get(journal, 0)
            if have >= seq:
                done.append(journal)
            elif due > ctx.mono:
                ctx.wake(due)
            else:
                source = self._source(journal, have, busy)
                if source is not None:
                    asks.setdefault(source, {})[journal] = have
        for journal in done:
            del self._wanted[journal]
        for name, have_by_journal in sorted(asks.items()):
            self._pull_number += 1
            self._pulls[name] = (self._pull_number, ctx.mono + self._pull_timeout_s)
            ctx.wake(ctx.mono + self._pull_timeout_s)
            ctx.send(name, Pull(self._pull_number, have_by_journal))
            ctx.observe("REMOTE_PULL", level="debug", instance=name, journals=len(have_by_journal))
        if done:
            self._judge_lack()

    def lacking(self) -> int:
        """How many events others are known to hold that this node does not."""
        return sum(max(0, seq - self.vector.get(journal, 0)) for journal, (seq, _) in self._wanted.items())

    def _source(self, journal: str, have: int, busy: set[str]) -> str | None:
        """The peer to ask: alive, not already asked, ahead of us; the one that has most, then the lowest id."""
        best: tuple[int, str] | None = None
        for name, peer in self._members.peers.items():
            ahead = peer.vector.get(journal, 0) - have
            if ahead > 0 and peer.alive and name not in busy and (best is None or (-ahead, name) < best):
                best = (-ahead, name)
        return best[1] if best else None

    def _on_answer(self, peer: Peer, push: Push) -> None:
        number, _ = self._pulls.get(peer.member.id, (0, 0.0))
        if number == push.answers:
            del self._pulls[peer.member.id]
            if not push.more and not push.events:
                # It has nothing (more) to give: its vector as we knew it is out of date.
                peer.vector, peer.vector_hash = {}, 0
        self.pull()

    def _want(self, journal: str, seq: int, grace_s: float) -> None:
        ctx = self._ctx
        known = self._wanted.get(journal)
        due = ctx.mono + grace_s
        if known is None:
            self._wanted[journal] = (seq, due)
        else:
            self._wanted[journal] = (max(seq, known[0]), min(due, known[1]))
        ctx.wake(due)

    def _judge_lack(self) -> None:
        self._members.set_fault("catching_up", self.lacking() > CATCHING_UP_EVENTS)

    def _take(self, event: Event) -> None:
        """An event enters this node's image of the log `event.journal`, its next one."""
        ctx = self._ctx
        self.vector[event.journal] = event.seq
        ctx.persist_lazily(Appended(event))
        if self._remember_id(event):
            ctx.emit(event)
        self.on_event(event)

    def _remember_id(self, event: Event) -> bool:
        """Whether this is the first event with its id (V1). Ids of our own making cannot collide."""
        if event.id.startswith(event.journal) and ":" not in event.id:
            return True
        return self._foreign_ids.setdefault(event.id, (event.journal, event.seq)) == (event.journal, event.seq)
