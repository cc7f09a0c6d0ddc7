"""Every route: what it takes, what it asks of the core, what it answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from node.protocol.effects import LegacySeen
from node.protocol.requests import (
    AcquireLock,
    Answer,
    Answers,
    Elect,
    GoOnWithout,
    Ingest,
    Maybe,
    Propose,
    ProposeMany,
    Publish,
    Refusal,
    ReleaseLock,
    RenewLock,
    Request,
    ResolveConflict,
    StepDown,
)
from node.protocol.shapes import LockView, QuorumView
from tests.api.stand_in import LOCK, PROPOSAL, TRACE, StandIn, usual
from tests.api.wire import Served, run, served

D = "/api/v1/distributed"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
LOCK_SHOWN = {
    "resource": "build/lock",
    "owner": "ci",
    "instance": "instance-A",
    "fencingToken": 7,
    "ttlMs": 30000,
    "remainingMs": 29000,
    "waiters": 0,
}

READS: list[tuple[str, Callable[[Any], bool]]] = [
    ("/api/v1/health", lambda data: data["status"] == "alive"),
    (f"{D}/info", lambda data: data["id"] == "instance-A" and data["protocol"] == "2"),
    (f"{D}/quorum", lambda data: data == {"total": 3, "healthy": 2, "required": 2, "sufficient": True}),
    (f"{D}/status", lambda data: data["currentVersion"] == "1.2.0" and data["leader"]["id"] == "instance-B"),
    (f"{D}/instances", lambda data: data[0]["heartbeatAgeMs"] == 40 and data[0]["sees"] == {"instance-A": "healthy"}),
    (f"{D}/leader", lambda data: data["term"] == 4 and data["leaseRemainingMs"] == 0 and data["electedAt"] > 0),
    (f"{D}/locks", lambda data: data == [LOCK_SHOWN]),
    (f"{D}/drift", lambda data: data["reference"] == "instance-B" and data["offsetMs"] == 0.2),
    (f"{D}/proposals", lambda data: len(data) == 2 and data[0]["version"] == "1.2.0" and "from" not in data[0]),
    (f"{D}/proposals?limit=1", lambda data: len(data) == 1),
    (f"{D}/proposals/{PROPOSAL.id}", lambda data: [one["id"] for one in data] == [PROPOSAL.id]),
    (f"{D}/conflicts", lambda data: data[0]["winner"] == "e-1" and len(data[0]["candidates"]) == 2),
    (f"{D}/events", lambda data: [one["id"] for one in data] == ["e-j-A-1", "e-j-A-2", "e-j-B-1"]),
    (f"{D}/events?type=DIFF_CREATED,X", lambda data: [one["seq"] for one in data] == [2]),
    (f"{D}/events?origin=instance-B", lambda data: [one["origin"] for one in data] == ["instance-B"]),
    (f"{D}/events?limit=1", lambda data: [one["id"] for one in data] == ["e-j-B-1"]),
    (f"{D}/events?trace={'0' * 32}", lambda data: data == []),
    (f"{D}/traces", lambda data: data == []),
    (
        f"{D}/journal",
        lambda data: (
            data["events"][0]
            == {"id": "e-j-A-1", "type": "SNAPSHOT_CREATED", "timestamp": 1700000000001, "sourceInstance": "instance-A"}
        ),
    ),
]

ORDERS: list[tuple[str, Any, Request, Any]] = [
    (
        "propose-snapshot",
        {"version": "1.2.0", "hash": "abc123", "signature": "def456"},
        Propose("snapshot", "1.2.0", "abc123", signature="def456", trace=TRACE),
        {
            "proposalId": "snapshot-1.2.0-1234567890",
            "quorum": {"total": 3, "healthy": 2, "required": 2, "sufficient": True},
        },
    ),
    (
        "propose-diff",
        {"from": "1.1.0", "to": "1.2.0", "hash": "abc123", "signature": None, "to_be": "ignored"},
        Propose("diff", "1.2.0", "abc123", base="1.1.0", trace=TRACE),
        {
            "proposalId": "diff-1.1.0-1.2.0-1234567890",
            "quorum": {"total": 3, "healthy": 2, "required": 2, "sufficient": True},
        },
    ),
    (
        "propose-snapshot?dryRun=true",
        {"version": "1.2.0", "hash": "abc123"},
        Propose("snapshot", "1.2.0", "abc123", dry_run=True, trace=TRACE),
        {
            "quorum": {"total": 3, "healthy": 2, "required": 2, "sufficient": True},
            "wouldAccept": True,
            "checks": {"quorum": "ok"},
            "votes": {"instance-B": "unknown"},
        },
    ),
    (
        "propose-snapshot?wait=2.5",
        {"version": "1.2.0", "hash": "abc123"},
        Propose("snapshot", "1.2.0", "abc123", wait_s=2.5, trace=TRACE),
        {
            "proposalId": "snapshot-1.2.0-1234567890",
            "quorum": {"total": 3, "healthy": 2, "required": 2, "sufficient": True},
            "state": "accepted",
            "reason": None,
            "votes": {"instance-A": {"vote": "accept", "reason": None, "at": 1234567891, "round": 0}},
            "key": "e-1",
            "existing": False,
            "settled": None,
        },
    ),
    (
        "events?durability=quorum",
        {"type": "SNAPSHOT_CREATED", "payload": {"version": "1.2.0"}, "id": "mine"},
        Publish("SNAPSHOT_CREATED", {"version": "1.2.0"}, "mine", True, TRACE),
        {"id": "mine", "journal": "j-A", "seq": 9, "existing": False},
    ),
    (
        "locks/build%2Flock/acquire",
        {"owner": "ci", "requestId": "r-1", "ttl": 12, "wait": 3},
        AcquireLock("build/lock", "ci", "r-1", 12.0, 3.0, TRACE),
        LOCK_SHOWN,
    ),
    ("locks/build/acquire", {"owner": "ci"}, AcquireLock("build", "ci", TRACE, 30.0, 0.0, TRACE), LOCK_SHOWN),
    (
        "locks/build/renew",
        {"owner": "ci", "fencingToken": 7},
        RenewLock("build", "ci", 7, None, TRACE),
        LOCK_SHOWN,
    ),
    (
        "locks/build/release",
        {"owner": "ci", "fencingToken": 7},
        ReleaseLock("build", "ci", 7, None, False, TRACE),
        {"resource": "build", "fencingToken": 7, "already": False},
    ),
    (
        "locks/build/release",
        {"owner": "ci", "requestId": "r-1"},
        ReleaseLock("build", "ci", None, "r-1", False, TRACE),
        {"resource": "build", "fencingToken": None, "already": False},
    ),
    (
        "locks/%D1%81%D0%BA%D0%BB%D0%B0%D0%B4/force-release",
        {"owner": "admin"},
        ReleaseLock("склад", "admin", None, None, True, TRACE),
        {"resource": "склад", "fencingToken": None, "already": False},
    ),
    (
        "locks/build/force-release",
        {"owner": "admin", "fencingToken": 7},
        ReleaseLock("build", "admin", 7, None, True, TRACE),
        {"resource": "build", "fencingToken": 7, "already": False},
    ),
    ("leader/step-down", {"to": "instance-B"}, StepDown("instance-B"), {"detail": "done"}),
    ("leader/step-down", None, StepDown(None), {"detail": "done"}),
    ("leader/elect", None, Elect(), {"detail": "done"}),
    (
        "conflicts/version%201.2.0/resolve",
        {"key": "e-1"},
        ResolveConflict("version 1.2.0", "e-1", TRACE),
        {"detail": "done"},
    ),
    ("recover", {"without": ["instance-B"]}, GoOnWithout(("instance-B",)), {"detail": "done"}),
]


@pytest.mark.parametrize(("target", "holds"), READS, ids=[target for target, _ in READS])
def test_read(target: str, holds: Callable[[Any], bool]) -> None:
    async def body() -> None:
        async with served() as world:
            answer = await world.ask("GET", target)
            assert answer.status == 200, answer.body
            assert answer.json["success"] is True
            assert holds(answer.data), answer.data
            assert answer.headers["x-trace-id"] == answer.json["meta"]["traceId"]
            assert int(answer.headers["x-server-time"]) == answer.json["meta"]["timestamp"]
            head = await world.ask("HEAD", target)
            assert head.status == 200
            assert head.headers["content-length"] == answer.headers["content-length"]

    run(body)


@pytest.mark.parametrize(
    ("target", "sent", "request_", "shown"), ORDERS, ids=[f"{o[0]}-{n}" for n, o in enumerate(ORDERS)]
)
def test_order(target: str, sent: Any, request_: Request, shown: Any) -> None:
    async def body() -> None:
        async with served() as world:
            answer = await world.ask("POST", f"{D}/{target}", sent, traceparent=PARENT)
            assert answer.status == 200, answer.body
            assert answer.data == shown
            assert world.engine.asked == [request_]
            assert answer.headers["x-trace-id"] == TRACE

    run(body)


def bytes_until_meta(body: bytes) -> bytes:
    return body.split(b',"meta":')[0] + b"}"


def test_the_seeds_answers_byte_for_byte() -> None:
    """Seed 3.3, 4.2, 4.3."""

    async def body() -> None:
        async with served() as world:
            quorum = b'{"total":3,"healthy":2,"required":2,"sufficient":true}'
            answer = await world.ask("GET", f"{D}/quorum")
            assert bytes_until_meta(answer.body) == b'{"success":true,"data":' + quorum + b"}"
            assert answer.headers["content-type"] == "application/json"
            assert set(answer.json["meta"]) == {"timestamp", "traceId"}
            answer = await world.ask("POST", f"{D}/propose-snapshot", {"version": "1.2.0", "hash": "abc123"})
            assert bytes_until_meta(answer.body) == (
                b'{"success":true,"data":{"proposalId":"snapshot-1.2.0-1234567890","quorum":' + quorum + b"}}"
            )
            answer = await world.ask("POST", f"{D}/propose-diff", {"from": "1.1.0", "to": "1.2.0", "hash": "abc123"})
            assert bytes_until_meta(answer.body) == (
                b'{"success":true,"data":{"proposalId":"diff-1.1.0-1.2.0-1234567890","quorum":' + quorum + b"}}"
            )

    run(body)


def test_insufficient_quorum_is_200_and_nothing_but_reason_and_quorum() -> None:
    def refuse(request: Request) -> Answer:
        return Refusal("insufficient_quorum", "1 of 3", quorum=QuorumView(3, 1, 2, False))

    async def body() -> None:
        async with served(StandIn(refuse)) as world:
            answer = await world.ask("POST", f"{D}/propose-snapshot", {"version": "1.2.0", "hash": "abc123"})
            assert answer.status == 200
            assert bytes_until_meta(answer.body) == (
                b'{"success":false,"data":{"reason":"insufficient_quorum","quorum":'
                b'{"total":3,"healthy":1,"required":2,"sufficient":false}}}'
            )

    run(body)


REFUSALS: list[tuple[Refusal | Maybe, int, dict[str, Any]]] = [
    (Refusal("no_leader", "none yet"), 503, {"reason": "no_leader", "detail": "none yet"}),
    (Refusal("cannot_vote", "disk full"), 503, {"reason": "cannot_vote", "detail": "disk full"}),
    (Refusal("recovering", "wait"), 503, {"reason": "recovering", "detail": "wait"}),
    (Refusal("stepping_down", "wait"), 503, {"reason": "stepping_down", "detail": "wait"}),
    (Refusal("queue_full", "256 wait"), 429, {"reason": "queue_full", "detail": "256 wait"}),
    (Refusal("too_many", "20000"), 429, {"reason": "too_many", "detail": "20000"}),
    (Refusal("bad_request", "too long", "ttl_s"), 400, {"reason": "bad_request", "detail": "too long", "field": "ttl"}),
    (Refusal("unknown_conflict", "none"), 404, {"reason": "unknown_conflict", "detail": "none"}),
    (Refusal("id_taken", "by an other"), 409, {"reason": "id_taken", "detail": "by an other"}),
    (Refusal("timeout", "3 s"), 409, {"reason": "timeout", "detail": "3 s"}),
    (
        Refusal("held", "by x", holder=LockView("r", "x", "instance-B", 3, 1000, None, 0)),
        409,
        {
            "reason": "held",
            "detail": "by x",
            "holder": {
                "resource": "r",
                "owner": "x",
                "instance": "instance-B",
                "fencingToken": 3,
                "ttlMs": 1000,
                "remainingMs": None,
                "waiters": 0,
            },
        },
    ),
    (
        Refusal("wrong_token", "no", given=3, current=4),
        409,
        {"reason": "wrong_token", "detail": "no", "given": 3, "current": 4},
    ),
    (Maybe("timeout", "ask again"), 504, {"reason": "maybe", "cause": "timeout", "detail": "ask again"}),
]


@pytest.mark.parametrize(("answer", "status", "data"), REFUSALS, ids=[one[0].reason + str(one[1]) for one in REFUSALS])
def test_what_the_cluster_says_has_its_status(answer: Answer, status: int, data: dict[str, Any]) -> None:
    async def body() -> None:
        async with served(StandIn(lambda request: answer)) as world:
            said = await world.ask("POST", f"{D}/locks/build/acquire", {"owner": "ci"})
            assert (said.status, said.data) == (status, data)
            assert said.json["success"] is False
            assert said.json["error"] == data["detail"]

    run(body)


def test_an_answer_of_the_wrong_kind_is_our_fault_and_says_so_without_a_trace_of_the_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> None:
        async with served(StandIn(lambda request: Refusal)) as world:  # type: ignore[arg-type, return-value]
            said = await world.ask("POST", f"{D}/leader/elect", traceparent=PARENT)
            assert (said.status, said.data["reason"]) == (500, "internal")
            assert TRACE in said.json["error"]
            assert b"Traceback" not in said.body
            assert b"File " not in said.body

    run(body)
    assert TRACE in caplog.text
    assert "Traceback" in caplog.text


def test_a_batch_is_answered_in_order_and_asked_at_once() -> None:
    def answer(request: Request) -> Answer:
        told = usual(request)
        assert isinstance(told, Answers)
        first, _, *others = told.answers
        return Answers((first, Refusal("too_many", "full"), *others))

    items = [
        {"kind": "snapshot", "version": "1.0.1", "hash": "a"},
        {"kind": "snapshot", "version": "1.0.2", "hash": "b"},
        {"kind": "diff", "from": "1.0.1", "to": "1.0.3", "hash": "c", "idempotencyKey": "k"},
        {"kind": "rollback", "from": "1.0.3", "to": "1.0.1", "hash": "d"},
    ]

    async def body() -> None:
        for sent in (items, {"proposals": items}):
            async with served(StandIn(answer)) as world:
                said = await world.ask("POST", f"{D}/propose", sent, traceparent=PARENT)
                assert said.status == 200
                assert [one["status"] for one in said.data] == [200, 429, 200, 200]
                assert [one["success"] for one in said.data] == [True, False, True, True]
                assert said.data[1] == {
                    "success": False,
                    "status": 429,
                    "data": {"reason": "too_many", "detail": "full"},
                    "error": "full",
                }
                assert said.data[2]["data"]["proposalId"] == "diff-1.0.1-1.0.3-1234567890"
                asks = (
                    Propose("snapshot", "1.0.1", "a", trace=TRACE),
                    Propose("snapshot", "1.0.2", "b", trace=TRACE),
                    Propose("diff", "1.0.3", "c", base="1.0.1", idempotency_key="k", trace=TRACE),
                    Propose("rollback", "1.0.1", "d", base="1.0.3", trace=TRACE),
                )
                assert world.engine.asked == [ProposeMany(asks)]

    run(body)


@pytest.mark.parametrize(
    ("told", "status"), [(Refusal("cannot_vote", "full"), 503), (Maybe("timeout", "no answer"), 504)]
)
def test_what_is_said_to_a_batch_is_said_to_each_of_it(told: Answer, status: int) -> None:
    async def body() -> None:
        async with served(StandIn(lambda request: told)) as world:
            items = [{"kind": "snapshot", "version": f"1.0.{number}", "hash": "a"} for number in range(3)]
            said = await world.ask("POST", f"{D}/propose", items)
            assert [one["status"] for one in said.data] == [status] * 3
            assert (await world.ask("POST", f"{D}/propose", [])).data == []

    run(body)


def test_the_idempotency_key_reaches_the_core() -> None:
    async def body() -> None:
        async with served() as world:
            sent = {"version": "1.2.0", "hash": "abc123"}
            await world.ask("POST", f"{D}/propose-snapshot", sent, Idempotency_Key="key-1")
            asked = world.engine.asked[0]
            assert isinstance(asked, Propose)
            assert asked.idempotency_key == "key-1"

    run(body)


WRONG: list[tuple[str, str, Any, int, str, str | None]] = [
    ("POST", f"{D}/propose-snapshot", {}, 400, "Missing required fields: version, hash", "version"),
    ("POST", f"{D}/propose-snapshot", b"", 400, "Missing required fields: version, hash", "version"),
    ("POST", f"{D}/propose-snapshot", {"version": "1", "hash": ""}, 400, "Missing required fields: hash", "hash"),
    (
        "POST",
        f"{D}/propose-snapshot",
        {"version": None, "hash": "a"},
        400,
        "Missing required fields: version",
        "version",
    ),
    (
        "POST",
        f"{D}/propose-snapshot",
        {"version": "1", "hash": "a\x00"},
        400,
        "hash: expected printable characters without spaces",
        "hash",
    ),
    (
        "POST",
        f"{D}/propose-diff",
        {"from": "1", "to": "2", "hash": "a b"},
        400,
        "hash: expected printable characters without spaces",
        "hash",
    ),
    (
        "POST",
        f"{D}/propose",
        [{"kind": "snapshot", "version": "1", "hash": "\n"}],
        400,
        "[0].hash: expected printable characters without spaces",
        "[0].hash",
    ),
    ("POST", f"{D}/propose-diff", {"hash": "a"}, 400, "Missing required fields: from, to", "from"),
    ("POST", f"{D}/propose-snapshot", b"{nonsense", 400, "Invalid JSON", None),
    ("POST", f"{D}/propose-snapshot", b"\xff\xfe", 400, "Invalid JSON", None),
    ("POST", f"{D}/propose-snapshot", b'{"version":"1","hash":"a"} x', 400, "Invalid JSON", None),
    ("POST", f"{D}/propose-snapshot", {"version": 1, "hash": "a"}, 400, "version: Expected str, got int", "version"),
    ("POST", f"{D}/propose-snapshot", ["a"], 400, "Expected object, got array", None),
    (
        "POST",
        f"{D}/propose-snapshot?wait=soon",
        {"version": "1", "hash": "a"},
        400,
        "wait: Expected float, got str",
        "wait",
    ),
    (
        "POST",
        f"{D}/propose-snapshot?wait=-1",
        {"version": "1", "hash": "a"},
        400,
        "wait: Expected float >= 0.0",
        "wait",
    ),
    (
        "POST",
        f"{D}/propose-snapshot?wait=1e9",
        {"version": "1", "hash": "a"},
        400,
        "wait: expected at most 600",
        "wait",
    ),
    ("POST", f"{D}/propose-snapshot?wait=nan", {"version": "1", "hash": "a"}, 400, "wait: ", "wait"),
    (
        "POST",
        f"{D}/propose-snapshot?wiat=1",
        {"version": "1", "hash": "a"},
        400,
        "wiat: unknown, expected wait, dryRun",
        "wiat",
    ),
    (
        "POST",
        f"{D}/propose",
        [{"kind": "snapshot", "hash": "a"}],
        400,
        "[0].version: a snapshot needs a version",
        "[0].version",
    ),
    ("POST", f"{D}/propose", [{"kind": "diff", "to": "2", "hash": "a"}], 400, "[0].from: a diff needs", "[0].from"),
    (
        "POST",
        f"{D}/propose",
        [{"kind": "shot", "hash": "a"}],
        400,
        "[0].kind: Invalid enum value 'shot', expected snapshot or diff or rollback",
        "[0].kind",
    ),
    ("POST", f"{D}/propose", [{"kind": "diff", "hash": "a"}] * 1001, 400, "1001 proposals, at most 1000", "proposals"),
    ("POST", f"{D}/locks/build/acquire", {}, 400, "Missing required fields: owner", "owner"),
    ("POST", f"{D}/locks/build/acquire", {"owner": "a", "ttl": 0}, 400, "ttl: Expected float >= 0.001", "ttl"),
    ("POST", f"{D}/locks/build/acquire", {"owner": "a", "tll": 1}, 400, "tll: unknown, expected owner", "tll"),
    ("POST", f"{D}/locks/build/acquire", b'{"owner":"a","ttl":1e999}', 400, "ttl: Number out of range", "ttl"),
    (
        "POST",
        f"{D}/locks/build/renew",
        {"owner": "a", "fencingToken": "7"},
        400,
        "fencingToken: Expected int",
        "fencingToken",
    ),
    ("POST", f"{D}/locks/build/release", {"owner": "a"}, 400, "fencingToken: expected it, or", "fencingToken"),
    ("POST", f"{D}/locks//acquire", {"owner": "a"}, 404, "there is nothing at", None),
    ("POST", f"{D}/locks/%ff/acquire", {"owner": "a"}, 400, "path: expected percent-encoded UTF-8", None),
    ("POST", f"{D}/events", {"payload": {}}, 400, "Missing required fields: type", "type"),
    ("POST", f"{D}/events", {"type": "X", "payload": []}, 400, "payload: Expected object, got array", "payload"),
    ("POST", f"{D}/events", b'{"type":"X","payload":{"a":%d}}' % 2**70, 400, "payload: a number beyond", "payload"),
    ("POST", f"{D}/events", {"type": "X", "payload": {"a": "b" * 300_000}}, 413, "payload: 300", "payload"),
    (
        "POST",
        f"{D}/events",
        b'{"type":"X","payload":{"a":%b}}' % (b"[" * 65 + b"]" * 65),
        400,
        "payload: nested deeper",
        "payload",
    ),
    ("POST", f"{D}/events", b'{"type":"X","payload":' + b'{"a":' * 50_000, 400, "Invalid JSON", None),
    (
        "POST",
        f"{D}/propose-snapshot",
        b'{"version":1,"hash":' + b"[" * 100_000,
        400,
        "version: Expected str",
        "version",
    ),
    (
        "POST",
        f"{D}/events?durability=none",
        {"type": "X"},
        400,
        "durability: Invalid enum value 'none', expected local or quorum",
        "durability",
    ),
    ("GET", f"{D}/events?limit=0", None, 400, "limit: Expected int >= 1", "limit"),
    ("GET", f"{D}/events?limit=1001", None, 400, "limit: expected at most 1000, got 1001", "limit"),
    ("GET", f"{D}/events?since=%21%21", None, 400, "since: bad cursor", "since"),
    ("GET", f"{D}/events?since=", None, 400, "since: bad cursor: empty", "since"),
    ("GET", f"{D}/events?since=AAAA", None, 400, "since: bad cursor: format 0", "since"),
    ("GET", f"{D}/events/stream?since=Zm9v", None, 400, "since: bad cursor", "since"),
    ("GET", f"{D}/events?limit=1&limit=2", None, 400, "limit: given more than once", "limit"),
    ("GET", f"{D}/events?limit", None, 400, "query: expected name=value", None),
    ("GET", f"{D}/events?type=%ff", None, 400, "query: expected name=value", None),
    ("GET", f"{D}/quorum?x=1", None, 400, "x: no query parameters are taken here", "x"),
    ("GET", f"{D}/proposals/none", None, 404, "no proposal has the id or key 'none'", None),
    ("GET", f"{D}/traces/none", None, 404, "this instance has no span of trace 'none'", None),
    ("GET", f"{D}/qourum", None, 404, f"there is nothing at {D}/qourum; did you mean {D}/quorum?", None),
    ("GET", f"{D}/quorum/", None, 404, f"did you mean {D}/quorum?", None),
    ("GET", "/api/v1/../../etc/passwd", None, 404, "there is nothing at", None),
    ("GET", "//api/v1/health", None, 404, "there is nothing at", None),
    ("DELETE", f"{D}/quorum", None, 405, "DELETE is not served here, only GET, HEAD", None),
    ("GET", f"{D}/propose-snapshot", None, 405, "GET is not served here, only POST", None),
    ("PUT", f"{D}/events", None, 405, "PUT is not served here, only GET, HEAD, POST", None),
    ("POST", f"{D}/locks/a%00b/acquire", {"owner": "a"}, 400, "resource: expected printable", "resource"),
    ("POST", f"{D}/locks/{'a' * 201}/acquire", {"owner": "a"}, 400, "resource: expected at most 200", "resource"),
    ("POST", f"{D}/locks/a/acquire", {"owner": "a\x1b[2J"}, 400, "owner: expected printable", "owner"),
    (
        "POST",
        f"{D}/locks/a/acquire",
        {"owner": "a", "requestId": "b" * 201},
        400,
        "requestId: expected at",
        "requestId",
    ),
    ("POST", f"{D}/locks/a/acquire", {"owner": "a", "ttl": 3601}, 400, "ttl: expected at most 3600", "ttl"),
    (
        "POST",
        f"{D}/locks/a/renew",
        {"owner": "a", "fencingToken": 2**70},
        400,
        "fencingToken: Expected int",
        "fencingToken",
    ),
    ("POST", f"{D}/locks/a/renew", {"owner": "a", "fencingToken": 1, "ttl": 1e9}, 400, "ttl: expected at most", "ttl"),
    ("POST", f"{D}/events", {"type": "a\nb"}, 400, "type: expected printable", "type"),
    ("POST", f"{D}/events", {"type": "X", "id": "\u2028"}, 400, "id: expected printable", "id"),
    ("POST", f"{D}/recover", {"without": []}, 400, "without: Expected array of length >= 1", "without"),
]


@pytest.mark.parametrize(
    ("method", "target", "sent", "status", "error", "field"),
    WRONG,
    ids=[f"{n}-{w[3]}-{w[4][:30]}" for n, w in enumerate(WRONG)],
)
def test_wrong_requests_are_named_and_change_nothing(
    method: str, target: str, sent: Any, status: int, error: str, field: str | None
) -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            said = await client.ask(method, target, sent)
            assert said.status == status, said.body
            assert error in said.json["error"]
            assert said.json["success"] is False
            assert said.data.get("field") == field
            assert world.engine.asked == []
            assert (await client.ask("GET", f"{D}/quorum")).status == 200

    run(body)


def test_a_wrong_method_says_what_is_allowed() -> None:
    async def body() -> None:
        async with served() as world:
            assert (await world.ask("PATCH", f"{D}/events")).headers["allow"] == "GET, HEAD, POST"

    run(body)


def test_traces_show_the_api_calls_under_the_clients_trace() -> None:
    async def body() -> None:
        async with served() as world:
            sent = {"version": "1.2.0", "hash": "abc123"}
            await world.ask("POST", f"{D}/propose-snapshot", sent, traceparent=PARENT)
            await world.ask("GET", f"{D}/quorum")
            listed = (await world.ask("GET", f"{D}/traces")).data
            assert [(one["id"], one["name"]) for one in listed] == [(TRACE, "PROPOSE_SNAPSHOT_API")]
            spans = (await world.ask("GET", f"{D}/traces/{TRACE}")).data
            assert [(one["name"], one["parent"]) for one in spans] == [("PROPOSE_SNAPSHOT_API", "00f067aa0ba902b7")]
            routine = (await world.ask("GET", f"{D}/traces?name=QUORUM_API&limit=5")).data
            assert [one["name"] for one in routine] == ["QUORUM_API"]

    run(body)


@pytest.mark.parametrize("header", ["", "nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01", "00-" + "é" * 32])
def test_a_malformed_traceparent_begins_a_new_trace(header: str) -> None:
    async def body() -> None:
        async with served() as world:
            trace = (await world.ask("GET", f"{D}/quorum", traceparent=header)).headers["x-trace-id"]
            assert len(trace) == 32
            assert int(trace, 16) != 0

    run(body)


def test_events_page_by_cursor_without_gap_or_repeat() -> None:
    async def body() -> None:
        async with served() as world:
            newest = await world.ask("GET", f"{D}/events?limit=1")
            assert [one["id"] for one in newest.data] == ["e-j-B-1"]
            place = newest.headers["x-iwdc-cursor"]
            assert (await world.ask("GET", f"{D}/events?since={place}")).data == []
            start = (await world.ask("GET", f"{D}/events?limit=1&since=AYA")).headers["x-iwdc-cursor"]
            rest = await world.ask("GET", f"{D}/events?since={start}")
            assert [one["id"] for one in rest.data] == ["e-j-A-2", "e-j-B-1"]

    run(body)


def test_metrics_text_with_the_cores_counts_and_the_apis_errors() -> None:
    async def body() -> None:
        async with served() as world:
            await world.ask("GET", f"{D}/nowhere")
            await world.ask("POST", f"{D}/locks/a/release", {"owner": "x"})
            for target in ("/metrics", "/api/v1/metrics"):
                answer = await world.ask("GET", target)
                text = answer.body.decode()
                assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
                assert 'distributed_votes_total{type="accept"} 3.0' in text
                assert 'distributed_current_leader{instance="instance-B"} 1.0' in text
                assert "distributed_active_locks 1.0" in text
                assert 'distributed_api_errors_total{endpoint="other",status="404"} 1.0' in text
                refused = 'endpoint="/api/v1/distributed/locks/{resource}/release",status="400"'
                assert f"distributed_api_errors_total{{{refused}}} 1.0" in text

    run(body)


def test_failed_requests_of_the_command_line_are_counted_by_command() -> None:
    async def body() -> None:
        async with served() as world:
            for agent in ("iwdc-distributed/proposals", "curl/8.0", "iwdc-distributed/no%20such"):
                await world.ask("GET", f"{D}/nowhere", user_agent=agent)
            text = (await world.ask("GET", "/metrics")).body.decode()
            counted = [line for line in text.splitlines() if line.startswith("distributed_cli_errors_total{")]
            assert counted == ['distributed_cli_errors_total{command="proposals"} 1.0']

    run(body)


SYNC = [
    {
        "id": "v-1",
        "type": "PLUGIN_INSTALLED",
        "payload": {"a": 1},
        "timestamp": 1700000000000,
        "sourceInstance": "instance-L",
    },
    {"id": "v-2", "type": "DIFF_CREATED", "timestamp": 1700000000001.5, "sourceInstance": "instance-L", "more": 1},
]


def test_sync_takes_the_events_of_members_only() -> None:
    """Facts of the v1.6 wire: `POST sync`."""

    async def body() -> None:
        async with served() as world:
            said = await world.ask("POST", f"{D}/sync", {"events": SYNC}, traceparent=PARENT)
            assert (said.status, said.data) == (200, {"received": 2})
            (asked,) = world.engine.asked
            assert isinstance(asked, Ingest)
            assert asked.source == "instance-L"
            assert [(one.id, one.origin, one.timestamp_ms, one.payload) for one in asked.events] == [
                ("v-1", "instance-L", 1700000000000, {"a": 1}),
                ("v-2", "instance-L", 1700000000001, {}),
            ]
            foreign = [{**SYNC[0], "sourceInstance": "stranger"}]
            said = await world.ask("POST", f"{D}/sync", {"events": [*SYNC, *foreign]})
            assert (said.status, said.data["reason"]) == (403, "unknown_instance")
            said = await world.ask("POST", f"{D}/sync", {"events": []})
            assert (said.status, said.data) == (200, {"received": 0})
            said = await world.ask("POST", f"{D}/sync", {})
            assert (said.status, said.json["error"]) == (400, "Missing required fields: events")
            said = await world.ask("POST", f"{D}/sync", {"events": [{**SYNC[0], "payload": 5}]})
            assert (said.status, said.data["field"]) == (400, "events[0].payload")
            assert len(world.engine.asked) == 1

    run(body)


def test_heartbeat_of_a_v16_member_is_noted() -> None:
    async def body() -> None:
        async with served() as world:
            beat = {"instanceId": "instance-L", "timestamp": 1700000000000, "uptime": 1234.5, "status": "healthy"}
            assert (await world.ask("POST", f"{D}/heartbeat", beat)).status == 200
            assert world.engine.stepped == [LegacySeen("instance-L", "healthy", 1234)]
            for stranger in ("instance-B", "nobody"):
                said = await world.ask("POST", f"{D}/heartbeat", {**beat, "instanceId": stranger})
                assert (said.status, said.data["reason"]) == (403, "unknown_instance")
            said = await world.ask("POST", f"{D}/heartbeat", {**beat, "status": "asleep"})
            assert (said.status, said.data["field"]) == (400, "status")
            assert len(world.engine.stepped) == 1

    run(body)


def test_the_lock_shown_is_the_views() -> None:
    assert LOCK.resource == LOCK_SHOWN["resource"]


async def _openapi(world: Served) -> Any:
    answer = await world.ask("GET", "/api/v1/openapi.json")
    assert answer.status == 200
    return json.loads(answer.body)


def _references(document: Any) -> set[str]:
    if isinstance(document, dict):
        own = {document["$ref"]} if isinstance(document.get("$ref"), str) else set()
        return own.union(*(_references(inner) for inner in document.values()))
    if isinstance(document, list):
        return set().union(*(_references(inner) for inner in document))
    return set()


def test_openapi_lists_every_route_and_refers_to_nothing_missing() -> None:
    async def body() -> None:
        async with served() as world:
            document = await _openapi(world)
            described = {(method.upper(), path) for path, ops in document["paths"].items() for method in ops}
            routes = world.server.app.router.routes  # type: ignore[attr-defined]
            assert described == {(route.method, route.path) for route in routes}
            operations = [op for ops in document["paths"].values() for op in ops.values()]
            assert len({op["operationId"] for op in operations}) == len(operations)
            for path, ops in document["paths"].items():
                for op in ops.values():
                    names = {p["name"] for p in op["parameters"] if p["in"] == "path"}
                    assert names == {part[1:-1] for part in path.split("/") if part.startswith("{")}
                    assert op["summary"]
                    assert "200" in op["responses"]
            schemas = document["components"]["schemas"]
            assert _references(document) <= {f"#/components/schemas/{name}" for name in schemas}
            assert schemas["QuorumView"]["required"] == ["total", "healthy", "required", "sufficient"]
            assert schemas["DiffBody"]["required"] == ["from", "to", "hash"]

    run(body)


def test_openapi_says_which_bodies_may_be_left_out() -> None:
    async def body() -> None:
        async with served() as world:
            paths = (await _openapi(world))["paths"]
            needed = {
                path.removeprefix("/api/v1/"): op["requestBody"]["required"]
                for path, ops in paths.items()
                for op in ops.values()
                if "requestBody" in op
            }
            assert needed["distributed/propose-snapshot"]
            assert needed["distributed/propose"]
            assert needed["distributed/locks/{resource}/renew"]
            assert not needed["distributed/leader/step-down"]
            assert (await world.ask("POST", "/api/v1/distributed/locks/r/renew")).status == 400
            assert (await world.ask("POST", "/api/v1/distributed/leader/step-down")).status != 400

    run(body)
