"""The API's answers as the console reads them.

A field the node does not send takes its default and a field the console does not know is skipped, so that console and
nodes of different versions get on. Times are unix ms, durations ms, as on the wire.
"""

from typing import Any

import msgspec


class _View(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What all answers share: frozen, camelCase on the wire."""


class Quorum(_View, frozen=True):
    """How many instances there are, how many are healthy, how many are needed."""

    total: int = 0
    healthy: int = 0
    required: int = 0
    sufficient: bool = False


class Candidate(_View, frozen=True):
    """A voter in the order of rank."""

    id: str = ""
    uptime_ms: int | None = None
    status: str = ""


class Leader(_View, frozen=True):
    """Who leads, as the asked node knows it. Only the leader knows what remains of the `lease_ms` of its lease."""

    id: str | None = None
    term: int = 0
    elected_at: int | None = None
    lease_remaining_ms: int = 0
    candidates: tuple[Candidate, ...] = ()
    lease_ms: int = 0


class Instance(_View, frozen=True):
    """One member as the asked node sees it."""

    id: str = ""
    url: str = ""
    status: str = ""
    reasons: tuple[str, ...] = ()
    uptime_ms: int | None = None
    heartbeat_age_ms: int | None = None
    rtt_ms: float | None = None
    drift_ms: float | None = None
    version: str | None = None
    protocol: str = ""
    sees: dict[str, str] = {}
    status_age_ms: int | None = None
    """How long the status has been what it is, as the asked node counts."""
    refused_by: tuple[str, ...] = ()
    """Members that find its host refusing connections."""


VIEWS = 4
"""So many views that differ are looked for: in a split each side has its own."""


class Status(_View, frozen=True):
    """The whole of a node in one answer.

    Who sees the same shares one dict: of a hundred instances a hundred of them take a megabyte of every status.
    """

    id: str = ""
    cluster: str = ""
    status: str = ""
    reasons: tuple[str, ...] = ()
    verdict: str = ""
    suspect: str | None = None
    """Whose clock is wrong, as far as the asked node can tell."""
    warnings: tuple[str, ...] = ()
    uptime_ms: int = 0
    boot_id: str = ""
    journal_id: str = ""
    config_digest: str = ""
    protocol: str = ""
    rule: str = ""
    strategy: str = ""
    quorum: Quorum = Quorum()
    leader: Leader = Leader()
    instances: tuple[Instance, ...] = ()
    current_version: str | None = None
    current_hash: str | None = None
    open_proposals: int = 0
    open_conflicts: int = 0
    locks: int = 0
    events: int = 0
    floor_events: int = 0
    state_digest: str = ""
    at: int = 0

    def __post_init__(self) -> None:
        """Let alike views be one."""
        known: list[dict[str, str]] = []
        for item in self.instances:
            same = next((sees for sees in known if sees == item.sees), None)
            if same is not None:
                msgspec.structs.force_setattr(item, "sees", same)
            elif len(known) < VIEWS:
                known.append(item.sees)


class Lock(_View, frozen=True):
    """A lock as the asked node knows it. `remaining_ms` is None where only the leader can tell."""

    resource: str = ""
    owner: str = ""
    instance: str = ""
    fencing_token: int = 0
    ttl_ms: int = 0
    remaining_ms: int | None = None
    waiters: int = 0


class DriftSample(_View, frozen=True):
    """One measurement: local clock minus the leader's, with its error bound."""

    at: int = 0
    offset_ms: float = 0.0
    error_ms: float = 0.0
    reference: str = ""


class Drift(_View, frozen=True):
    """The asked node's clock against the leader's."""

    instance: str = ""
    reference: str | None = None
    offset_ms: float | None = None
    error_ms: float | None = None
    rate_ppm: float | None = None
    age_ms: int | None = None
    suspect: str | None = None
    warn_ms: float = 0.0
    """From this offset on a clock is warned of; 0 when the node does not say."""
    peers: dict[str, float | None] = {}
    history: tuple[DriftSample, ...] = ()


class Vote(_View, frozen=True):
    """One instance's vote."""

    vote: str = ""
    reason: str | None = None
    at: int = 0
    round: int = 0


class Proposal(_View, frozen=True):
    """A proposal and where it stands."""

    key: str = ""
    id: str = ""
    kind: str = ""
    hash: str = ""
    proposer: str = ""
    state: str = ""
    created_at: int = 0
    deadline: int = 0
    required: int = 0
    voters: tuple[str, ...] = ()
    votes: dict[str, Vote] = {}
    quorum: Quorum = Quorum()
    trace_id: str = ""
    round: int = 0
    version: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    reason: str | None = None
    decided_at: int | None = None
    settled: bool | None = None


class Prediction(_View, frozen=True):
    """What a proposal would meet: nothing was changed."""

    quorum: Quorum = Quorum()
    would_accept: bool = False
    checks: dict[str, str] = {}
    """Check -> "ok" or why not."""
    votes: dict[str, str] = {}
    """Instance -> the vote it would give; "unknown" where only it can tell."""


class Conflict(_View, frozen=True):
    """Two or more accepted contents for one slot."""

    slot: str = ""
    candidates: tuple[Proposal, ...] = ()
    winner: str | None = None
    strategy: str = ""
    why: str = ""
    open: bool = False


class Event(_View, frozen=True):
    """An event of the log."""

    id: str = ""
    origin: str = ""
    seq: int = 0
    type: str = ""
    timestamp: int = 0
    hlc: int = 0
    trace_id: str = ""
    payload: dict[str, Any] = {}


class TraceSummary(_View, frozen=True):
    """One trace as far as the asked node knows it: what started it, what it is `about`, how many spans."""

    id: str = ""
    name: str = ""
    about: str = ""
    start_ms: float = 0.0
    duration_ms: float = 0.0
    spans: int = 0
    instances: tuple[str, ...] = ()


class Span(_View, frozen=True):
    """A piece of work on one instance. `start_ms` is its wall clock's."""

    trace: str = ""
    id: str = ""
    parent: str | None = None
    name: str = ""
    instance: str = ""
    start_ms: float = 0.0
    duration_ms: float = 0.0
    fields: dict[str, Any] = {}


class Trace(_View, frozen=True):
    """One trace, gathered; `missing` are the members that did not answer."""

    id: str = ""
    spans: tuple[Span, ...] = ()
    missing: tuple[str, ...] = ()


class AtInstance(_View, frozen=True):
    """A version's content at one instance. `applied`: it is the working data there, `applying`: these are being made of
    it; `reason`: a word for `problem`.
    """

    state: str = ""
    percent: int = 0
    applied: bool = False
    applying: bool = False
    problem: str | None = None
    reason: str | None = None


class Version(_View, frozen=True):
    """One version, and who has its content. `state`: `current`, `accepted`, `void` or `stored`."""

    version: str = ""
    state: str = ""
    instances: dict[str, AtInstance] = {}
    key: str | None = None
    hash: str | None = None
    files: int = 0
    bytes: int = 0


class Summary(_View, frozen=True):
    """What a version consists of; `types` counts its files by category."""

    version: str = ""
    key: str = ""
    root: str = ""
    created_at: str = ""
    files: int = 0
    bytes: int = 0
    types: dict[str, int] = {}


class Counts(_View, frozen=True):
    """How many objects of a category came, went, changed."""

    added: int = 0
    removed: int = 0
    changed: int = 0


class Changed(_View, frozen=True):
    """One object before and after."""

    from_: dict[str, Any] = msgspec.field(default_factory=dict, name="from")
    to: dict[str, Any] = {}


class ObjectChanges(_View, frozen=True):
    """Objects of one category that came, went, changed: not more than were asked for."""

    added: tuple[dict[str, Any], ...] = ()
    removed: tuple[dict[str, Any], ...] = ()
    changed: tuple[Changed, ...] = ()


class FileChanges(_View, frozen=True):
    """The same of files that are no objects, by their paths."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class Comparison(_View, frozen=True):
    """What differs between two versions."""

    from_: str = msgspec.field(default="", name="from")
    to: str = ""
    summary: dict[str, Counts] = {}
    objects: dict[str, ObjectChanges] = {}
    others: FileChanges = FileChanges()


class ContentSize(_View, frozen=True):
    """How large a content is."""

    key: str = ""
    bytes: int = 0
    files: int = 0


class Stored(_View, frozen=True):
    """Content that a node holds and that can be published."""

    kind: str = ""
    version: str = ""
    hash: str = ""
    content: ContentSize = ContentSize()


class Verified(_View, frozen=True):
    """What a check of a version's files found."""

    checked: int = 0
    missing: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


class Job(_View, frozen=True):
    """Work of a node that takes its time: storing, publishing, checking."""

    id: str = ""
    phase: str = ""
    version: str = ""
    files: int = 0
    bytes: int = 0
    total_bytes: int = 0
    holders: dict[str, str] = {}
    stored: Stored | None = None
    proposal: Proposal | None = None
    verified: Verified | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.phase in ("done", "failed")
