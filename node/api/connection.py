"""One client's HTTP/1.1 connection: asyncio.Protocol over httptools.

1. Answers leave in the order of the requests. A request whose answer must wait holds back those pipelined behind it.
2. Everything a client can make us hold is bounded by `ApiLimits`; what exceeds a bound is answered 4xx and closed.
3. After a malformed request nothing of that connection is read again: framing is not guessed (no smuggling).
4. A client that goes away cancels what runs for it.
5. One sweep a second enforces the time limits of all connections, so that a request costs no timer.
6. A head that came before is looked up (`Heads`), not parsed again.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any, Protocol, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from node.api.bulk import Bulk, write_bulk
from node.api.exchange import Answered, ApiLimits, App, Rejected, Request, Response, Stream
from node.api.heads import Heads
from node.runtime.awaited import Awaited

log = logging.getLogger(__name__)

STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
KEPT_HEADERS = frozenset(
    (
        b"accept",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
        b"user-agent",
        b"traceparent",
    )
)

ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(.*)", re.IGNORECASE)
"""A target with its scheme and host (RFC 9112, 3.2.2)."""

# What a connection is reading.
IDLE, HEAD, BODY = range(3)


class Server(Protocol):
    """What a connection needs of the server that it is one of."""

    app: App
    limits: ApiLimits
    loop: asyncio.AbstractEventLoop
    stopping: bool
    date: bytes
    heads: Heads
    senders: Executor

    def opened(self, connection: "Connection") -> None:
        """A client connected: take it, or close it where there is no room."""

    def closed(self, connection: "Connection") -> None:
        """A connection is gone."""


class Connection(asyncio.Protocol):
    """One client. Callbacks named `on_*` are the parser's."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.app = server.app
        self.limits = server.limits
        self.loop = server.loop
        self.parser = HttpRequestParser(self)
        self.transport: asyncio.Transport
        self.phase = IDLE
        self.chunk = b""
        """What is parsed, if a request may begin with its first byte."""
        self.since = self.loop.time()
        """When the last request began or was answered, or when lingering began."""
        self.deaf = False
        """No further request of this client is heard."""
        self.lingering = False
        """The last answer is written; only the client's going away is awaited."""
        self.client = ""
        self.served = 0
        self.current: Request | None = None
        self.task: asyncio.Task[None] | Awaited[Response] | None = None
        self.streaming = False
        self.queue: deque[Request | Rejected] = deque()
        self.reading = True
        self.unread_since: float | None = None
        """When the client last read of what waits for it, None if nothing does."""
        self.unread_bytes = 0
        self.drained = asyncio.Event()
        self.unproductive = 0
        self.productive = False
        self._begin()

    def _begin(self) -> None:
        self.url = b""
        self.headers: dict[bytes, bytes] = {}
        self.headers_left = self.limits.max_headers
        self.head_bytes_left = self.limits.max_head_bytes
        self.body: list[bytes] = []
        self.body_bytes_left = 0
        self.chunked = False

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # What is written leaves at once; else uvloop waits for the end of its iteration.
        self.transport.set_write_buffer_limits(0)
        name = transport.get_extra_info("peername")
        self.client = str(name[0]) if name else ""
        self.server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del self.parser  # it holds this, and would be found by a search for garbage only
        self.queue.clear()
        if self.task is not None:
            self.task.cancel()
        self.server.closed(self)

    def data_received(self, data: bytes) -> None:
        if self.deaf or self.transport.is_closing():
            return
        self.chunk = b""
        if self.phase == IDLE:
            known = self.server.heads.find(data, self.client)
            if known is not None:
                self.url = known.target
                self.since = self.loop.time()
                self._take(known)
                return
            self.chunk = data
        self.productive = False
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            self.deaf = True
            return
        except HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, Rejected):
                raise
            self.refuse(cause)
            return
        except HttpParserError as error:
            self.refuse(Rejected(400, f"malformed HTTP request: {error}"))
            return
        if self.productive or self.phase == IDLE:
            self.unproductive = 0
            return
        self.unproductive += len(data)
        if self.unproductive > self.limits.max_head_bytes:
            self.refuse(Rejected(431, f"more than {self.limits.max_head_bytes} bytes of headers or framing"))

    def pause_writing(self) -> None:
        self.unread_since = self.loop.time()
        self.unread_bytes = self.transport.get_write_buffer_size()
        self.drained.clear()
        self._regulate()

    def resume_writing(self) -> None:
        self.unread_since = None
        self.drained.set()
        self._proceed()

    # Parser

    def on_message_begin(self) -> None:
        if self.deaf:
            raise Rejected(400, "a request after the last one of the connection")
        self._begin()
        self.phase = HEAD
        self.since = self.loop.time()
        self.productive = True

    def on_url(self, url: bytes) -> None:
        self.url += url
        self.head_bytes_left -= len(url)
        if self.head_bytes_left < 0:
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head_bytes_left -= len(name) + len(value) + 4
        self.headers_left -= 1
        if self.head_bytes_left < 0 or self.headers_left < 0:
            self._refuse_head()
        name = name.lower()
        if name in KEPT_HEADERS and self.phase == HEAD:
            if name in self.headers:
                raise Rejected(400, f"header {name.decode()} is given twice")
            self.headers[name] = value
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise Rejected(501, "the only transfer encoding served is chunked")
            self.chunked = True

    def on_headers_complete(self) -> None:
        self.phase = BODY
        self.productive = True
        headers = self.headers
        self.version = self.parser.get_http_version()
        if self.version not in ("1.1", "1.0"):
            raise Rejected(505, f"HTTP/{self.version} is not served, only HTTP/1.1 and HTTP/1.0")
        if b"host" not in headers and self.version == "1.1":
            raise Rejected(400, "HTTP/1.1 request without a Host header")
        if not self.url.startswith(b"/") and (absolute := ABSOLUTE.fullmatch(self.url)):
            headers[b"host"] = absolute[1]
            self.url = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
        self.keep_alive = self.version == "1.1" and self.parser.should_keep_alive()
        length = headers.get(b"content-length")
        if length is not None or self.chunked:
            self.body_bytes_left = self.app.max_body(self.url)
        if length is not None and int(length) > self.body_bytes_left:
            raise Rejected(413, f"the body has {length.decode()} bytes, at most {self.body_bytes_left} are taken here")
        expect = headers.get(b"expect")
        if expect is not None:
            if expect.lower() != b"100-continue":
                raise Rejected(417, "the only expectation served is 100-continue")
            if self.task is None and not self.queue:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        self.productive = True
        self.body_bytes_left -= len(part)
        if self.body_bytes_left < 0:
            bound = self.app.max_body(self.url)
            raise Rejected(413, f"the body has more than the {bound} bytes that are taken here")
        self.body.append(part)

    def on_message_complete(self) -> None:
        self.phase = IDLE
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        upgrade = self.parser.should_upgrade()
        method = self.parser.get_method().decode("ascii")
        keep_alive = self.keep_alive and not upgrade
        request = Request(method, self.url, self.headers, body, keep_alive, self.version, self.client)
        if not (upgrade or self.chunked or b"expect" in self.headers):
            self.server.heads.note(self.chunk, request)
        self._take(request)

    def _take(self, request: Request) -> None:
        if self.task is None and not self.queue and self.unread_since is None:
            self._serve(request)
        else:
            self.queue.append(request)
            self._regulate()

    def _refuse_head(self) -> None:
        if self.head_bytes_left < 0:
            raise Rejected(431, f"request line and headers exceed {self.limits.max_head_bytes} bytes")
        raise Rejected(431, f"more than {self.limits.max_headers} headers")

    # Answering

    def _serve(self, item: "Request | Rejected") -> None:
        if self.lingering or self.transport.is_closing():
            return
        if isinstance(item, Rejected):
            self._write(self.app.reject(item.status, item.detail), close=True)
            return
        self.served += 1
        answer = self.app.handle(item)
        if isinstance(answer, Response):
            self._write(answer, close=not item.keep_alive, bodyless=item.method == "HEAD")
            return
        self.current = item
        if isinstance(answer, Awaited):
            self.task = answer
            answer.then(self._answered)
        else:
            self.task = self.loop.create_task(self._finish(item, answer))

    def _answered(self, answer: Response) -> None:
        """Write what came without a task of ours, as most of what members are answered does."""
        request = self.current
        if request is not None and not self.transport.is_closing():
            self._write(answer, close=not request.keep_alive)
            self._next()

    async def _finish(self, request: Request, answer: Stream | Bulk | Coroutine[Any, Any, Answered]) -> None:
        result = answer if isinstance(answer, Stream | Bulk) else await answer
        if isinstance(result, Response):
            self._write(result, close=not request.keep_alive, bodyless=request.method == "HEAD")
        elif isinstance(result, Bulk):
            await self._bulk(request, result)
        else:
            await self._stream(request, result)
        self._next()

    def _next(self) -> None:
        self.task = self.current = None
        if self.phase == IDLE:
            self.since = self.loop.time()
        if self.queue or not self.reading or self.server.stopping:
            # Not at once: an answer may come in the midst of a step, and what is queued may need one of its own.
            self.loop.call_soon(self._proceed)

    def _proceed(self) -> None:
        """Serve what is queued, as far as it goes."""
        while self.queue and self.task is None and self.unread_since is None:
            self._serve(self.queue.popleft())
        self._regulate()
        if self.server.stopping:
            self.finish_soon()

    def _regulate(self) -> None:
        """Read only as long as the client reads and its queue has room. Reading is how its going away is noticed."""
        if self.transport.is_closing():
            return
        wanted = self.unread_since is None and len(self.queue) < self.limits.max_pipelined
        if wanted and not self.reading:
            self.reading = True
            self.transport.resume_reading()
        elif self.reading and not wanted:
            self.reading = False
            self.transport.pause_reading()

    def _write(self, answer: Response, close: bool, bodyless: bool = False) -> None:
        close = close or (self.server.stopping and not self.is_link)
        message = b"%bdate: %b\r\n%b%b%b\r\n%b" % (
            STATUS_LINES[answer.status],
            self.server.date,
            answer.described(),
            answer.headers,
            b"connection: close\r\n" if close else b"",
            b"" if bodyless else answer.body,
        )
        self.transport.write(message)
        if close:
            self._linger()

    async def _stream(self, request: Request, stream: Stream) -> None:
        chunked = request.version == "1.1"
        head = b"%bdate: %b\r\ncontent-type: %b\r\ncache-control: no-store\r\n%b%b\r\n" % (
            STATUS_LINES[200],
            self.server.date,
            stream.content_type,
            stream.headers,
            b"transfer-encoding: chunked\r\n" if chunked else b"connection: close\r\n",
        )
        self.transport.write(head)
        if request.method == "HEAD":
            await stream.chunks.aclose()
            return

        def send(part: bytes) -> None:
            self.transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)

        async def beat() -> None:
            while True:
                await asyncio.sleep(stream.beat_s)
                if self.unread_since is None:
                    send(stream.beat)

        beating = self.loop.create_task(beat())
        self.streaming = True
        try:
            async for part in stream.chunks:
                send(part)
                if self.unread_since is not None:
                    await self.drained.wait()
        except Exception:
            log.exception("a stream broke off")
            self.transport.abort()
        finally:
            self.streaming = False
            beating.cancel()
            await stream.chunks.aclose()
            if not self.transport.is_closing():
                self.transport.write(b"0\r\n\r\n" if chunked else b"")
                if self.server.stopping:
                    self.transport.close()
                elif not request.keep_alive:
                    self._linger()

    async def _bulk(self, request: Request, bulk: Bulk) -> None:
        close = not request.keep_alive
        head = b"%bdate: %b\r\n%b%b\r\n" % (
            STATUS_LINES[200], self.server.date, bulk.described(), b"connection: close\r\n" if close else b"",
        )  # fmt: skip
        if request.method == "HEAD":
            self.transport.write(head)
        else:
            self.streaming = True
            try:
                # Nothing of ours may be waiting to be written.
                if self.unread_since is not None:
                    await self.drained.wait()
                await write_bulk(self.loop, self.server.senders, self.transport, head, bulk)
            except OSError:
                self.transport.abort()
            finally:
                self.streaming = False
        if close or self.server.stopping:
            self._linger()

    # Ending

    def refuse(self, rejected: Rejected) -> None:
        if self.lingering:
            return
        self.deaf = True
        self.phase = IDLE
        self.queue.append(rejected)
        self._proceed()

    def _linger(self) -> None:
        """Close in good order: what the client still sends must not destroy the answer on its way (RFC 9112, 9.6)."""
        self.deaf = self.lingering = True
        self.since = self.loop.time()
        self.queue.clear()
        self.transport.write_eof()

    def finish_soon(self) -> None:
        """The server stops: streams end now, idle connections close, the rest closes with its answer; links go last."""
        if self.streaming and self.task is not None:
            self.task.cancel()
        elif self.lingering or (self.idle and not self.is_link):
            self.transport.close()

    def finish_now(self) -> None:
        """The server waits no longer."""
        if self.task is not None and self.current is not None and not self.streaming:
            self.task.cancel()
            self._write(self.app.interrupted(self.current), close=True)
        self.transport.close()

    @property
    def is_link(self) -> bool:
        """Whether a member delivers over it, so that what clients still wait for may come that way."""
        return self.app.is_link(self.url)

    @property
    def idle(self) -> bool:
        """Whether closing it now would cost the client nothing but a new connection."""
        return self.phase == IDLE and self.task is None and not self.queue and self.unread_since is None

    def sweep(self, now: float) -> None:
        """Enforce the time limits."""
        limits = self.limits
        waited_s = now - self.since
        heard = self.lingering and waited_s > limits.linger_s and not self.transport.get_write_buffer_size()
        if heard or self._leaves_unread(now):
            self.transport.abort()
        elif self.phase == HEAD and self.reading and waited_s > limits.head_timeout_s:
            self.refuse(Rejected(408, f"no complete request head within {limits.head_timeout_s:g} s"))
        elif self.phase == BODY and self.reading and waited_s > limits.request_timeout_s:
            self.refuse(Rejected(408, f"no complete request within {limits.request_timeout_s:g} s"))
        elif self.idle and waited_s > limits.idle_timeout_s:
            self.transport.close()

    def _leaves_unread(self, now: float) -> bool:
        """Whether the client has read nothing of its answers for too long. Who reads slowly reads."""
        if self.unread_since is None:
            return False
        left = self.transport.get_write_buffer_size()
        if left < self.unread_bytes:
            self.unread_since = now
        self.unread_bytes = left
        return now - self.unread_since > self.limits.write_timeout_s
