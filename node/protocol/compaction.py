"""The compaction floor (C1): the leader bounds what all must keep.

Every so many events the leader remembers how far its logs had come. When twice `retain_events` have gathered above the
floor, the newest such point with `retain_events` above it, which every voter that is alive has passed, becomes the next
floor, through the control log. A dead member does not hold it back: it gets the floor's state instead of the events.

Where events carry many proposals each, these are counted instead, for what must be known is bounded by them: each
counts for as many events as carry it and its votes among three instances when it comes alone.
"""

from collections import deque
from typing import NamedTuple

from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.election import Election
from node.protocol.events import VersionVector
from node.protocol.membership import Membership
from node.protocol.records import Floor
from node.protocol.replication import Replication
from node.protocol.state import Fold

SAMPLES_PER_RETENTION = 8
LOOKS_PER_HEARTBEAT = 10
EVENTS_OF_A_PROPOSAL = 3
"""What a proposal counts for at least, however many share an event: itself and the votes of two others."""


class Sample(NamedTuple):
    """How far the logs had come."""

    events: int
    proposals: int
    """How many had been taken in."""
    vector: VersionVector
    persist: int
    """It is on this node's disk once this persist is."""


class Compaction:
    """The leader's choice of floors."""

    def __init__(
        self, ctx: Context, members: Membership, election: Election, control: Control,
        replication: Replication, fold: Fold,
    ) -> None:  # fmt: skip
        self._ctx = ctx
        self._members = members
        self._election = election
        self._control = control
        self._replication = replication
        self._fold = fold
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_PER_RETENTION * 5)
        self._every = max(1, ctx.settings.limits.retain_events // SAMPLES_PER_RETENTION)
        self._look_at = 0.0

    def look(self) -> None:
        """Now and then, in a step of the leader: note how far the logs are, and move the floor when it is time."""
        if self._ctx.mono < self._look_at:
            return
        self._look_at = self._ctx.mono + self._ctx.settings.timing.heartbeat_interval / LOOKS_PER_HEARTBEAT
        vector = self._replication.vector
        now = Sample(sum(vector.values()), self._fold.taken, vector, self._ctx.persist_number)
        if not self._samples or self._between(self._samples[-1], now) >= self._every:
            self._samples.append(now._replace(vector=dict(vector)))
        if not self._election.granting:
            return
        retain = self._ctx.settings.limits.retain_events
        floor = self._control.state.floor
        events = now.events - (sum(floor.vector.values()) if floor is not None else 0)
        gathered = max(events, EVENTS_OF_A_PROPOSAL * self._fold.above_floor)
        if gathered < 2 * retain:
            return  # A floor costs all nodes a checkpoint: one for many events.
        chosen: VersionVector | None = None
        for sample in self._samples:
            above = self._between(sample, now)
            if sample.persist > self._ctx.durable_number:
                break  # Own votes that a crash may still take back must not be final for everyone.
            # Three times the bound waits for nobody: the journal's size is set by configuration, not by the slowest.
            if above < retain or (gathered < 3 * retain and not self._passed_by_all(sample.vector)):
                break
            if gathered - above >= self._every and self._covers_floor(sample.vector):
                chosen = sample.vector
        if chosen is None or self._already(chosen):
            return
        self._control.append(Floor(chosen, self._fold.checkpoint(chosen)))
        below = sum(chosen.values())
        self._ctx.observe("FLOOR_CHOSEN", events=below, retained=now.events - below)

    def _between(self, sample: Sample, now: Sample) -> int:
        """Events that have come since, or what the proposals among them count for."""
        return max(now.events - sample.events, EVENTS_OF_A_PROPOSAL * (now.proposals - sample.proposals))

    def _already(self, vector: VersionVector) -> bool:
        floor = self._control.state.floor
        return floor is not None and all(floor.vector.get(journal, 0) >= seq for journal, seq in vector.items())

    def _covers_floor(self, vector: VersionVector) -> bool:
        """Whether the present floor lies at or below `vector`: a sample may be older than a floor of another leader."""
        floor = self._control.state.floor
        return floor is None or all(vector.get(journal, 0) >= seq for journal, seq in floor.vector.items())

    def _passed_by_all(self, vector: VersionVector) -> bool:
        alive = [peer for peer in self._members.peers.values() if peer.member.votes and peer.alive]
        return all(peer.vector.get(journal, 0) >= seq for peer in alive for journal, seq in vector.items())
