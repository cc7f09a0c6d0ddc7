"""One request on its way through a handler, decoded into the types the handler asks for."""

from collections.abc import Callable
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
DataT = TypeVar("DataT")


class Asked(Generic[DataT]):
    """What a handler asks the core at once, instead of an answer.

    `data` makes the answer's data of what the core answers; it may raise `Refused` and `Uncertain`. The core gives up
    in time by itself; `timeout_s` is the last bound behind it.
    """

    __slots__ = ("data", "request", "timeout_s")

    def __init__(self, request: CoreRequest, data: Callable[[Answer], DataT], timeout_s: float) -> None:
        self.request = request
        self.data = data
        self.timeout_s = timeout_s


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

    def ask(self, request: CoreRequest, data: Callable[[Answer], DataT], wait_s: float = 0.0) -> Asked[DataT]:
        """Ask the core."""
        return Asked(request, data, self.patience_s + wait_s)

    @property
    def patience_s(self) -> float:
        """How long the core's answer is waited for, beyond the wait that was asked for."""
        return PATIENCE * self.engine.settings.timing.heartbeat_timeout


def expect(answer: Answer, expected: type[AnswerT]) -> AnswerT:
    """The core's answer. Raises `Refused` or `Uncertain` when it is not as `expected`."""
    if isinstance(answer, expected):
        return answer
    if isinstance(answer, Refusal):
        raise Refused(answer)
    if isinstance(answer, Maybe):
        raise Uncertain(answer)
    raise TypeError(f"the core answered {type(answer).__name__}, expected {expected.__name__}")
