"""The fold's state at a floor (C1): what is final, and what is still open with the votes it has.

Final is every decision, and every settlement that is not an open conflict. Carried over whole are pending proposals,
open conflicts, and whatever shares a slot with them. A pending proposal becomes final, as `stale_version`, when its
deadline lies before the floor's time, the versions have passed it, and too few voters are left that may have accepted
it unheard: behind a split they may have told so. For the same reason a floor says nothing of what lies above it. Bounds
(`Limits`) drop the oldest of what is only history; the current version and what its bindings need stay. Of the rest one
number is left, the greatest version that may bind a voter: what is open and may compete with it cannot be judged.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from node.protocol.ballot import ProposalState, age
from node.protocol.events import VersionVector
from node.protocol.proposal import STALE_VERSION, Atom, Birth, Cast, Opening, Proposal, Resolution, Verdict, VoteAtom
from node.protocol.records import Floor
from node.protocol.settings import Limits
from node.protocol.settlement import Lineage
from node.protocol.versions import VersionKey, parse


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One proposal at the floor. While `final` is False, its votes go on counting."""

    birth: Birth
    votes: tuple[Cast, ...]
    openings: tuple[Opening, ...]
    verdict: Verdict
    final: bool
    settled: bool | None = None
    reason: str | None = None
    rooted: bool = False


