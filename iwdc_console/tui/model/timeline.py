"""One causal timeline of all instances: events by their hybrid stamps, and which of them are shown. Pure."""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.quantity import short_hash, size

KEPT = 2_000
"""Events the console remembers."""
VALUE_CHARS = 200
"""A payload's value is shown up to here in a line; all of it stands in the detail."""

PROPOSAL, ACCEPT = "_PROPOSAL", "_ACCEPT"
CONTENT = "CONTENT_"
ELECTED, CHANGED, SKIPPED = "LEADER_ELECTED", "LEADER_CHANGED", "SKIPPED_QUORUM"

Level = Literal["alarm", "change", "routine"]
LEVELS: tuple[Level, ...] = ("alarm", "change", "routine")
_LEVELS: Mapping[str, Level] = {
    SKIPPED: "alarm",
    "CONFLICT_RESOLVED": "alarm",
    "ROUND_OPENED": "alarm",
    "CONTENT_CORRUPT": "alarm",
    "CONTENT_FAILED": "alarm",
    "CONTENT_NOT_APPLIED": "alarm",
    CHANGED: "change",
    ELECTED: "change",
    "SNAPSHOT_ACCEPT": "change",
    "DIFF_ACCEPT": "change",
    "ROLLBACK_ACCEPT": "change",
    "ROLLBACK_PROPOSAL": "change",
}
SHAPES: Mapping[Level, str] = {"alarm": "▲", "change": "◆", "routine": "·"}
TONES: Mapping[Level, str] = {"alarm": "text-warning", "change": "text-accent", "routine": "text-muted"}


def level(event: Event) -> Level:
    """How much an event stands out."""
    rejects = event.type == "VOTES" and any(vote.get("vote") == "reject" for vote in _votes(event))
    return "alarm" if rejects else _LEVELS.get(event.type, "routine")


