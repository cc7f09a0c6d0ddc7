"""What members say to one another: one msgpack `Envelope` in, one or none out."""

import msgspec

from node.api.answers import Refused, bad_request, headers
from node.api.call import Call
from node.api.exchange import Response
from node.protocol.messages import Envelope
from node.protocol.records import FORMAT
from node.protocol.requests import Refusal

CONTENT_TYPE = b"application/x-iwdc-envelope"
FORBIDDEN, CONFLICT, UNSUPPORTED = 403, 409, 415


class _Opening(msgspec.Struct, array_like=True):
    """The envelope's first fields, which no format will move."""

    format: int
    cluster: str


_decode = msgspec.msgpack.Decoder(Envelope).decode
_decode_opening = msgspec.msgpack.Decoder(_Opening).decode
_encode = msgspec.msgpack.Encoder().encode


async def peer(call: Call[None, None]) -> Response:
    """Take in a member's delivery (msgpack, not JSON)."""
    settings = call.engine.settings
    given = call.request.headers.get(b"content-type", b"")
    if given != CONTENT_TYPE:
        raise Refused(
            Refusal("bad_request", f"content-type: expected {CONTENT_TYPE.decode()}, got {given.decode('latin-1')!r}"),
            UNSUPPORTED,
        )
    envelope = _read(call.request.body)
    if envelope.cluster != settings.cluster:
        raise bad_request(f"this is cluster {settings.cluster!r}, the delivery is for {envelope.cluster!r}", "cluster")
    if envelope.to != settings.id:
        raise Refused(
            Refusal("wrong_instance", f"this is {settings.id!r}, the delivery is for {envelope.to!r}", "to"), CONFLICT
        )
    if envelope.sender == settings.id or all(member.id != envelope.sender for member in settings.members):
        raise Refused(Refusal("unknown_instance", f"{envelope.sender!r} is no other member here", "sender"), FORBIDDEN)
    answer = await call.engine.deliver(envelope)
    lines = headers(call.trace, call.now.wall_ms)
    return (
        Response(204, b"", CONTENT_TYPE, lines)
        if answer is None
        else Response(200, _encode(answer), CONTENT_TYPE, lines)
    )


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
