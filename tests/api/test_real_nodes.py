"""The API over real nodes: the seed's calls, waiting, streams, and bad input that must leave the node at work."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from node.protocol.events import RESERVED_TYPES
from tests.api.real import RealNode, nodes
from tests.api.test_hostile import REFUSED
from tests.api.test_routes import READS, WRONG
from tests.api.wire import Answered, Client, run, soon, until

D = "/api/v1/distributed"
ATTEMPT_S = 0.05


async def connect(node: RealNode) -> Client:
    """A connection to a node."""
    return Client(*await soon(asyncio.open_connection("127.0.0.1", node.port)))


async def ask(node: RealNode, method: str, target: str, body: Any = None, **headers: str) -> Answered:
    """One request."""
    client = await connect(node)
    try:
        return await client.ask(method, target, body, **headers)
    finally:
        client.close()


async def shown(node: RealNode, target: str, holds: Callable[[Any], bool]) -> Any:
    """What a read shows once it is as expected."""

    async def look() -> Any:
        while True:
            data = (await ask(node, "GET", f"{D}/{target}")).data
            if holds(data):
                return data
            await asyncio.sleep(ATTEMPT_S)

    return await soon(look())


async def led(cluster: list[RealNode]) -> None:
    """Wait until every node knows a leader that serves and sees all members healthy."""
    for node in cluster:
        await shown(node, "leader", lambda data: data["id"] is not None)
        await shown(node, "quorum", lambda data: data["healthy"] >= len(cluster))
    engines = [node.engine for node in cluster]
    await until(lambda: any(engine.core.view_leader(engine.now()).lease_remaining_ms for engine in engines))


def test_three_nodes_answer_the_seeds_calls(tmp_path: Path) -> None:
    """Seed 3.3, 4.2, 4.3, and one lock for all (L1)."""

    async def body() -> None:
        async with nodes(tmp_path, ("instance-A", "instance-B", "instance-C")) as cluster:
            await led(cluster)
            quorum = {"total": 3, "healthy": 3, "required": 2, "sufficient": True}
            for node in cluster:
                assert (await ask(node, "GET", f"{D}/quorum")).data == quorum
            said = await ask(
                cluster[0], "POST", f"{D}/propose-snapshot?wait=30", {"version": "1.2.0", "hash": "abc123"}
            )
            assert said.data["state"] == "accepted"
            assert said.data["quorum"] == quorum
            label = said.data["proposalId"]
            assert label.startswith("snapshot-1.2.0-")
            # The verdict may stand before all have heard of it.
            await shown(cluster[1], "status", lambda data: data["currentVersion"] == "1.2.0")
            plain = await ask(cluster[1], "POST", f"{D}/propose-snapshot", {"version": "1.2.0", "hash": "abc123"})
            assert plain.data == {"proposalId": label, "quorum": quorum}
            diff = await ask(
                cluster[2], "POST", f"{D}/propose-diff?wait=30", {"from": "1.2.0", "to": "1.3.0", "hash": "def456"}
            )
            assert diff.data["state"] == "accepted"
            for node in cluster:
                await shown(node, "status", lambda data: data["currentVersion"] == "1.3.0")
                assert [one["state"] for one in (await ask(node, "GET", f"{D}/proposals/{label}")).data] == ["accepted"]
            held = await ask(cluster[0], "POST", f"{D}/locks/a%2Fb/acquire", {"owner": "one"})
            assert (held.status, held.data["resource"], held.data["owner"]) == (200, "a/b", "one")
            other = await ask(cluster[1], "POST", f"{D}/locks/a%2Fb/acquire", {"owner": "two"})
            assert (other.status, other.data["reason"]) == (409, "held")
            assert other.data["holder"]["owner"] == "one"
            token = held.data["fencingToken"]
            wrong = await ask(
                cluster[2], "POST", f"{D}/locks/a%2Fb/release", {"owner": "one", "fencingToken": token + 1}
            )
            assert (wrong.status, wrong.data["given"], wrong.data["current"]) == (409, token + 1, token)
            free = await ask(cluster[2], "POST", f"{D}/locks/a%2Fb/release", {"owner": "one", "fencingToken": token})
            assert (free.status, free.data["already"]) == (200, False)

    run(body)


def test_a_batch_of_proposals_is_decided_together(tmp_path: Path) -> None:
    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",)) as (node,):
            await led([node])
            batch = [{"kind": "snapshot", "version": f"1.0.{n}", "hash": "a"} for n in range(200)]
            said = await ask(node, "POST", f"{D}/propose?wait=30", batch)
            assert len(said.data) == 200
            assert {one["data"]["state"] for one in said.data} == {"accepted"}
            again = await ask(
                node, "POST", f"{D}/propose", [*batch[-1:], {"kind": "snapshot", "version": "x y", "hash": "a"}]
            )
            assert [one["status"] for one in again.data] == [200, 400]

    run(body)


def test_the_trace_of_a_dry_run_says_what_it_is_about(tmp_path: Path) -> None:
    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",)) as [node]:
            await led([node])
            for name, asked in (("snapshot", {"version": "1.2.0"}), ("diff", {"from": "1.2.0", "to": "1.3.0"})):
                said = await ask(node, "POST", f"{D}/propose-{name}?dryRun=true", asked | {"hash": "abc123"})
                assert said.data["checks"]["hash"] == "ok"
            listed = (await ask(node, "GET", f"{D}/traces")).data
            told = {(one["name"], one["about"]) for one in listed}
            assert {("PROPOSE_SNAPSHOT_API", "1.2.0"), ("PROPOSE_DIFF_API", "1.3.0")} <= told

    run(body)


def test_a_waiter_whose_client_goes_away_is_dropped(tmp_path: Path) -> None:
    """L3."""

    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",)) as (node,):
            await led([node])
            await ask(node, "POST", f"{D}/locks/build/acquire", {"owner": "one"})
            waiter = await connect(node)
            content = json.dumps({"owner": "two", "wait": 30}).encode()
            head = f"POST {D}/locks/build/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
            waiter.send(head.encode() + content)
            await shown(node, "locks", lambda data: data[0]["waiters"] == 1)
            waiter.close()
            await shown(node, "locks", lambda data: data[0]["waiters"] == 0)

    run(body)


def test_the_stream_shows_what_is_published_and_resumes(tmp_path: Path) -> None:
    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",)) as (node,):
            await led([node])
            start = (await ask(node, "GET", f"{D}/events")).headers["x-iwdc-cursor"]
            sent = [
                (await ask(node, "POST", f"{D}/events", {"type": "X", "payload": {"n": n}})).data["id"]
                for n in range(3)
            ]
            reader = await connect(node)
            head = f"GET {D}/events/stream?type=X HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {start}\r\n\r\n"
            reader.send(head.encode())
            seen: list[str] = []
            while len(seen) < 4:
                line = (await soon(reader.reader.readline())).decode()
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:])["id"])
                if len(seen) == 3 and len(sent) == 3:
                    sent.append((await ask(node, "POST", f"{D}/events", {"type": "X", "payload": {}})).data["id"])
            assert seen == sent
            reader.close()

    run(body)


def test_every_read_answers(tmp_path: Path) -> None:
    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",)) as (node,):
            await led([node])
            for target, _ in READS:
                said = await ask(node, "GET", target)
                assert said.status in (200, 404), said.body
            text = (await ask(node, "GET", "/metrics")).body.decode()
            assert 'distributed_current_leader{instance="instance-A"} 1.0' in text

    run(body)


def test_bad_input_leaves_a_real_node_at_work_and_its_state_as_it_was(tmp_path: Path) -> None:
    """Guarantee 7."""

    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",), legacy=("instance-L",)) as (node,):
            await led([node])
            before = (await ask(node, "GET", f"{D}/status")).data
            for method, target, sent, status, *_ in WRONG:
                said = await ask(node, method, target, sent)
                assert said.status == status, (target, said.body)
            for _, raw, status, _ in REFUSED:
                client = await connect(node)
                client.send(raw)
                if b"20000\r\n" not in raw:
                    assert (await client.answer()).status == status
                client.close()
            after = (await ask(node, "GET", f"{D}/status")).data
            same = ("bootId", "stateDigest", "events", "openProposals", "locks", "currentVersion")
            assert {key: after[key] for key in same} == {key: before[key] for key in same}

    run(body)


ODD_PAYLOADS: list[dict[str, Any]] = [
    {},
    {"version": 1},
    {"kind": "snapshot", "version": "9.9.9", "hash": "x", "vote": "accept"},
    {"votes": [["instance-A", 0, "accept"]], "proposal": "instance-A", "round": "one"},
    {"leader": None, "term": -1},
    {"winner": {"a": []}, "slot": 5, "key": 7},
]


def test_reserved_events_from_a_v16_member_decide_nothing_and_stop_nothing(tmp_path: Path) -> None:
    """V1, M4: they are kept; only voters' own words count."""

    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",), legacy=("instance-L",)) as (node,):
            await led([node])
            for number, payload in enumerate(ODD_PAYLOADS):
                events = [
                    {
                        "id": f"v-{type}-{number}",
                        "type": type,
                        "payload": payload,
                        "timestamp": 1700000000000,
                        "sourceInstance": "instance-L",
                    }
                    for type in sorted(RESERVED_TYPES)
                ]
                said = await ask(node, "POST", f"{D}/sync", {"events": events})
                assert said.status == 200, said.body
            status = (await ask(node, "GET", f"{D}/status")).data
            assert status["currentVersion"] is None
            assert status["openProposals"] == 0
            assert not node.engine.stopped.done()
            said = await ask(node, "POST", f"{D}/propose-snapshot?wait=30", {"version": "1.0.0", "hash": "a"})
            assert said.json["success"] is True, said.body

    run(body)


