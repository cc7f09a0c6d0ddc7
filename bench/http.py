"""A thin HTTP client for load: one keep-alive connection, one request at a time, the same for every server measured."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

import httptools

Address = tuple[str, int]


class Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """One connection. Raises ConnectionError when the server is not there or closes it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self._body = b""
        self._closed = asyncio.Event()

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        """Connect."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(address), *address)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"no HTTP: {error}"))
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._closed.set()
        self._fail(ConnectionError("closed by the server"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._parser.get_status_code(), self._body))
        self._body = b""

    def _fail(self, error: ConnectionError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        """One request, and its answer."""
        if self._transport is None:
            raise ConnectionError("closed by the server")
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        return await self._waiting

    async def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()


async def once(address: Address, method: str, path: str, body: object = None, timeout_s: float = 5.0) -> Answer:
    """One request on a connection of its own. Raises ConnectionError or TimeoutError."""
    async with asyncio.timeout(timeout_s):
        connection = await Connection.open(address)
        try:
            return await connection.call(method, path, body)
        finally:
            await connection.close()


async def until_true(
    check: Callable[[], Awaitable[bool]], deadline_s: float, what: str, every_s: float = 0.05
) -> float:
    """Call `check` until it holds, and return the seconds that took. Raises TimeoutError with what came last.

    A node that is not there yet, or whose answer is not the wanted one yet, counts as no.
    """
    started = time.perf_counter()
    last: Exception | None = None
    while time.perf_counter() - started < deadline_s:
        try:
            if await check():
                return time.perf_counter() - started
        except (OSError, ValueError, LookupError, TypeError) as error:
            last = error
        await asyncio.sleep(every_s)
    raise TimeoutError(f"{what}: not within {deadline_s:g} s ({last})")
