"""What can be seen of a node. Views come from the core as they are, without waiting."""

import asyncio

from node.api import checks
from node.api.answers import Refused, bad_request, headers
from node.api.bodies import EventsQuery, Health, Info, ListQuery, StreamQuery, TracesQuery
from node.api.call import Call
from node.api.exchange import Response
from node.observability.metrics import CONTENT_TYPE
from node.observability.traces import Span, TraceSummary
from node.protocol.events import Event, VersionVector
from node.protocol.records import FORMAT
from node.protocol.requests import Refusal
from node.protocol.settings import PROTOCOL
from node.protocol.shapes import (
    ConflictView,
    DriftView,
    InstanceView,
    LeaderView,
    LockView,
    ProposalView,
    QuorumView,
    SeedEvent,
    StatusView,
)
from node.runtime.cursor import BadCursor, decode_cursor, encode_cursor

NOT_FOUND = 404


def health(call: Call[None, None]) -> Health:
    """The process is alive."""
    return Health("alive", call.engine.settings.id)


def info(call: Call[None, None]) -> Info:
    """Who this node is."""
    settings = call.engine.settings
    return Info(
        settings.id, settings.cluster, PROTOCOL, FORMAT, settings.rule, settings.strategy, int(call.now.wall_ms)
    )


def quorum(call: Call[None, None]) -> QuorumView:
    """How many instances there are, how many are healthy, how many are needed."""
    return call.engine.core.view_quorum(call.now)


def status(call: Call[None, None]) -> StatusView:
    """The whole of the node in one answer."""
    return call.engine.core.view_status(call.now)


def instances(call: Call[None, None]) -> tuple[InstanceView, ...]:
    """The members as this node sees them."""
    return call.engine.core.view_instances(call.now)


def leader(call: Call[None, None]) -> LeaderView:
    """Who leads, as this node knows it."""
    return call.engine.core.view_leader(call.now)


def locks(call: Call[None, None]) -> tuple[LockView, ...]:
    """The locks that are held."""
    return call.engine.core.view_locks(call.now)


def drift(call: Call[None, None]) -> DriftView:
    """This node's clock against the leader's."""
    return call.engine.core.view_drift(call.now)


def proposals(call: Call[ListQuery, None]) -> tuple[ProposalView, ...]:
    """The proposals, newest first."""
    return call.engine.core.view_proposals(call.now, checks.limit(call, call.query.limit))


def proposal(call: Call[None, None]) -> tuple[ProposalView, ...]:
    """All proposals that carry an id, or the one with that key."""
    found = call.engine.core.view_proposal(call.now, call.path[0])
    if not found:
        raise Refused(Refusal("unknown_proposal", f"no proposal has the id or key {call.path[0]!r}"))
    return found


def conflicts(call: Call[None, None]) -> tuple[ConflictView, ...]:
    """Slots with more than one accepted content."""
    return call.engine.core.view_conflicts(call.now)


async def events(call: Call[EventsQuery, None]) -> list[SeedEvent]:
    """Events of the log. Header `x-iwdc-cursor`: where to go on."""
    query = call.query
    since = cursor(query.since)
    limit = checks.limit(call, query.limit)
    start = call.engine.journal.vector if since is None else since
    found = await asyncio.to_thread(
        call.engine.journal.list,
        since=since,
        types=types(query),
        origin=query.origin,
        trace=query.trace,
        limit=limit,
        newest=since is None,
    )
    call.headers += b"x-iwdc-cursor: %b\r\n" % encode_cursor(beyond(start, found)).encode()
    return [seed_event(event) for event in found]


def traces(call: Call[TracesQuery, None]) -> tuple[TraceSummary, ...]:
    """The latest traces on this instance, newest first."""
    return call.engine.traces.recent(checks.limit(call, call.query.limit), call.query.name)


def trace(call: Call[None, None]) -> tuple[Span, ...]:
    """The spans of a trace on this instance."""
    spans = call.engine.traces.get(call.path[0])
    if not spans:
        raise Refused(Refusal("unknown_trace", f"this instance has no span of trace {call.path[0]!r}"), NOT_FOUND)
    return spans


def metrics(call: Call[None, None]) -> Response:
    """Metrics as Prometheus text."""
    engine, now = call.engine, call.now
    meter, core = engine.metrics, engine.core
    meter.leader((member.id for member in engine.settings.members), core.view_leader(now).id)
    meter.gauge("distributed_active_locks", len(core.view_locks(now)))
    meter.gauge("distributed_clock_drift_ms", core.view_drift(now).offset_ms or 0.0)
    text = meter.render(core.counters)
    return Response(200, text, CONTENT_TYPE.encode(), headers(call.trace, now.wall_ms))


def cursor(text: str | None) -> VersionVector | None:
    """The vector of a client's `since` (V3)."""
    try:
        return None if text is None else decode_cursor(text)
    except BadCursor as error:
        raise bad_request(f"since: {error}", "since") from None


def types(query: StreamQuery) -> frozenset[str]:
    """The event types asked for, none for all."""
    return frozenset() if query.type is None else frozenset(query.type.split(","))


def seed_event(event: Event) -> SeedEvent:
    """An event as the API shows it."""
    return SeedEvent(
        event.id, event.origin, event.seq, event.type, event.timestamp_ms, event.hlc, event.trace, event.payload
    )


def beyond(since: VersionVector, events: list[Event]) -> VersionVector:
    """The place of a reader that stood at `since` and has seen `events`."""
    vector = dict(since)
    for event in events:
        vector[event.journal] = max(event.seq, vector.get(event.journal, 0))
    return vector
