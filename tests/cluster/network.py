"""A network that can fail: every node's address is a proxy that knows who calls and cuts or slows single directions.

A cut direction holds what is sent until it is healed, as TCP does with lost packets; new connections open and stay
silent. A node that is down cannot refuse through a proxy: tests of refused connections do without one.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import msgspec

from node.protocol.messages import Envelope

CHUNK_BYTES = 65536
Way = tuple[str, str]


class Network:
    """Proxies for a cluster: name -> (port that the others use, port that the node listens on)."""

    def __init__(self, ports: Mapping[str, tuple[int, int]]) -> None:
        self._ports = ports
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self._open: dict[Way, asyncio.Event] = {}
        self._delays_s: dict[Way, float] = {}
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, source: str, target: str) -> None:
        """Nothing more arrives from `source` at `target`; the other direction works on."""
        self._loop.call_soon_threadsafe(lambda: self._way((source, target)).clear())

    def split(self, one: Iterable[str], other: Iterable[str]) -> None:
        """Cut every direction between two groups."""
        far = list(other)
        for here in one:
            for there in far:
                self.cut(here, there)
                self.cut(there, here)

    def slow(self, source: str, target: str, seconds: float) -> None:
        """All that `source` sends to `target` takes that much longer."""
        self._loop.call_soon_threadsafe(self._delays_s.__setitem__, (source, target), seconds)

    def heal(self) -> None:
        """Everything works again, at full speed."""
        self._loop.call_soon_threadsafe(self._mend)

    def _mend(self) -> None:
        self._delays_s.clear()
        for way in self._open.values():
            way.set()

    def _way(self, way: Way) -> asyncio.Event:
        if way not in self._open:
            self._open[way] = asyncio.Event()
            self._open[way].set()
        return self._open[way]

    async def _listen(self) -> None:
        for name, (port, target) in self._ports.items():
            self._servers.append(await asyncio.start_server(self._served(name, target), "127.0.0.1", port))

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _served(self, name: str, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await self._relay(reader, writer, name, port)
            except asyncio.CancelledError:
                # The network ends; a cancelled handler would be reported as a fault of the server.
                return
            finally:
                self._connections.discard(task)
                writer.transport.abort()

        return serve

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, port: int) -> None:
        first, sender = await _first_request(reader)
        await self._way((sender, name)).wait()
        onward, outward = await asyncio.open_connection("127.0.0.1", port)
        try:
            outward.write(first)
            pumps = (
                asyncio.ensure_future(self._pump(reader, outward, (sender, name))),
                asyncio.ensure_future(self._pump(onward, writer, (name, sender))),
            )
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            outward.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: Way) -> None:
        while data := await source.read(CHUNK_BYTES):
            if way in self._delays_s:
                await asyncio.sleep(self._delays_s[way])
            await self._way(way).wait()
            target.write(data)
            await target.drain()


async def _first_request(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """The first request of a connection, and which instance sent it; "" for a client."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    if not head.split(b" ")[1].endswith(b"/distributed/peer"):
        return head + body, ""
    return head + body, msgspec.msgpack.decode(body, type=Envelope).sender
