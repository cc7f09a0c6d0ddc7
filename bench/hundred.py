"""A hundred idle nodes on this machine at the seed's timings. `python -m bench.hundred`."""

import argparse
import asyncio
import time

from bench import cluster, command
from bench.http import once, until_true

GIVE_UP_S = 300.0
ALARMS = "distributed_heartbeat_timeout_total{"


async def unseen(nodes: cluster.Nodes) -> int:
    """How many instances, summed over all nodes, a node does not see healthy now."""
    seen = [await nodes.get(at, "/quorum") for at in range(len(nodes.processes))]
    return sum(each["total"] - each["healthy"] for each in seen)


async def alarms(nodes: cluster.Nodes) -> float:
    """How often, over all nodes, an instance was called unreachable so far: none is missed between two looks."""
    count = 0.0
    for address in nodes.addresses:
        lines = (await once(address, "GET", "/metrics")).body.decode().splitlines()
        count += sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(ALARMS))
    return count


async def measure(count: int, minutes: float) -> None:
    """Wait until all see all, then watch."""
    async with cluster.cluster(count) as nodes:

        async def whole() -> bool:
            return await unseen(nodes) == 0

        began = time.perf_counter()
        await until_true(whole, GIVE_UP_S, f"{count} nodes see one another", every_s=5.0)
        print(f"whole {time.perf_counter() - began:.0f} s after all could vote and had a leader", flush=True)
        former = await alarms(nodes)
        started, before = time.perf_counter(), sum(process.cpu_s for process in nodes.processes)
        await asyncio.sleep(minutes * 60)
        cpu = (sum(process.cpu_s for process in nodes.processes) - before) / (time.perf_counter() - started)
        wrong = int(await alarms(nodes) - former)
        rss = sum(process.rss_mib for process in nodes.processes)
        print(
            f"{count} nodes, {minutes:g} minutes: {cpu:.2f} cores in total; "
            f"{rss / count:.1f} MiB a node; called unreachable: {wrong} times",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    command.run(measure(given.nodes, given.minutes))


if __name__ == "__main__":
    main()
