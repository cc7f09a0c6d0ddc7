"""The fold: events -> decisions -> slots -> current version (P1, P2, P4, P5, S1, S2, S3, C1).

The state is a function of the set of events and of the floor, whatever the order and however often they arrive. What
cannot happen with honest instances (one voter, two votes on one key and round; two proposals with one id) makes the
fold start over from its floor, so that it still depends on the set alone.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from node.protocol import events
from node.protocol.ballot import ProposalState, bound_by
from node.protocol.checkpoint import (
    Checkpoint,
    floor_time,
    forgets,
    has_forgotten,
    is_above,
    keep,
    passed,
    read,
    without,
    write,
)
from node.protocol.decisions import Change, Conflict, Decisions, Stall
from node.protocol.events import Event, VersionVector
from node.protocol.proposal import (
    PROPOSAL_TYPES,
    Atom,
    Birth,
    Cast,
    Content,
    Opening,
    Resolution,
    VoteAtom,
    lies_above,
    own_vote,
    read_births,
    read_opening,
    read_resolution,
    read_votes,
)
from node.protocol.requests import ProposalKind
from node.protocol.settings import Limits, Strategy
from node.protocol.versions import VersionKey, parse

_DIGEST_BYTES = 16
_DIGEST_RANGE = 1 << 8 * _DIGEST_BYTES
_Place = tuple[str, int, int]
"""Journal, sequence number, index within the event."""


class Fold:
    """State of the catalogue as the events tell it. Not thread-safe; pure."""

    def __init__(self, strategy: Strategy, limits: Limits) -> None:
        self._strategy: Strategy = strategy
        self._limits = limits
        self._vector: VersionVector = {}
        self._floor = Checkpoint()
        self._start()

    def _start(self) -> None:
        self._decisions = Decisions(self._strategy, self._floor.highest, self._floor.voids)
        self._early_votes: dict[str, dict[_Place, VoteAtom]] = {}
        self._early_openings: dict[str, list[Opening]] = {}
        self._late: dict[_Place, Opening] = {}
        """Of what the floor decided: they change nothing, and a further floor may forget what they are of."""
        self._displaced: dict[_Place, VoteAtom | Birth] = {}
        self._latest: dict[str, int] = {}
        self._sum = 0
        self._must_restart = False

    # Events in

    def apply(self, event: Event) -> tuple[Change, ...]:
        """Take in an event and say which proposals it made known or decided. Repeats and other types change nothing.

        An event at or below the floor is ignored (C1). Never raises on a bad payload: it is ignored as well.
        """
        kind = event.type
        if event.seq <= self._vector.get(event.journal, 0):
            return ()
        changes: list[Change] = []
        if kind == events.VOTES:
            cast = None
            for key, hash_, cast in read_votes(event):
                self._add_vote(key, hash_, cast, changes)
            if cast is not None:
                self._note_time(event.origin, event.hlc)
        elif kind in PROPOSAL_TYPES:
            for birth, order in read_births(event):
                self._add_birth(birth, order, changes)
        elif kind == events.ROUND_OPENED:
            opened = read_opening(event)
            if opened is not None:
                self._add_opening(opened, changes)
        elif kind == events.CONFLICT_RESOLVED:
            resolution = read_resolution(event)
            if resolution is not None:
                self._resolve(resolution)
        if self._must_restart:
            return self._restart()
        return tuple(changes)

    def _restart(self) -> tuple[Change, ...]:
        before = {key: p.verdict for key, p in self._decisions.register.by_key.items()}
        self._load(self._atoms(self._decisions.register.by_key.values()))
        return tuple(
            Change(key, p.verdict, key not in before)
            for key, p in self._decisions.register.by_key.items()
            if before.get(key) != p.verdict
        )

    def _add_birth(self, birth: Birth, order: VersionKey, changes: list[Change]) -> None:
        former = self._decisions.register.by_key.get(birth.key)
        if former is not None:
            self._displace(former.birth, birth)
            return
        p = self._decisions.admit(birth, order)
        self._note_time(birth.origin, birth.hlc)
        for opening in self._early_openings.pop(birth.key, ()):
            p.open(opening)
        own: list[Change] = []
        cast = own_vote(birth)
        if cast is not None:
            self._add_vote(p.key, p.payload.hash, cast, own)
        early = self._early_votes.pop(birth.key, None)
        if early is not None:
            for atom in sorted(early.values(), key=self._precedence):
                self._add_vote(atom.key, atom.hash, atom.cast, own)
        if not p.votes:
            self._decisions.judge(p, own)
        changes.append(Change(p.key, p.verdict, True))
        changes += [change for change in own if change.key != p.key]

    def _displace(self, old: Birth, new: Birth) -> None:
        """Two events with one id: the lower one counts; what the floor knows stays."""
        if (old.journal, old.seq) != (new.journal, new.seq) and self._above(old):
            self._displaced[new.journal, new.seq, -1 - new.index] = new
            if (new.hlc, new.journal, new.seq) < (old.hlc, old.journal, old.seq):
                self._must_restart = True

    def _take_again(self, atom: VoteAtom) -> None:
        """A vote that was taken before the state was built anew."""
        nothing: list[Change] = []
        self._note_time(atom.cast.voter, atom.cast.hlc)
        self._add_vote(atom.key, atom.hash, atom.cast, nothing)

    def _add_vote(self, key: str, hash_: str, cast: Cast, changes: list[Change]) -> None:
        p = self._decisions.register.by_key.get(key)
        if p is None:
            self._early_votes.setdefault(key, {})[cast.journal, cast.seq, cast.index] = VoteAtom(key, hash_, cast)
            return
        former = p.votes.get((cast.voter, cast.round))
        body = p.payload
        valid = hash_ == body.hash and cast.voter in body.voters
        if former is None and valid:
            self._decisions.cast(p, cast, changes)
        elif former is None or (former.journal, former.seq, former.index) != (cast.journal, cast.seq, cast.index):
            self._displaced[cast.journal, cast.seq, cast.index] = VoteAtom(key, hash_, cast)
            if former is not None and valid and cast.order < former.order and self._above(former):
                self._must_restart = True

    def _precedence(self, atom: VoteAtom) -> tuple[bool, tuple[bool, int, str, int, int]]:
        """What the floor knows comes first, then the lowest."""
        return (self._above(atom), atom.cast.order)

    def _add_opening(self, opening: Opening, changes: list[Change]) -> None:
        p = self._decisions.register.by_key.get(opening.key)
        if p is None:
            early = self._early_openings.setdefault(opening.key, [])
            if opening not in early:
                early.append(opening)
        elif p.final and not self._above(p.birth):
            self._late[opening.journal, opening.seq, 0] = opening
        elif opening not in p.openings:
            self._decisions.open(p, opening, changes)

    def _resolve(self, resolution: Resolution) -> None:
        if resolution.id not in self._decisions.resolutions:
            self._decisions.resolve(resolution)

    def _note_times(self, p: ProposalState) -> None:
        """The last words of its proposer and its voters above the floor."""
        floor, latest, birth = self._vector.get, self._latest, p.birth
        if birth.seq > floor(birth.journal, 0) and birth.hlc > latest.get(birth.origin, 0):
            latest[birth.origin] = birth.hlc
        for cast in p.votes.values():
            if cast.seq > floor(cast.journal, 0) and cast.hlc > latest.get(cast.voter, 0):
                latest[cast.voter] = cast.hlc

    def _note_time(self, origin: str, hlc: int) -> None:
        if hlc > self._latest.get(origin, 0):
            self._latest[origin] = hlc

    # Questions

    def get(self, key: str) -> ProposalState | None:
        """The proposal with this key (event id), or None."""
        return self._decisions.register.by_key.get(key)

    def by_label(self, label: str) -> list[str]:
        """Keys of all proposals that carry this `proposalId` (P1), the earliest first."""
        return self._decisions.register.labelled(label)

    def by_idempotency_key(self, idempotency_key: str) -> str | None:
        """Key of the earliest proposal made under this `Idempotency-Key`, whatever its verdict (P6)."""
        return self._decisions.register.repeated(idempotency_key)

    def find(self, kind: ProposalKind, base: str | None, version: str, hash_: str) -> str | None:
        """Key of a proposal of this content: the earliest accepted, or else the pending one that ends last (P6)."""
        key = self._decisions.register.find((kind, base, version, hash_))
        return None if key is None or self.is_unsure(self._decisions.register.by_key[key]) else key

    @property
    def keys(self) -> list[str]:
        """Keys of all known proposals, the earliest first."""
        return self._decisions.register.in_order()

    def newest(self, limit: int) -> list[ProposalState]:
        """The newest proposals, the newest first, without those that nobody can judge."""
        register = self._decisions.register
        unsure = sum(self.is_unsure(p) for p in register.pending.values())
        return [p for p in register.newest(limit + unsure) if not self.is_unsure(p)][:limit]

    def is_unsure(self, p: ProposalState) -> bool:
        """Whether a proposal is open only as far as is still known: floors forgot what may have had it rejected (C1).

        Nobody is shown it until its own votes decide, or a floor.
        """
        base = p.payload.base
        if p.verdict != "pending" or not has_forgotten(self._floor.forgotten, p.payload):
            return False
        # Nothing was accepted in the place of what comes next after the current version.
        comes_next = base is not None and self.current is not None and self.current[0] == base
        return not comes_next or p.payload.restored != self.restored(str(base))

    @property
    def above_floor(self) -> int:
        """How many proposals are known besides those that the floor kept."""
        return len(self._decisions.register.by_key) - len(self._floor.kept)

    def count_above(self, vector: VersionVector) -> int:
        """How many known proposals lie above `vector`."""
        return sum(is_above(p.birth, vector) for p in self._decisions.register.by_key.values())

    @property
    def open_keys(self) -> list[str]:
        """Keys of pending proposals, expired ones among them."""
        return list(self._decisions.register.pending)

    @property
    def open_count(self) -> int:
        """How many proposals are pending."""
        return len(self._decisions.register.pending)

    @property
    def current(self) -> tuple[str, str] | None:
        """The current version and the hash that settled it (S2)."""
        head = self._decisions.lineage.current
        return (head.payload.version, head.payload.hash) if head is not None else None

    @property
    def head(self) -> ProposalState | None:
        """The snapshot or diff that led to the current version."""
        return self._decisions.lineage.current

    def leading_to(self, version: str) -> ProposalState | None:
        """The settled snapshot or diff that leads to a version, rolled back or not."""
        return self._decisions.lineage.by_version.get(version)

    @property
    def highest_accepted(self) -> str | None:
        """The greatest version ever accepted by a snapshot or diff, rolled back or lost or not (P3)."""
        return self._decisions.highest

    @property
    def highest_order(self) -> VersionKey | None:
        """Its place in the order of versions."""
        return self._decisions.highest_order

    def known_version(self, version: str) -> bool:
        """Whether a settled snapshot or diff leads to this version, rolled back or not."""
        return version in self._decisions.lineage.by_version

    def is_reachable(self, version: str) -> bool:
        """Whether one can go to this version: through settled snapshots and unbroken diffs, not rolled back (S2)."""
        return version in self._decisions.lineage.reachable

    def base_hash(self, version: str) -> str | None:
        """The hash that settled a version: `baseHash` of a diff made from it. None when unknown."""
        settled = self._decisions.lineage.by_version.get(version)
        return settled.payload.hash if settled is not None else None

    def restored(self, version: str) -> str | None:
        """Key of the last settled rollback to a version: `restored` of what is built on it now (P2). None: no such."""
        rollback = self._decisions.lineage.restored.get(version)
        return rollback.key if rollback is not None else None

    def settled(self, key: str) -> bool | None:
        """True: accepted and won its slots; False: accepted and lost; None: not accepted, or its conflict is open."""
        p = self._decisions.register.by_key.get(key)
        return p.settled if p is not None else None

    def bound_by(self, key: str, voter: str, round_: int) -> str | None:
        """The slot in which `voter` is bound to another content, so it may not accept `key` in this round (P3, P5).

        None: it is free to accept. Raises `KeyError` for an unknown key.
        """
        slot = bound_by(self._decisions.register.by_key[key], voter, round_)
        return slot.name if slot is not None else None

    def binding(self, voter: str, slot: str, round_: int) -> Content | None:
        """The content that `voter` accepted in a slot in exactly this round."""
        known = self._decisions.slots.get(slot)
        if known is None:
            return None
        found = [c for r, c in known.bindings(voter) if r == round_]
        return min(found, key=lambda c: (c[0], c[1] or "", c[2], c[3]), default=None)

    def contended(self, key: str) -> tuple[str, ...]:
        """The slots in which this proposal and one of other content are both accepted."""
        contended = self._decisions.contended
        p = self._decisions.register.by_key.get(key) if contended else None
        return () if p is None else tuple(slot.name for slot in p.slots if slot.name in contended)

    def conflicts(self) -> list[Conflict]:
        """Slots with two or more accepted contents, open and settled ones, by name (S1)."""
        return self._decisions.conflicts()

    def stalled(self, hlc: int) -> list[Stall]:
        """Slots split so that no content can be accepted any more, with what to put to the vote next, sorted (P5).

        Proposals whose deadline lies before `hlc` are not put to the vote again.
        """
        return self._decisions.stalls(hlc)

    def digest(self) -> str:
        """Short hex of the state: equal on all nodes with the same events and floor (S3)."""
        for p in self._decisions.touched.values():
            text = f"{p.key} {p.verdict} {p.settled}"
            mark = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest())
            self._sum = (self._sum + mark - p.mark) % _DIGEST_RANGE
            p.mark = mark
        self._decisions.touched.clear()
        state = f"{self.current} {self._decisions.highest} {self._decisions.lineage.voids} {self._sum:x}"
        return hashlib.blake2b(state.encode(), digest_size=_DIGEST_BYTES // 2).hexdigest()

    # The floor

    def checkpoint(self, vector: VersionVector) -> msgspec.Raw:
        """The state of the events at or below `vector`, for `reset` (C1). `vector` must cover the present floor."""
        # Most proposals are alone in their slots and lie below with all their votes: they are as they would be without
        # what lies above. Only the others are decided anew.
        apart = list(self._apart(vector))
        lent = {p.key for p in apart}
        rest = (p for p in self._decisions.register.by_key.values() if p.key not in lent)
        source = Fold(self._strategy, self._limits)
        source._vector, source._floor = self._vector, without(self._floor, lent)
        source._load(atom for atom in self._atoms(rest) if not is_above(atom, vector))
        for p in apart:
            source._decisions.borrow(p)
            source._note_times(p)
        for atom in self._floor.early_votes:
            source._note_time(atom.cast.voter, atom.cast.hlc)
        return write(source._checkpoint(vector))

    def _apart(self, vector: VersionVector) -> Iterator[ProposalState]:
        """Proposals of which all that is known lies at or below `vector`, and which nothing else can touch."""
        decisions, upto = self._decisions, vector.get
        if decisions.resolutions or self._displaced:
            return
        for p in decisions.register.by_key.values():
            birth = p.birth
            if birth.seq > upto(birth.journal, 0) or p.openings:
                continue
            for cast in p.votes.values():
                if cast.seq > upto(cast.journal, 0):
                    break
            else:
                if decisions.is_alone(p):
                    yield p

    def _checkpoint(self, vector: VersionVector) -> Checkpoint:
        lineage = self._decisions.lineage
        hlc = floor_time(self._floor.hlc, self._latest.values())
        # A vote may come long before its proposal. One that lies below the floor, or is unknown a whole floor later,
        # will not come any more.
        former = self._floor.hlc
        votes = (atom for votes in self._early_votes.values() for atom in votes.values())
        early = [atom for atom in votes if lies_above(atom.key, vector) or atom.cast.hlc > former]
        early.sort(key=lambda atom: atom.cast.order)
        openings = [opening for made in self._early_openings.values() for opening in made]
        openings.sort(key=lambda opening: (opening.journal, opening.seq))
        resolutions = [r for r in self._decisions.resolutions.values() if self._may_act(r)]
        resolutions.sort(key=lambda r: (r.hlc, r.id))
        bound = self._limits.max_open_proposals
        known = self._decisions.register.by_key.values()
        kept = keep(known, lineage, hlc, self._latest, self._decisions.highest_order, self._limits)
        return Checkpoint(
            hlc,
            self._decisions.highest,
            lineage.current.payload.version if lineage.current is not None else None,
            kept,
            tuple((void.low_text, void.high_text) for void in lineage.voids),
            tuple(early[-bound:]),
            tuple(openings[-bound:]),
            tuple(resolutions[-bound:]),
            forgets(known, kept, self._floor.forgotten),
        )

    def _may_act(self, resolution: Resolution) -> bool:
        p = self._decisions.register.by_key.get(resolution.key)
        return p is None or (p.settled is None and p.verdict != "rejected")

    def reset(self, vector: VersionVector, checkpoint: msgspec.Raw) -> None:
        """Install a floor: its state, joined with what this fold knows above `vector` (C1).

        Own atoms at or below `vector` that are not in the checkpoint are dropped. Raises `ValueError` when the
        checkpoint does not read as one.
        """
        floor = read(checkpoint)
        if self._advance(vector, floor):
            return
        atoms = self._atoms(self._decisions.register.by_key.values())
        self._vector, self._floor = dict(vector), floor
        self._load([atom for atom in atoms if self._above(atom)])

    def _advance(self, vector: VersionVector, floor: Checkpoint) -> bool:
        """Install a floor without starting over, if it only makes final what was decided here in the same way."""
        decisions = self._decisions
        unusual = self._displaced or self._early_openings or decisions.resolutions
        if unusual or floor.early_openings or floor.resolutions:
            return False
        if any(vector.get(journal, 0) < seq for journal, seq in self._vector.items()):
            return False
        forgotten = passed(decisions.register.by_key, decisions.highest_order, vector, floor)
        if forgotten is None:
            return False
        closed = [*forgotten, *(decisions.register.by_key[each.birth.key] for each in floor.kept if each.final)]
        loose: list[Atom] = [atom for votes in self._early_votes.values() for atom in votes.values()]
        loose += self._late.values()
        for p in closed:
            loose += _facts(p, vector)
        loose = [atom for atom in loose if is_above(atom, vector)]
        decisions.finish(floor.kept, forgotten, floor.voids)
        self._sum = (self._sum - sum(p.mark for p in forgotten)) % _DIGEST_RANGE
        self._vector, self._floor = dict(vector), floor
        self._early_votes, self._late, self._latest = {}, {}, {}
        nothing: list[Change] = []
        for atom in [*floor.early_votes, *loose]:
            if isinstance(atom, VoteAtom):
                self._take_again(atom)
            elif isinstance(atom, Opening):
                self._add_opening(atom, nothing)
        for p in decisions.register.by_key.values():
            self._note_times(p)
        decisions.refresh()
        return True

    def _above(self, atom: Atom | Cast) -> bool:
        return is_above(atom, self._vector)

    def _atoms(self, proposals: Iterable[ProposalState]) -> list[Atom]:
        """All atoms above the floor: of these proposals, and of none that is known."""
        vector = self._vector
        atoms: list[Atom] = [*self._displaced.values(), *self._late.values(), *self._decisions.resolutions.values()]
        for votes in self._early_votes.values():
            atoms += votes.values()
        for openings in self._early_openings.values():
            atoms += openings
        atoms = [atom for atom in atoms if is_above(atom, vector)]
        for p in proposals:
            if is_above(p.birth, vector):
                atoms.append(p.birth)
            atoms += _facts(p, vector)
        return atoms

    def _load(self, atoms: Iterable[Atom]) -> None:
        """Start over: the floor, then the atoms, those first that count against their doubles."""
        self._decisions.release()
        self._start()
        self._install(self._floor)
        births: list[Birth] = []
        votes: list[VoteAtom] = []
        nothing: list[Change] = []
        for atom in atoms:
            if isinstance(atom, Birth):
                births.append(atom)
            elif isinstance(atom, VoteAtom):
                votes.append(atom)
            elif isinstance(atom, Opening):
                self._add_opening(atom, nothing)
            else:
                self._resolve(atom)
        for birth in sorted(births, key=lambda b: (b.hlc, b.journal, b.seq)):
            self._add_birth(birth, parse(birth.payload.version), nothing)
        for atom in sorted(votes, key=self._precedence):
            self._take_again(atom)

    def _install(self, floor: Checkpoint) -> None:
        decisions = self._decisions
        for kept in floor.kept:
            decisions.restore(kept)
        decisions.resolutions |= {r.id: r for r in floor.resolutions}
        nothing: list[Change] = []
        for atom in floor.early_votes:
            self._take_again(atom)
        for opening in floor.early_openings:
            self._add_opening(opening, nothing)
        decisions.refresh()


def _facts(p: ProposalState, vector: VersionVector) -> Iterator[VoteAtom | Opening]:
    """The votes on a proposal and its rounds that lie above a floor. Its proposer's own vote is part of itself."""
    for cast in p.votes.values():
        if cast.index >= 0 and cast.seq > vector.get(cast.journal, 0):
            yield VoteAtom(p.key, p.payload.hash, cast)
    for opening in p.openings:
        if is_above(opening, vector):
            yield opening
