"""From the bytes of an answer to what it says. A broken answer raises `BadAnswer`, whatever is wrong with it."""

from typing import Any, Literal

import msgspec

from iwdc_console.tui.model.api import (
    Comparison,
    Conflict,
    Drift,
    Event,
    Leader,
    Lock,
    Proposal,
    Span,
    Status,
    Summary,
    TraceSummary,
    Version,
)  # fmt: skip
from iwdc_console.tui.model.observation import PartName

TYPES: dict[PartName | Literal["spans"], Any] = {
    "status": Status,
    "leader": Leader,
    "locks": tuple[Lock, ...],
    "drift": Drift,
    "proposals": tuple[Proposal, ...],
    "conflicts": tuple[Conflict, ...],
    "events": tuple[Event, ...],
    "elections": tuple[Event, ...],
    "traces": tuple[TraceSummary, ...],
    "spans": tuple[Span, ...],
    "versions": tuple[Version, ...],
    "summary": Summary,
    "comparison": Comparison,
}


class BadAnswer(Exception):
    """An answer that is not what a node answers. The message says what is wrong, in a few words."""


class _Envelope(msgspec.Struct, frozen=True):
    """What every answer is wrapped in (seed 3.3)."""

    data: msgspec.Raw
    success: bool


def decode(name: PartName | Literal["spans"], content: bytes) -> Any:
    """The value of a part: a struct or tuple of `TYPES`, or text for metrics. Raises `BadAnswer`."""
    if name == "metrics":
        return content.decode("utf-8", "replace")
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        if not envelope.success:
            raise BadAnswer(f"{name}: refused")
        return msgspec.json.decode(envelope.data, type=TYPES[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"{name}: not what a node answers ({error})") from error
