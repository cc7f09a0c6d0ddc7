"""A hundred idle nodes on this machine at the seed's timings. `python -m bench.hundred`."""

import argparse
import asyncio
import time

from bench import cluster, command
from bench.http import until_true

LOOK_S = 10.0
GIVE_UP_S = 300.0


async def unreachable(nodes: cluster.Nodes) -> int:
    """How many pairs of nodes, over all nodes, call one another unreachable now."""
    count = 0
    for at in range(len(nodes.processes)):
        count += sum(each["status"] == "unreachable" for each in await nodes.get(at, "/instances"))
    return count


async def measure(count: int, minutes: float) -> None:
    """Wait until all see all, then watch."""
    async with cluster.cluster(count) as nodes:

        async def whole() -> bool:
            return await unreachable(nodes) == 0

        await until_true(whole, GIVE_UP_S, f"{count} nodes see one another", every_s=5.0)
        started, before, alarms = time.perf_counter(), sum(process.cpu_s for process in nodes.processes), 0
        while time.perf_counter() - started < minutes * 60:
            await asyncio.sleep(LOOK_S)
            alarms += await unreachable(nodes)
        cpu = (sum(process.cpu_s for process in nodes.processes) - before) / (time.perf_counter() - started)
        rss = sum(process.rss_mib for process in nodes.processes)
        print(
            f"{count} nodes, {minutes:g} minutes: {cpu:.2f} cores in total, looks included; "
            f"{rss / count:.1f} MiB a node; false unreachable: {alarms}",
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
