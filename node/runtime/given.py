"""What programs and clients give a node, checked before it reaches the core: nothing that a journal could not hold, a
peer could not read, or arithmetic could not take. What is wrong with it is told as a `Refusal`.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from node.protocol.requests import Refusal
from node.protocol.settings import Limits

UnixMs = Annotated[float, msgspec.Meta(ge=0, lt=2**47)]
"""A hybrid timestamp of it fits in 63 bits."""
MAX_NESTING = 64
"""Objects and arrays within one another in a payload: far from what any decoder of a peer can take."""


def text(required: Mapping[str, object], optional: Mapping[str, object]) -> Refusal | None:
    """Names, versions, hashes: printable text. None stands for what was not given."""
    for field, value in (
        *required.items(),
        *((field, value) for field, value in optional.items() if value is not None),
    ):
        if not isinstance(value, str):
            return _wrong(field, f"expected text, got {type(value).__name__}")
        if not value.isprintable():
            return _wrong(field, f"expected printable characters, got {value[:100]!r}")
    return None


def foreign_event(id_: str, kind: str, content: dict[str, Any], limits: Limits) -> Refusal | None:
    """An event of a v1.6 instance."""
    for field, value in (("id", id_), ("type", kind)):
        if not 0 < len(value) <= limits.max_name_chars:
            return _wrong(field, f"expected 1 to {limits.max_name_chars} characters, got {len(value)}")
    return text({"id": id_, "type": kind}, {}) or unfit("payload", content, MAX_NESTING, limits.max_payload_bytes)


def seconds(field: str, value: object, least: float, most: float) -> Refusal | None:
    """A time in seconds within bounds."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return _wrong(field, f"expected a number of seconds, got {value!r}")
    if not least <= value <= most:
        return _wrong(field, f"expected {least:g} to {most:g} seconds, got {value:g}")
    return None


def payload(content: object, most_bytes: int) -> dict[str, Any] | Refusal:
    """A payload as JSON has it, times and bytes as text: what every instance and every client can read."""
    try:
        plain = msgspec.json.decode(msgspec.json.encode(content), type=dict[str, Any])
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return _wrong("payload", f"expected an object as JSON has it ({error})")
    return unfit("payload", plain, MAX_NESTING, most_bytes) or plain


def unfit(field: str, content: dict[str, Any], nesting: int, most_bytes: int) -> Refusal | None:
    """What keeps a payload from the log: too deep, a number it cannot hold, or `too_large`."""
    if is_deeper(content, nesting):
        return _wrong(field, f"nested deeper than {nesting} levels")
    try:
        size = len(msgspec.msgpack.encode(content))
    except OverflowError:
        return _wrong(field, "a number beyond 64 bits")
    if size > most_bytes:
        return Refusal("too_large", f"{field}: {size} bytes, at most {most_bytes} are taken", field)
    return None


def is_deeper(value: object, levels: int) -> bool:
    """Whether objects and arrays stand within one another more than `levels` deep. Found without recursion."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return bool(layer)


def _wrong(field: str, detail: str) -> Refusal:
    return Refusal("bad_request", f"{field}: {detail}", field)
