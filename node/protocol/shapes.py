"""What can be seen of a node, as its answers and the API show it.

Field names are the API's, in camelCase on the wire; times are unix ms, durations ms.
"""

from typing import Any, Literal

import msgspec

ProposalKind = Literal["snapshot", "diff", "rollback"]


class ContentRef(msgspec.Struct, frozen=True):
    """The content that comes with a proposal (P3). `key`: the SHA-256 of its manifest; `bytes`, `files`: its size."""

    key: str
    bytes: int
    files: int


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
