"""Traces: one proposal, lock or election is one trace on every instance it touches (seed 12).

Each instance keeps its own spans in a bounded ring; a waterfall gathers them from all. A trace id is 32 hex digits, as
in W3C `traceparent`. The root span's id is the last 16 digits of its trace id, so that any instance can name it as the
parent without carrying it in messages. Routine spans, which an idle node makes too, have a small ring of their own and
never push out the others.
"""

import random
import re
from collections import deque
from collections.abc import Callable
from typing import Final
from zlib import crc32

import msgspec

from node.protocol.effects import Now, Observe, ObserveEach

LEADER_ELECTION: Final = "LEADER_ELECTION"
HEARTBEAT_SEND: Final = "HEARTBEAT_SEND"
HEARTBEAT_RECEIVE: Final = "HEARTBEAT_RECEIVE"
LOCK_ACQUIRE: Final = "LOCK_ACQUIRE"
LOCK_RELEASE: Final = "LOCK_RELEASE"
REMOTE_PULL: Final = "REMOTE_PULL"
REMOTE_PUSH: Final = "REMOTE_PUSH"
SNAPSHOT_REPLICATE: Final = "SNAPSHOT_REPLICATE"
DIFF_REPLICATE: Final = "DIFF_REPLICATE"
SNAPSHOT_APPLY: Final = "SNAPSHOT_APPLY"
DIFF_APPLY: Final = "DIFF_APPLY"
CONFLICT_DETECTED: Final = "CONFLICT_DETECTED"
QUORUM_DECISION: Final = "QUORUM_DECISION"
QUORUM_CHECK: Final = "QUORUM_CHECK"
PROPOSE_SNAPSHOT: Final = "PROPOSE_SNAPSHOT"
PROPOSE_DIFF: Final = "PROPOSE_DIFF"
QUORUM_API: Final = "QUORUM_API"
PROPOSE_SNAPSHOT_API: Final = "PROPOSE_SNAPSHOT_API"
PROPOSE_DIFF_API: Final = "PROPOSE_DIFF_API"
TIME_DRIFT_MEASURE: Final = "TIME_DRIFT_MEASURE"

ROUTINE: Final = frozenset({HEARTBEAT_SEND, HEARTBEAT_RECEIVE, QUORUM_API, TIME_DRIFT_MEASURE})
"""Spans that come whether or not anybody asks for anything."""

_OF_CONTENT: Final = frozenset({SNAPSHOT_REPLICATE, DIFF_REPLICATE, SNAPSHOT_APPLY, DIFF_APPLY})
_ABOUT: Final = ("proposal", "version", "resource", "instance", "leader")
"""Fields of spans that say what they are about, the most telling first."""

DEFAULT_CAPACITY: Final = 5_000
"""Spans kept, about 0.5 KiB each."""
ROUTINE_SHARE: Final = 0.1
"""Part of the capacity that routine spans have to themselves."""


