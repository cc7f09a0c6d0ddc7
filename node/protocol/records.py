"""What must survive a crash, as records, and `Durable`: the image of a disk that a core starts from.

The journal writes records in order and atomically per `Persist`; reading them back in the same order and applying them
to a `Durable` gives what was on disk. The simulator's disks do the same in memory.
"""

from collections.abc import Iterable

import msgspec

from node.protocol.events import Event

FORMAT = 1
"""Version of wire and cursor formats (F1). The journal counts its own: the file is nobody's but ours."""


class LockRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A granted lock. `ttl_ms` is what the holder asked for; deadlines are the leader's own and never stored."""

    resource: str
    owner: str
    instance: str
    token: int
    ttl_ms: int
    request_id: str


class Grant(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="g"):
    """A lock is given. Its token is the control state's counter plus one (L1)."""

    lock: LockRecord


class Renew(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="n"):
    """A lock's lease starts anew."""

    resource: str
    token: int
    ttl_ms: int


class Release(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="r"):
    """A lock ends: `cause` is `release`, `expire` or `force`. It leaves its request id as a mark (L2).

    With token 0 nothing is held: only `request_id` is marked, so that its late acquire grants nothing.
    """

    resource: str
    token: int
    cause: str
    request_id: str = ""


class Forget(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="f"):
    """Marks of released locks older than one TTL are dropped (L2)."""

    request_ids: tuple[str, ...]


class Floor(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """The compaction floor (C1): what `state` says of everything at or below `vector` is final for everyone.

    `state` is the fold's checkpoint as `state.Fold.checkpoint()` made it: encoded, for only the fold looks into it, and
    links and disks pass it on as it is.
    """

    vector: dict[str, int]
    state: msgspec.Raw


ControlEntry = Grant | Renew | Release | Forget | Floor


class ControlState(msgspec.Struct, array_like=True):
    """What the control log's entries add up to. Replaced whole by a new leader's re-stamp (E4)."""

    token: int = 0
    locks: dict[str, LockRecord] = msgspec.field(default_factory=dict)
    marks: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    """Request id -> (resource, token) of locks released less than one TTL ago."""
    floor: Floor | None = None


class Vote(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="hard"):
    """Term and vote (E1). One vote per term; `voted_for` is None when the term was only seen."""

    term: int
    voted_for: str | None


class Appended(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="event"):
    """An event of any instance, contiguous per journal (V1)."""

    event: Event


class ControlAppended(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="entry"):
    """One control entry at `index`, written by the leader of term `stamp`."""

    stamp: int
    index: int
    entry: ControlEntry


class ControlReplaced(msgspec.Struct, frozen=True, array_like=True, tag="control"):
    """The control log is replaced by a checkpoint: a leader's re-stamp, a filled gap, or log truncation (E4, L1)."""

    stamp: int
    index: int
    state: ControlState


class FloorReached(msgspec.Struct, frozen=True, array_like=True, tag="floor"):
    """The floor is committed and this node applied it: events at or below `floor.vector` may be deleted (C1)."""

    floor: Floor


class PeerJournal(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="peer"):
    """The journal id that this node accepts from an instance; messages of an older one are refused (D1).

    `replaced`: a former journal of this instance was known here, so the instance is not new to the cluster (D2).
    """

    instance: str
    journal: str
    replaced: bool = False


class Configured(msgspec.Struct, frozen=True, array_like=True, tag="config"):
    """The member list this node runs (M3): id -> url and protocol. `settled` once all members were seen running it."""

    digest: str
    members: dict[str, str]
    settled: bool


class Identity(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="identity"):
    """The disk's own journal id. `ready` is False until the node may vote, promise and ack (D1).

    `starts` counts the starts of the node on this disk: it puts its boots in order.
    """

    journal: str
    ready: bool
    starts: int = 0


Record = Vote | Appended | ControlAppended | ControlReplaced | FloorReached | PeerJournal | Configured | Identity


class Durable:
    """The image of a disk: everything a core needs to start. `events` are those above the floor, in arrival order."""

    def __init__(self) -> None:
        self.identity: Identity | None = None
        self.hard = Vote(0, None)
        self.stamp = 0
        self.index = 0
        self.control = ControlState()
        self.floor: Floor | None = None
        self.peer_journals: dict[str, PeerJournal] = {}
        self.configured: Configured | None = None
        self.events: Iterable[Event] = []
