"""A typed client of a node's API: envelope, fail-over, outcomes. No dependency beyond the standard library.

One connection per request: a command asks once or every few seconds, so keep-alive would buy nothing and a stale
connection would make the outcome of a write unclear.

Outcomes. A request that never left is tried on the next node. One that left without an answer is tried on the next node
only when it may happen twice without harm (a read, or a write that carries a request id); when none answers its outcome
is unknown (`OutcomeUnknown`), never "failed".
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from iwdc_console import silence

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

API = "/api/v1"
DEFAULT_NODE = "http://127.0.0.1:3000"
CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0
ORDER_TIMEOUT_S = 20.0
"""A node may look for a leader for a heartbeat time-out (15 s) before it answers an order."""
STREAM_SILENCE_S = 40.0
"""A live stream says something at least every 15 s; silent for longer than this it is taken for dead."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_SEED_TAILS = ("/distributed/sync", API)


class ClientError(Exception):
    """What a request can end in, other than an answer. `node` is the URL that was asked, `data` what it said."""

    def __init__(self, message: str, node: str = "", data: Any = None, trace_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.data = data
        self.trace_id = trace_id

    @property
    def reason(self) -> str:
        """The stable word of a refusal (`held`, `no_leader`, ...), or an empty string."""
        reason = self.data.get("reason") if isinstance(self.data, dict) else None
        return reason if isinstance(reason, str) else ""


class BadUrl(ClientError):
    """A node's URL cannot be read."""


class Unreachable(ClientError):
    """No node could be reached. `tried` is each URL with why."""

    def __init__(self, tried: Sequence[tuple[str, str]]) -> None:
        super().__init__("no node could be reached", data=None)
        self.tried = tuple(tried)


class OutcomeUnknown(ClientError):
    """Maybe: the request left, and nobody said what became of it. Ask again with the same request id."""


class ClusterRefused(ClientError):
    """The cluster or the node said no, and nothing was changed. See `reason`."""


class BadRequest(ClientError):
    """The request was wrong; the message names the field."""


class NotAllowed(ClientError):
    """The node does not let us (401, 403)."""


class NotFound(ClientError):
    """There is no such thing (404)."""


class ServerFault(ClientError):
    """The node failed (5xx), or answered something that is no answer of this API."""


class Answer(NamedTuple):
    """One answer: the envelope's `data`, which node gave it, and when it came (monotonic seconds)."""

    data: Any
    node: str
    trace_id: str
    received: float

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


class _NotSent(Exception):
    """The connection could not be made, or what answered is no node: the request certainly changed nothing."""


class _NoAnswer(Exception):
    """The request left and no answer came. `slow`: not within the time-out, so that it may come another time."""

    def __init__(self, why: str, slow: bool = False) -> None:
        super().__init__(why)
        self.slow = slow


def node_root(url: str) -> str:
    """`scheme://host:port` of a node, from any form people have at hand. Raises `BadUrl`."""
    text = url.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrl(f"{url!r} is not a node's URL: {error}", node=url) from error
    if parts.scheme not in ("http", "https") or not host or not text.isascii() or not text.isprintable():
        raise BadUrl(f"{url!r} is not a node's URL: expected http://host:port", node=url)
    path = parts.path.rstrip("/")
    for tail in _SEED_TAILS:
        path = path.removesuffix(tail)
    if path or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadUrl(f"{url!r} is not a node's URL: expected http://host:port and nothing after it", node=url)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port}" if port else f"{parts.scheme}://{shown}"


def segment(text: str) -> str:
    """`text` as one path segment: a resource, an id or a slot may contain anything."""
    return quote(text, safe="", errors="surrogateescape")