class Span(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A piece of work on one instance. `start_ms` is unix ms, `duration_ms` comes from the monotonic clock."""

    trace: str
    id: str
    parent: str | None
    name: str
    instance: str
    start_ms: float
    duration_ms: float
    fields: dict[str, object]


class TraceSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A trace as far as this instance knows it. `name` is what started it, `spans` how many there are.

    `about` is the proposal, lock or instance that it is about; empty where that is none, or several.
    """

    id: str
    name: str
    about: str
    start_ms: float
    duration_ms: float
    spans: int
    instances: tuple[str, ...]


class TraceContext(msgspec.Struct, frozen=True):
    """What a W3C `traceparent` header says."""

    trace: str
    parent: str


_ids = random.Random()
"""Ids must differ, not be secret; asking the system for each costs more than all else here."""
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def parse_traceparent(header: str) -> TraceContext | None:
    """The context of a `traceparent` header, or None when it is malformed: then a new trace begins."""
    match = _TRACEPARENT.fullmatch(header.strip())
    if match is None or (match[1] == "00" and match[4] is not None):
        return None
    return TraceContext(match[2], match[3])


def new_trace_id() -> str:
    """A fresh trace id, 32 hex digits."""
    return f"{_ids.getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    """A fresh span id, 16 hex digits."""
    return f"{_ids.getrandbits(64) or 1:016x}"


def root_span_id(trace: str) -> str:
    """The id of a trace's root span."""
    return trace[-16:]


class TraceRing:
    """The latest spans of this instance. Bounded: the oldest goes when a new one comes.

    Recording is on the path of every vote, so it is one append; spans are made and sorted out when somebody looks.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY, export: "Callable[[Kept], None] | None" = None) -> None:
        """`export` is given every span that is not routine, as it is recorded."""
        routine = max(1, int(capacity * ROUTINE_SHARE))
        self._routine: deque[Kept] = deque(maxlen=routine)
        self._others: deque[Kept] = deque(maxlen=max(1, capacity - routine))
        self._export = export
        self._keep_other = self._others.append if export is None else self._keep_and_export
        self._keep_of: dict[str, Callable[[Kept], None]] = dict.fromkeys(ROUTINE, self._routine.append)

    def __len__(self) -> int:
        return len(self._routine) + len(self._others)

    def record(self, span: Span) -> None:
        """Keep a finished span."""
        self._keep_of.get(span.name, self._keep_other)(span)

    def record_observe(self, observe: Observe, now: Now, instance: str) -> str:
        """Keep what the core observed as a span and return its trace id, a fresh one where nobody asked for it."""
        trace = observe.trace or new_trace_id()
        self._keep_of.get(observe.name, self._keep_other)((trace, observe, now, instance, 0))
        return trace

    def record_each(self, observed: ObserveEach, now: Now, instance: str) -> list[str]:
        """Keep what the core observed of several, a span of each, and return their trace ids."""
        keep = self._keep_of.get(observed.name, self._keep_other)
        traces = [trace or new_trace_id() for trace, _ in observed.each]
        for at, trace in enumerate(traces):
            keep((trace, observed, now, instance, at))
        return traces

    def _keep_and_export(self, kept: "Kept") -> None:
        self._others.append(kept)
        if self._export is not None:
            self._export(kept)

    def get(self, trace: str) -> tuple[Span, ...]:
        """The spans of a trace on this instance, by start; empty when it is unknown or forgotten."""
        found = [span_of(kept) for ring in (self._routine, self._others) for kept in ring if _trace(kept) == trace]
        return tuple(sorted(found, key=lambda span: (span.start_ms, -span.duration_ms)))

    def recent(self, limit: int, name: str | None = None) -> tuple[TraceSummary, ...]:
        """The latest traces, newest first: those with a span called `name`, or by default all that are not routine."""
        by_trace: dict[str, list[Kept]] = {}
        for ring in (self._routine, self._others):
            for kept in ring:
                by_trace.setdefault(_trace(kept), []).append(kept)
        wanted = [
            trace
            for trace, spans in by_trace.items()
            if any(_name(kept) == name if name else _name(kept) not in ROUTINE for kept in spans)
        ]
        summaries = [_summary(trace, [span_of(kept) for kept in by_trace[trace]]) for trace in wanted]
        summaries.sort(key=lambda summary: summary.start_ms, reverse=True)
        return tuple(summaries[:limit])


Kept = Span | tuple[str, Observe | ObserveEach, Now, str, int]
"""A span, or what one is made of: trace id, what the core observed, when that was reported, the instance, and the place
among those observed together."""
_SPREAD: Final = 0x9E3779B1
"""Keeps the ids of those apart from the ids of what lies beside them in memory."""


def _trace(kept: Kept) -> str:
    return kept[0] if isinstance(kept, tuple) else kept.trace


def _name(kept: Kept) -> str:
    return kept[1].name if isinstance(kept, tuple) else kept.name


def span_of(kept: Kept) -> Span:
    """The span itself. Its id follows from what it is made of, so that every look gives the same."""
    if isinstance(kept, Span):
        return kept
    trace, observed, now, instance, at = kept
    observe = observed.one(at) if isinstance(observed, ObserveEach) else observed
    duration_ms = max(0.0, now.mono - observe.started) * 1000
    span, parent = root_span_id(trace), None
    if observe.trace:
        span, parent = f"{crc32(instance.encode()):08x}{(id(observed) + at * _SPREAD) & 0xFFFFFFFF:08x}", span
    return Span(trace, span, parent, observe.name, instance, now.wall_ms - duration_ms, duration_ms, observe.fields)


def _summary(trace: str, spans: list[Span]) -> TraceSummary:
    start_ms = min(span.start_ms for span in spans)
    end_ms = max(span.start_ms + span.duration_ms for span in spans)
    instances = tuple(sorted({span.instance for span in spans}))
    return TraceSummary(
        trace, _started_by(trace, spans), _about(spans), start_ms, end_ms - start_ms, len(spans), instances,
    )  # fmt: skip


def _started_by(trace: str, spans: list[Span]) -> str:
    """The root span where it is known here; else the proposal that the others belong to; else the earliest.

    What follows from a proposal may well be all that an instance has seen of it, or the earliest part.
    """
    root = root_span_id(trace)
    for span in spans:
        if span.id == root:
            return span.name
    kinds = [kind for kind in map(_proposed, spans) if kind]
    return f"PROPOSE_{kinds[0].upper()}" if kinds else min(spans, key=lambda span: span.start_ms).name


def _proposed(span: Span) -> str:
    """Which kind of proposal a span belongs to, or nothing."""
    if span.name in _OF_CONTENT:
        return span.name.partition("_")[0]
    return str(span.fields.get("proposal", span.fields.get("kind", ""))).partition("-")[0]


def _about(spans: list[Span]) -> str:
    for key in _ABOUT:
        named = {str(span.fields[key]) for span in spans if key in span.fields}
        if named:
            return named.pop() if len(named) == 1 else ""
    return ""
