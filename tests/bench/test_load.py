"""The load generator counts what happened, and nothing else."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.http import Address, Connection, once, until_true
from bench.load import Sample, load, rotated
from bench.processes import free_ports
from bench.report import line, outcomes


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[Address]:
    """A server that gives the same answer to every request, or hangs up when it has none."""
    handlers: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                if not answer:
                    return
                writer.write(answer)
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.create_task(handle(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()
        await asyncio.gather(*handlers)


def test_a_closed_loop_counts_outcomes_and_latencies() -> None:
    async def scenario() -> Sample:
        async def cycle(connection: Connection, client: int) -> Counter[str]:
            answer = await connection.call("POST", "/x", {"client": client})
            return Counter({f"{answer.status} {answer.json()['a']}": 2})

        async with serving(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}') as address:
            return await load([address], 3, 0.1, cycle, warm_s=0.01)

    sample = asyncio.run(scenario())
    assert sample.outcomes == Counter({"200 1": 2 * len(sample.latencies_ms)})
    assert sample.rate == pytest.approx(sample.outcomes.total() / sample.seconds)
    assert sample.seconds >= 0.1
    assert 0 < sample.percentile_ms(50) <= sample.percentile_ms(99) <= max(sample.latencies_ms)
    assert outcomes([sample, sample]) == f"{2 * sample.outcomes.total():,} 200 1"


def test_chunked_answers_are_put_together() -> None:
    async def scenario() -> bytes:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        async with serving(chunked) as address:
            return (await once(address, "GET", "/")).body

    assert asyncio.run(scenario()) == b"abcde"


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"])
def test_a_server_that_hangs_up_or_babbles_is_an_error(answer: bytes) -> None:
    async def scenario() -> None:
        async with serving(answer) as address:
            await once(address, "GET", "/")

    with pytest.raises(ConnectionError):
        asyncio.run(scenario())


def test_waiting_ends_with_what_came_last() -> None:
    async def never() -> bool:
        raise ValueError("not yet")

    with pytest.raises(TimeoutError, match=r"it rains: not within 0\.05 s \(not yet\)"):
        asyncio.run(until_true(never, 0.05, "it rains", every_s=0.01))


def test_reports_name_rates_and_ratios() -> None:
    ours = Sample(2.0, [1.0, 2.0, 3.0], Counter(done=600))
    theirs = Sample(2.0, [4.0, 4.0, 4.0], Counter(done=300))
    assert line("x", [ours], [theirs], "puts") == (
        "x: ours 300 puts/s, p50 2.0 ms, p99 3.0 ms; etcd 150 puts/s, p50 4.0 ms, p99 4.0 ms; rate 2.00x, p99 0.75x"
    )


def test_each_round_starts_at_another_address() -> None:
    addresses = [("a", 1), ("b", 2), ("c", 3)]
    assert [rotated(addresses, by)[0][0] for by in range(4)] == ["a", "b", "c", "a"]
    assert len(set(free_ports(20))) == 20
