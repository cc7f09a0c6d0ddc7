"""One request to one node over HTTP, and its answer: the envelope opened, or what its status stands for.

One connection per request: a command asks once or every few seconds, so keep-alive would buy nothing and a stale
connection would make the outcome of a write unclear.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from iwdc_console import silence
from iwdc_console.outcomes import (
    BadRequest,
    ClientError,
    ClusterRefused,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    ServerFault,
)

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

CONNECT_TIMEOUT_S = 2.0
STREAM_SILENCE_S = 40.0
"""A live stream says something at least every 15 s; silent for longer than this it is taken for dead."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class Answer(NamedTuple):
    """One answer: the envelope's `data`, which node gave it, and when it came (monotonic seconds).

    `given_ms` is the node's wall clock as it answered, unix ms: what it tells was stamped by that clock, not by ours.
    """

    data: Any
    node: str
    trace_id: str
    received: float
    given_ms: float | None = None

    @property
    def age_ms(self) -> float:
        """Milliseconds since it came."""
        return (time.monotonic() - self.received) * 1000


class StreamEvent(NamedTuple):
    """One server-sent event: `cursor` resumes after it, on any node (V3)."""

    name: str
    data: Any
    cursor: str
    node: str


class NotSent(Exception):
    """The connection could not be made, or what answered is no node: the request certainly changed nothing."""


class NoAnswer(Exception):
    """The request left and no answer came. `slow`: not within the time-out, so that it may come another time."""

    def __init__(self, why: str, slow: bool = False) -> None:
        super().__init__(why)
        self.slow = slow


def refused(outcome: Mapping[str, Any], node: str) -> ClientError:
    """What an outcome of a batch that is no success would have been alone."""
    data = outcome.get("data")
    message = str(outcome.get("error") or (data.get("reason") if isinstance(data, dict) else "") or "refused")
    return _error_class(int(outcome["status"]), data)(message, node=node, data=data)


def _connect(node: str, timeout_s: float) -> "HTTPConnection":
    from http.client import HTTPConnection, HTTPSConnection  # heavy, and of no use to whoever asks nothing yet

    parts = urlsplit(node)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=min(CONNECT_TIMEOUT_S, timeout_s))
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise NotSent(_why(error, "connect", CONNECT_TIMEOUT_S)) from error
    connection.sock.settimeout(timeout_s)
    return connection


def exchange(
    node: str, method: str, path: str, body: dict[str, Any] | None, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, Mapping[str, str], bytes]:
    """One request: status, headers, body. Raises `NotSent` or `NoAnswer`."""
    from http.client import HTTPException

    connection = _connect(node, timeout_s)
    sent = {"Accept": "application/json", "Connection": "close", **headers}
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    try:
        connection.request(method, path, payload, sent)
        with connection.getresponse() as response:
            content = response.read(MAX_ANSWER_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise NoAnswer(_why(error, "answer", timeout_s), isinstance(error, TimeoutError)) from error
    finally:
        connection.close()
    if len(content) > MAX_ANSWER_BYTES:
        raise ServerFault(f"{node} answered more than {MAX_ANSWER_BYTES} bytes", node=node)
    return response.status, {name.lower(): value for name, value in response.getheaders()}, content


def _why(error: Exception, doing: str, timeout_s: float) -> str:
    from http.client import RemoteDisconnected

    if isinstance(error, TimeoutError):
        return silence.no_answer(timeout_s) if doing == "answer" else silence.no_connection(timeout_s)
    if isinstance(error, ConnectionRefusedError):
        return silence.REFUSED
    if isinstance(error, RemoteDisconnected):
        return silence.CLOSED
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def opened(node: str, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """An answer's envelope opened. Raises the `ClientError` its status stands for, `NotSent`, or `NoAnswer`."""
    try:
        envelope = json.loads(content)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("success"), bool):
        # A gateway's 5xx says nothing about what happened behind it; anything else was not taken by a node.
        kind = NoAnswer if status >= HTTPStatus.INTERNAL_SERVER_ERROR else NotSent
        raise kind(silence.no_node(status))
    data = envelope.get("data")
    meta = envelope.get("meta")
    trace_id = headers.get("x-trace-id") or (str(meta.get("traceId", "")) if isinstance(meta, dict) else "")
    if 200 <= status < 300 and envelope["success"]:
        given_ms = meta.get("timestamp") if isinstance(meta, dict) else None
        return Answer(data, node, trace_id, time.monotonic(), given_ms if isinstance(given_ms, int) else None)
    detail = data.get("detail") if isinstance(data, dict) else None
    reason = data.get("reason") if isinstance(data, dict) else None
    message = str(envelope.get("error") or detail or reason or f"{node} answered {status}")
    raise _error_class(status, data)(message, node=node, data=data, trace_id=trace_id)


def _error_class(status: int, data: Any) -> type[ClientError]:
    reason = data.get("reason") if isinstance(data, dict) else None
    if status == HTTPStatus.GATEWAY_TIMEOUT or reason == "maybe":
        return OutcomeUnknown
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return NotAllowed
    if status == HTTPStatus.NOT_FOUND:
        return NotFound
    if status in (HTTPStatus.OK, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return ClusterRefused
    return BadRequest if 400 <= status < 500 else ServerFault


def open_stream(node: str, path: str) -> "tuple[HTTPConnection, HTTPResponse]":
    """A stream that a node has begun. Raises `NotSent`, `NoAnswer` or what a refusal stands for."""
    from http.client import HTTPException

    with contextlib.ExitStack() as undo:
        connection = undo.enter_context(contextlib.closing(_connect(node, STREAM_SILENCE_S)))
        try:
            connection.request("GET", path, headers={"Accept": "text/event-stream"})
            response = undo.enter_context(connection.getresponse())
            content = b"" if response.status == HTTPStatus.OK else response.read(MAX_ANSWER_BYTES)
        except (OSError, HTTPException) as error:
            raise NoAnswer(_why(error, "answer", STREAM_SILENCE_S)) from error
        if response.status == HTTPStatus.OK:
            undo.pop_all()
            return connection, response
    opened(node, response.status, {}, content)
    raise NotSent(f"answered {response.status} instead of a stream")


def stream_events(node: str, response: "HTTPResponse") -> Iterator[StreamEvent]:
    from http.client import HTTPException

    name, cursor, data = "message", "", ""
    while True:
        try:
            raw = response.readline(MAX_ANSWER_BYTES)
        except (OSError, HTTPException):
            return  # a broken stream ends; the caller resumes from its cursor
        if not raw.endswith(b"\n"):
            return
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                try:
                    yield StreamEvent(name, json.loads(data), cursor, node)
                except (ValueError, RecursionError) as error:
                    raise ServerFault(f"{node} sent an event that is not JSON", node=node) from error
            name, data = "message", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            cursor = value
        elif field == "event":
            name = value
        elif field == "data":
            data = f"{data}\n{value}" if data else value
