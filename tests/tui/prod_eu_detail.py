"""The same cluster in detail: clocks, traces, metrics, elections, and a conflict that waits for a person."""

import math

import msgspec

from iwdc_console.tui.model.api import Conflict, Drift, DriftSample, Event, Proposal, Span, Trace, TraceSummary, Vote
from iwdc_console.tui.model.observation import Observation, Part
from tests.tui.prod_eu import NAMES, NODE, NOW_MS, NOW_S, observation, status

TRACE = f"{4:032x}"
"""That of the proposal among the events."""


def drift() -> Drift:
    """instance-A has been measured against B once a minute, for half an hour; D is suspect."""
    history = tuple(
        DriftSample(NOW_MS - ago * 60_000, 3.0 + 2 * math.sin(ago / 3), 0.4 + (ago * 7 % 5) * 0.3, "instance-B")
        for ago in range(30, -1, -1)
    )
    peers: dict[str, float | None] = {
        "instance-A": 3.0, "instance-B": 0.0, "instance-C": -11.0, "instance-D": 1_204.0, "instance-E": None,
    }  # fmt: skip
    return Drift(
        instance="instance-A", reference="instance-B", offset_ms=3.0, error_ms=0.4, rate_ppm=1.5, age_ms=900,
        suspect="instance-D", warn_ms=1_000.0, peers=peers, history=history,
    )  # fmt: skip


def clocks() -> tuple[Drift, ...]:
    """What A, C and D have measured of themselves; B leads, E did not answer."""

    def of(instance: str, offset_ms: float, error_ms: float, rate_ppm: float) -> Drift:
        history = tuple(
            DriftSample(NOW_MS - ago * 60_000, offset_ms - ago * rate_ppm * 0.06, error_ms, "instance-B")
            for ago in range(20, -1, -1)
        )
        return Drift(
            instance=instance, reference="instance-B", offset_ms=offset_ms, error_ms=error_ms, rate_ppm=rate_ppm,
            age_ms=2_000, history=history,
        )  # fmt: skip

    return (drift(), of("instance-C", -11.0, 0.9, -4.2), of("instance-D", 1_204.0, 2.5, 31.0))


def traces() -> tuple[TraceSummary, ...]:
    """A proposal, a lock and an election."""
    return (
        TraceSummary(TRACE, "PROPOSE_SNAPSHOT_API", "snapshot-1.5.0-1796021645934", NOW_MS - 1_000, 7.4, 6, NAMES[:1]),
        TraceSummary(f"{9:032x}", "LOCK_ACQUIRE", "catalogue", NOW_MS - 5_000, 3.2, 1, NAMES[:1]),
        TraceSummary(f"{1:032x}", "LEADER_ELECTION", "instance-B", NOW_MS - 340_000, 812.5, 4, NAMES[:1]),
    )


def trace() -> Trace:
    """The proposal on three instances; D did not answer."""

    def span(id: str, parent: str | None, name: str, instance: str, start_ms: float, took_ms: float) -> Span:
        return Span(TRACE, id, parent, name, instance, NOW_MS - 1_000 + start_ms, took_ms)

    return Trace(
        TRACE,
        (
            span("root", None, "PROPOSE_SNAPSHOT_API", "instance-A", 0, 7.4),
            span("check", "root", "QUORUM_CHECK", "instance-A", 0.1, 0.0),
            span("push", "root", "REMOTE_PUSH", "instance-A", 1.2, 2.1),
            span("vote-b", "root", "VOTE", "instance-B", 2.6, 1.4),
            span("vote-c", "root", "VOTE", "instance-C", 2.9, 1.9),
            span("verdict", "root", "QUORUM_DECISION", "instance-A", 5.6, 1.8),
        ),
        ("instance-D",),
    )


METRICS = """# HELP distributed_votes_total Votes given.
# TYPE distributed_votes_total counter
distributed_votes_total{type="accept"} 4812
distributed_votes_total{type="reject"} 17
# HELP distributed_active_locks Locks held now.
# TYPE distributed_active_locks gauge
distributed_active_locks 2
# HELP distributed_replication_latency_seconds From an event's making to its arrival here.
# TYPE distributed_replication_latency_seconds histogram
distributed_replication_latency_seconds_bucket{le="0.01"} 900
distributed_replication_latency_seconds_bucket{le="0.1"} 990
distributed_replication_latency_seconds_bucket{le="+Inf"} 1000
distributed_replication_latency_seconds_count 1000
distributed_replication_latency_seconds_sum 8.5
"""


def elections() -> tuple[Event, ...]:
    """Three terms."""

    def event(seq: int, ago_ms: int, type_: str, **payload: object) -> Event:
        return Event(f"l{seq}", "instance-B", seq, type_, NOW_MS - ago_ms, (NOW_MS - ago_ms) << 16, "", payload)

    return (
        event(1, 90_000_000, "LEADER_ELECTED", leader="instance-E", term=12, reason="start"),
        event(2, 7_000_000, "LEADER_CHANGED", **_change("instance-E", "instance-C", 13, "refused")),
        event(3, 340_000, "LEADER_CHANGED", **_change("instance-C", "instance-B", 14, "handed_over")),
    )  # fmt: skip


def _change(former: str, to: str, term: int, reason: str) -> dict[str, object]:
    return {"from": former, "to": to, "term": term, "reason": reason}


def conflicts() -> tuple[Conflict, ...]:
    """One settled by the strategy, one open."""

    def accepted(key: str, version: str, hash: str, proposer: str, ago_ms: int) -> Proposal:
        votes = {proposer: Vote("accept", None, NOW_MS - ago_ms), "instance-C": Vote("accept", None, NOW_MS - ago_ms)}
        return Proposal(
            key=key, id=f"snapshot-{version}-1", kind="snapshot", version=version, hash=hash, proposer=proposer,
            state="accepted", created_at=NOW_MS - ago_ms, decided_at=NOW_MS - ago_ms + 20, required=2, votes=votes,
        )  # fmt: skip

    old = (
        accepted("a-7", "1.3.0", "aaaa1111", "instance-A", 800_000),
        accepted("b-9", "1.3.0", "bbbb2222", "instance-B", 700_000),
    )
    new = (
        accepted("a-8", "1.4.2", "cccc3333", "instance-A", 90_000),
        accepted("d-3", "1.4.2", "dddd4444", "instance-D", 80_000),
    )
    return (
        Conflict("version:1.3.0", old, "b-9", "last-write-wins", "the configured strategy decides", open=False),
        Conflict("version:1.4.2", new, None, "reject-inconsistent", "the configured strategy decides", open=True),
    )  # fmt: skip


def detailed() -> Observation:
    """Everything that any screen asks for."""

    def part(value: object) -> Part:  # type: ignore[type-arg]
        return Part(value, NODE, NOW_S - 0.4, NOW_MS - 400)

    return msgspec.structs.replace(
        observation(), drift=part(drift()), traces=part(traces()), trace=part(trace()), metrics=part(METRICS),
        elections=part(elections()), conflicts=part(conflicts()), clocks=part(clocks()),
        leader=part(msgspec.structs.replace(status().leader, lease_remaining_ms=13_400, lease_ms=15_000)),
    )  # fmt: skip
