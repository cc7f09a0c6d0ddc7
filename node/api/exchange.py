"""What passes between the HTTP server and what it serves: requests, answers, and the bounds of both."""

from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from node.api.bulk import Bulk
from node.runtime.awaited import Awaited
from node.runtime.given import MAX_NESTING

NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Bounds of what a client can make a node's API hold or wait for. Bytes, counts, and seconds (`_s`)."""

    max_head_bytes: int = 16 * 1024
    max_headers: int = 100
    max_body_bytes: int = 1024 * 1024
    max_batch_bytes: int = 4 * 1024 * 1024
    max_peer_bytes: int = 16 * 1024 * 1024
    max_batch: int = 1000
    """Proposals in one batch."""
    max_listed: int = 1000
    """Entries of one list."""
    max_nesting: int = MAX_NESTING
    """Objects and arrays within one another in a payload."""
    max_connections: int = 4096
    max_pipelined: int = 16
    head_timeout_s: float = 10.0
    request_timeout_s: float = 30.0
    """From the first byte of a request to the last one of its body."""
    idle_timeout_s: float = 75.0
    """Between requests. Must exceed the interval at which peers beat."""
    write_timeout_s: float = 30.0
    """How long a client may read nothing of its answers."""
    linger_s: float = 2.0
    """How long a refused client is still listened to, so that it can read why."""
    stop_grace_s: float = 5.0
    backlog: int = 1024


class Rejected(Exception):
    """The client's HTTP is not acceptable; it is answered `status` and disconnected."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Request:
    """One complete request. `target` is as sent; `headers`, never changed, holds `KEPT_HEADERS` by lower-case name."""

    __slots__ = ("body", "client", "headers", "keep_alive", "method", "target", "trace", "version")

    def __init__(
        self, method: str, target: bytes, headers: dict[bytes, bytes], body: bytes, keep_alive: bool, version: str,
        client: str = "",
    ) -> None:  # fmt: skip
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive
        self.version = version
        self.client = client
        """The address it came from."""
        self.trace = ""


class Response:
    """A complete answer. `headers` are finished lines, each ended by CR LF."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self, status: int, body: bytes, content_type: bytes = b"application/json", headers: bytes = b""
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers

    def described(self) -> bytes:
        """The header lines about the body; 204 has none (RFC 9110, 8.6)."""
        if self.status == NO_CONTENT:
            return b""
        return b"content-type: %b\r\ncontent-length: %d\r\n" % (self.content_type, len(self.body))


class Stream:
    """An answer without a known end. `beat` is sent every `beat_s` seconds, so that both sides notice a dead link."""

    __slots__ = ("beat", "beat_s", "chunks", "content_type", "headers")

    def __init__(
        self, chunks: AsyncGenerator[bytes, None], content_type: bytes, headers: bytes, beat: bytes, beat_s: float
    ) -> None:
        self.chunks = chunks
        self.content_type = content_type
        self.headers = headers
        self.beat = beat
        self.beat_s = beat_s


Answered = Response | Stream | Bulk
"""What a request may be answered with."""


class App(Protocol):
    """What answers requests. None of its functions may raise."""

    def handle(self, request: Request) -> Answered | Coroutine[Any, Any, Answered] | Awaited[Response]:
        """The answer, or a coroutine that must wait for it, or where it will be."""

    def max_body(self, target: bytes) -> int:
        """How many bytes of body the target takes."""

    def is_link(self, target: bytes) -> bool:
        """Whether the target belongs to other members: what clients wait for comes that way."""

    def reject(self, status: int, detail: str) -> Response:
        """The answer to what never became a request."""

    def interrupted(self, request: Request) -> Response:
        """The answer to a request that the stopping server can no longer wait for."""
