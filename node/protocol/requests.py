"""What clients ask of a node and what they are told. An outcome is done, refused with a reason, or *maybe*.

`Refusal.reason` is a stable word for scripts; `detail` is for people and says what to do next.
"""

from typing import Any, Literal

import msgspec

from node.protocol.events import Event

ProposalKind = Literal["snapshot", "diff", "rollback"]


class ContentRef(msgspec.Struct, frozen=True):
    """The content that comes with a proposal (P3). `key`: the SHA-256 of its manifest; `bytes`, `files`: its size."""

    key: str
    bytes: int
    files: int


class Propose(msgspec.Struct, frozen=True):
    """Put a version to the vote (P1). `version` is a snapshot's version, a diff's or rollback's `to`.

    With `wait_s` > 0 the answer comes with the verdict, or after that many seconds with the state as it is then.
    """

    kind: ProposalKind
    version: str
    hash: str
    base: str | None = None
    """A diff's or rollback's `from`."""
    signature: str | None = None
    idempotency_key: str | None = None
    wait_s: float = 0.0
    dry_run: bool = False
    forwarded_by: str | None = None
    """The v1.6 instance this came from: a repeat of what is pending is the same proposal (P7)."""
    content: ContentRef | None = None
    """Content that voters must hold before they accept; None: the hash alone is voted on."""
    trace: str = ""


class Publish(msgspec.Struct, frozen=True):
    """Write an event of a client's own type into the log (V4). `quorum`: answer when a quorum holds it."""

    type: str
    payload: dict[str, Any]
    id: str | None = None
    quorum: bool = False
    trace: str = ""


class AcquireLock(msgspec.Struct, frozen=True):
    """Take a lock, or wait up to `wait_s` seconds for it (L2, L3)."""

    resource: str
    owner: str
    request_id: str
    ttl_s: float
    wait_s: float = 0.0
    trace: str = ""


class RenewLock(msgspec.Struct, frozen=True):
    """Start a held lock's lease anew."""

    resource: str
    owner: str
    token: int
    ttl_s: float | None = None
    trace: str = ""


class ReleaseLock(msgspec.Struct, frozen=True):
    """Give a lock back, by token or by the request id of its acquire.

    `force` is an admin's act: whoever holds it loses it, with a token only that grant.
    """

    resource: str
    owner: str
    token: int | None = None
    request_id: str | None = None
    force: bool = False
    trace: str = ""


class StepDown(msgspec.Struct, frozen=True):
    """The leader hands over in good order (E6), to `to` if given. Refused on a node that does not lead."""

    to: str | None = None


class Elect(msgspec.Struct, frozen=True):
    """Look at once for a leader that outranks the present one, instead of at the next election interval (E6)."""


class ResolveConflict(msgspec.Struct, frozen=True):
    """Settle a conflict: `key` is the event id of the proposal that shall win (S1)."""

    slot: str
    key: str
    trace: str = ""


class Ingest(msgspec.Struct, frozen=True):
    """Events from a v1.6 instance: appended to the local log unless their id is already known (V1)."""

    source: str
    events: tuple[Event, ...]


class GoOnWithout(msgspec.Struct, frozen=True):
    """An operator's word that these members' disks are lost: recover without their answers (D1)."""

    members: tuple[str, ...]


Request = (
    Propose
    | Publish
    | AcquireLock
    | RenewLock
    | ReleaseLock
    | StepDown
    | Elect
    | ResolveConflict
    | Ingest
    | GoOnWithout
)


