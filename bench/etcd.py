"""Three etcd members on loopback, spoken to through etcd's own HTTP gateway."""

import asyncio
import base64
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.http import Address, Connection, once, until_true
from bench.load import Cycle
from bench.processes import Process, free_ports

READY_S = 30.0
LEASE_S = 60


class Missing(Exception):
    """etcd is not installed."""


@dataclass(frozen=True, slots=True)
class Etcd:
    """A running cluster."""

    members: Sequence[Process]
    addresses: Sequence[Address]

    async def leader(self) -> int:
        """The place of the leader in `members`."""
        for at, address in enumerate(self.addresses):
            status = (await once(address, "POST", "/v3/maintenance/status", {})).json()
            if status.get("leader") == status["header"]["member_id"]:
                return at
        raise ValueError("etcd has no leader")


def b64(text: str) -> str:
    """Text as the gateway takes it."""
    return base64.b64encode(text.encode()).decode()


@asynccontextmanager
async def cluster(heartbeat_ms: int = 100, election_ms: int = 1000) -> AsyncIterator[Etcd]:
    """Start three members, durable as by default, with etcd's default timings unless others are given."""
    program = shutil.which("etcd")
    if program is None:
        raise Missing("etcd is not installed; Debian and Ubuntu have it in the package etcd-server")
    clients, peers = free_ports(6)[:3], free_ports(6)[3:]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-etcd-")))
        initial = ",".join(f"m{at}=http://127.0.0.1:{port}" for at, port in enumerate(peers))
        members = [
            stack.enter_context(
                Process(
                    [
                        program,
                        f"--name=m{at}",
                        f"--data-dir={folder}/m{at}",
                        f"--listen-client-urls=http://127.0.0.1:{clients[at]}",
                        f"--advertise-client-urls=http://127.0.0.1:{clients[at]}",
                        f"--listen-peer-urls=http://127.0.0.1:{peers[at]}",
                        f"--initial-advertise-peer-urls=http://127.0.0.1:{peers[at]}",
                        f"--initial-cluster={initial}",
                        f"--heartbeat-interval={heartbeat_ms}",
                        f"--election-timeout={election_ms}",
                        "--logger=zap",
                        "--log-level=error",
                    ],
                    folder / f"m{at}.log",
                )
            )
            for at in range(3)
        ]
        etcd = Etcd(members, [("127.0.0.1", port) for port in clients])

        async def ready() -> bool:
            answers = [await once(address, "GET", "/health", timeout_s=2.0) for address in etcd.addresses]
            return all(answer.json().get("health") == "true" for answer in answers)

        await until_true(ready, READY_S, f"etcd answers ({members[0].tail()})")
        yield etcd


def put() -> Cycle:
    """A cycle: one durable put on a key of its own."""
    numbers = iter(range(10**12))

    async def cycle(connection: Connection, client: int) -> Counter[str]:
        body = {"key": b64(f"bench/{next(numbers)}"), "value": b64("f" * 64)}
        answer = await connection.call("POST", "/v3/kv/put", body)
        return Counter({"put" if answer.status == 200 else f"status {answer.status}": 1})

    return cycle


async def grant_lease(address: Address) -> str:
    """A lease for locks."""
    answer: dict[str, Any] = (await once(address, "POST", "/v3/lease/grant", {"TTL": LEASE_S})).json()
    return str(answer["ID"])


async def lock_cycle(address: Address, clients: int) -> Cycle:
    """A cycle: lock and unlock, each client on a key and lease of its own."""
    leases = await asyncio.gather(*(grant_lease(address) for _ in range(clients)))

    async def cycle(connection: Connection, client: int) -> Counter[str]:
        request = {"name": b64(f"lock-{client}"), "lease": leases[client]}
        locked = await connection.call("POST", "/v3/lock/lock", request)
        if locked.status != 200:
            return Counter({f"lock status {locked.status}": 1})
        unlocked = await connection.call("POST", "/v3/lock/unlock", {"key": locked.json()["key"]})
        return Counter({"cycle" if unlocked.status == 200 else f"unlock status {unlocked.status}": 1})

    return cycle
