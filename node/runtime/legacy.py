"""Members that still run v1.6: kept in step over the wire they know (M4; facts of v1.6).

They never vote. Each of our nodes tells them that it lives, asks whether they do, hands on its own new events and
proposals once, and takes in what their journals hold; duplicates fall away by event id (V1). Their journals list events
without payloads, which come with what they send by themselves. So one is taken from the list only when it is still
there at the next look: by then it was sent, or it never will be. Events that a v1.6 member misses for longer than
`MAX_PENDING` of them are lost to it: it has no way to ask for them.

A member cannot prove who it is, and what it lists is held to what the API takes from it: only events of v1.6 members,
so that nobody forges what a voter says, and none that a journal could not hold.
"""

import asyncio
import time
from collections import deque
from typing import Any, Final, Protocol

import msgspec

from node.observability.log import EventLog
from node.observability.traces import new_trace_id
from node.protocol.core import Core
from node.protocol.effects import Input, LegacySeen, Now
from node.protocol.events import (
    CONFLICT_RESOLVED,
    DIFF_PROPOSAL,
    ROLLBACK_ACCEPT,
    ROLLBACK_PROPOSAL,
    ROUND_OPENED,
    SNAPSHOT_PROPOSAL,
    VOTES,
    Event,
    hlc_from_wall_ms,
)
from node.protocol.requests import Accepted, Answer, Ingest, Request
from node.protocol.settings import Member, Settings
from node.runtime import given
from node.runtime.bus import Bus, BusClosed, Lagged
from node.runtime.cursor import decode_cursor
from node.runtime.given import UnixMs
from node.runtime.oneshot import NoAnswer, exchange

TIMEOUT_S: Final = 2.0
"""v1.6 gives its own calls two seconds."""
POLL_BEATS: Final = 6
"""Heartbeats between two looks at a member's journal: 30 s at the seed's timings."""
MAX_PENDING: Final = 10_000
MAX_EVENTS_PER_SYNC: Final = 500
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
UNKNOWN_TO_V16: Final = frozenset({VOTES, ROUND_OPENED, CONFLICT_RESOLVED, ROLLBACK_PROPOSAL, ROLLBACK_ACCEPT})
FORWARDED: Final = {
    SNAPSHOT_PROPOSAL: ("propose-snapshot", {"version": "version", "hash": "hash", "signature": "signature"}),
    DIFF_PROPOSAL: ("propose-diff", {"from": "base", "to": "version", "hash": "hash"}),
}
"""Event type -> the call that v1.6 has for it, and its fields by ours."""


class LegacyFailed(Exception):
    """A v1.6 member did not answer as it should."""


class _Entry(msgspec.Struct, rename="camel"):
    """One event of a v1.6 journal."""

    id: str
    type: str
    timestamp: UnixMs
    source_instance: str
    payload: dict[str, Any] | None = None
    payload_hash: str | None = None


class _Journal(msgspec.Struct):
    events: list[msgspec.Raw]


class _Enveloped(msgspec.Struct):
    data: _Journal


async def call(url: str, method: str, path: str, body: object = None) -> bytes:
    """One HTTP call; the body of a 2xx answer. Raises `LegacyFailed`."""
    content = None if body is None else msgspec.json.encode(body)
    try:
        status, answer = await exchange(url, method, path, content, TIMEOUT_S, MAX_ANSWER_BYTES)
    except NoAnswer as problem:
        raise LegacyFailed(f"{method} {url}{path}: {problem}") from problem
    if not 200 <= status < 300:
        raise LegacyFailed(f"{method} {url}{path}: status {status}, expected 2xx")
    return answer


class Node(Protocol):
    """What is needed of the node that keeps a v1.6 member in step."""

    settings: Settings
    core: Core
    bus: Bus
    log: EventLog

    def now(self) -> Now:
        """The time of this moment."""
        ...

    def step(self, input: Input, /) -> None:
        """Give the core an input."""

    async def call(self, request: Request, timeout_s: float) -> Answer:
        """Put a request to the core."""
        ...


