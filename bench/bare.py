"""The hops of a verdict with no protocol in them, beside etcd: how far away this runtime's own limit is.

A request over HTTP, a row in SQLite on the disk, the same over HTTP to one peer, a row there, the answer back. What
waits goes together, as in a node: one commit, one request to the peer. `python -m bench.bare`.
"""

import argparse
import asyncio
import itertools
import queue
import sqlite3
import statistics
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop

from bench import command, etcd
from bench.http import Connection, until_true
from bench.load import Sample, load, rotated
from bench.processes import Process, free_ports

COUNT = 3
READY_S = 60.0
PEER = b"/peer"
BODY = b'{"success":true,"data":{"state":"accepted"}}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
Then = Callable[[], None]


class Disk:
    """One thread that commits; what comes meanwhile is the next commit."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._batches: queue.SimpleQueue[list[tuple[bytes, Then]]] = queue.SimpleQueue()
        self._waiting: list[tuple[bytes, Then]] = []
        self._busy = False
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, row: bytes, then: Then) -> None:
        """Call `then` when `row` is on the disk."""
        self._waiting.append((row, then))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, []
        self._batches.put(batch)

    def _run(self) -> None:
        conn = sqlite3.connect(self._path, isolation_level=None)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB)")
        while True:
            batch = self._batches.get()
            conn.execute("BEGIN")
            conn.executemany("INSERT INTO rows (body) VALUES (?)", [(row,) for row, _ in batch])
            conn.execute("COMMIT")
            self._loop.call_soon_threadsafe(self._done, batch)

    def _done(self, batch: list[tuple[bytes, Then]]) -> None:
        if self._waiting:
            self._begin()
        else:
            self._busy = False
        for _, then in batch:
            then()


class Link(asyncio.Protocol):
    """The peer: one request under way, what comes meanwhile is the next one."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: list[tuple[bytes, Then]] = []
        self._under_way: list[tuple[bytes, Then]] = []
        self.connected = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connected = True
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def send(self, row: bytes, then: Then) -> None:
        """Call `then` when the peer has answered."""
        self._waiting.append((row, then))
        if not self._under_way:
            self._flush()

    def _flush(self) -> None:
        self._under_way, self._waiting = self._waiting, []
        body = b"\n".join(row for row, _ in self._under_way)
        self._transport.write(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (PEER, len(body), body))

    def on_message_complete(self) -> None:
        """Called by the parser."""
        answered, self._under_way = self._under_way, []
        for _, then in answered:
            then()
        if self._waiting:
            self._flush()


class Server(asyncio.Protocol):
    """A client, or the peer."""

    def __init__(self, disk: Disk, link: Link) -> None:
        self._disk = disk
        self._link = link
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._url = url

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        row, self._body = self._body, b""
        if self._url == PEER:
            self._disk.add(row, self._answer)
        elif not self._link.connected:
            self._transport.abort()
        else:
            msgspec.json.decode(row)
            self._disk.add(row, lambda: self._link.send(row, self._answer))

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


async def serve(port: int, peer: int, path: Path) -> None:
    """Be one of the processes, until killed."""
    loop = asyncio.get_running_loop()
    disk, link = Disk(path, loop), Link()
    server = await loop.create_server(lambda: Server(disk, link), "127.0.0.1", port)

    async def connected() -> bool:
        try:
            await loop.create_connection(lambda: link, "127.0.0.1", peer)
        except ConnectionRefusedError:
            return False
        return True

    await until_true(connected, READY_S, "the peer answers")
    await server.serve_forever()


async def measure(rounds: int, seconds: float, clients: list[int]) -> None:
    """Both are up all the time and take turns, so that a noisy machine is noisy for both."""
    async with AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(etcd.cluster())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-bare-")))
        ports = free_ports(COUNT)
        for port, peer in zip(ports, [*ports[1:], ports[0]], strict=True):
            arguments = [
                sys.executable,
                "-m",
                "bench.bare",
                "--serve",
                str(port),
                str(peer),
                str(folder / f"{port}.db"),
            ]
            stack.enter_context(Process(arguments, folder / f"{port}.log"))
        addresses = [("127.0.0.1", port) for port in ports]
        versions = (f"1.0.{number}" for number in itertools.count(1))

        async def cycle(connection: Connection, client: int) -> Counter[str]:
            answer = await connection.call("POST", "/", {"version": next(versions), "hash": "f" * 64})
            return Counter({str(answer.status): 1})

        async def ready() -> bool:
            try:
                await load(addresses, COUNT, 0.1, cycle, 0.0)
            except OSError:
                return False
            return True

        await until_true(ready, READY_S, "the bare processes answer")
        for count in clients:
            bare, put = list[Sample](), list[Sample]()
            for at in range(rounds):
                bare.append(await load(rotated(addresses, at), count, seconds, cycle))
                put.append(await load(rotated(theirs.addresses, at), count, seconds, etcd.put()))
            (rate, p50), (other, other_p50) = middle(bare), middle(put)
            print(
                f"bare hops, {count} clients: {rate:,.0f}/s, p50 {p50:.1f} ms;"
                f" etcd {other:,.0f}/s, p50 {other_p50:.1f} ms; rate {rate / other:.2f}x",
                flush=True,
            )


def middle(samples: list[Sample]) -> tuple[float, float]:
    """Rate and p50 of a run, the median of its rounds."""
    rates, latencies = [s.rate for s in samples], [s.percentile_ms(50) for s in samples]
    return statistics.median(rates), statistics.median(latencies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--serve", nargs=3, metavar=("PORT", "PEER", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        port, peer, path = given.serve
        uvloop.run(serve(int(port), int(peer), Path(path)))
    else:
        command.run(measure(given.rounds, given.seconds, given.clients))


if __name__ == "__main__":
    main()
