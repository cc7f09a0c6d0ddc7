"""One request on its way through a handler, decoded into the types the handler asks for."""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from node.api.answers import Refused, Uncertain
from node.api.exchange import ApiLimits, Request
from node.protocol.effects import Now
from node.protocol.requests import Answer, Maybe, Refusal
from node.protocol.requests import Request as CoreRequest

if TYPE_CHECKING:
    from node.runtime.driver import Engine

PATIENCE = 2
"""Heartbeat time-outs that a request may take beyond the wait it asked for."""

QueryT = TypeVar("QueryT")
BodyT = TypeVar("BodyT")
AnswerT = TypeVar("AnswerT")


class Call(Generic[QueryT, BodyT]):
    """What a handler gets. `path` are the values of the pattern's names; `headers` grow by what the answer adds."""

    __slots__ = ("body", "engine", "headers", "limits", "now", "path", "query", "request", "trace")

    def __init__(
        self,
        engine: "Engine",
        limits: ApiLimits,
        request: Request,
        now: Now,
        path: tuple[str, ...],
        query: QueryT,
        body: BodyT,
    ) -> None:
        self.engine = engine
        self.limits = limits
        self.request = request
        self.now = now
        self.trace = request.trace
        self.path = path
        self.query = query
        self.body = body
        self.headers = b""

    async def ask(self, request: CoreRequest, expected: type[AnswerT], wait_s: float = 0.0) -> AnswerT:
        """Put a request to the core. Raises `Refused` or `Uncertain` when it is not answered as `expected`."""
        (answer,) = await self.put_all((request,), wait_s)
        match answer:
            case Refusal():
                raise Refused(answer)
            case Maybe():
                raise Uncertain(answer)
        if not isinstance(answer, expected):
            raise TypeError(f"{type(request).__name__} was answered with {type(answer).__name__}")
        return answer

    def put_all(self, requests: Sequence[CoreRequest], wait_s: float) -> Awaitable[list[Answer]]:
        """Put requests to the core at once; their answers in the same order.

        The core gives up in time by itself; the bound here is the last one behind it.
        """
        timeout_s = PATIENCE * self.engine.settings.timing.heartbeat_timeout + wait_s
        return self.engine.call_all(requests, timeout_s)
