"""Cursors: where a reader of events stands, as text that any node understands (V3).

A cursor is a version vector behind one byte of format, base64url without padding. To clients it is opaque: they keep
it and give it back (`since`, `Last-Event-ID`).
"""

import base64
import binascii

import msgspec

from node.protocol.events import VersionVector
from node.protocol.records import FORMAT

MAX_CURSOR_CHARS = 64 * 1024
"""Longest cursor that is looked at: about a thousand journals, far beyond the members a cluster ever had."""
MAX_SEQ = 2**63 - 1

_decoder = msgspec.msgpack.Decoder(dict[str, int])


class BadCursor(ValueError):
    """A text that is no cursor of ours. The message says what is wrong and what to do."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"bad cursor: {problem}; expected one that a node gave, or none to start anew")


def encode_cursor(vector: VersionVector) -> str:
    """The cursor of a reader that has seen everything up to `vector`. Equal vectors give equal text."""
    body = msgspec.msgpack.encode({journal: vector[journal] for journal in sorted(vector)})
    return base64.urlsafe_b64encode(bytes((FORMAT,)) + body).rstrip(b"=").decode("ascii")


def decode_cursor(text: str) -> VersionVector:
    """The version vector in a cursor. Raises `BadCursor`."""
    if len(text) > MAX_CURSOR_CHARS:
        raise BadCursor(f"{len(text)} characters, at most {MAX_CURSOR_CHARS} are read")
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise BadCursor("not base64url") from None
    if not data:
        raise BadCursor("empty")
    if data[0] != FORMAT:
        raise BadCursor(f"format {data[0]}, this node reads format {FORMAT}")
    try:
        vector = _decoder.decode(data[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadCursor("damaged") from None
    if any(not 0 <= seq <= MAX_SEQ for seq in vector.values()):
        raise BadCursor("a sequence number out of range")
    return vector
