"""The compaction floor (C1): the leader bounds what all must keep.

Every so many events the leader remembers how far its logs had come. When twice `retain_events` have gathered above the
floor, the newest such point with `retain_events` above it, which every voter that is alive has passed, becomes the next
floor, through the control log. A dead member does not hold it back: it gets the floor's state instead of the events.

Where events carry many proposals each, these are counted instead, for what must be known is bounded by them: each
counts twice, for itself and for its votes.
"""

from collections import deque

from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.election import Election
from node.protocol.events import VersionVector
from node.protocol.membership import Membership
from node.protocol.records import Floor
from node.protocol.replication import Replication
from node.protocol.state import Fold

SAMPLES_PER_RETENTION = 8
EVENTS_OF_A_PROPOSAL = 2
"""What a proposal counts for at least, however many share an event."""


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
        self._samples: deque[tuple[int, VersionVector]] = deque(maxlen=SAMPLES_PER_RETENTION * 5)
        self._every = max(1, ctx.settings.limits.retain_events // SAMPLES_PER_RETENTION)
        self._sampled = 0

    def look(self) -> None:
        """With every heartbeat: remember how far the logs are, and move the floor when it is time."""
        fold, vector = self._fold, self._replication.vector
        total = sum(vector.values())
        proposals = EVENTS_OF_A_PROPOSAL * fold.above_floor
        since = abs(proposals - self._sampled)  # a floor makes them fewer
        if not self._samples or max(total - self._samples[-1][0], since) >= self._every:
            self._samples.append((total, dict(vector)))
            self._sampled = proposals
        if not self._election.granting:
            return
        chosen: VersionVector | None = None
        retain = self._ctx.settings.limits.retain_events
        floor = self._control.state.floor
        events = total - (sum(floor.vector.values()) if floor is not None else 0)
        gathered = max(proposals, events)
        if gathered < 2 * retain:
            return  # A floor costs all nodes a checkpoint: one for many events.
        for count, sample in self._samples:
            above, proposed = total - count, EVENTS_OF_A_PROPOSAL * fold.count_above(sample)
            # Three times the bound waits for nobody: the journal's size is set by configuration, not by the slowest.
            if max(above, proposed) < retain or (gathered < 3 * retain and not self._passed_by_all(sample)):
                break
            if max(events - above, proposals - proposed) >= self._every and self._covers_floor(sample):
                chosen = sample
        if chosen is None or self._already(chosen):
            return
        self._control.append(Floor(chosen, self._fold.checkpoint(chosen)))
        self._ctx.observe("FLOOR_CHOSEN", events=sum(chosen.values()), retained=total - sum(chosen.values()))

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