class Client:
    """Asks the first of `nodes` that answers, and stays with it: what it was told is known there first.

    Not for use by several threads at once.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        timeout_s: float = ANSWER_TIMEOUT_S,
        order_timeout_s: float = ORDER_TIMEOUT_S,
        on_failover: Callable[[str, str], None] | None = None,
        command: str = "",
    ) -> None:
        """`command` is the command line's own, so that nodes can count which ones fail."""
        self.nodes = tuple(dict.fromkeys(node_root(node) for node in nodes))
        self._timeout_s = timeout_s
        self._order_timeout_s = order_timeout_s
        self._on_failover = on_failover
        self._names: dict[str, str] = {}
        self._said = {"User-Agent": f"iwdc-distributed/{command}"} if command else {}

    def get(self, path: str, **query: object) -> Answer:
        """`GET /api/v1/<path>`; query values of None are left out. Raises any `ClientError` but `OutcomeUnknown`."""
        given = {key: value for key, value in query.items() if value is not None}
        target = f"{path}?{urlencode(given, errors='surrogateescape')}" if given else path
        try:
            return self._ask("GET", target, None, {}, 0.0, repeatable=True)
        except OutcomeUnknown as error:
            raise Unreachable([(node, why) for node, why in error.data["tried"]]) from error

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        wait_s: float = 0.0,
        idempotency_key: str | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """`POST /api/v1/<path>`. `wait_s` is how long the node may take on purpose; the time-out is added to it.

        `repeatable` (implied by an idempotency key) lets an unanswered request be sent to the next node, and round
        again until the order's time-out is over: while a leader is being replaced nodes answer late.
        Raises any `ClientError`.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        again = repeatable or idempotency_key is not None
        return self._ask("POST", path, dict(body or {}), headers, wait_s, again)

    def text(self, path: str) -> Answer:
        """An answer that is plain text (metrics). Raises `Unreachable`, `ServerFault`."""
        tried: list[tuple[str, str]] = []
        for node in self.nodes:
            try:
                status, _, body = _exchange(node, "GET", f"{API}/{path}", None, {}, self._timeout_s)
            except (_NotSent, _NoAnswer) as error:
                tried.append((node, str(error)))
                continue
            if status != HTTPStatus.OK:
                raise ServerFault(f"{node} answered {status} to {path}", node=node)
            self._settle(node, tried)
            return Answer(body.decode("utf-8", "replace"), node, "", time.monotonic())
        raise Unreachable(tried)

    def name_of(self, node: str) -> str:
        """The id of the instance at `node`, or the URL itself when it does not say. Asked once."""
        if node not in self._names:
            try:
                self._names[node] = str(Client([node], self._timeout_s).get("health").data["id"])
            except (ClientError, KeyError, TypeError):
                return node
        return self._names[node]

    def follow(self, since: str | None, **query: object) -> Iterator[StreamEvent]:
        """Events as they come, from the cursor on, until the stream ends; resume with the last event's cursor.

        Raises `Unreachable` when no node takes the stream; ends quietly when the node closes it.
        """
        given = {key: value for key, value in {"since": since, **query}.items() if value is not None}
        path = f"{API}/distributed/events/stream" + (f"?{urlencode(given, errors='surrogateescape')}" if given else "")
        tried: list[tuple[str, str]] = []
        for node in self.nodes:
            try:
                connection, response = _open_stream(node, path)
            except (_NotSent, _NoAnswer) as error:
                tried.append((node, str(error)))
                continue
            self._settle(node, tried)
            with contextlib.closing(connection), response:
                yield from _events(node, response)
            return
        raise Unreachable(tried)

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: Mapping[str, str],
        wait_s: float,
        repeatable: bool,
    ) -> Answer:
        is_order = method != "GET"
        has_others = repeatable and len(self.nodes) > 1
        timeout_s = wait_s + (self._order_timeout_s if is_order and not has_others else self._timeout_s)
        give_up = time.monotonic() + wait_s + self._order_timeout_s
        left = False
        while True:
            tried: list[tuple[str, str]] = []
            fault: ClientError | None = None
            slow = False
            for node in self.nodes:
                try:
                    answer = _answer(
                        node, *_exchange(node, method, f"{API}/{path}", body, {**self._said, **headers}, timeout_s)
                    )
                except _NotSent as error:
                    tried.append((node, str(error)))
                except _NoAnswer as error:
                    left, slow = True, slow or error.slow
                    tried.append((node, str(error)))
                except (ServerFault, ClusterRefused) as error:
                    if isinstance(error, ServerFault):
                        left = True
                    elif error.reason not in _ASK_ANOTHER:
                        raise
                    fault = error
                    tried.append((node, error.message))
                else:
                    self._settle(node, tried)
                    return answer
                if left and not repeatable:
                    break
            if not (is_order and has_others and slow and time.monotonic() < give_up):
                break
        if fault and not (is_order and left):
            raise fault
        if left:
            listed = "; ".join(f"{node}: {why}" for node, why in tried)
            raise OutcomeUnknown(f"no answer came ({listed})", data={"reason": "no_answer", "tried": tried})
        raise Unreachable(tried)

    def _settle(self, node: str, tried: Sequence[tuple[str, str]]) -> None:
        """Stay with the node that answered, and say what was wrong with those before it."""
        self.nodes = (node, *(other for other in self.nodes if other != node))
        if self._on_failover:
            for other, why in tried:
                self._on_failover(other, why)


_ASK_ANOTHER = frozenset({"no_leader", "recovering", "cannot_vote"})
"""Refusals that speak of the node asked, not of the cluster: another may know better."""


def _connect(node: str, timeout_s: float) -> "HTTPConnection":
    from http.client import HTTPConnection, HTTPSConnection  # heavy, and of no use to whoever asks nothing yet

    parts = urlsplit(node)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=min(CONNECT_TIMEOUT_S, timeout_s))
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise _NotSent(_why(error, "connect", CONNECT_TIMEOUT_S)) from error
    connection.sock.settimeout(timeout_s)
    return connection


def _exchange(
    node: str, method: str, path: str, body: dict[str, Any] | None, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, Mapping[str, str], bytes]:
    """One request: status, headers, body. Raises `_NotSent` or `_NoAnswer`."""
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
        raise _NoAnswer(_why(error, "answer", timeout_s), isinstance(error, TimeoutError)) from error
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


def _answer(node: str, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """An answer's envelope opened. Raises the `ClientError` its status stands for, `_NotSent`, or `_NoAnswer`."""
    try:
        envelope = json.loads(content)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("success"), bool):
        # A gateway's 5xx says nothing about what happened behind it; anything else was not taken by a node.
        kind = _NoAnswer if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _NotSent
        raise kind(silence.no_node(status))
    data = envelope.get("data")
    meta = envelope.get("meta")
    trace_id = headers.get("x-trace-id") or (str(meta.get("traceId", "")) if isinstance(meta, dict) else "")
    if 200 <= status < 300 and envelope["success"]:
        return Answer(data, node, trace_id, time.monotonic())
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


