"""Nodes of ours on loopback, as processes, started by the command a user would use."""

import itertools
import json
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.http import Address, Connection, once, until_true
from bench.load import Cycle
from bench.processes import Process, free_ports

READY_S = 60.0
LOOK_S_PER_NODE = 0.02
"""Pause between looks whether a cluster is ready: looking must not be what keeps it from getting there."""
API = "/api/v1/distributed"
WAIT_S = 20
"""Seconds a proposal waits for its verdict."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """A running cluster of ours."""

    folder: Path
    processes: list[Process]
    addresses: Sequence[Address]
    settings: tuple[str, ...]

    def start(self, at: int) -> Process:
        """Start a node, or start it again on its old disk."""
        arguments = [sys.executable, "-m", "iwdc_console.cli.main", "node", "run", "--id", name(at)]
        arguments += ["--instances", str(self.folder / "instances.json"), "--data-dir", str(self.folder / name(at))]
        for setting in self.settings:
            arguments += ["--set", setting]
        return Process(arguments, self.folder / f"{name(at)}.log", {"IWDC_OBSERVABILITY_LOG_LEVEL": "error"})

    async def get(self, at: int, path: str) -> Any:
        """The `data` of an answer."""
        return (await once(self.addresses[at], "GET", API + path)).json()["data"]

    async def leader(self) -> int:
        """The place of the leader in `processes`. Raises ValueError when a node knows none."""
        running = [at for at, process in enumerate(self.processes) if process.running]
        known = {(await self.get(at, "/leader"))["id"] for at in running}
        if len(known) != 1 or None in known:
            raise ValueError(f"no one leader: {known}")
        return int(str(known.pop()).removeprefix("node-"))


def name(at: int) -> str:
    """The id of the node at a place; they sort as their places do."""
    return f"node-{at:03}"


@asynccontextmanager
async def cluster(count: int = 3, timing: Mapping[str, float] | None = None, *sets: str) -> AsyncIterator[Nodes]:
    """Start `count` nodes and wait until all can vote and know one leader. Timings default to the seed's, seconds."""
    settings = (*(f"timing.{key}={value:g}" for key, value in (timing or {}).items()), *sets)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-nodes-")))
        ports = free_ports(count)
        listed = [{"id": name(at), "url": f"http://127.0.0.1:{port}{API}/sync"} for at, port in enumerate(ports)]
        (folder / "instances.json").write_text(json.dumps(listed))
        nodes = Nodes(folder, [], [("127.0.0.1", port) for port in ports], settings)

        def stop() -> None:
            for process in nodes.processes:
                process.ask_to_end()
            for process in nodes.processes:
                process.stop()

        stack.callback(stop)
        for at in range(count):
            nodes.processes.append(nodes.start(at))

        async def ready() -> bool:
            for process in nodes.processes:
                if not process.running:
                    raise RuntimeError(f"a node ended: {process.tail()}")
            statuses = [await nodes.get(at, "/status") for at in range(count)]
            return await nodes.leader() >= 0 and all(status["status"] == "healthy" for status in statuses)

        every_s = LOOK_S_PER_NODE * count
        await until_true(ready, READY_S + count, f"{count} nodes can vote and have a leader", every_s)
        yield nodes


def versions() -> Iterator[str]:
    """Ever-growing versions."""
    return (f"1.0.{number}" for number in itertools.count(1))


def proposal(fresh: Iterator[str]) -> Cycle:
    """A cycle: propose the next version and wait for its verdict, accepted or rejected."""

    async def cycle(connection: Connection, client: int) -> Counter[str]:
        body = {"version": next(fresh), "hash": "f" * 64}
        answer = await connection.call("POST", f"{API}/propose-snapshot?wait={WAIT_S}", body)
        return Counter({verdict(answer.status, answer.json()): 1})

    return cycle


def batch(fresh: Iterator[str], size: int) -> Cycle:
    """A cycle: propose many versions in one call and wait for all verdicts."""

    async def cycle(connection: Connection, client: int) -> Counter[str]:
        body = [{"kind": "snapshot", "version": next(fresh), "hash": "f" * 64} for _ in range(size)]
        answer = await connection.call("POST", f"{API}/propose?wait={WAIT_S}", body)
        if answer.status != 200:
            return Counter({f"status {answer.status}": 1})
        return Counter(verdict(each["status"], each) for each in answer.json()["data"])

    return cycle


def verdict(status: int, answer: Mapping[str, Any]) -> str:
    """What came of a proposal, in a word."""
    data = answer.get("data") or {}
    return str(data.get("state") or data.get("reason") or f"status {status}")


def lock_cycle() -> Cycle:
    """A cycle: acquire and release, each client on a resource of its own."""

    async def cycle(connection: Connection, client: int) -> Counter[str]:
        path, owner = f"{API}/locks/lock-{client}", f"client-{client}"
        granted = await connection.call("POST", f"{path}/acquire", {"owner": owner})
        if granted.status != 200:
            return Counter({f"acquire status {granted.status}": 1})
        token = granted.json()["data"]["fencingToken"]
        released = await connection.call("POST", f"{path}/release", {"owner": owner, "fencingToken": token})
        return Counter({"cycle" if released.status == 200 else f"release status {released.status}": 1})

    return cycle
