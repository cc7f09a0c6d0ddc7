"""What v1.6 instances call: they are members that never vote (M4).

They cannot prove who they are; what they say is believed only of listed members.
"""

import asyncio

from node.api import checks
from node.api.answers import Refused
from node.api.bodies import HeartbeatBody, LegacyEntry, LegacyEvent, LegacyJournal, Noted, SyncBody, Taken
from node.api.call import BodyT, Call, QueryT, expect
from node.protocol.effects import LegacySeen
from node.protocol.events import Event, hlc_from_wall_ms
from node.protocol.requests import Accepted, Ingest, Refusal

FORBIDDEN = 403


async def sync(call: Call[None, SyncBody]) -> Taken:
    """Take in a v1.6 instance's events."""
    events = call.body.events
    for at, event in enumerate(events):
        _check_member(call, event.source_instance, f"events[{at}].sourceInstance")
        checks.name(call, f"events[{at}].id", event.id)
        checks.name(call, f"events[{at}].type", event.type)
        checks.payload(call, f"events[{at}].payload", event.payload or {})
    for source in sorted({event.source_instance for event in events}):
        taken = tuple(_event(event, call.trace) for event in events if event.source_instance == source)
        expect(await call.engine.call(Ingest(source, taken), call.patience_s), Accepted)
    return Taken(len(events))


def heartbeat(call: Call[None, HeartbeatBody]) -> Noted:
    """A v1.6 instance says that it is alive."""
    body, engine = call.body, call.engine
    _check_member(call, body.instance_id, "instanceId")
    engine.step(LegacySeen(body.instance_id, body.status, int(body.uptime)))
    return Noted(engine.settings.id, int(call.now.wall_ms))


async def journal(call: Call[None, None]) -> LegacyJournal:
    """This instance's own latest events, for v1.6 instances."""
    engine = call.engine
    found = await asyncio.to_thread(
        engine.journal.list, origin=engine.settings.id, limit=call.limits.max_listed, newest=True
    )
    return LegacyJournal(tuple(LegacyEntry(e.id, e.type, e.timestamp_ms, e.origin) for e in found))


def _event(event: LegacyEvent, trace: str) -> Event:
    # Journal and number are the taking node's to give (V1).
    wall_ms = int(event.timestamp)
    return Event(
        event.id,
        event.source_instance,
        "",
        0,
        event.type,
        wall_ms,
        hlc_from_wall_ms(wall_ms),
        trace,
        event.payload or {},
    )


def _check_member(call: Call[QueryT, BodyT], instance: str, field: str) -> None:
    """Only who is listed as v1.6 may speak here: nobody can forge what a voter says."""
    if all(member.votes or member.id != instance for member in call.engine.settings.members):
        detail = f"{field}: {instance!r} is not listed here as a v1.6 instance"
        raise Refused(Refusal("unknown_instance", detail, field), FORBIDDEN)
