"""The envelope of every answer, and which status an outcome has (seed 3.3, 4.2).

{"success": bool, "data": ..., "error"?: str, "meta": {"timestamp": unix ms, "traceId": 32 hex digits}}
"""

import msgspec

from node.api.exchange import Response
from node.protocol.requests import Maybe, Refusal
from node.protocol.shapes import QuorumView

encode = msgspec.json.Encoder().encode

REFUSAL_STATUS = {
    "insufficient_quorum": 200,
    "bad_request": 400,
    "unknown_conflict": 404,
    "unknown_proposal": 404,
    "not_here": 404,
    "not_local": 403,
    "queue_full": 429,
    "too_many": 429,
    "no_leader": 503,
    "cannot_vote": 503,
    "recovering": 503,
    "stepping_down": 503,
    "stopping": 503,
}
"""Reason of a refusal -> status. Any other is 409: the cluster said no."""
CLUSTER_SAID_NO = 409

FIELD_NAMES = {
    "base": "from",
    "request_id": "requestId",
    "token": "fencingToken",
    "ttl_s": "ttl",
    "wait_s": "wait",
    "idempotency_key": "Idempotency-Key",
}
"""The core's names of what a client gave -> the API's."""


class Refused(Exception):
    """Ends a request with a refusal. Without a `status` the reason decides it."""

    def __init__(self, refusal: Refusal, status: int | None = None, headers: bytes = b"") -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.status = status if status is not None else REFUSAL_STATUS.get(refusal.reason, CLUSTER_SAID_NO)
        self.headers = headers


class Uncertain(Exception):
    """Ends a request whose outcome is unknown."""

    def __init__(self, maybe: Maybe) -> None:
        super().__init__(maybe.reason)
        self.maybe = maybe


class NoQuorum(msgspec.Struct, frozen=True):
    """What existing clients expect of a proposal without quorum, and nothing but it."""

    reason: str
    quorum: QuorumView | None


class Unknown(msgspec.Struct, frozen=True):
    """A *maybe*: `cause` says what ended the wait."""

    reason: str
    cause: str
    detail: str


def bad_request(
    detail: str, field: str | None = None, problem: str | None = None, expected: str | None = None
) -> Refused:
    """400: `field` is the API's name of what is wrong, `problem` the word for how."""
    return Refused(Refusal("bad_request", detail, field, problem=problem, expected=expected))


def refusal_data(refusal: Refusal) -> Refusal | NoQuorum:
    """A refusal as clients see it."""
    if refusal.reason == "insufficient_quorum":
        return NoQuorum(refusal.reason, refusal.quorum)
    if refusal.field in FIELD_NAMES:
        return msgspec.structs.replace(refusal, field=FIELD_NAMES[refusal.field])
    return refusal


def refusal_error(refusal: Refusal) -> str | None:
    """The sentence for people beside it; it says which field, where a field's value is what is wrong."""
    if refusal.reason == "insufficient_quorum":
        return None
    said = refusal.detail or refusal.reason
    field = FIELD_NAMES.get(refusal.field or "", refusal.field)
    named = refusal.problem is None or field is None or said.startswith(f"{field}:")
    return said if named else f"{field}: {said}"


def unknown_data(maybe: Maybe) -> Unknown:
    """A maybe as clients see it."""
    return Unknown("maybe", maybe.reason, maybe.detail)


def headers(trace: str, now_ms: float) -> bytes:
    """The header lines of every answer."""
    return b"x-trace-id: %b\r\nx-server-time: %d\r\n" % (trace.encode(), now_ms)


def done(data: object, trace: str, now_ms: float, more_headers: bytes = b"") -> Response:
    """200 with `data`."""
    body = b'{"success":true,"data":%b,"meta":{"timestamp":%d,"traceId":"%b"}}' % (encode(data), now_ms, trace.encode())
    return Response(200, body, headers=headers(trace, now_ms) + more_headers)


def failed(
    status: int, data: object, error: str | None, trace: str, now_ms: float, more_headers: bytes = b""
) -> Response:
    """`status` with `success` false."""
    said = b"" if error is None else b',"error":' + encode(error)
    body = b'{"success":false,"data":%b%b,"meta":{"timestamp":%d,"traceId":"%b"}}' % (
        encode(data),
        said,
        now_ms,
        trace.encode(),
    )
    return Response(status, body, headers=headers(trace, now_ms) + more_headers)
