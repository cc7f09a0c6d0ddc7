"""What the fold reads: payloads of proposal, vote, round and resolution events, and the atoms made of them.

An atom is one fact at one position `(journal, seq)` of the event logs; the fold is a function of the set of atoms.
A payload that does not read as its type is ignored, in the same way on every node.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from node.protocol import events
from node.protocol.events import Event, VersionVector
from node.protocol.shapes import ContentRef, ProposalKind
from node.protocol.versions import VersionKey, parse

VoteWord = Literal["accept", "reject", "abstain"]
Verdict = Literal["pending", "accepted", "rejected"]
Content = tuple[ProposalKind, str | None, str, str]
"""What a proposal would put in place: (kind, base, version, hash)."""

CONFLICTING_VOTE: Final = "conflicting_vote"
"""The only reject reason that a later round can lift (P5)."""
STALE_VERSION: Final = "stale_version"
OWN: Final = -1
"""Place of the vote that a proposal contains: before all others."""
VERSION_SLOT: Final = "version:"
SUCCESSOR_SLOT: Final = "successor-of:"

EVENT_TYPE: Final[dict[ProposalKind, str]] = {
    "snapshot": events.SNAPSHOT_PROPOSAL,
    "diff": events.DIFF_PROPOSAL,
    "rollback": events.ROLLBACK_PROPOSAL,
}
"""The type of the event that carries a proposal of each kind."""
PROPOSAL_TYPES: Final = frozenset(EVENT_TYPE.values())

_Round = Annotated[int, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Proposal(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Payload of `SNAPSHOT_PROPOSAL`, `DIFF_PROPOSAL`, `ROLLBACK_PROPOSAL` (P1)."""

    kind: ProposalKind
    version: str
    """A diff's or rollback's `to`."""
    hash: str
    label: str
    """The `proposalId`; several proposals may carry the same one."""
    voters: tuple[str, ...]
    required: _Count
    deadline_hlc: int
    digest: str
    leader_term: int = 0
    """The term in which the proposer led when it proposed, 0 for none (S1)."""
    base: str | None = None
    """A diff's or rollback's `from`."""
    base_hash: str | None = None
    """`Fold.base_hash(base)` as the proposer knew it: the content that the diff was made from."""
    restored: str | None = None
    """`Fold.restored(base)` as the proposer knew it: the rollback that made `base` current again (P2)."""
    signature: str | None = None
    idempotency_key: str | None = None
    vote: VoteWord | None = None
    """The proposer's own vote in round 0, with its reason; None while it cannot tell yet (P3)."""
    reason: str | None = None
    carried: ContentRef | None = msgspec.field(default=None, name="content")
    """The content that comes with a snapshot or diff; None: the hash alone is voted on."""
    trace: str | None = None
    """Trace id of the request, where the event carries proposals of several requests."""

    @property
    def content(self) -> Content:
        """What it would put in place; two proposals of equal content never conflict."""
        return (self.kind, self.base, self.version, self.hash)

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots it binds (P2).

        A version that a rollback made current again gets a new successor: its slot names the rollback, else what was
        rolled back would hold the slot for ever.
        """
        version = f"{VERSION_SLOT}{self.version}"
        if self.base is None:
            return (version,)
        successor = f"{SUCCESSOR_SLOT}{self.base}" + (f"@{self.restored}" if self.restored else "")
        return (successor,) if self.kind == "rollback" else (successor, version)


class Proposals(msgspec.Struct, frozen=True):
    """Payload of a `SNAPSHOT_PROPOSAL` that carries several, proposed in one step."""

    proposals: tuple[Proposal, ...]


class VoteItem(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One vote: it names the proposal's key, the round and the hash it is for (P1)."""

    proposal: str
    round: _Round
    hash: str
    vote: VoteWord
    reason: str | None = None


class Votes(msgspec.Struct, frozen=True, rename="camel"):
    """Payload of `VOTES`: one instance's votes, cast in one step. The voter is the event's origin."""

    votes: tuple[VoteItem, ...]


