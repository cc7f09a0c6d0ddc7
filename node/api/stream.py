"""Events as they happen: server-sent events, resumable on any node (V3).

Each event carries its cursor as `id:`, so a client that reconnects with `Last-Event-ID` misses nothing and sees nothing
twice. A client that does not keep up gets `event: lagged` with its cursor, and the stream ends.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from node.api.answers import encode, headers
from node.api.bodies import StreamQuery
from node.api.call import Call
from node.api.exchange import Stream
from node.api.reads import cursor, seed_event, types
from node.protocol.events import VersionVector
from node.runtime.bus import BusClosed, Lagged

BEAT_S = 15.0
BEAT = b": alive\n\n"


def stream(call: Call[StreamQuery, None]) -> Stream:
    """Follow the events."""
    last = call.request.headers.get(b"last-event-id")
    since = cursor(call.query.since if last is None else last.decode("latin-1"))
    lines = headers(call.trace, call.now.wall_ms)
    return Stream(_events(call, since), b"text/event-stream", lines, BEAT, BEAT_S)


async def _events(call: Call[StreamQuery, None], since: VersionVector | None) -> AsyncGenerator[bytes, None]:
    query, wanted = call.query, types(call.query)
    try:
        async with aclosing(call.engine.bus.subscribe(since)) as subscription:
            async for event, place in subscription:
                if (
                    (not wanted or event.type in wanted)
                    and (query.origin is None or event.origin == query.origin)
                    and (query.trace is None or event.trace == query.trace)
                ):
                    yield _message(place, event.type, seed_event(event))
    except Lagged as lagged:
        yield _message(lagged.cursor, "lagged", {"cursor": lagged.cursor, "detail": str(lagged)})
    except BusClosed:
        return


def _message(place: str, name: str, data: object) -> bytes:
    # A line break in a client's event type would forge fields of the stream.
    safe = " ".join(name.split())
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (place.encode(), safe.encode(), encode(data))
