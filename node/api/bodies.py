"""What clients send and what only the API answers. Field names are camelCase on the wire, durations here in seconds.

The endpoints a v1.6 instance may call ignore fields they do not know; ours refuse them, for a misspelt one would
otherwise be silently without effect.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from node.protocol.shapes import ProposalKind, QuorumView, VoteView
from node.runtime.given import UnixMs

Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(ge=0)]
Ttl = Annotated[float, Meta(ge=0.001)]
Listed = Annotated[int, Meta(ge=1)]
Token = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Own(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Ours: unknown fields are an error."""


class Shared(msgspec.Struct, rename="camel"):
    """Also sent by v1.6 instances: unknown fields are ignored."""


# Queries


class Query(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """Parameters of a path. Never changed: two requests that write the same may share one."""


class ListQuery(Query, frozen=True):
    """`limit`: how many at most, the newest first."""

    limit: Listed = 100


class ProposeQuery(Query, frozen=True):
    """`wait`: seconds to wait for the verdict. `dryRun`: say what would happen and change nothing."""

    wait: Seconds = 0.0
    dry_run: bool = False


class BatchQuery(Query, frozen=True):
    """`wait`: seconds to wait for the verdicts."""

    wait: Seconds = 0.0


class StreamQuery(Query, frozen=True):
    """`since`: a cursor; without it, from now on. `type` may name several, separated by commas."""

    since: str | None = None
    type: Text | None = None
    origin: Text | None = None
    trace: Text | None = None


class EventsQuery(StreamQuery, frozen=True):
    """`since`: a cursor, the oldest beyond it come; without it the newest do, in order of arrival."""

    limit: Listed = 100


class PublishQuery(Query, frozen=True):
    """When to answer: the event is on the local disk, or on a quorum's (V4)."""

    durability: Literal["local", "quorum"] = "local"


class TracesQuery(Query, frozen=True):
    """`name`: only traces with a span of that name; without it all but routine ones."""

    limit: Listed = 100
    name: Text | None = None


# Bodies


class SnapshotBody(Shared):
    """Seed 4.2."""

    version: Text
    hash: Text
    signature: str | None = None


class DiffBody(Shared):
    """Seed 4.3."""

    from_: Text = msgspec.field(name="from")
    to: Text
    hash: Text
    signature: str | None = None


class BatchItem(Own):
    """One proposal of a batch: a snapshot names `version`, a diff or rollback `from` and `to`."""

    kind: ProposalKind
    hash: Text
    version: Text | None = None
    from_: Text | None = msgspec.field(default=None, name="from")
    to: Text | None = None
    signature: str | None = None
    idempotency_key: Text | None = None


class Batch(Own):
    """A batch as an object; a bare list will do as well."""

    proposals: tuple[BatchItem, ...]


class PublishBody(Own):
    """A client's own event. `id` makes a repeat do nothing twice (V4)."""

    type: Text
    payload: dict[str, Any] = {}
    id: Text | None = None


class AcquireBody(Own):
    """Without `requestId` a repeat is another request. `ttl`, `wait` in seconds."""

    owner: Text
    request_id: Text | None = None
    ttl: Ttl | None = None
    wait: Seconds = 0.0


class RenewBody(Own):
    """`ttl`: a new one in seconds, else the lock's own."""

    owner: Text
    fencing_token: Token
    ttl: Ttl | None = None


class ReleaseBody(Own):
    """By the token, or by the request id of the acquire (L2)."""

    owner: Text
    fencing_token: Token | None = None
    request_id: Text | None = None


class ForceReleaseBody(Own):
    """Who forces it, for the log; with a token only that grant is freed, not one made since."""

    owner: Text
    fencing_token: Token | None = None


class StepDownBody(Own):
    """`to`: who shall lead."""

    to: Text | None = None


class ResolveBody(Own):
    """`key`: the event id of the proposal that shall win (S1)."""

    key: Text


class GoOnBody(Own):
    """`without`: members whose disks are lost for good (D1)."""

    without: Annotated[tuple[Text, ...], Meta(min_length=1)]


class LegacyEvent(Shared):
    """An event as v1.6 instances write it."""

    id: Text
    type: Text
    timestamp: UnixMs
    source_instance: Text
    payload: dict[str, Any] | None = None


class SyncBody(Shared):
    """Events of a v1.6 instance."""

    events: tuple[LegacyEvent, ...]


class HeartbeatBody(Shared):
    """A v1.6 instance is alive."""

    instance_id: Text
    timestamp: UnixMs
    uptime: UnixMs
    status: Literal["healthy", "degraded"] = "healthy"


# Answers


class Health(Shared):
    """The process answers; whether the node can vote is `status`'s to say."""

    status: str
    id: str


class Info(Shared):
    """Who this is."""

    id: str
    cluster: str
    protocol: str
    format: int
    rule: str
    strategy: str
    at: int


class Proposed(Shared):
    """Seed 4.2, and nothing but it."""

    proposal_id: str
    quorum: QuorumView


class Verdict(Shared):
    """The answer after a wait: where the proposal stands now. `existing`: an equal one was already there (P6)."""

    proposal_id: str
    quorum: QuorumView
    state: str
    reason: str | None
    votes: dict[str, VoteView]
    key: str
    existing: bool
    settled: bool | None


class BatchOutcome(Shared, omit_defaults=True):
    """One proposal's outcome: the envelope it would have had alone, with its status."""

    success: bool
    status: int
    data: Any
    error: str | None = None


class LegacyEntry(Shared):
    """An entry of the journal in v1.6's words."""

    id: str
    type: str
    timestamp: int
    source_instance: str


class LegacyJournal(Shared):
    """This instance's own events in v1.6's words."""

    events: tuple[LegacyEntry, ...]


class Taken(Shared):
    """How many events were taken in."""

    received: int


class Noted(Shared):
    """The heartbeat was noted by `instanceId`."""

    instance_id: str
    timestamp: int
