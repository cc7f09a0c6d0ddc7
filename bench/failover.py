"""kill -9 of the leader until another grants a lock, against etcd at 100/1000 ms. `python -m bench.failover`."""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

from bench import cluster, command, etcd
from bench.http import Address, Connection, until_true
from bench.report import spread

QUICK = {"heartbeat_interval": 0.1, "heartbeat_timeout": 1.0, "election_interval": 2.0}
GIVE_UP_S = 60.0
ATTEMPT_S = 0.25
"""An attempt that was on its way to the dead leader may never be answered: after this the client asks anew."""
RETRY_S = 0.005

Grant = Callable[[Connection], Awaitable[bool]]


async def first_grant_s(survivors: Sequence[Address], grant: Grant) -> float:
    """Seconds until any survivor grants a lock; all are asked at the same time, again and again."""
    started = time.perf_counter()
    last: dict[Address, Exception] = {}

    async def ask(address: Address) -> None:
        while True:
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    connection = await Connection.open(address)
                    try:
                        if await grant(connection):
                            return
                    finally:
                        await connection.close()
            except (ConnectionError, TimeoutError) as error:
                last[address] = error
            await asyncio.sleep(RETRY_S)

    asked = [asyncio.create_task(ask(address)) for address in survivors]
    try:
        granted, _ = await asyncio.wait(asked, timeout=GIVE_UP_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
    if not granted:
        raise TimeoutError(f"no lock within {GIVE_UP_S:g} s: {last}")
    return time.perf_counter() - started


async def ours_s(timing: dict[str, float]) -> float:
    """One failover of ours."""
    async with cluster.cluster(3, timing) as nodes:
        leader = await nodes.leader()
        await lock_works(nodes.addresses[leader], grant_of_ours("before"))
        nodes.processes[leader].kill()
        return await first_grant_s([a for at, a in enumerate(nodes.addresses) if at != leader], grant_of_ours("after"))


async def etcd_s() -> float:
    """One failover of etcd's. The lease is from before the fault, so only the lock has to be granted after it."""
    async with etcd.cluster(100, 1000) as members:
        leader = await members.leader()
        lease = await etcd.grant_lease(members.addresses[leader])
        await lock_works(members.addresses[leader], grant_of_etcd("before", lease))
        members.members[leader].kill()
        survivors = [a for at, a in enumerate(members.addresses) if at != leader]
        return await first_grant_s(survivors, grant_of_etcd("after", lease))


async def lock_works(address: Address, grant: Grant) -> None:
    """Make sure that a lock is granted while all is well."""
    connection = await Connection.open(address)
    try:
        await until_true(lambda: grant(connection), GIVE_UP_S, "a lock is granted")
    finally:
        await connection.close()


def grant_of_ours(resource: str) -> Grant:
    """Acquire a lock from a node."""

    async def grant(connection: Connection) -> bool:
        body = {"owner": "bench", "requestId": resource, "wait": 2}
        return (await connection.call("POST", f"{cluster.API}/locks/{resource}/acquire", body)).status == 200

    return grant


def grant_of_etcd(resource: str, lease: str) -> Grant:
    """Take a lock from etcd."""

    async def grant(connection: Connection) -> bool:
        body = {"name": etcd.b64(resource), "lease": lease}
        return (await connection.call("POST", "/v3/lock/lock", body)).status == 200

    return grant


async def measure(rounds: int) -> None:
    """Take turns; every round is a fresh cluster."""
    quick, other, seed = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        quick.append(await ours_s(QUICK) * 1000)
        other.append(await etcd_s() * 1000)
        seed.append(await ours_s({}) * 1000)
    ratio = statistics.median(quick) / statistics.median(other)
    print(f"failover, heartbeat 0.1 s, timeout 1 s: ours {spread(quick)} ms; etcd {spread(other)} ms; {ratio:.2f}x")
    print(f"failover, the seed's 5 s and 15 s: ours {spread(seed)} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    command.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
