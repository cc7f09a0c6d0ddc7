"""Raw bytes to a listening server and back, with a deadline on everything."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from node.api.app import Application
from node.api.exchange import ApiLimits
from node.api.http import HttpServer
from node.api.pages import Pages
from tests.api.stand_in import StandIn, engine_of

DEADLINE_S = 60.0
"""Longer than any answer takes on a machine that is busy with ten other things."""
T = TypeVar("T")


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait, but not for ever."""
    return await asyncio.wait_for(awaitable, DEADLINE_S)


def run(body: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine."""

    async def bounded() -> None:
        await asyncio.wait_for(body(), 3 * DEADLINE_S)

    asyncio.run(bounded())


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never came to hold"
        await asyncio.sleep(0)


@dataclass
class Answered:
    """One answer, read off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's document."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The envelope's `data`."""
        return self.json["data"]


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer."""
        block = await soon(self.reader.readuntil(b"\r\n\r\n"))
        first, *lines = block.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(first.split(" ")[1]), headers

    async def answer(self, bodyless: bool = False) -> Answered:
        """The next answer."""
        status, headers = await self.head()
        length = 0 if bodyless else int(headers.get("content-length", 0)) if status != 204 else 0
        return Answered(status, headers, await soon(self.reader.readexactly(length)))

    async def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answered:
        """One request and its answer."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        return await self.answer(bodyless=method == "HEAD")

    async def closed(self) -> bool:
        """Whether the server ends the connection, and sends nothing before."""
        try:
            return await soon(self.reader.read()) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Go away."""
        self.writer.close()


class Served:
    """A listening server over a stand-in engine."""

    def __init__(self, engine: StandIn, server: HttpServer, port: int) -> None:
        self.engine = engine
        self.server = server
        self.port = port
        self._clients: list[Client] = []

    async def client(self) -> Client:
        """A new connection."""
        reader, writer = await soon(asyncio.open_connection("127.0.0.1", self.port))
        client = Client(reader, writer)
        self._clients.append(client)
        return client

    async def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answered:
        """One request on a connection of its own."""
        client = await self.client()
        return await client.ask(method, target, body, **headers)

    async def end(self) -> None:
        """Close everything."""
        for client in self._clients:
            client.close()
        await self.server.stop()
        self.server.hang_up()


@asynccontextmanager
async def served(
    engine: StandIn | None = None, limits: ApiLimits | None = None, host: str = "0.0.0.0"
) -> AsyncIterator[Served]:
    """A server for the time of a test, that takes itself to listen at `host`."""
    stand_in = engine or StandIn()
    bounds = limits or ApiLimits()
    app = Application(engine_of(stand_in), bounds, Pages(host, stand_in.settings.members))
    server = HttpServer(app, bounds)
    world = Served(stand_in, server, await server.start("127.0.0.1", 0))
    try:
        yield world
    finally:
        await world.end()
