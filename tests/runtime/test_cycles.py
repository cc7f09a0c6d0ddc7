"""What a node works on is freed as soon as it is let go of: it looks for garbage once a minute, not as it goes.

A cycle for each proposal, call or connection would grow by thousands a second meanwhile.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from node import Node
from tests.cycles import unlooked_for
from tests.runtime.scripted import until
from tests.runtime.test_three_nodes import cluster


async def request(node: Node, text: str) -> bytes:
    """The beginning of the answer, on a connection that is closed then."""
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    answer = await reader.read(1000)
    writer.close()
    await writer.wait_closed()
    return answer


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"


def test_cycles_are_seen_by_this() -> None:
    class Held:
        other: "Held"

    with unlooked_for() as left:
        one, other = Held(), Held()
        one.other, other.other = other, one
        del one, other
    assert [*left.values()] == [2]


@pytest.mark.cluster
def test_proposals_locks_events_and_connections_leave_none(tmp_path: Path) -> None:
    async def work(nodes: list[Node], part: int) -> None:
        first, second, third = nodes
        for at in range(3):
            version = f"{part}.{at}"
            rivals = (node.propose_snapshot(f"{version}.0", node.url[-1], wait_s=30) for node in nodes)
            await asyncio.gather(*rivals)
            await second.publish("SNAPSHOT_CREATED", {"version": version})
            async with third.lock("index", wait_s=30):
                pass
        for path in ("health", "status", "proposals", "locks", "events?limit=5", "events/stream", "traces", "nothing"):
            assert await request(first, get(f"/api/v1/distributed/{path}"))
        assert await request(first, get("/metrics"))
        assert await request(first, "nonsense\r\n\r\n")
        await until(lambda: len({node.status().state_digest for node in nodes}) == 1, "equal state")

    async def scenario() -> Counter[str]:
        async with cluster(tmp_path) as nodes:
            await work(nodes, 1)  # what is kept for good has been made
            with unlooked_for() as left:
                await work(nodes, 2)
        return left

    assert asyncio.run(scenario()) == Counter()
