"""What a node is told before it starts. Every default is the seed's; durations are seconds.

The digest (M1) covers what all members must agree on; it is what lets promises, acks and votes pass (M2).
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Literal

Rule = Literal["half", "majority"]
Strategy = Literal["last-write-wins", "leader-wins", "reject-inconsistent"]

PROTOCOL = "2"
"""The protocol our nodes speak. A member marked "1.6" counts in the seed's quorum and never votes (M4)."""
LEGACY_PROTOCOL = "1.6"


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One entry of `instances.json`. `url` is the API root, `scheme://host:port/api/v1`, without a trailing slash."""

    id: str
    url: str
    protocol: str = PROTOCOL

    @property
    def votes(self) -> bool:
        """Whether this member takes part in votes and strict majorities (M4)."""
        return self.protocol != LEGACY_PROTOCOL


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds; some must be less than others, see `LESS_THAN`."""

    heartbeat_interval: float = 5.0
    heartbeat_timeout: float = 15.0
    election_interval: float = 30.0
    lock_ttl: float = 30.0
    lock_renew_interval: float = 10.0
    drift_interval: float = 60.0
    proposal_timeout: float = 30.0
    uptime_tolerance: float = 1.0


LESS_THAN: Final = (("heartbeat_interval", "heartbeat_timeout"), ("lock_renew_interval", "lock_ttl"))
"""Timings of which the first must be less than the second."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of every queue, buffer and name, in one place. Counts unless the name says otherwise."""

    max_name_chars: int = 200
    max_version_chars: int = 100
    max_hash_chars: int = 256
    max_signature_chars: int = 1_024
    max_payload_bytes: int = 256 * 1024
    max_locks: int = 10_000
    max_waiters_per_lock: int = 256
    max_open_proposals: int = 20_000
    max_pending_requests: int = 20_000
    max_events_per_push: int = 2_000
    max_lock_ttl_s: float = 3_600.0
    max_wait_s: float = 600.0
    max_clock_lead_ms: int = 60_000
    max_settled_kept: int = 2_000
    max_history_kept: int = 1_000
    max_skipped_kept: int = 1_000
    retain_events: int = 50_000
    drift_warn_ms: float = 1_000.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the core needs to know about itself and its cluster."""

    id: str
    cluster: str
    members: tuple[Member, ...]
    rule: Rule = "half"
    strategy: Strategy = "last-write-wins"
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    require_signatures: bool = False
    hash_format: Literal["any", "sha256"] = "any"

    @property
    def peers(self) -> tuple[Member, ...]:
        """All members but the local one, sorted by id."""
        return tuple(m for m in self.members if m.id != self.id)

    @property
    def voters(self) -> tuple[str, ...]:
        """Ids of the members that vote (M4), sorted."""
        return tuple(m.id for m in self.members if m.votes)

    @property
    def digest(self) -> str:
        """Hex digest of ids, URLs, protocols, cluster id, rule and strategy (M1)."""
        lines = [f"cluster={self.cluster}", f"rule={self.rule}", f"strategy={self.strategy}"]
        lines += [f"{m.id}={m.url}#{m.protocol}" for m in sorted(self.members)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def entries(self) -> dict[str, str]:
        """The digest's parts by name, so that two differing digests can be compared and the difference named (M2)."""
        parts = {"cluster": self.cluster, "rule": self.rule, "strategy": self.strategy}
        parts |= {f"instance {m.id}": f"{m.url} protocol {m.protocol}" for m in self.members}
        return parts
