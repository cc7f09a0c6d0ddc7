"""Three real nodes in one process on loopback: the whole of the runtime, as a program uses it (seed 11)."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path

import pytest

from node import Node
from node.config import Config, Content, Observability
from node.embedded import LockLost, OutcomeUnknown, Refused, StartFailed
from node.protocol.effects import Input, LinkState, Received
from node.protocol.settings import Member, Settings, Timing
from node.runtime import lease
from node.runtime.cursor import encode_cursor
from tests.lateness import Lateness
from tests.ports import claimed
from tests.runtime.scripted import until

FAST = Timing(
    heartbeat_interval=0.1, heartbeat_timeout=1.0, election_interval=1.0, lock_ttl=1.5, lock_renew_interval=0.3,
    drift_interval=1.0, proposal_timeout=30.0,
)  # fmt: skip
NAMES = ("instance-A", "instance-B", "instance-C")


def configs(root: Path, ports: Sequence[int], names: tuple[str, ...] = NAMES) -> list[Config]:
    """One configuration for each instance of a cluster."""
    members = tuple(Member(name, f"http://127.0.0.1:{port}/api/v1") for name, port in zip(names, ports, strict=True))
    return [
        Config(
            settings=Settings(id=name, cluster="test", members=members, timing=FAST),
            listen_host="127.0.0.1",
            listen_port=port,
            data_dir=root / name,
            instances_path=root / "instances.json",
            content=Content(root / name / "content"),
            observability=Observability(log_level="warn", log_file=root / f"{name}.log"),
        )
        for name, port in zip(names, ports, strict=True)
    ]


@asynccontextmanager
async def cluster(root: Path, names: tuple[str, ...] = NAMES) -> AsyncIterator[list[Node]]:
    """Running nodes that have a leader."""
    with claimed(len(names)) as ports:
        nodes = [Node(config) for config in configs(root, ports, names)]
        try:
            for node in nodes:
                await node.start()
            await until(lambda: led_by(nodes) is not None, "leader")
            await until(lambda: all(node.status().status == "healthy" for node in nodes), "health")
            await until(lambda: all(node.quorum().healthy == len(nodes) for node in nodes), "sight of all members")
            yield nodes
        finally:
            for node in nodes:
                await node.stop()


def led_by(nodes: list[Node]) -> str | None:
    """The one that all nodes take for the leader and that serves."""
    leaders = {node.status().leader.id for node in nodes}
    serving = any(node.status().leader.lease_remaining_ms > 0 for node in nodes)
    return leaders.pop() if len(leaders) == 1 and serving else None


def run(tmp_path: Path, scenario: Callable[[list[Node]], object]) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as nodes:
            await scenario(nodes)  # type: ignore[misc]

    asyncio.run(main())


def test_they_form_a_cluster_and_accept_a_snapshot_and_a_diff(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        first, second, third = nodes
        await until(lambda: all(node.quorum().healthy == 3 for node in nodes), "three healthy")
        quorum = first.quorum()
        assert (quorum.total, quorum.required, quorum.sufficient) == (3, 2, True)
        answer = await first.propose_snapshot("1.1.0", "abc123", wait_s=30)
        assert answer.proposal.state == "accepted"
        answer = await second.propose_diff("1.1.0", "1.2.0", "def456", wait_s=30)
        assert answer.proposal.state == "accepted"
        await until(lambda: {node.status().current_version for node in nodes} == {"1.2.0"}, "current version")
        with_key = [await third.propose_snapshot("1.3.0", "aaa", key="build-7") for _ in range(2)]
        assert with_key[0].proposal_id == with_key[1].proposal_id
        await until(lambda: len({node.status().state_digest for node in nodes}) == 1, "equal state")

    run(tmp_path, scenario)


def test_an_event_published_on_one_is_seen_on_all_and_once(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        streams = [node.subscribe(encode_cursor({})) for node in nodes]
        published = await nodes[0].publish("SNAPSHOT_CREATED", {"version": "1.2.0"}, id="build-7", quorum=True)
        for node, stream in zip(nodes, streams, strict=True):
            seen, place = await anext(stream)
            while seen.id != "build-7":
                seen, place = await anext(stream)
            assert seen.payload == {"version": "1.2.0"}
            await stream.aclose()
            again = await node.publish("SNAPSHOT_CREATED", {"version": "1.2.0"}, id="build-7")
            assert (again.journal, again.seq, again.existing) == (published.journal, published.seq, True)
            resumed = nodes[2].subscribe(place)
            await nodes[2].publish("NOTE", {})
            async for event, _ in resumed:
                assert event.id != "build-7"
                if event.type == "NOTE":
                    break
            await resumed.aclose()

    run(tmp_path, scenario)


def test_a_lock_excludes_is_renewed_and_given_back(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        async with nodes[0].lock("build", owner="one") as lock:
            with pytest.raises(Refused) as refused:
                async with nodes[1].lock("build", owner="two"):
                    pytest.fail("two hold one lock")
            assert refused.value.reason == "held"
            await asyncio.sleep(FAST.lock_ttl * 1.2)
            lock.check()
            first = lock.token
        async with nodes[2].lock("build", owner="two", wait_s=30) as lock:
            assert lock.token > first

    run(tmp_path, scenario)


def test_a_lock_is_lost_with_the_time_that_a_machine_sleeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = lease.now

    async def scenario(nodes: list[Node]) -> None:
        async with nodes[0].lock("build", ttl_s=60) as lock:
            lock.check()
            monkeypatch.setattr(lease, "now", lambda: counted() + 60)
            with pytest.raises(LockLost, match="lease ran out"):
                lock.check()

    run(tmp_path, scenario)


def test_a_lock_that_cannot_be_renewed_is_lost_before_its_lease_ends(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        leader = led_by(nodes)
        holder = next(node for node in nodes if node.config.settings.id != leader)
        loop = asyncio.get_running_loop()
        cut_at = cancelled_at = 0.0

        async def hold_on() -> None:
            nonlocal cut_at, cancelled_at
            async with holder.lock("build"):
                for node in nodes:
                    if node is not holder:
                        await node.stop()
                cut_at = loop.time()
                try:
                    await asyncio.sleep(3600)
                finally:
                    cancelled_at = loop.time()

        with Lateness() as late, pytest.raises(LockLost):
            await hold_on()
        assert 0 < cancelled_at - cut_at < FAST.lock_ttl + late.seconds
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(tmp_path, scenario)


def test_a_lost_leader_is_replaced_and_locks_and_state_live_on(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        leader = led_by(nodes)
        gone = next(node for node in nodes if node.config.settings.id == leader)
        rest = [node for node in nodes if node is not gone]
        assert (await rest[0].propose_snapshot("1.0.0", "a", wait_s=30)).proposal.state == "accepted"
        async with rest[0].lock("build", ttl_s=30) as lock:
            await gone.stop()
            await until(lambda: led_by(rest) not in (None, leader), "new leader")
            left_s = lock.valid_for_s
            await until(lambda: lock.valid_for_s > left_s, "renewal by the new leader")
            async with rest[1].lock("other") as other:
                assert other.token > lock.token
            lock.check()
            assert (await rest[1].propose_snapshot("1.1.0", "b", wait_s=30)).proposal.state == "accepted"
            back = Node(gone.config)
            await back.start()
            try:
                await until(lambda: back.status().current_version == "1.1.0", "caught up")
                await until(lambda: len({node.status().state_digest for node in (back, *rest)}) == 1, "equal state")
            finally:
                await back.stop()

    run(tmp_path, scenario)


def test_a_leader_that_is_stopped_hands_over_first(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        leader = led_by(nodes)
        gone = next(node for node in nodes if node.config.settings.id == leader)
        rest = [node for node in nodes if node is not gone]
        events = rest[0].subscribe()
        waiting = asyncio.ensure_future(anext(events))
        await gone.stop()
        assert {node.status().leader.id for node in rest} not in ({leader}, {None})
        event, _ = await waiting
        while event.type != "LEADER_CHANGED":
            event, _ = await anext(events)
        assert (event.payload["from"], event.payload["reason"]) == (leader, "handed_over")
        await events.aclose()

    run(tmp_path, scenario)


def test_a_node_says_nothing_more_once_its_port_is_closed_and_members_are_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(nodes: list[Node]) -> None:
        *rest, gone = nodes
        name = gone.config.settings.id
        heard: dict[Node, list[str]] = {node: [] for node in rest}

        def listen(node: Node, step: Callable[[Input], None]) -> Callable[[Input], None]:
            def stepped(input: Input) -> None:
                if isinstance(input, Received) and input.envelope.sender == name:
                    heard[node].append("delivery")
                elif isinstance(input, LinkState) and input.peer == name and input.refused:
                    heard[node].append("refused")
                step(input)

            return stepped

        for node in rest:
            monkeypatch.setattr(node.engine, "step", listen(node, node.engine.step))
        last = [asyncio.ensure_future(gone.publish("NOTE", {})) for _ in range(100)]
        await gone.stop()
        await asyncio.gather(*last, return_exceptions=True)
        await until(lambda: all("refused" in said for said in heard.values()), "refusal")
        assert {said[-1] for said in heard.values()} == {"refused"}
        assert all(node.status().quorum.healthy == 2 for node in rest)

    run(tmp_path, scenario)


def test_without_a_quorum_a_proposal_is_refused_with_the_numbers(tmp_path: Path) -> None:
    async def scenario(nodes: list[Node]) -> None:
        await nodes[0].stop()
        await nodes[1].stop()
        last = nodes[2]
        await until(lambda: not last.quorum().sufficient, "insufficient quorum")
        with pytest.raises(Refused) as refused:
            await last.propose_snapshot("1.0.0", "a", wait_s=30)
        assert refused.value.reason == "insufficient_quorum"
        assert refused.value.refusal.quorum == last.quorum()
        with pytest.raises((Refused, OutcomeUnknown)):
            async with last.lock("build"):
                pytest.fail("a lock without a majority")

    run(tmp_path, scenario)


WRONG: list[tuple[str, Callable[[Node], Awaitable[object]]]] = [
    ("bad_request: version: expected text, got int", lambda node: node.propose_snapshot(1, "abc")),  # type: ignore[arg-type]
    ("hash: expected text, got NoneType", lambda node: node.propose_snapshot("1.0.0", None)),  # type: ignore[arg-type]
    ("hash: expected printable characters", lambda node: node.propose_snapshot("1.0.0", "\ud800")),
    ("base: expected text", lambda node: node.propose_diff(None, "1.0.0", "abc")),  # type: ignore[arg-type]
    ("key: expected text", lambda node: node.propose_snapshot("1.0.0", "abc", key=7)),  # type: ignore[arg-type]
    ("wait_s: expected a number of seconds", lambda node: node.propose_snapshot("1.0.0", "abc", wait_s=inf)),
    ("type: expected printable characters", lambda node: node.publish("A\nB", {})),
    ("payload: expected an object as JSON has it", lambda node: node.publish("A", [1])),  # type: ignore[arg-type]
    ("payload: expected an object as JSON has it", lambda node: node.publish("A", {"a": object()})),
    ("payload: a number beyond 64 bits", lambda node: node.publish("A", {"a": 2**64})),
    ("payload: nested deeper than 64 levels", lambda node: node.publish("A", {"a": json.loads("[" * 70 + "]" * 70)})),
    ("payload: 300004 bytes, at most", lambda node: node.publish("A", {"a": "x" * 299_996})),
    ("resource: expected text", lambda node: node.lock(5).__aenter__()),  # type: ignore[arg-type]
    ("ttl_s: expected a number of seconds, got nan", lambda node: node.lock("a", ttl_s=nan).__aenter__()),
    ("ttl_s: expected 0.001 to 3600 seconds, got -1", lambda node: node.lock("a", ttl_s=-1).__aenter__()),
    ("wait_s: expected 0 to 600 seconds", lambda node: node.lock("a", wait_s=601).__aenter__()),
]


def test_what_a_program_gives_wrong_is_refused_and_stops_no_node(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path, NAMES[:1]) as [node]:
            for words, ask in WRONG:
                with pytest.raises(Refused, match=re.escape(words)):
                    await ask(node)
            when = datetime(2026, 1, 15, tzinfo=UTC)
            await node.publish("A", {"at": when, "raw": b"\0", "n": nan, "years": {2026: (1, 2)}})
            [event] = node.engine.journal.list(limit=1, newest=True)
            assert event.payload == {"at": "2026-01-15T00:00:00Z", "raw": "AA==", "n": None, "years": {"2026": [1, 2]}}
            assert (await node.propose_snapshot("1.0.0", "abc", wait_s=30)).proposal.state == "accepted"

    asyncio.run(main())


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        config = configs(tmp_path, ports, NAMES[:1])[0]
        with pytest.raises(StartFailed, match=r"0\.0\.0\.0:3000 can be reached by others.*--insecure"):
            await Node(replace(config, listen_host="0.0.0.0", listen_port=3000)).start()
        async with Node(config) as node:
            assert node.status().id == "instance-A"
            with pytest.raises(StartFailed, match="in use by process"):
                await Node(config).start()
            with pytest.raises(
                StartFailed, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use; stop what has it"
            ):
                await Node(replace(config, data_dir=tmp_path / "other")).start()
        with pytest.raises(StartFailed, match="not running"):
            node.status()

    with claimed(1) as ports:
        asyncio.run(main())