class Refusal(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The cluster or the node said no; nothing was changed.

    Reasons: `insufficient_quorum`, `no_leader`, `not_leader`, `held`, `wrong_token`, `not_held`, `queue_full`,
    `too_many`, `cannot_vote`, `recovering`, `bad_request` (with `field`), `unknown_conflict`, `unknown_proposal`,
    `released`, `stepping_down`, `stopping`, `no_candidate`, `timeout` (a wait ended and nothing was granted).

    `detail` is for people. Of what they are likely to get wrong, `problem` says it for readers that word it themselves:
    `too_long` and `too_large` (the bound is `expected`), `not_printable`, `bad_version`, `not_after`, `not_before`
    (`expected`), `no_hash`, `no_sha256`, `not_absolute`.
    """

    reason: str
    detail: str = ""
    field: str | None = None
    quorum: "QuorumView | None" = None
    holder: "LockView | None" = None
    given: int | None = None
    """The fencing token the client gave, with `wrong_token`."""
    current: int | None = None
    """The fencing token in force, with `wrong_token`."""
    problem: str | None = None
    """What is wrong with `field`, with `bad_request`."""
    expected: str | None = None
    """The bound that `problem` speaks of."""


class Maybe(msgspec.Struct, frozen=True, rename="camel"):
    """The outcome is unknown: it may have happened. Ask again with the same request id or idempotency key."""

    reason: str
    detail: str


class ProposalAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Where a proposal stands. `existing`: an equal one was already there (P6)."""

    proposal_id: str
    quorum: "QuorumView"
    proposal: "ProposalView"
    existing: bool = False


class Prediction(msgspec.Struct, frozen=True, rename="camel"):
    """What a proposal would meet (`dry_run`): nothing was changed."""

    quorum: "QuorumView"
    would_accept: bool
    checks: dict[str, str]
    """Check -> "ok" or why not: `quorum`, `version`, `base`, `slots`, `signature`, `hash`."""
    votes: dict[str, str]
    """Instance -> predicted vote with reason; "unknown" where only that instance can tell."""


class Published(msgspec.Struct, frozen=True, rename="camel"):
    """The event is durable here (or on a quorum, if asked). `existing`: the id was already known."""

    id: str
    journal: str
    seq: int
    existing: bool = False


class LockGranted(msgspec.Struct, frozen=True, rename="camel"):
    """The lock is held (acquire, renew)."""

    lock: "LockView"


class LockReleased(msgspec.Struct, frozen=True, rename="camel"):
    """The lock is free of this owner. `already`: it was free before (L2)."""

    resource: str
    fencing_token: int | None
    already: bool


class Accepted(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An order was taken (step-down, elect, resolve, ingest).

    Whether leadership is handed over, `code` says for readers to word: `hands_over` to `instance`, or that one `stays`.
    """

    detail: str
    code: str = ""
    instance: str = ""


Answer = Refusal | Maybe | ProposalAnswer | Prediction | Published | LockGranted | LockReleased | Accepted


# What can be seen of a node. Field names are the API's, in camelCase on the wire; times unix ms, durations ms.


class QuorumView(msgspec.Struct, frozen=True, rename="camel"):
    """Seed 3.3, and nothing but it: existing clients compare it byte for byte."""

    total: int
    healthy: int
    required: int
    sufficient: bool


class LockView(msgspec.Struct, frozen=True, rename="camel"):
    """A lock as this node knows it. `remaining_ms` is the leader's count, None where only the leader can tell."""

    resource: str
    owner: str
    instance: str
    fencing_token: int
    ttl_ms: int
    remaining_ms: int | None
    waiters: int


class VoteView(msgspec.Struct, frozen=True, rename="camel"):
    """One instance's vote."""

    vote: str
    reason: str | None
    at: int
    round: int


class ProposalView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A proposal and where it stands: `pending`, `accepted`, `rejected`, `expired` (a display, not a verdict: P4).

    `quorum` is the proposal's own: `total` voters, of which `healthy` have voted, `required` accepts decide.
    """

    key: str
    id: str
    kind: ProposalKind
    hash: str
    proposer: str
    state: str
    created_at: int
    deadline: int
    required: int
    voters: tuple[str, ...]
    votes: dict[str, VoteView]
    quorum: QuorumView
    trace_id: str
    round: int = 0
    version: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    reason: str | None = None
    decided_at: int | None = None
    content: ContentRef | None = None
    settled: bool | None = None
    """False when it was accepted and lost its conflict; None while not accepted or the conflict is open."""


class ConflictView(msgspec.Struct, frozen=True, rename="camel"):
    """Two or more accepted contents for one slot. `winner` is a proposal's key, None while open."""

    slot: str
    candidates: tuple[ProposalView, ...]
    winner: str | None
    strategy: str
    why: str
    open: bool


class InstanceView(msgspec.Struct, frozen=True, rename="camel"):
    """One member as this node sees it."""

    id: str
    url: str
    status: str
    reasons: tuple[str, ...]
    uptime_ms: int | None
    heartbeat_age_ms: int | None
    rtt_ms: float | None
    drift_ms: float | None
    version: str | None
    protocol: str
    sees: dict[str, str]
    status_age_ms: int
    """How long this node has found its status to be what it is."""
    refused_by: tuple[str, ...]
    """Members that say its host refuses their connections (H2)."""


class CandidateView(msgspec.Struct, frozen=True, rename="camel"):
    """A voter in the order of rank (E2)."""

    id: str
    uptime_ms: int | None
    status: str


class LeaderView(msgspec.Struct, frozen=True, rename="camel"):
    """Who leads, as this node knows it. `lease_remaining_ms` is 0 unless this node leads and may serve.

    `lease_ms` is how long a lease runs from the last moment at which a majority was heard (E5).
    """

    id: str | None
    term: int
    elected_at: int | None
    lease_remaining_ms: int
    candidates: tuple[CandidateView, ...]
    lease_ms: int


class DriftSample(msgspec.Struct, frozen=True, rename="camel"):
    """One measurement: local clock minus leader's, with its error bound."""

    at: int
    offset_ms: float
    error_ms: float
    reference: str


class DriftView(msgspec.Struct, frozen=True, rename="camel"):
    """Time against the leader (T1). `error_ms` is widened with the age of the last sample."""

    instance: str
    reference: str | None
    offset_ms: float | None
    error_ms: float | None
    rate_ppm: float | None
    age_ms: int | None
    suspect: str | None
    warn_ms: float
    """From this offset on a clock is warned of."""
    peers: dict[str, float | None]
    """What each instance reports of itself against the leader, ms."""
    history: tuple[DriftSample, ...]


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """An entry of the configuration that two members do not agree on; None where one of them does not have it."""

    key: str
    here: str | None
    there: str | None


class Alarm(msgspec.Struct, frozen=True, rename="camel"):
    """What an operator should know of a node: a code and its figures, for readers to word.

    `even_split` (`voters`), `other_configuration` (`instances`, `entries`), `other_disk` (`instances`, `journal`),
    `refuses` (`instances`), `suspect_clock` (`instances`); of a node that does not take part: `listening` (`instances`
    not heard, at most `left_ms` more), `recovering`, `recovering_needs` (the answers of `instances`),
    `recovering_alike` (`instances` must recover too).
    """

    code: str
    instances: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    voters: int = 0
    journal: str = ""
    left_ms: int = 0


class StatusView(msgspec.Struct, frozen=True, rename="camel"):
    """The whole of a node in one answer. `verdict` says in a sentence whether it is safe now, and why."""

    id: str
    cluster: str
    status: str
    reasons: tuple[str, ...]
    verdict: str
    suspect: str | None
    """Whose clock is wrong as far as this node can tell (T1)."""
    alarms: tuple[Alarm, ...]
    warnings: tuple[str, ...]
    """The alarms of a node that takes part, in words."""
    uptime_ms: int
    boot_id: str
    journal_id: str
    config_digest: str
    protocol: str
    rule: str
    strategy: str
    quorum: QuorumView
    leader: LeaderView
    instances: tuple[InstanceView, ...]
    current_version: str | None
    current_hash: str | None
    open_proposals: int
    open_conflicts: int
    locks: int
    events: int
    floor_events: int
    state_digest: str
    at: int


class SeedEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event as the API shows it."""

    id: str
    origin: str
    seq: int
    type: str
    timestamp: int
    hlc: int
    trace_id: str
    payload: dict[str, Any]
