"""From a complete request to its answer: trace, route, decode, handle, encode. Nothing raised gets past here."""

import logging
import re
from collections.abc import Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from node.api import answers
from node.api.answers import Refused, Uncertain
from node.api.call import Asked, Call
from node.api.decoding import read_body, read_query
from node.api.exchange import Answered, ApiLimits, Request, Response
from node.api.pages import Pages
from node.api.peer import Deliveries
from node.api.routes import PEER, routes
from node.api.routing import Route, Router
from node.observability.traces import Span, new_trace_id, parse_traceparent, root_span_id
from node.protocol.effects import Now
from node.protocol.requests import Answer, Maybe, Refusal
from node.runtime.awaited import Awaited

if TYPE_CHECKING:
    from node.runtime.driver import Engine

log = logging.getLogger(__name__)

PEER_TARGET = PEER.encode()
FAILED = 400
MAYBE, INTERNAL = 504, 500
OTHER = "other"
CONSOLE = b"iwdc-distributed"
COMMAND = re.compile(rb"[a-z-]{1,32}")
"""How the command line names itself in `user-agent`: `iwdc-distributed/COMMAND`."""
REASONS = {400: "bad_request", 408: "too_slow", 413: "too_large", 431: "too_large", 503: "too_many"}
"""Status of what never became a request -> its reason."""


class Application:
    """The API of one engine."""

    def __init__(self, engine: "Engine", limits: ApiLimits, pages: Pages) -> None:
        self.engine = engine
        self.limits = limits
        self._pages = pages
        self.router = Router(routes(limits))
        self._deliveries = Deliveries(engine)
        self._peer_route, _ = self.router.find("POST", PEER_TARGET)

    def handle(self, request: Request) -> Answered | Coroutine[Any, Any, Answered] | Awaited[Response]:
        """The answer, or a coroutine that must wait for it, or where it will be."""
        if request.target == PEER_TARGET and request.method == "POST":
            return self._delivered(request)
        now = self.engine.now()
        parent = self._trace(request)
        route: Route | None = None
        try:
            self._pages.refuse(request)
            path, _, query = request.target.partition(b"?")
            route, values = self.router.find(request.method, path)
            call = Call(
                self.engine,
                self.limits,
                request,
                now,
                values,
                None if route.query is None and not query else read_query(route, query),
                read_body(route, request.body),
            )
            result = route.handler(call)
            if type(result) is Asked:
                return self._ask(route, call, parent, result)
            if type(result) is CoroutineType:
                return self._later(route, call, parent, result)
            return self._finished(route, call, parent, result, now)
        except Exception as end:  # noqa: BLE001 - whatever it is, the client is told
            return self._failed(route, request, now, end)

    def max_body(self, target: bytes) -> int:
        """How many bytes of body the target takes."""
        return self.router.max_body(target.partition(b"?")[0]) or self.limits.max_body_bytes

    def is_link(self, target: bytes) -> bool:
        """Whether the target belongs to other members: what clients wait for comes that way."""
        return target == PEER_TARGET

    def reject(self, status: int, detail: str) -> Response:
        """The answer to what never became a request."""
        refusal = Refusal(REASONS.get(status, "bad_request"), detail)
        self._count(None, None, status)
        return answers.failed(status, refusal, detail, new_trace_id(), self.engine.now().wall_ms)

    def interrupted(self, request: Request) -> Response:
        """The answer to a request that the stopping node can no longer wait for."""
        maybe = Maybe("stopping", "the node stopped before it could tell; ask another one")
        return self._uncertain(None, request, self.engine.now(), maybe)

    def _delivered(self, request: Request) -> Response | Awaited[Response]:
        # Most of what a node hears: past trace, router and `Call`, which a delivery has no use for.
        try:
            self._pages.refuse(request)
            return self._deliveries.take(request)
        except Exception as end:  # noqa: BLE001 - whatever it is, the client is told
            self._trace(request)
            return self._failed(self._peer_route, request, self.engine.now(), end)

    def _ask(
        self, route: Route, call: Call[Any, Any], parent: str | None, asked: Asked[Any]
    ) -> Response | Awaited[Response]:
        # Most of what clients want: the core's answer is the response at once, without a task that waits for it.
        def answered(answer: Answer) -> Response:
            now = self.engine.now()
            try:
                return self._said(route, call, parent, asked.data(answer), now)
            except Exception as end:  # noqa: BLE001 - whatever it is, the client is told
                return self._failed(route, call.request, now, end)

        return self.engine.put(asked.request, asked.timeout_s, answered)

    async def _later(
        self, route: Route, call: Call[Any, Any], parent: str | None, result: Coroutine[Any, Any, Any]
    ) -> Answered:
        try:
            return self._finished(route, call, parent, await result, self.engine.now())
        except Exception as end:  # noqa: BLE001 - whatever it is, the client is told
            return self._failed(route, call.request, self.engine.now(), end)

    def _finished(self, route: Route, call: Call[Any, Any], parent: str | None, result: Any, now: Now) -> Answered:
        if not isinstance(result, Answered):
            return self._said(route, call, parent, result, now)
        self._record(route, call, parent, now)
        return result

    def _said(self, route: Route, call: Call[Any, Any], parent: str | None, data: Any, now: Now) -> Response:
        self._record(route, call, parent, now)
        return answers.done(data, call.trace, now.wall_ms, call.headers)

    def _failed(self, route: Route | None, request: Request, now: Now, end: Exception) -> Response:
        if isinstance(end, Uncertain):
            return self._uncertain(route, request, now, end.maybe)
        if isinstance(end, Refused):
            self._count(request, route, end.status)
            data, error = answers.refusal_data(end.refusal), answers.refusal_error(end.refusal)
            return answers.failed(end.status, data, error, request.trace, now.wall_ms, end.headers)
        log.error("%s failed, trace %s", request.target, request.trace, exc_info=end)
        self._count(request, route, INTERNAL)
        detail = f"internal error; the node's log tells more under trace {request.trace}"
        return answers.failed(INTERNAL, Refusal("internal", detail), detail, request.trace, now.wall_ms)

    def _uncertain(self, route: Route | None, request: Request, now: Now, maybe: Maybe) -> Response:
        self._count(request, route, MAYBE)
        return answers.failed(MAYBE, answers.unknown_data(maybe), maybe.detail, request.trace, now.wall_ms)

    def _count(self, request: Request | None, route: Route | None, status: int) -> None:
        if status < FAILED:
            return
        endpoint = OTHER if route is None else route.path
        self.engine.metrics.count("distributed_api_errors_total", endpoint=endpoint, status=str(status))
        if request is None:
            return
        agent, _, command = request.headers.get(b"user-agent", b"").partition(b"/")
        if agent == CONSOLE and COMMAND.fullmatch(command):
            self.engine.metrics.count("distributed_cli_errors_total", command=command.decode())

    def _trace(self, request: Request) -> str | None:
        """Give the request its trace, the client's or a fresh one; returns the client's span."""
        header = request.headers.get(b"traceparent")
        context = None if header is None else parse_traceparent(header.decode("latin-1"))
        request.trace = new_trace_id() if context is None else context.trace
        return None if context is None else context.parent

    def _record(self, route: Route, call: Call[Any, Any], parent: str | None, now: Now) -> None:
        if route.span is None:
            return
        took_ms = (now.mono - call.now.mono) * 1000
        span = root_span_id(call.trace)
        self.engine.traces.record(
            Span(call.trace, span, parent, route.span, self.engine.settings.id, call.now.wall_ms, took_ms, {})
        )
