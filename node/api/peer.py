"""What members say to one another: one msgpack `Envelope` in, one or none out."""

from typing import TYPE_CHECKING

import msgspec

from node.api.answers import Refused, bad_request
from node.api.call import Call
from node.api.exchange import Request, Response
from node.protocol.messages import Envelope
from node.protocol.records import FORMAT
from node.protocol.requests import Refusal
from node.runtime.awaited import Awaited

if TYPE_CHECKING:
    from node.runtime.driver import Engine

CONTENT_TYPE = b"application/x-iwdc-envelope"
FORBIDDEN, CONFLICT, UNSUPPORTED = 403, 409, 415
NOTHING = Response(204, b"")


class _Opening(msgspec.Struct, array_like=True):
    """The envelope's first fields, which no format will move."""

    format: int
    cluster: str


_decode = msgspec.msgpack.Decoder(Envelope).decode
_decode_opening = msgspec.msgpack.Decoder(_Opening).decode
_encode = msgspec.msgpack.Encoder().encode


class Deliveries:
    """What members deliver to one engine. Every beat passes here, so nothing waits that need not."""

    def __init__(self, engine: "Engine") -> None:
        settings = engine.settings
        self._deliver = engine.deliver
        self._id, self._cluster = settings.id, settings.cluster
        self._senders = frozenset(member.id for member in settings.members) - {settings.id}

    def take(self, request: Request) -> Response | Awaited[Response]:
        """Take in a delivery (msgpack, not JSON). Raises `Refused` for what is not for us."""
        given = request.headers.get(b"content-type", b"")
        if given != CONTENT_TYPE:
            detail = f"content-type: expected {CONTENT_TYPE.decode()}, got {given.decode('latin-1')!r}"
            raise Refused(Refusal("bad_request", detail), UNSUPPORTED)
        envelope = _read(request.body)
        if envelope.cluster != self._cluster:
            detail = f"this is cluster {self._cluster!r}, the delivery is for {envelope.cluster!r}"
            raise bad_request(detail, "cluster")
        if envelope.to != self._id:
            detail = f"this is {self._id!r}, the delivery is for {envelope.to!r}"
            raise Refused(Refusal("wrong_instance", detail, "to"), CONFLICT)
        if envelope.sender not in self._senders:
            detail = f"{envelope.sender!r} is no other member here"
            raise Refused(Refusal("unknown_instance", detail, "sender"), FORBIDDEN)
        return self._deliver(envelope, _response)


async def peer(call: Call[None, None]) -> Response:
    """Take in a member's delivery (msgpack, not JSON)."""
    answer = Deliveries(call.engine).take(call.request)
    return answer if isinstance(answer, Response) else await answer


def _response(answer: Envelope | None) -> Response:
    return NOTHING if answer is None else Response(200, _encode(answer), CONTENT_TYPE)


def _read(body: bytes) -> Envelope:
    """The delivery. Formats one apart understand each other (F1)."""
    try:
        envelope = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _check_format(body)
        raise bad_request(f"not an envelope of format {FORMAT}: {error}") from None
    if abs(envelope.format - FORMAT) > 1:
        raise _other_format(envelope.format)
    return envelope


def _check_format(body: bytes) -> None:
    try:
        opening = _decode_opening(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if opening.format != FORMAT:
        raise _other_format(opening.format)


def _other_format(given: int) -> Refused:
    return bad_request(f"the delivery has format {given}, this node speaks format {FORMAT}", "format")