def refused(outcome: Mapping[str, Any], node: str) -> ClientError:
    """What an outcome of a batch that is no success would have been alone."""
    data = outcome.get("data")
    message = str(outcome.get("error") or (data.get("reason") if isinstance(data, dict) else "") or "refused")
    return _error_class(int(outcome["status"]), data)(message, node=node, data=data)


def _open_stream(node: str, path: str) -> "tuple[HTTPConnection, HTTPResponse]":
    """A stream that a node has begun. Raises `_NotSent`, `_NoAnswer` or what a refusal stands for."""
    from http.client import HTTPException

    with contextlib.ExitStack() as undo:
        connection = undo.enter_context(contextlib.closing(_connect(node, STREAM_SILENCE_S)))
        try:
            connection.request("GET", path, headers={"Accept": "text/event-stream"})
            response = undo.enter_context(connection.getresponse())
            content = b"" if response.status == HTTPStatus.OK else response.read(MAX_ANSWER_BYTES)
        except (OSError, HTTPException) as error:
            raise _NoAnswer(_why(error, "answer", STREAM_SILENCE_S)) from error
        if response.status == HTTPStatus.OK:
            undo.pop_all()
            return connection, response
    _answer(node, response.status, {}, content)
    raise _NotSent(f"answered {response.status} instead of a stream")


def _events(node: str, response: "HTTPResponse") -> Iterator[StreamEvent]:
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
