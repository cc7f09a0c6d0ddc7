"""A closed loop: every client sends its next request when it has the answer to the last."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bench.http import Address, Connection

Cycle = Callable[[Connection, int], Awaitable[Counter[str]]]
"""One measured piece of work of one client (given by its number): what came of it, counted."""


@dataclass(slots=True)
class Sample:
    """What a run did. `latencies_ms` has one entry per cycle."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Outcomes per second."""
        return self.outcomes.total() / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency below which `percent` of the cycles stayed."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


async def load(addresses: Sequence[Address], clients: int, seconds: float, cycle: Cycle, warm_s: float = 0.5) -> Sample:
    """Let `clients`, spread over the addresses, work for `seconds`, after `warm_s` that do not count.

    What has begun when the time is over is finished and counted, and so is the time until then. Every client finishes
    at least one cycle that counts, however long it takes.
    """
    connections = [await Connection.open(addresses[client % len(addresses)]) for client in range(clients)]
    sample = Sample()
    begin = time.perf_counter() + warm_s

    async def client(number: int, connection: Connection) -> None:
        counted = False
        while (started := time.perf_counter()) < begin + seconds or not counted:
            outcomes = await cycle(connection, number)
            if started >= begin:
                counted = True
                sample.latencies_ms.append((time.perf_counter() - started) * 1000)
                sample.outcomes += outcomes

    try:
        await asyncio.gather(*(client(number, connection) for number, connection in enumerate(connections)))
    finally:
        for connection in connections:
            await connection.close()
    sample.seconds = time.perf_counter() - begin
    return sample


def rotated(addresses: Sequence[Address], by: int) -> list[Address]:
    """The addresses starting at another one each round, so that a lone client does not always meet the leader."""
    by %= len(addresses)
    return [*addresses[by:], *addresses[:by]]
