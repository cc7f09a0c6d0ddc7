"""The bare processes answer the load as nodes do, and write what they answer."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bench import cluster
from bench.bare.process import LAZY_S
from bench.http import Connection, until_true
from bench.skeleton import WAYS, bare


def stored(file: Path) -> bytes:
    """All that a process has on its disk."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
        return b"".join(body for (body,) in conn.execute("SELECT body FROM rows ORDER BY number"))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_verdict_is_with_all_three_and_a_lock_with_the_first(way: Sequence[str]) -> None:
    async def scenario() -> tuple[list[Counter[str]], list[bytes]]:
        async with bare(way) as running:
            files = [process.log.with_suffix(".db") for process in running.processes]
            connections = [await Connection.open(address) for address in running.addresses]
            fresh = cluster.versions()
            cycles = (cluster.proposal(fresh), cluster.batch(fresh, 3), cluster.lock_cycle())
            came = [await cycle(each, 0) for cycle, each in zip(cycles, connections, strict=True)]
            answered = list(map(stored, files))
            other = {"version": "1.0.1", "hash": "x"}
            again = await connections[0].call("POST", f"{cluster.API}/propose-snapshot?wait=1", other)

            async def heard() -> bool:
                return all(b"1.0.1" in each and b"1.0.4" in each for each in map(stored, files))

            await until_true(heard, 10.0, "all three have both", every_s=LAZY_S)
            for connection in connections:
                await connection.close()
            assert again.json()["data"]["state"] == "rejected", "the version has another hash"
            return came, answered

    came, (first, second, third) = asyncio.run(scenario())
    assert came == [Counter(accepted=1), Counter(accepted=3), Counter(cycle=1)]
    assert all(b"1.0.1" in each for each in (first, second)), "asked at the first, judged by the second"
    assert all(b"1.0.4" in each for each in (second, third)), "asked at the second, judged by the third"
    assert all(b"lock-0" in each for each in (first, second)), "asked at the third, led by the first"