class Checkpoint(msgspec.Struct, frozen=True):
    """State of all atoms at or below a vector. `hlc` is the floor's time, as its atoms tell it."""

    hlc: int = 0
    highest: str | None = None
    current: str | None = None
    kept: tuple[Kept, ...] = ()
    voids: tuple[tuple[str, str], ...] = ()
    """Versions above the first and up to the second were rolled back."""
    early_votes: tuple[VoteAtom, ...] = ()
    """Votes and openings whose proposal is not known."""
    early_openings: tuple[Opening, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    forgotten: str | None = None
    """The greatest version that may bind a voter and is not kept any more."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


def write(checkpoint: Checkpoint) -> msgspec.Raw:
    """A checkpoint as floors carry it."""
    return msgspec.Raw(_encode(checkpoint))


def read(state: msgspec.Raw) -> Checkpoint:
    """The checkpoint that a floor carries. Raises `ValueError` when it is none."""
    return _read(bytes(state))


@lru_cache(maxsize=1)
def _read(state: bytes) -> Checkpoint:
    """A floor is looked at when it arrives and again when it is committed, and nothing in a checkpoint changes."""
    return _decode(state)


def without(floor: Checkpoint, keys: Container[str]) -> Checkpoint:
    """What a floor says of other proposals than these."""
    kept = tuple(each for each in floor.kept if each.birth.key not in keys)
    early = tuple(atom for atom in floor.early_votes if atom.key not in keys)
    return msgspec.structs.replace(floor, kept=kept, early_votes=early)


def is_readable(floor: Floor) -> bool:
    """Whether a floor carries a checkpoint."""
    try:
        read(floor.state)
    except (ValueError, RecursionError):
        return False
    return True


def matters(proposal: ProposalState, highest: VersionKey | None, current: str | None) -> bool:
    """Whether the versions have not passed it: it, or a rival in its slots, may still be voted for (P3)."""
    body = proposal.payload
    if body.base is not None and body.base == current:
        return True
    return body.kind != "rollback" and (highest is None or proposal.order > highest)


def is_above(atom: Atom | Cast, vector: VersionVector) -> bool:
    """Whether an atom lies above a floor."""
    return atom.seq > vector.get(atom.journal, 0)


class Reach(NamedTuple):
    """How the known proposals lie to a vector."""

    below: Mapping[ProposalState, None]
    """Those of which anything lies at or below: what the floor kept, and what was told since."""
    astride: set[ProposalState]
    """Those of them of which anything lies above as well."""


class Passage(NamedTuple):
    """What a floor means for a fold that has decided as the floor does."""

    forgotten: list[ProposalState]
    heard_later: list[ProposalState]
    """Proposals below, kept or not, with facts that lie above."""
    heard_earlier: set[ProposalState]
    """Proposals above, with facts that lie below."""


def passed(
    known: Mapping[str, ProposalState],
    reach: Reach,
    highest: VersionKey | None,
    vector: VersionVector,
    floor: Checkpoint,
) -> Passage | None:
    """None when the floor says anything else of what lies at or below it than the known proposals do."""
    if floor.highest and (highest is None or highest < parse(floor.highest)):
        return None
    for atom in floor.early_votes:
        p = known.get(atom.key)
        if p is not None and p.votes.get((atom.cast.voter, atom.cast.round)) != atom.cast:
            return None
    early = {(atom.key, atom.cast) for atom in floor.early_votes}
    kept: dict[ProposalState | None, Kept] = {known.get(each.birth.key): each for each in floor.kept}
    if None in kept:
        return None
    passage = Passage([], [], set())
    for p in reach.below:
        astride = p in reach.astride
        each = kept.get(p)
        if each is not None:
            below = sum(not is_above(cast, vector) for cast in p.votes.values()) if astride else len(p.votes)
            if not _agrees(p, below, each, vector):
                return None
            if not each.final:
                continue
        elif astride and not p.final and is_above(p.birth, vector):
            if not all(is_above(cast, vector) or (p.key, cast) in early for cast in p.votes.values()):
                return None
            passage.heard_earlier.add(p)
            continue
        else:
            if p.verdict == "pending" or p.openings:
                return None
            passage.forgotten.append(p)
        if astride:
            passage.heard_later.append(p)
    return passage


def _agrees(proposal: ProposalState, below: int, kept: Kept, vector: VersionVector) -> bool:
    """Whether a fold that knows more than the floor has decided this proposal, with its votes below, as it does."""
    if below != len(kept.votes):
        return False
    if proposal.openings or kept.openings:
        openings = sum(not is_above(opening, vector) for opening in proposal.openings)
        if openings != len(kept.openings):
            return False
    if not kept.final:
        return True
    if proposal.verdict != kept.verdict or proposal.settled is not kept.settled:
        return False
    return kept.settled is not None or kept.verdict == "rejected"


def floor_time(former: int, latest: Iterable[int]) -> int:
    """The floor's time: what at least half of the instances that wrote since the last floor have reached.

    One clock that runs ahead must not end the deadlines of others.
    """
    stamps = sorted(latest)
    return max(former, stamps[(len(stamps) - 1) // 2]) if stamps else former


def keep(
    proposals: Iterable[ProposalState],
    lineage: Lineage,
    hlc: int,
    latest: Mapping[str, int],
    highest: VersionKey | None,
    limits: Limits,
) -> tuple[Kept, ...]:
    """What the checkpoint keeps of all proposals, oldest first (C1). `latest`: the last word of each instance."""
    current = lineage.current.payload.version if lineage.current else None
    open_: list[ProposalState] = []
    settled: list[ProposalState] = []
    bound: list[ProposalState] = []
    history: list[ProposalState] = []
    expired: set[str] = set()
    for p in sorted(proposals, key=age):
        if p.verdict == "pending" and _is_over(p, hlc, latest) and not matters(p, highest, current):
            expired.add(p.key)
            history.append(p)
        elif p.verdict == "pending" or (p.verdict == "accepted" and p.settled is None):
            open_.append(p)
        elif p.settled:
            settled.append(p)
        elif p.verdict == "rejected" and matters(p, highest, current):
            bound.append(p)
        else:
            history.append(p)
    chosen = {p.key: p for p in open_}
    chosen |= {rival.key: rival for p in open_ for slot in p.slots for rival in slot.proposals}
    chosen |= {p.key: p for p in _newest(bound, limits.max_open_proposals)}
    chosen |= {p.key: p for p in _newest(settled, limits.max_settled_kept)}
    chosen |= {p.key: p for p in _newest(history, limits.max_history_kept)}
    if lineage.current is not None:
        chosen |= {p.key: p for p in settled if p.payload.version == current}
        restored = lineage.restored.get(lineage.current.payload.version)
        chosen |= {restored.key: restored} if restored is not None else {}
    versions = {p.payload.version for p in chosen.values() if p.settled and p.payload.kind != "rollback"}
    return tuple(
        _kept(p, p.key in expired, p.payload.version in lineage.reachable and p.payload.base not in versions)
        for p in sorted(chosen.values(), key=age)
    )


def forgets(proposals: Sequence[ProposalState], kept: Iterable[Kept], former: str | None) -> str | None:
    """The greatest version that floors have dropped and that binds a voter, or may; `former`: as of the last floor."""
    keys = {each.birth.key for each in kept}
    greatest = None if former is None else parse(former)
    # The newest first: hardly any of the others is greater, and needs a closer look.
    for p in reversed(proposals):
        body = p.payload
        # A rollback binds its voters at the version it leaves.
        order = parse(str(body.base)) if body.kind == "rollback" else p.order
        if (greatest is None or order > greatest) and p.key not in keys and _may_bind(p):
            former, greatest = body.base if body.kind == "rollback" else body.version, order
    return former


def _may_bind(proposal: ProposalState) -> bool:
    """Whether a voter accepted it, or may have without being heard."""
    return bool(proposal.accepts) or len({voter for voter, _ in proposal.votes}) < len(proposal.payload.voters)


def has_forgotten(forgotten: str | None, body: Proposal) -> bool:
    """Whether floors may have dropped what competed with this proposal."""
    return forgotten is not None and parse(body.version if body.base is None else body.base) <= parse(forgotten)


def _is_over(proposal: ProposalState, hlc: int, latest: Mapping[str, int]) -> bool:
    """Whether the deadline has passed, and what voters may have said in time without being heard cannot accept it."""
    body = proposal.payload
    if body.deadline_hlc >= hlc:
        return False
    accepts = {voter for (voter, _), vote in proposal.votes.items() if vote.vote == "accept"}
    unheard = {v for v in body.voters if v not in proposal.hard and latest.get(v, 0) <= body.deadline_hlc}
    return len(accepts | unheard) < body.required


def _newest(ordered: list[ProposalState], count: int) -> list[ProposalState]:
    return ordered[max(0, len(ordered) - count) :]


def _kept(proposal: ProposalState, expired: bool, uprooted: bool) -> Kept:
    final = expired or proposal.verdict != "pending"
    rooted = bool(proposal.settled) and proposal.payload.kind == "diff" and (proposal.rooted or uprooted)
    votes, openings = proposal.votes, proposal.openings
    return Kept(
        proposal.birth,
        tuple([votes[place] for place in sorted(votes)]),
        tuple(sorted(openings, key=lambda opening: (opening.round, opening.journal, opening.seq))) if openings else (),
        "rejected" if expired else proposal.verdict,
        final,
        proposal.settled,
        STALE_VERSION if expired else proposal.reason,
        rooted,
    )
