"""A typed client of a node's API: fail-over and outcomes. No dependency beyond the standard library.

Outcomes. A request that never left is tried on the next node. One that left without an answer is tried on the next node
only when it may happen twice without harm (a read, or a write that carries a request id); when none answers its outcome
is unknown (`OutcomeUnknown`), never "failed".
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from iwdc_console.exchange import Answer, NoAnswer, NotSent, StreamEvent, exchange, open_stream, opened, stream_events
from iwdc_console.outcomes import (
    BadRequest,
    BadUrl,
    ClientError,
    ClusterRefused,
    Interrupted,
    OutcomeUnknown,
    ServerFault,
    Unreachable,
)

API = "/api/v1"
DEFAULT_NODE = "http://127.0.0.1:3000"
ANSWER_TIMEOUT_S = 5.0
ORDER_TIMEOUT_S = 20.0
"""A node may look for a leader for a heartbeat time-out (15 s) before it answers an order."""
_SEED_TAILS = ("/distributed/sync", API)
_ASK_ANOTHER = frozenset({"no_leader", "recovering", "cannot_vote"})
"""Refusals that speak of the node asked, not of the cluster: another may know better."""


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
    """`text` as one path segment: a resource, an id or a slot may contain anything. Raises `BadRequest` for nothing."""
    if not text:
        raise BadRequest("an empty name: expected what it is about")
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
        self.timeout_s = timeout_s
        """How long a read waits for each node, seconds."""
        self._order_timeout_s = order_timeout_s
        self._on_failover = on_failover
        self._names: dict[str, str] = {}
        self._said = {"User-Agent": f"iwdc-distributed/{command}"} if command else {}

    def get(self, path: str, **query: object) -> Answer:
        """`GET /api/v1/<path>`; query values of None are left out. Raises any `ClientError` but `OutcomeUnknown`."""
        given = {key: value for key, value in query.items() if value is not None}
        target = f"{path}?{urlencode(given, errors='surrogateescape')}" if given else path
        return self._read("GET", target, None)

    def try_out(self, path: str, body: Mapping[str, Any]) -> Answer:
        """`POST /api/v1/<path>` of what changes nothing (a dry run): a read like `get`, and raises the same."""
        return self._read("POST", path, dict(body))

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
        Raises any `ClientError`, `Interrupted`.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        again = repeatable or idempotency_key is not None
        try:
            return self._ask("POST", path, dict(body or {}), headers, wait_s, again, is_order=True)
        except KeyboardInterrupt:
            raise Interrupted("No answer came before ctrl-c: it may have happened all the same.") from None

    def text(self, path: str) -> Answer:
        """An answer that is plain text (metrics). Raises `Unreachable`, `ServerFault`."""
        tried: list[tuple[str, str]] = []
        for node in self.nodes:
            try:
                status, _, body = exchange(node, "GET", f"{API}/{path}", None, {}, self.timeout_s)
            except (NotSent, NoAnswer) as error:
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
                self._names[node] = str(Client([node], self.timeout_s).get("health").data["id"])
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
                connection, response = open_stream(node, path)
            except (NotSent, NoAnswer, ClusterRefused, ServerFault) as error:
                tried.append((node, str(error)))
                continue
            self._settle(node, tried)
            with contextlib.closing(connection), response:
                yield from stream_events(node, response)
            return
        raise Unreachable(tried)

    def _read(self, method: str, target: str, body: dict[str, Any] | None) -> Answer:
        try:
            return self._ask(method, target, body, {}, 0.0, repeatable=True, is_order=False)
        except OutcomeUnknown as error:
            raise Unreachable([(node, why) for node, why in error.data["tried"]]) from error

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: Mapping[str, str],
        wait_s: float,
        repeatable: bool,
        is_order: bool,
    ) -> Answer:
        has_others = repeatable and len(self.nodes) > 1
        timeout_s = wait_s + (self._order_timeout_s if is_order and not has_others else self.timeout_s)
        give_up = time.monotonic() + wait_s + self._order_timeout_s
        left = False
        while True:
            tried: list[tuple[str, str]] = []
            fault: ClientError | None = None
            slow = False
            for node in self.nodes:
                try:
                    answer = opened(
                        node, *exchange(node, method, f"{API}/{path}", body, {**self._said, **headers}, timeout_s)
                    )
                except NotSent as error:
                    tried.append((node, str(error)))
                except NoAnswer as error:
                    left, slow = True, slow or error.slow
                    tried.append((node, str(error)))
                except OutcomeUnknown as error:
                    if is_order:
                        raise
                    tried.append((node, error.message))
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
