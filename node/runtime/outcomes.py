"""What a program is told when a request was not simply done: refused, or *maybe*."""

from typing import TypeVar

from node.protocol.requests import Answer, Maybe, Refusal

CALL_TIMEOUT_S = 10.0
"""How long an answer is waited for beyond the wait a caller asks for itself."""

_T = TypeVar("_T")


class NodeError(Exception):
    """Anything a node tells its program."""


class Refused(NodeError):
    """The cluster or the node said no; nothing was changed. `refusal` says why, in full."""

    def __init__(self, refusal: Refusal) -> None:
        named = not refusal.field or (refusal.detail or "").startswith(f"{refusal.field}:")
        where = refusal.reason if named else f"{refusal.reason} ({refusal.field})"
        super().__init__(f"{where}: {refusal.detail}" if refusal.detail else where)
        self.refusal = refusal

    @property
    def reason(self) -> str:
        """Why, as a stable word."""
        return self.refusal.reason


class OutcomeUnknown(NodeError):
    """It may have happened or not. Ask again with the same event id, request id or idempotency key."""


class LockLost(NodeError):
    """The lock could not be renewed in time, or another holds it: whatever it protected must stop (L4)."""

    def __init__(self, resource: str, why: str) -> None:
        super().__init__(f"lock {resource!r} is lost: {why}")
        self.resource = resource


def expect(answer: Answer, expected: type[_T]) -> _T:
    """The answer, if it says that the request was done. Raises `Refused`, `OutcomeUnknown`."""
    match answer:
        case Refusal():
            raise Refused(answer)
        case Maybe():
            raise OutcomeUnknown(f"{answer.reason}: {answer.detail}")
        case _ if isinstance(answer, expected):
            return answer
    raise TypeError(f"the core answered {type(answer).__name__}, expected {expected.__name__}")
