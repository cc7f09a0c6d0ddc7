"""What clients ask of a bare process and are answered: the fields and sizes of a node's API."""

import msgspec


class Proposal(msgspec.Struct):
    """What a client proposes."""

    version: str
    hash: str


class Claim(msgspec.Struct, rename="camel"):
    """What a client wants of a lock."""

    owner: str
    fencing_token: int = 0


class Vote(msgspec.Struct):
    """One vote, as an answer shows it."""

    vote: str
    at: int
    reason: str | None = None
    round: int = 0


class Quorum(msgspec.Struct):
    """How many are needed, as an answer shows it."""

    total: int = 3
    healthy: int = 3
    required: int = 2
    sufficient: bool = True


class Verdict(msgspec.Struct, rename="camel"):
    """What became of a proposal: as many bytes as a node's."""

    proposal_id: str
    quorum: Quorum
    state: str
    votes: dict[str, Vote]
    key: str = "05b2d18f29dc-3"
    reason: str | None = None
    existing: bool = False
    settled: bool = True


class Lock(msgspec.Struct, rename="camel"):
    """What became of a claim: as many bytes as a node's."""

    resource: str
    owner: str
    fencing_token: int
    instance: str = "node-000"
    ttl_ms: int = 30_000
    remaining_ms: int = 29_990
    waiters: int = 0


class Meta(msgspec.Struct, rename="camel"):
    """The last field of every answer."""

    timestamp: int
    trace_id: str = "2c3ea0ee12ff97a9ae47bc28287515f3"


class Single(msgspec.Struct):
    """One answer of a batch."""

    data: Verdict
    success: bool = True
    status: int = 200


class Answer(msgspec.Struct):
    """An answer."""

    data: Verdict | list[Single] | Lock
    meta: Meta
    success: bool = True
