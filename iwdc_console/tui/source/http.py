"""Questions to nodes over HTTP/1.1, on connections that are kept: as much of HTTP as a node is asked with.

A whole HTTP library takes 8 MiB of a process that is open all day, more than all the events it remembers.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from iwdc_console import silence

CONNECT_TIMEOUT_S = 2.0
READ_BYTES = 64 * 1024
MAX_HEADER_BYTES = 64 * 1024
OK, NOT_FOUND = 200, 404


class Failed(Exception):
    """There is no answer, or not one in HTTP. The message says why, in a few words."""


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


class Answer:
    """The head of an answer; its body comes in pieces. A parser's callbacks fill it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.begun = False
        self.complete = False
        self.pieces: list[bytes] = []
        self._chunks: AsyncIterator[bytes] | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.begun = True

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the connection says where the body ends."""
        return "content-length" not in self.headers and self.headers.get("transfer-encoding", "") != "chunked"

    async def body(self, most: int) -> bytes:
        """All of it. Raises `Failed`, too where it is more than `most` bytes."""
        content = bytearray()
        async for chunk in self.chunks():
            content += chunk
            if len(content) > most:
                raise Failed(f"more than {most} bytes")
        return bytes(content)

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `Failed`."""
        assert self._chunks is not None
        return self._chunks

    def comes_from(self, chunks: AsyncIterator[bytes]) -> None:
        """Where the body comes from."""
        self._chunks = chunks


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.reused = False
        self._version = ""

    async def ask(self, request: bytes, silence_s: float) -> Answer:
        """Send it, and read up to the head of the answer. Raises `Failed`, `OSError`, `TimeoutError`."""
        answer = Answer()
        parser = httptools.HttpResponseParser(answer)
        self._writer.write(request)
        read = 0
        while not answer.begun:
            data = await self._read(silence_s)
            read += len(data)
            if not data or read > MAX_HEADER_BYTES + READ_BYTES:
                raise Failed(silence.CLOSED if not data else f"more than {MAX_HEADER_BYTES} bytes of headers")
            _feed(parser, data)
        answer.status, self._version = parser.get_status_code(), parser.get_http_version()
        answer.comes_from(self._chunks(answer, parser, silence_s))
        return answer

    async def _chunks(
        self, answer: Answer, parser: httptools.HttpResponseParser, silence_s: float
    ) -> AsyncGenerator[bytes, None]:
        while True:
            pieces, answer.pieces = answer.pieces, []
            if pieces:
                yield b"".join(pieces)
            if answer.complete:
                return
            data = await self._read(silence_s)
            if not data:
                if not answer.ends_with_connection:
                    raise Failed(silence.CLOSED)
                return
            _feed(parser, data)

    async def _read(self, silence_s: float) -> bytes:
        async with asyncio.timeout(silence_s):
            return await self._reader.read(READ_BYTES)

    def may_be_kept(self, answer: Answer) -> bool:
        """Whether another question can follow."""
        closes = self._version != "1.1" or answer.headers.get("connection", "").lower() == "close"
        return answer.complete and not closes and not self._reader.at_eof()

    def close(self) -> None:
        """At once."""
        self._writer.close()

    async def closed(self) -> None:
        """Until nothing of it is left."""
        with suppress(OSError):
            await self._writer.wait_closed()


def _feed(parser: httptools.HttpResponseParser, data: bytes) -> None:
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise Failed(f"this is not HTTP: {error}") from error


class Connections:
    """Asks with one of the connections that are kept, or a new one."""

    def __init__(self) -> None:
        self._kept: dict[Origin, list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def get(
        self, url: str, silence_s: float, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Answer, None]:
        """An answer that comes within `silence_s`, and goes on so. Raises `Failed`, `OSError`, `TimeoutError`."""
        parts = urlsplit(url)
        origin = Origin(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        connection, answer = await self._asked(origin, request, silence_s)
        try:
            yield answer
        except BaseException:
            connection.close()
            raise
        if connection.may_be_kept(answer):
            connection.reused = True
            self._kept.setdefault(origin, []).append(connection)
        else:
            connection.close()

    async def _asked(self, origin: Origin, request: bytes, silence_s: float) -> tuple[_Connection, Answer]:
        """A kept connection may have been closed meanwhile: then the question is asked again, on a new one."""
        while True:
            kept = self._kept.get(origin)
            connection = kept.pop() if kept else await self._open(origin)
            try:
                return connection, await connection.ask(request, silence_s)
            except (Failed, OSError):
                connection.close()
                if not connection.reused:
                    raise
            except BaseException:
                connection.close()
                raise

    async def _open(self, origin: Origin) -> _Connection:
        if origin.scheme == "https" and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        tls = self._tls if origin.scheme == "https" else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return _Connection(*await asyncio.open_connection(origin.host, origin.port, ssl=tls))
        except TimeoutError:
            raise Failed(silence.no_connection(CONNECT_TIMEOUT_S)) from None

    async def close(self) -> None:
        """All that are kept."""
        kept = [connection for connections in self._kept.values() for connection in connections]
        self._kept.clear()
        for connection in kept:
            connection.close()
        for connection in kept:
            await connection.closed()
