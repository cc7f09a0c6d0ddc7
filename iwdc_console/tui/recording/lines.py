"""One observation as a line of JSON: all of it where a block begins, else only what changed since the line before.

Of events only the new ones are written, of metrics only the lines that differ; every other part stands whole, so the
state at any line is the last that was said of each part.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_type_hints

import msgspec

from iwdc_console.tui.model.api import Event, Status
from iwdc_console.tui.model.milestones import Milestone, between
from iwdc_console.tui.model.observation import Observation, Part

_FIELDS = Observation.__struct_fields__
_TYPES: Mapping[str, Any] = get_type_hints(Observation)


class Frame(NamedTuple):
    """An observation and when it was made: monotonic seconds for ages, unix ms for display."""

    observation: Observation
    at_s: float
    at_ms: int


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frame as it is written; `parts` are the fields of the observation that changed."""

    at_ms: int
    at_s: float
    parts: dict[str, msgspec.Raw]
    milestones: tuple[Milestone, ...] = ()


class NewEvents(msgspec.Struct, frozen=True):
    """Of the events before, the first `gone` are no longer kept, and `new` came after the rest."""

    node: str
    at_s: float
    at_ms: int
    gone: int
    new: tuple[Event, ...]


class NewText(msgspec.Struct, frozen=True):
    """Of the text before, the lines at these places are others now; there are `lines` of them."""

    node: str
    at_s: float
    at_ms: int
    lines: int
    new: dict[int, str]


NOTHING = b"null"
"""A part that is no longer known."""
_encoder = msgspec.json.Encoder()
_decode_line = msgspec.json.Decoder(Line).decode
_decoders: Mapping[str, Callable[[Any], Any]] = {
    name: msgspec.json.Decoder(_TYPES[name]).decode for name in _FIELDS if name not in ("events", "metrics")
} | {
    "events": msgspec.json.Decoder(NewEvents | None).decode,
    "metrics": msgspec.json.Decoder(NewText | None).decode,
}


def encode(frame: Frame, before: Observation | None, begins: bool) -> bytes:
    """The line of a frame that follows `before`. Where a block `begins` it tells all."""
    after, base = frame.observation, Observation() if begins or before is None else before
    parts = {}
    for name in _FIELDS:
        was, now = getattr(base, name), getattr(after, name)
        if now is not was and (isinstance(now, Part) or now != was):  # a part received again is another one by its time
            parts[name] = msgspec.Raw(_encoder.encode(_difference(name, was, now)))
    milestones = () if before is None else tuple(between(before, after, frame.at_ms))
    return _encoder.encode(Line(frame.at_ms, frame.at_s, parts, milestones)) + b"\n"


def decode(line: bytes) -> Line:
    """A line, its parts not yet read. Raises `msgspec.DecodeError`."""
    return _decode_line(line)


def frame(lines: Sequence[Line], index: int) -> Frame:
    """The frame of a block's line. Raises `msgspec.DecodeError`."""
    latest: dict[str, msgspec.Raw] = {}
    grown: dict[str, Any] = {}
    for line in lines[: index + 1]:
        for name, raw in line.parts.items():
            if name == "events":
                grown[name] = _more_events(grown.get(name), _decoders[name](raw))
            elif name == "metrics":
                grown[name] = _more_text(grown.get(name), _decoders[name](raw))
            elif name in _decoders:
                latest[name] = raw
    values = {name: _decoders[name](raw) for name, raw in latest.items()}
    return Frame(Observation(**values, **grown), lines[index].at_s, lines[index].at_ms)


def tells_status(line: Line) -> bool:
    """Whether a line has a status."""
    return bytes(line.parts.get("status", NOTHING)) != NOTHING


def status_of(line: Line) -> Part[Status]:
    """The status that a line tells: all that histories need. Raises `msgspec.DecodeError`."""
    return cast("Part[Status]", _decoders["status"](line.parts["status"]))


def _difference(name: str, was: Any, now: Any) -> Any:
    if name == "events" and now is not None:
        return _new_events(was.value if was is not None else (), now)
    if name == "metrics" and now is not None:
        return _new_text(was.value if was is not None else "", now)
    return now


def _new_events(was: tuple[Event, ...], part: Part[tuple[Event, ...]]) -> NewEvents:
    now = part.value
    kept = 0
    if was:
        last = was[-1].id
        kept = next((place for place in range(len(now), 0, -1) if now[place - 1].id == last), 0)
    if kept > len(was) or now[:kept] != was[len(was) - kept :]:
        kept = 0
    return NewEvents(part.node, part.at_s, part.at_ms, len(was) - kept, now[kept:])


def _more_events(was: Part[tuple[Event, ...]] | None, told: NewEvents | None) -> Part[tuple[Event, ...]] | None:
    if told is None:
        return None
    rest = was.value[told.gone :] if was is not None else ()
    return Part(rest + told.new, told.node, told.at_s, told.at_ms)


def _new_text(was: str, part: Part[str]) -> NewText:
    before, now = was.split("\n"), part.value.split("\n")
    new = {at: line for at, line in enumerate(now) if at >= len(before) or before[at] != line}
    return NewText(part.node, part.at_s, part.at_ms, len(now), new)


def _more_text(was: Part[str] | None, told: NewText | None) -> Part[str] | None:
    if told is None:
        return None
    before = was.value.split("\n") if was is not None else []
    lines = [told.new[at] if at in told.new else before[at] for at in range(told.lines)]
    return Part("\n".join(lines), told.node, told.at_s, told.at_ms)
