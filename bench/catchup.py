"""A node comes back after missing 100,000 events: how fast it has them. `python -m bench.catchup`."""

import argparse
import asyncio
import time
from collections import Counter

from bench import cluster, command
from bench.http import Connection, until_true

CLIENTS = 64
GIVE_UP_S = 300.0


async def publish(nodes: cluster.Nodes, events: int) -> None:
    """Write events of a client's own type through the first two nodes."""
    numbers = iter(range(events))
    answers: Counter[int] = Counter()

    async def client(number: int) -> None:
        connection = await Connection.open(nodes.addresses[number % 2])
        for at in numbers:
            body = {"type": "TRANSFORM_COMPLETED", "payload": {"file": f"series/{at}.json", "rows": at}}
            answers[(await connection.call("POST", f"{cluster.API}/events", body)).status] += 1
        await connection.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    if sum(count for status, count in answers.items() if status < 300) != events:
        raise RuntimeError(f"publishing failed: {dict(answers)}")


async def measure(events: int) -> None:
    """Stop a node, write, start it again, and watch until it holds what the others hold."""
    async with cluster.cluster(3, {}, f"limits.retain_events={2 * events}") as nodes:
        nodes.processes[2].stop()
        started = time.perf_counter()
        await publish(nodes, events)
        print(f"published {events:,} events in {time.perf_counter() - started:.1f} s")
        nodes.processes[2] = nodes.start(2)
        missed = 0

        async def answers() -> bool:
            nonlocal missed
            missed = (await nodes.get(0, "/status"))["events"] - (await nodes.get(2, "/status"))["events"]
            return True

        async def level() -> bool:
            own, other = await nodes.get(2, "/status"), await nodes.get(0, "/status")
            return bool(own["events"] == other["events"] and own["stateDigest"] == other["stateDigest"])

        await until_true(answers, GIVE_UP_S, "the node answers again", every_s=0.01)
        seconds = await until_true(level, GIVE_UP_S, "the node has caught up", every_s=0.02)
        rate = missed / seconds
        print(
            f"catch-up: {missed:,} events in {seconds:.1f} s, {rate:,.0f} events/s, state equal, "
            f"peak memory {nodes.processes[2].peak_rss_mib:.0f} MiB",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    command.run(measure(parser.parse_args().events))


if __name__ == "__main__":
    main()