class Timeline:
    """Events by hybrid stamp, each once, the newest `kept` of them. One that comes late takes its place."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._events: list[Event] = []
        self._by_id: dict[str, Event] = {}
        self.names: dict[str, str] = {}
        """What proposals are about, by their keys: votes tell only the key."""
        self.version = 0
        """Grows whenever there is something new."""

    @property
    def events(self) -> Sequence[Event]:
        """All that is remembered, oldest first. Not to be changed."""
        return self._events

    def find(self, id: str) -> Event | None:
        """The event of this id, while it is remembered."""
        return self._by_id.get(id)

    def add(self, events: Iterable[Event]) -> None:
        """Take in events, in any order, known ones too."""
        fresh = [event for event in events if event.id not in self._by_id]
        if not fresh:
            return
        self.version += 1
        self.names |= names_of(fresh)
        for event in fresh:
            self._by_id[event.id] = event
            if not self._events or _place(self._events[-1]) <= _place(event):
                self._events.append(event)
            else:
                insort(self._events, event, key=_place)
        if len(self._events) > self._kept:
            gone = self._events[: -self._kept]
            del self._events[: -self._kept]
            for event in gone:
                self._by_id.pop(event.id, None)
                self.names.pop(event.id, None)


def _place(event: Event) -> tuple[int, str, int]:
    return event.hlc, event.origin, event.seq


class Selection(NamedTuple):
    """What is to be shown. Empty means all."""

    types: frozenset[str] = frozenset()
    levels: frozenset[Level] = frozenset()
    instance: str = ""
    trace: str = ""

    def keeps(self, event: Event) -> bool:
        """Whether the event is shown."""
        return (
            (not self.types or event.type in self.types)
            and (not self.levels or level(event) in self.levels)
            and (not self.instance or event.origin == self.instance)
            and (not self.trace or event.trace_id.startswith(self.trace))
        )


ALL = Selection()


def names_of(events: Iterable[Event]) -> dict[str, str]:
    """What the proposals among these events are about, by their keys."""
    return {key: subject(body) for event in events for key, body in proposed(event)}


def proposed(event: Event) -> list[tuple[str, Mapping[str, Any]]]:
    """The proposals in an event, each with its key: one, or all of a batch (P1)."""
    if not event.type.endswith(PROPOSAL):
        return []
    bodies = _bodies(event, "proposals")
    return [(f"{event.id}.{index}" if index else event.id, body) for index, body in enumerate(bodies)]


def announced(event: Event) -> list[Mapping[str, Any]]:
    """What an event announces as accepted: one proposal, or all that one moment accepted (P4)."""
    return _bodies(event, "accepted") if event.type.endswith(ACCEPT) else []


def _bodies(event: Event, listed: str) -> list[Mapping[str, Any]]:
    many = event.payload.get(listed, [event.payload])
    return [body for body in many if isinstance(body, dict)] if isinstance(many, list) else []


def subject(payload: Mapping[str, object]) -> str:
    """What a proposal or its announcement is about: `snapshot 1.2.0`, `diff 1.2.0 → 1.3.0`."""
    label = payload.get("label") or payload.get("proposalId") or ""
    kind = payload.get("kind") or str(label).partition("-")[0]
    base = payload.get("base") or payload.get("from")
    version = payload.get("to") or payload.get("version")
    return f"{kind} {base} → {version}" if base else f"{kind} {version}"


def summary(event: Event, names: Mapping[str, str]) -> str:
    """The payload in one line: of proposals and votes what people look for, else `name=value`s.

    `names` tells what proposals are about, by their keys.
    """
    payload = event.payload
    told = payload.get("accepted") or payload.get("proposals")
    if isinstance(told, list):
        return ", ".join(subject(each) for each in told if isinstance(each, dict))
    if payload.get("label") or payload.get("proposalId"):
        return f"{subject(payload)}  {short_hash(str(payload.get('hash')))}"
    if event.type in (ELECTED, CHANGED) and "term" in payload:
        return _leads(payload)
    if event.type == SKIPPED and isinstance(payload.get("quorum"), dict):
        return f"{subject(payload)}  {_want(payload['quorum'])}"
    if event.type.startswith(CONTENT) and "version" in payload:
        return _content(payload)
    votes = _votes(event)
    if votes:
        return ", ".join(_vote(vote, names) for vote in votes)
    return " ".join(f"{name}={_value(value)}" for name, value in payload.items() if value is not None)


def _leads(payload: Mapping[str, object]) -> str:
    """`instance-A → instance-B  term 14 (silent)`: who led before, who leads, and why."""
    new = payload.get("to") or payload.get("leader")
    who = f"{payload['from']} → {new}" if payload.get("from") else f"{new}"
    reason = f" ({payload['reason']})" if payload.get("reason") else ""
    return f"{who}  {text('frame.term', term=payload.get('term'))}{reason}"


def _content(payload: Mapping[str, Any]) -> str:
    """`1.5.0  82.0 KiB from instance-A`, `1.5.0  (no space)`: what became of a version's content on an instance."""
    told = [str(payload["version"])]
    if isinstance(payload.get("bytes"), int):
        told.append(size(payload["bytes"]))
    if isinstance(payload.get("from"), dict) and payload["from"]:
        told[-1] += f" {text('events.given_by', instances=', '.join(payload['from']))}"
    if payload.get("reason"):
        told.append(f"({_value(payload['reason'])})")
    return "  ".join(told)


def _want(sees: Mapping[str, object]) -> str:
    """`healthy 1/3, required 2`: for want of whom nothing was sent."""
    figures = {name: sees.get(name) for name in ("healthy", "total", "required")}
    return text("events.for_want", **figures)


def _votes(event: Event) -> list[Mapping[str, object]]:
    votes = event.payload.get("votes") if event.type == "VOTES" else None
    return [vote for vote in votes if isinstance(vote, dict)] if isinstance(votes, list) else []


def _vote(vote: Mapping[str, object], names: Mapping[str, str]) -> str:
    reason = f" ({vote['reason']})" if vote.get("reason") else ""
    key = str(vote.get("proposal"))
    return f"{vote.get('vote')} {names.get(key, key)}{reason}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + " ".join(f"{name}={_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ".join(_value(item) for item in value) + "]"
    text = str(value)
    return text if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]}…"
