"""What goes into the core and what comes out of it.

Effects leave in order. `after` is the number of the last `Persist` that must be on disk before the effect may leave
(0: at once). The driver commits what has gathered, reports `Persisted(number)`, then lets the rest go: group commit.
"""

from typing import Literal

import msgspec

from node.protocol.events import Event
from node.protocol.messages import Envelope, Message
from node.protocol.records import Record
from node.protocol.requests import Answer, Request
from node.protocol.shapes import ContentRef, ProposalKind


class Now(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The time of a step: `mono` monotonic seconds for durations, `wall_ms` unix ms for display and hybrid stamps."""

    mono: float
    wall_ms: float


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """The content of a version, and the settled or pending snapshot or diff that it came with."""

    kind: ProposalKind
    version: str
    base: str | None
    hash: str
    content: ContentRef
    trace: str


# Inputs


class Tick(msgspec.Struct, frozen=True, gc=False):
    """Time has passed: do what is due."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A peer's delivery."""

    envelope: Envelope


class Called(msgspec.Struct, frozen=True, gc=False):
    """A client's request; the driver chose `call`, unique per boot."""

    call: int
    request: Request


class Gathered(msgspec.Struct, frozen=True, gc=False):
    """Requests that came in the same moment: what they write is persisted, pushed and voted on together."""

    calls: tuple[Called, ...]


class Cancelled(msgspec.Struct, frozen=True, gc=False):
    """The client of `call` has gone: what still waits for it may be dropped (L3)."""

    call: int


class Persisted(msgspec.Struct, frozen=True, gc=False):
    """Everything up to `Persist` number `number` is on disk."""

    number: int


class DiskState(msgspec.Struct, frozen=True, gc=False):
    """How the disk does. `fault`: a word such as `disk_full` while writes fail, else None (H2)."""

    fault: str | None
    slow: bool = False


class LinkState(msgspec.Struct, frozen=True, gc=False):
    """Evidence about a peer from its connection: `refused` by its host, or open again (H2)."""

    peer: str
    refused: bool


class LoopLag(msgspec.Struct, frozen=True, gc=False):
    """The driver itself runs late by `seconds`; 0 when it is on time again (H1)."""

    seconds: float


class LegacySeen(msgspec.Struct, frozen=True, gc=False):
    """A v1.6 member answered a health check or sent a heartbeat (M4)."""

    peer: str
    status: str = "healthy"
    uptime_ms: int | None = None
    rtt_ms: float | None = None


class ContentIs(msgspec.Struct, frozen=True, gc=False):
    """How content stands here: `held` whole and verified, `bad` (not what was proposed), or `missing` (again)."""

    key: str
    state: Literal["held", "bad", "missing"]


Input = (
    Tick
    | Received
    | Called
    | Gathered
    | Cancelled
    | Persisted
    | DiskState
    | LinkState
    | LoopLag
    | LegacySeen
    | ContentIs
)


# Effects


class Persist(msgspec.Struct, frozen=True, gc=False):
    """Write these records, in order and atomically. Numbers grow by one.

    Unless it is `urgent` nobody waits for it, and it may wait some milliseconds for company.
    """

    number: int
    records: tuple[Record, ...]
    urgent: bool = True


class Send(msgspec.Struct, frozen=True, gc=False):
    """Put `message` into the next envelope to `to`. `lazy`: it may wait some milliseconds for company."""

    to: str
    message: Message
    after: int
    lazy: bool = False


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The answer to a client's call."""

    call: int
    answer: Answer
    after: int


class Emit(msgspec.Struct, frozen=True, gc=False):
    """Events are in the log: show them to subscribers of the bus."""

    events: tuple[Event, ...]
    after: int


class Ship(msgspec.Struct, frozen=True, gc=False):
    """Read from the journal what `to` lacks beyond `have`, up to the push limit, and send it as a `Push`."""

    to: str
    number: int
    have: dict[str, int]


class Observe(msgspec.Struct, frozen=True, gc=False):
    """Something worth a span and a line in the event log. `name` is one of the seed's span names or an event word.

    `started` is monotonic seconds; equal to the step's time for an instant.
    """

    name: str
    level: str
    trace: str
    started: float
    fields: dict[str, object]


class ObserveEach(msgspec.Struct, frozen=True, gc=False):
    """What an `Observe` of each of several would say, where only their traces differ and one field."""

    name: str
    level: str
    started: float
    fields: dict[str, object]
    """What all have in common."""
    field: str
    """The one that they differ in; empty for none."""
    each: list[tuple[str, str]]
    """Trace, and value of that field."""

    def one(self, at: int) -> Observe:
        """One of them."""
        trace, value = self.each[at]
        fields = {self.field: value, **self.fields} if self.field else self.fields
        return Observe(self.name, self.level, trace, self.started, fields)

    def all(self) -> list[Observe]:
        """Each by itself."""
        return [self.one(at) for at in range(len(self.each))]


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """All the content that this node lacks and wants, the most urgent first; what is no longer named may be dropped.

    The answer is a `ContentIs` for each.
    """

    wanted: tuple[Wanted, ...]


class Install(msgspec.Struct, frozen=True, gc=False):
    """The content of an accepted proposal is held: let it stand for its version."""

    content: Wanted
    after: int


class Apply(msgspec.Struct, frozen=True, gc=False):
    """The current version's content is held: make it the working data (S2).

    `back`: greater versions are known and not current, so that to go back is the cluster's decision.
    """

    content: Wanted
    back: bool
    after: int


Effect = Persist | Send | Reply | Emit | Ship | Observe | ObserveEach | Fetch | Install | Apply