def test_forged_deliveries_leave_a_real_node_at_work(tmp_path: Path) -> None:
    """What a member's name is put on is not believed without its journal and config (M2, D1)."""

    async def body() -> None:
        async with nodes(tmp_path, ("instance-A", "instance-B")) as cluster:
            await led(cluster)
            first, second = cluster
            real = second.engine.core.envelope("instance-A", ())
            forged = [
                msgspec.structs.replace(real, digest="other"),
                msgspec.structs.replace(real, journal="other"),
                msgspec.structs.replace(real, boot="other"),
                msgspec.structs.replace(real, hlc=2**62),
            ]
            for envelope in forged:
                content = msgspec.msgpack.encode(envelope)
                said = await ask(first, "POST", f"{D}/peer", content, Content_Type="application/x-iwdc-envelope")
                assert said.status in (200, 204), said.body
            assert not first.engine.stopped.done()
            await led(cluster)

    run(body)


def test_what_is_wrong_with_a_value_names_its_field(tmp_path: Path) -> None:
    async def body() -> None:
        async with nodes(tmp_path, ("instance-A",)) as [node]:
            await led([node])
            for kind, asked, error in (
                ("snapshot", {"version": "1.2", "hash": "a"}, "version: not a version: '1.2'; expected"),
                (
                    "snapshot",
                    {"version": f"1.0.0-{'x' * 150}", "hash": "a"},
                    "version: expected at most 100 characters",
                ),
                ("diff", {"from": "1.2.0", "to": "1.1.0", "hash": "a"}, "to: expected a version after 1.2.0"),
            ):
                said = await ask(node, "POST", f"{D}/propose-{kind}", asked)
                assert said.status == 400
                assert said.json["error"].startswith(error)

    run(body)