class RoundOpened(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Payload of `ROUND_OPENED` (P5): `proposal` is put to the vote again.

    `slots` are pairs of a slot and the round up to which it was proven dead.
    """

    proposal: str
    round: _Count
    slots: tuple[tuple[str, int], ...]


class ConflictResolved(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Payload of `CONFLICT_RESOLVED` (S1): the proposal with this key shall have the slot."""

    slot: str
    proposal: str


def to_payload(body: Proposal | Votes | RoundOpened | ConflictResolved) -> dict[str, Any]:
    """The JSON object that goes into `Event.payload`."""
    payload: dict[str, Any] = msgspec.to_builtins(body)
    return payload


def to_event(bodies: Sequence[Proposal]) -> tuple[dict[str, Any], str]:
    """Payload and trace id of the event that carries these."""
    traces = {body.trace for body in bodies}
    if len(traces) == 1:
        bodies = [msgspec.structs.replace(body, trace=None) for body in bodies]
    payloads = [to_payload(body) for body in bodies]
    return payloads[0] if len(payloads) == 1 else {"proposals": payloads}, str(*traces) if len(traces) == 1 else ""


def proposal_key(event_id: str, index: int) -> str:
    """The key of a proposal is its event's id (P1); of those that share an event only the first one's."""
    return f"{event_id}.{index}" if index else event_id


def lies_above(key: str, vector: VersionVector) -> bool:
    """Whether the proposal with this key, which its event's id tells the place of, is not among what `vector` holds."""
    journal, _, place = key.rpartition("-")
    seq = place.partition(".")[0]
    return bool(journal) and seq.isdecimal() and int(seq) > vector.get(journal, 0)


class Birth(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Atom: a proposal. `index` is its place in its event."""

    key: str
    origin: str
    journal: str
    seq: int
    hlc: int
    timestamp_ms: int
    trace: str
    payload: Proposal
    index: int = 0


class Cast(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Atom: one vote of one voter on one key and round.

    `index` counts the votes on its key in its event; it is `OWN` for a proposer's own. So votes that are alike but for
    their keys are one.
    """

    voter: str
    round: int
    vote: VoteWord
    reason: str | None
    timestamp_ms: int
    hlc: int
    journal: str
    seq: int
    index: int

    @property
    def order(self) -> tuple[bool, int, str, int, int]:
        """Of two votes of one voter on one key and round the lower counts; a proposal's own vote comes first."""
        return (self.index >= 0, self.hlc, self.journal, self.seq, self.index)


class VoteAtom(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Atom: a vote, with the key and the hash it names."""

    key: str
    hash: str
    cast: Cast

    @property
    def journal(self) -> str:
        """Where it stands."""
        return self.cast.journal

    @property
    def seq(self) -> int:
        """Where it stands."""
        return self.cast.seq


class Opening(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Atom: a round opened for a key."""

    key: str
    round: int
    slots: tuple[tuple[str, int], ...]
    journal: str
    seq: int


class Resolution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Atom: a person's decision on a conflict."""

    slot: str
    key: str
    id: str
    hlc: int
    journal: str
    seq: int


Atom = Birth | VoteAtom | Opening | Resolution


def read_births(event: Event) -> list[tuple[Birth, VersionKey]]:
    """Each proposal in a proposal event with the order of its version; nothing of what is malformed."""
    payload = event.payload
    try:
        bodies = msgspec.convert(payload, Proposals).proposals if "proposals" in payload else None
        bodies = (msgspec.convert(payload, Proposal),) if bodies is None else bodies
    except ValueError:
        return []
    births: list[tuple[Birth, VersionKey]] = []
    id_, origin, journal, seq, hlc = event.id, event.origin, event.journal, event.seq, event.hlc
    stamp_ms, trace, type_ = event.timestamp_ms, event.trace, event.type
    for index, body in enumerate(bodies):
        try:
            version = parse(body.version)
            base = None if body.base is None else parse(body.base)
        except ValueError:
            continue
        if EVENT_TYPE[body.kind] == type_ and _is_sound(body, version, base):
            key = proposal_key(id_, index)
            own_trace = trace if body.trace is None else body.trace
            births.append((Birth(key, origin, journal, seq, hlc, stamp_ms, own_trace, body, index), version))
    return births


def _is_sound(body: Proposal, version: VersionKey, base: VersionKey | None) -> bool:
    if body.required > len(body.voters) or len(set(body.voters)) != len(body.voters):
        return False
    if base is None:
        return body.kind == "snapshot"
    # Diffs go up and rollbacks go down, so chains of diffs cannot be circular.
    return (body.kind == "diff" and base < version) or (body.kind == "rollback" and version < base)


def own_vote(birth: Birth) -> Cast | None:
    """The proposer's vote that its proposal contains, if it does (P1)."""
    body = birth.payload
    if body.vote is None:
        return None
    return Cast(
        birth.origin,
        0,
        body.vote,
        body.reason,
        birth.timestamp_ms,
        birth.hlc,
        birth.journal,
        birth.seq,
        OWN,
    )


def read_votes(event: Event) -> tuple[VoteItem, ...]:
    """The votes in a `VOTES` event; nothing when the payload is malformed."""
    try:
        return msgspec.convert(event.payload, Votes).votes
    except ValueError:
        return ()


def cast_in(event: Event, item: VoteItem, index: int = 0) -> Cast:
    """One vote of a `VOTES` event; `index`: how many of its votes on the same proposal come before."""
    return Cast(
        event.origin, item.round, item.vote, item.reason, event.timestamp_ms, event.hlc, event.journal, event.seq, index
    )


def read_opening(event: Event) -> Opening | None:
    """The round opened by a `ROUND_OPENED` event; None when the payload is malformed."""
    try:
        body = msgspec.convert(event.payload, RoundOpened)
    except ValueError:
        return None
    return Opening(body.proposal, body.round, body.slots, event.journal, event.seq)


def read_resolution(event: Event) -> Resolution | None:
    """The decision in a `CONFLICT_RESOLVED` event; None when the payload is malformed."""
    try:
        body = msgspec.convert(event.payload, ConflictResolved)
    except ValueError:
        return None
    return Resolution(body.slot, body.proposal, event.id, event.hlc, event.journal, event.seq)
