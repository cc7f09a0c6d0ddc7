"""What a node knows of one other member, and what its own heartbeats tell (H1)."""

import zlib
from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from node.protocol.messages import Heartbeat, Mark
from node.protocol.settings import Member

HEALTHY, DEGRADED, UNREACHABLE = "healthy", "degraded", "unreachable"
INSTANCE_STATUS = "INSTANCE_STATUS"
"""What is observed when another's status changes."""


class Told(NamedTuple):
    """What a heartbeat says of the node's other parts."""

    term: int = 0
    leader: str | None = None
    commit: int = 0
    vector: Mapping[str, int] = MappingProxyType({})
    version: str | None = None
    drift_ms: float | None = None
    drift_error_ms: float | None = None


def fingerprint(mapping: Mapping[str, object]) -> int:
    """A short hash of a mapping, equal on every node that holds the same; 0 for an empty one."""
    if not mapping:
        return 0
    return zlib.crc32("\n".join(f"{key}={mapping[key]}" for key in sorted(mapping)).encode())


class Peer:
    """What this node knows of one other member, and since when (monotonic seconds)."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.status = UNREACHABLE
        self.alive = False
        """Healthy or degraded: counts for the quorum (seed 3.2)."""
        self.reasons: tuple[str, ...] = ("not_heard_yet",)
        self.since = 0.0
        self.heard: float | None = None
        self.answered: float | None = None
        self.refused_at: float | None = None
        self.stranger_at: float | None = None
        self.quoted = ""
        """The journal that it takes to be ours; "": it has noted none."""
        self.rtt_s: float | None = None
        self.uptime_ms: int | None = None
        self.uptime_at = 0.0
        self.beat = 0
        self.beat_at = -inf
        self.sent_at: dict[int, float] = {}
        self.unanswered_since: float | None = None
        self.owed: tuple[int, float] | None = None
        """A beat of its that is to be confirmed with our next one, and when it came."""
        self.boot = ""
        self.old_boots: set[str] = set()
        self.start = ("", 0)
        """Its journal, and the latest start on it that was heard."""
        self.digest = ""
        self.entries: dict[str, str] = {}
        self.mark: Mark | None = None
        self.said: Heartbeat | None = None
        self.sees: dict[str, str] = {}
        self.sees_hash = 0
        self.vector: dict[str, int] = {}
        self.vector_hash = 0
        self.confirmed_sees = 0
        self.confirmed_vector = 0

    def uptime_s(self, mono: float) -> float | None:
        """Its uptime now, as last reported plus the time since."""
        return None if self.uptime_ms is None else self.uptime_ms / 1000 + mono - self.uptime_at

    @property
    def refused(self) -> bool:
        """Its host refuses our connections, and nothing has come from it since."""
        return self.refused_at is not None and (self.heard is None or self.heard <= self.refused_at)
