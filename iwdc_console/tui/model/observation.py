"""An observation: everything one node told, as known at one moment. Screens are functions of it and of the time.

It is the same thing live, replayed and in time travel. Each part says when it was received, so that what is old can be
shown as old. Monotonic seconds (`_s`) are for ages, unix ms (`_ms`) for display and for recordings.
"""

from typing import Generic, Literal, TypeVar

import msgspec

from iwdc_console.tui.model.api import (
    Comparison,
    Conflict,
    Drift,
    Event,
    Leader,
    Lock,
    Proposal,
    Status,
    Summary,
    Trace,
    TraceSummary,
    Version,
)  # fmt: skip

T = TypeVar("T")

PartName = Literal[
    "status", "leader", "locks", "drift", "clocks", "proposals", "conflicts", "events", "elections", "traces",
    "trace", "metrics", "versions", "summary", "comparison",
]  # fmt: skip
PARTS: tuple[PartName, ...] = (
    "status",
    "leader",
    "locks",
    "drift",
    "clocks",
    "proposals",
    "conflicts",
    "events",
    "elections",
    "traces",
    "trace",
    "metrics",
    "versions",
    "summary",
    "comparison",
)


class Part(msgspec.Struct, Generic[T], frozen=True):
    """One answer: what it said, and when it was received from which node."""

    value: T
    node: str
    at_s: float
    at_ms: int


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """The connection to the node that is asked.

    `rtt_ms` is the round trip of the last answer. While `error` is not empty the last try failed: `failing_since_s`
    says since when, `next_try_s` when the next one begins, `tried` which addresses have failed since the last answer.
    """

    node: str = ""
    rtt_ms: float | None = None
    answered_s: float | None = None
    error: str = ""
    failing_since_s: float | None = None
    next_try_s: float | None = None
    tried: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        """Whether the last try was answered."""
        return self.answered_s is not None and not self.error


class Observation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a cluster. A part that was never received is None."""

    context: str = ""
    nodes: tuple[str, ...] = ()
    link: Link = Link()
    status: Part[Status] | None = None
    leader: Part[Leader] | None = None
    """As the leader itself tells it."""
    locks: Part[tuple[Lock, ...]] | None = None
    drift: Part[Drift] | None = None
    clocks: Part[tuple[Drift, ...]] | None = None
    """What every member that answered has measured of its own clock."""
    proposals: Part[tuple[Proposal, ...]] | None = None
    conflicts: Part[tuple[Conflict, ...]] | None = None
    events: Part[tuple[Event, ...]] | None = None
    """The newest, oldest first; as many as the source keeps."""
    elections: Part[tuple[Event, ...]] | None = None
    """Those of leadership alone: they are rare, and would be pushed out of the newest."""
    traces: Part[tuple[TraceSummary, ...]] | None = None
    trace: Part[Trace] | None = None
    """The one that is looked at, gathered from all members."""
    metrics: Part[str] | None = None
    versions: Part[tuple[Version, ...]] | None = None
    summary: Part[Summary] | None = None
    """Of the version that is looked at."""
    comparison: Part[Comparison] | None = None
    """Of the version that is looked at with another one."""
    retold: bool = False
    """Not observed, but put together from the journal's events: statuses, locks and clocks are not known."""
    troubles: dict[str, str] = {}
    """Part -> why its last answer could not be used."""

    def age_s(self, now_s: float) -> float | None:
        """How old the status is, or None when there never was one."""
        return None if self.status is None else max(0.0, now_s - self.status.at_s)
