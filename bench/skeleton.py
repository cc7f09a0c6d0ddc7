"""The most that Python can do of a node's work, between etcd and our node. `python -m bench.skeleton`.

Three bare processes do what every durable verdict needs, over the libraries of a node (`bench.bare`), under the load of
`bench.verdicts` and `bench.locks`. What they reach is the bound for any node in Python on this machine.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import cluster, command, etcd
from bench.http import Address, once, until_true
from bench.load import Cycle, Sample, load, rotated
from bench.processes import Process, free_ports
from bench.report import outcomes

WORK = ("verdicts", "batches", "locks", "ways")
BATCH = 100
MOST_LOCKS = 16
"""Clients that lock and unlock at once, as in `bench.locks`."""
WARM_S = 0.3
WAYS = {
    "thread, durable": (),
    "on the loop": ("--on-loop",),
    "not durable": ("--volatile",),
    "own write and send at once": ("--parallel",),
}
"""Skeletons that differ in one thing, with what their processes are told; the first is the one compared."""
SKELETON = next(iter(WAYS))
Start = Callable[[int], Awaitable[Cycle]]
"""Makes the cycle of so many clients, anew for each round."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three processes that take requests."""

    processes: Sequence[Process]
    addresses: Sequence[Address]


@dataclass(slots=True)
class Side:
    """One of those compared, and what its rounds came to. Times are seconds of processors for each outcome."""

    name: str
    cluster: Cluster
    start: Start
    samples: list[Sample] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    load_s: list[float] = field(default_factory=list)

    async def round(self, at: int, clients: int, seconds: float) -> None:
        """Put it under load once."""
        cycle, addresses = await self.start(clients), rotated(self.cluster.addresses, at)
        await load(addresses, clients, WARM_S, cycle, warm_s=0.0)
        before, mine = self._used_s(), time.process_time()
        sample = await load(addresses, clients, seconds, cycle, warm_s=0.0)
        done = sample.outcomes.total()
        self.samples.append(sample)
        self.cpu_s.append((self._used_s() - before) / done)
        self.load_s.append((time.process_time() - mine) / done)

    def _used_s(self) -> float:
        return sum(process.cpu_s for process in self.cluster.processes)

    def rate(self) -> float:
        """Outcomes a second."""
        return statistics.median(sample.rate for sample in self.samples)

    def line(self, yardstick: float) -> str:
        """All of it, and how many times the yardstick it is."""
        p50, p99 = (statistics.median(sample.percentile_ms(at) for sample in self.samples) for at in (50, 99))
        cpu, own = (statistics.median(each) * 1e6 for each in (self.cpu_s, self.load_s))
        told = f"{self.rate():8,.0f}/s {self.rate() / yardstick:5.2f}x, p50 {p50:5.1f}, p99 {p99:5.1f} ms"
        return f"  {self.name:28} {told}, processor {cpu:5,.0f} us and {own:4,.0f} us of the load's"


async def compare(what: str, sides: Sequence[Side], rounds: int, clients: int, seconds: float) -> None:
    """All take turns, so that a noisy machine is noisy for all; the first is the yardstick."""
    for at in range(rounds):
        for side in sides:
            await side.round(at, clients, seconds)
    print(f"{what}, {clients} clients")
    for side in sides:
        print(side.line(sides[0].rate()))
    print("  " + "; ".join(f"{side.name}: {outcomes(side.samples)}" for side in sides), flush=True)


@asynccontextmanager
async def bare(way: Sequence[str]) -> AsyncIterator[Cluster]:
    """Start three bare processes and wait until they answer."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-bare-")))
        ports = free_ports(3)
        program = [sys.executable, "-m", "bench.bare.process"]
        processes = [
            stack.enter_context(
                Process(
                    [*program, str(at), *map(str, ports), "--file", str(folder / f"{at}.db"), *way],
                    folder / f"{at}.log",
                )
            )
            for at in range(3)
        ]
        addresses = [("127.0.0.1", port) for port in ports]

        async def ready() -> bool:
            path = f"{cluster.API}/locks/ready/acquire"
            return all([(await once(each, "POST", path, {"owner": "x"})).status == 200 for each in addresses])

        await until_true(ready, cluster.READY_S, f"the bare processes answer ({processes[0].tail()})")
        yield Cluster(processes, addresses)


def always(cycle: Cycle) -> Start:
    """The same cycle for every round."""

    async def start(clients: int) -> Cycle:
        return cycle

    return start


async def measure(work: Sequence[str], rounds: int, seconds: float, clients: Sequence[int]) -> None:
    """All are up all the time; who is not asked does nothing."""
    async with AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(etcd.cluster())
        node = await stack.enter_async_context(cluster.cluster())
        wanted = WAYS if "ways" in work else {SKELETON: WAYS[SKELETON]}
        bares = {name: await stack.enter_async_context(bare(way)) for name, way in wanted.items()}
        their, our, skeleton = (
            Cluster(theirs.members, theirs.addresses),
            Cluster(node.processes, node.addresses),
            bares[SKELETON],
        )
        fresh = cluster.versions()
        propose, batch = always(cluster.proposal(fresh)), always(cluster.batch(fresh, BATCH))
        lock, put = always(cluster.lock_cycle()), always(etcd.put())

        async def their_lock(count: int) -> Cycle:
            return await etcd.lock_cycle(theirs.addresses[0], count)

        kinds = {
            "verdicts": ((put, propose, propose), clients),
            "batches": ((put, batch, batch), clients),
            "locks": ((their_lock, lock, lock), [count for count in clients if count <= MOST_LOCKS]),
        }
        for kind, (starts, counts) in kinds.items():
            for count in counts if kind in work else ():
                three = [*map(Side, ("etcd", "skeleton", "node"), (their, skeleton, our), starts)]
                await compare(kind, three, rounds, count, seconds)
        for count in clients if "ways" in work else ():
            sides = [Side("etcd", their, put), *(Side(name, each, propose) for name, each in bares.items())]
            await compare("ways of a skeleton, verdicts", sides, rounds, count, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", nargs="+", choices=WORK, default=WORK)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    given = parser.parse_args()
    command.run(measure(given.work, given.rounds, given.seconds, given.clients))


if __name__ == "__main__":
    main()
