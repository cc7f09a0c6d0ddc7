"""What a request to a node can end in, other than an answer."""

from collections.abc import Sequence
from typing import Any


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


class Interrupted(BaseException):
    """Ctrl-c while a write was under way. The message says what may have come of it."""


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
