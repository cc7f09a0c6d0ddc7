"""Answers of a node, as the API gives them."""

from typing import Any

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000

QUORUM = {"total": 3, "healthy": 2, "required": 2, "sufficient": True}


def instance(id_: str, status: str = "healthy", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "url": f"http://10.0.0.{ord(id_[-1]) - 64}:3000/api/v1",
        "status": status,
        "reasons": [],
        "uptimeMs": 12 * 86_400_000 + 4 * 3_600_000,
        "heartbeatAgeMs": 1200,
        "rttMs": 0.84,
        "driftMs": 3.2,
        "version": "1.2.0",
        "protocol": "2",
        "sees": {},
    } | more


INSTANCES = [
    instance("instance-A", heartbeatAgeMs=None, rttMs=None, driftMs=None),
    instance("instance-B", "degraded", reasons=["drift", "slow_disk"], driftMs=1204.0),
    instance("instance-C", "unreachable", heartbeatAgeMs=41_000, rttMs=None, driftMs=None, version=None),
]

LEADER = {
    "id": "instance-A",
    "term": 4,
    "electedAt": NOW_MS - 3 * MINUTE_MS,
    "leaseRemainingMs": 9_000,
    "candidates": [
        {"id": "instance-A", "uptimeMs": 1_058_400_000, "status": "healthy"},
        {"id": "instance-B", "uptimeMs": 1_058_300_000, "status": "degraded"},
    ],
}

STATUS = {
    "id": "instance-A",
    "cluster": "prod-eu",
    "status": "healthy",
    "reasons": [],
    "verdict": "Working, with one instance gone: instance-C has not answered for 41 s. None more may fail.",
    "warnings": ["an even split could accept on both sides"],
    "uptimeMs": 1_058_400_000,
    "bootId": "b1",
    "journalId": "j1",
    "configDigest": "d1",
    "protocol": "2",
    "rule": "half",
    "strategy": "last-write-wins",
    "quorum": QUORUM,
    "leader": LEADER,
    "instances": INSTANCES,
    "currentVersion": "1.2.0",
    "currentHash": "abc123",
    "openProposals": 1,
    "openConflicts": 0,
    "locks": 1,
    "events": 128,
    "floorEvents": 0,
    "stateDigest": "e3b0c442",
    "at": NOW_MS,
}

LOCK = {
    "resource": "catalogue",
    "owner": "build-7",
    "instance": "instance-B",
    "fencingToken": 60129,
    "ttlMs": 30_000,
    "remainingMs": 24_000,
    "waiters": 2,
}
LOCKS = [LOCK, LOCK | {"resource": "reindex", "owner": "ops", "fencingToken": 60131, "remainingMs": None, "waiters": 0}]


def vote(word: str = "accept", reason: str | None = None) -> dict[str, Any]:
    return {"vote": word, "reason": reason, "at": NOW_MS - 2_000, "round": 0}


def proposal(state: str = "accepted", **more: Any) -> dict[str, Any]:
    return {
        "key": "k-1",
        "id": "snapshot-1.2.0-1700000000000",
        "kind": "snapshot",
        "version": "1.2.0",
        "hash": "abc123",
        "proposer": "instance-A",
        "state": state,
        "createdAt": NOW_MS - 3_000,
        "deadline": NOW_MS + 27_000,
        "required": 2,
        "voters": ["instance-A", "instance-B", "instance-C"],
        "votes": {"instance-A": vote(), "instance-B": vote()},
        "quorum": QUORUM,
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    } | more


DIFF = proposal(
    "rejected",
    key="k-2",
    id="diff-1.1.0-1.2.0-1700000000001",
    kind="diff",
    version=None,
    hash="def456",
    reason="stale_version",
    votes={"instance-A": vote("reject", "stale_version"), "instance-B": vote("reject", "stale_version")},
    **{"from": "1.1.0", "to": "1.2.0"},
)

CONFLICTS = [
    {
        "slot": "version 1.2.0",
        "candidates": [proposal(), proposal(key="k-9", hash="fff000", proposer="instance-C")],
        "winner": None,
        "strategy": "reject-inconsistent",
        "why": "open until somebody resolves it",
        "open": True,
    }
]

DRIFT = {
    "instance": "instance-B",
    "reference": "instance-A",
    "offsetMs": 12.4,
    "errorMs": 0.6,
    "ratePpm": 1.5,
    "ageMs": 20_000,
    "suspect": None,
    "peers": {"instance-B": 12.4, "instance-C": None},
    "history": [],
}

EVENTS = [
    {
        "id": "e-1",
        "origin": "instance-A",
        "seq": 7,
        "type": "SNAPSHOT_PROPOSAL",
        "timestamp": NOW_MS - 3_000,
        "hlc": 1,
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "payload": {"version": "1.2.0", "hash": "abc123"},
    }
]

TRACES = [
    {
        "id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "name": "PROPOSE_SNAPSHOT_API",
        "about": "snapshot-1.2.0-1767272888160",
        "startMs": NOW_MS - 3_000,
        "durationMs": 12.5,
        "spans": 3,
        "instances": ["instance-A", "instance-B"],
    }
]

SPANS_A = [
    {
        "trace": TRACES[0]["id"],
        "id": "a1",
        "parent": None,
        "name": "PROPOSE_SNAPSHOT_API",
        "instance": "instance-A",
        "startMs": NOW_MS,
        "durationMs": 12.0,
        "fields": {},
    },
    {
        "trace": TRACES[0]["id"],
        "id": "a2",
        "parent": "a1",
        "name": "PROPOSE_SNAPSHOT",
        "instance": "instance-A",
        "startMs": NOW_MS + 1,
        "durationMs": 9.0,
        "fields": {},
    },
]
SPANS_B = [
    {
        "trace": TRACES[0]["id"],
        "id": "b1",
        "parent": "a1",
        "name": "QUORUM_DECISION",
        "instance": "instance-B",
        "startMs": NOW_MS + 4,
        "durationMs": 3.0,
        "fields": {},
    }
]

METRICS = """# HELP distributed_votes_total Votes cast.
# TYPE distributed_votes_total counter
distributed_votes_total{type="accept"} 12
distributed_active_locks 1.5
"""

READS: dict[str, Any] = {
    "GET distributed/quorum": QUORUM,
    "GET distributed/status": STATUS,
    "GET distributed/instances": INSTANCES,
    "GET distributed/leader": LEADER,
    "GET distributed/locks": LOCKS,
    "GET distributed/proposals": [proposal(), DIFF],
    "GET distributed/conflicts": CONFLICTS,
    "GET distributed/drift": DRIFT,
    "GET distributed/events": EVENTS,
    "GET distributed/traces": TRACES,
}


def prediction(would: bool = True, sufficient: bool = True) -> dict[str, Any]:
    """What a dry run says."""
    return {
        "quorum": QUORUM | {"sufficient": sufficient},
        "wouldAccept": would,
        "checks": {"version": "ok", "quorum": "ok"},
        "votes": {"instance-A": "accept", "instance-B": "unknown"},
    }
