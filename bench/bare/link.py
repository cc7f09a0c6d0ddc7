"""The way from one bare process to another: one request at a time, as a node's link."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

from bench.cluster import READY_S
from bench.http import until_true

REQUEST = b"POST %b HTTP/1.1\r\nhost: bare\r\ncontent-type: application/x-bare\r\ncontent-length: %d\r\n\r\n%b"
Votes = list[str]
Voted = Callable[[Votes], None]

_decode_votes = msgspec.msgpack.Decoder(list[Votes]).decode
_pack = msgspec.msgpack.Encoder().encode


class Link(asyncio.Protocol):
    """To another process: `most` requests under way, what comes meanwhile, or within `wait_s`, is the next one."""

    def __init__(self, path: bytes, loop: asyncio.AbstractEventLoop, *, wait_s: float = 0.0, most: int = 1) -> None:
        self._path = path
        self._wait_s = wait_s
        self._most = most
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: list[tuple[msgspec.Raw, Voted]] = []
        self._under_way: deque[list[tuple[msgspec.Raw, Voted]]] = deque()
        self._due = False
        self._body = b""
        self._transport: asyncio.Transport | None = None

    async def connect(self, port: int) -> None:
        """Reach a process that may not be there yet."""

        async def connected() -> bool:
            await self._loop.create_connection(lambda: self, "127.0.0.1", port)
            return True

        await until_true(connected, READY_S, "the other process answers")

    def send(self, event: bytes, voted: Voted) -> None:
        """Have the other process judge an event; its votes come when they are on its disk."""
        self._waiting.append((msgspec.Raw(event), voted))
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._due or len(self._under_way) == self._most or self._transport is None or not self._waiting:
            return
        self._due = True
        if self._wait_s:
            self._loop.call_later(self._wait_s, self._flush)
        else:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._due = False
        assert self._transport is not None
        waiting, self._waiting = self._waiting, []
        self._under_way.append(waiting)
        body = _pack([event for event, _ in waiting])
        self._transport.write(REQUEST % (self._path, len(body), body))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flush_soon()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        answered = self._under_way.popleft()
        body, self._body = self._body, b""
        for (_, voted), votes in zip(answered, _decode_votes(body), strict=True):
            voted(votes)
        self._flush_soon()