class LegacyMember:
    """Keeps one v1.6 member in step with this node."""

    def __init__(self, node: Node, member: Member) -> None:
        self._node = node
        self._member = member
        self._pending: deque[Event] = deque(maxlen=MAX_PENDING)
        self._listed: frozenset[str] = frozenset()
        """What its journal held at the last look."""
        self._taken: frozenset[str] = frozenset()
        """What of it needs no look any more."""
        self._unfit: frozenset[str] = frozenset()
        """What was wrong with it then."""
        self._alive: bool | None = None
        self._started = time.monotonic()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._beats())

    async def _beats(self) -> None:
        beats = 0
        while True:
            due = time.monotonic() + self._node.settings.timing.heartbeat_interval
            try:
                await self._beat()
                await self._hand_on()
                if beats % POLL_BEATS == 0:
                    await self._poll()
                beats += 1
            except LegacyFailed as problem:
                self._note(alive=False, problem=str(problem))
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _beat(self) -> None:
        node = self._node
        own = next(view for view in node.core.view_instances(node.now()) if view.id == node.settings.id)
        sent = time.monotonic()
        beat = {
            "instanceId": own.id,
            "timestamp": int(time.time() * 1000),
            "uptime": int((sent - self._started) * 1000),
            "status": own.status,
        }
        await call(self._member.url, "POST", "/distributed/heartbeat", beat)
        node.step(LegacySeen(self._member.id, rtt_ms=(time.monotonic() - sent) * 1000))
        self._note(alive=True)

    async def _hand_on(self) -> None:
        while self._pending:
            batch = [self._pending[at] for at in range(min(len(self._pending), MAX_EVENTS_PER_SYNC))]
            events = [
                {
                    "id": e.id,
                    "type": e.type,
                    "payload": e.payload,
                    "timestamp": e.timestamp_ms,
                    "sourceInstance": e.origin,
                }
                for e in batch
            ]
            await call(self._member.url, "POST", "/distributed/sync", {"events": events})
            for event in batch:
                self._pending.popleft()
                if event.type in FORWARDED:
                    name, fields = FORWARDED[event.type]
                    for body in event.payload.get("proposals", [event.payload]):
                        proposal = {theirs: body.get(ours) for theirs, ours in fields.items()}
                        await call(self._member.url, "POST", f"/distributed/{name}", proposal)

    async def _poll(self) -> None:
        entries = self._entries(await call(self._member.url, "GET", "/distributed/journal"))
        ripe = [
            entry
            for entry in entries
            if entry.id not in self._taken and (entry.payload is not None or entry.id in self._listed)
        ]
        if ripe:
            trace = new_trace_id()
            ask = Ingest(self._member.id, tuple(_event(entry, trace) for entry in ripe))
            answer = await self._node.call(ask, self._node.settings.timing.heartbeat_timeout)
            if not isinstance(answer, Accepted):
                return
        self._listed = frozenset(entry.id for entry in entries)
        self._taken = (self._taken & self._listed) | {entry.id for entry in ripe}

    def _entries(self, body: bytes) -> list[_Entry]:
        """What a journal lists of v1.6 members and fits in ours; what does not is said once."""
        try:
            try:
                listed = msgspec.json.decode(body, type=_Enveloped).data.events
            except msgspec.ValidationError:
                listed = msgspec.json.decode(body, type=_Journal).events
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise LegacyFailed(f"GET {self._member.url}/distributed/journal: {problem}") from problem
        theirs = {member.id for member in self._node.settings.members if not member.votes}
        entries: list[_Entry] = []
        unfit: set[str] = set()
        for raw in listed:
            try:
                entry = msgspec.json.decode(raw, type=_Entry)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                unfit.add(str(problem))
                continue
            flaw = given.foreign_event(entry.id, entry.type, entry.payload or {}, self._node.settings.limits)
            if flaw is not None:
                unfit.add(str(flaw.detail))
            elif entry.source_instance in theirs:
                entries.append(entry)
        for why in sorted(unfit - self._unfit):
            self._node.log.warn("legacy_event_refused", peer=self._member.id, why=why)
        self._unfit = frozenset(unfit)
        return entries

    async def _follow(self) -> None:
        since = None
        own = self._node.settings.id
        while True:
            try:
                async for event, _ in self._node.bus.subscribe(since):
                    if event.origin == own and event.type not in UNKNOWN_TO_V16:
                        self._pending.append(event)
            except Lagged as lagged:
                since = decode_cursor(lagged.cursor)
            except BusClosed:
                return

    def _note(self, *, alive: bool, problem: str = "") -> None:
        if alive != self._alive:
            self._alive = alive
            if alive:
                self._node.log.info("legacy_answers", peer=self._member.id)
            else:
                self._node.log.warn("legacy_silent", peer=self._member.id, problem=problem)


def _event(entry: _Entry, trace: str) -> Event:
    # Journal and number are the taking node's to give (V1).
    payload = dict(entry.payload or {})
    if entry.payload_hash is not None:
        payload["payloadHash"] = entry.payload_hash
    wall_ms = int(entry.timestamp)
    return Event(entry.id, entry.source_instance, "", 0, entry.type, wall_ms, hlc_from_wall_ms(wall_ms), trace, payload)
