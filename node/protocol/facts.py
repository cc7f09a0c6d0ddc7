"""What events tell of proposals: placed on them, or kept until what it is about comes; and the floor beneath (S3, C1).

What was told is a set of atoms: the order in which they come, and how often, changes nothing. What cannot happen with
honest instances (one voter, two votes on one key and round; two proposals with one id) makes the facts start over from
their floor, so that they still depend on the set alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, zip_longest

import msgspec

from node.protocol import events
from node.protocol.ballot import ProposalState
from node.protocol.bundle import Bundle
from node.protocol.checkpoint import (
    Checkpoint,
    floor_time,
    forgets,
    is_above,
    keep,
    passed,
    read,
    without,
    write,
)
from node.protocol.decisions import Change, Decisions
from node.protocol.events import Event, VersionVector
from node.protocol.proposal import (
    OWN,
    PROPOSAL_TYPES,
    Atom,
    Birth,
    Cast,
    Opening,
    Resolution,
    VoteAtom,
    VoteItem,
    cast_in,
    lies_above,
    own_vote,
    read_births,
    read_opening,
    read_resolution,
    read_votes,
)
from node.protocol.settings import Limits, Strategy
from node.protocol.told import Chronicle
from node.protocol.versions import VersionKey, parse

_Place = tuple[str, int, int]
"""Journal, sequence number, which of its event's on one proposal."""


class Facts:
    """All that is known above a floor, what the floor kept, and the decisions that follow."""

    def __init__(self, strategy: Strategy, limits: Limits) -> None:
        self._strategy: Strategy = strategy
        self._limits = limits
        self._vector: VersionVector = {}
        self.floor = Checkpoint()
        self.taken = 0
        """How many proposals came as events since these facts were made."""
        self._start()

    def _start(self) -> None:
        self.decisions = Decisions(self._strategy, self.floor.highest, self.floor.voids)
        self._early_votes: dict[str, dict[_Place, VoteAtom]] = {}
        self._early_openings: dict[str, list[Opening]] = {}
        self._late: dict[_Place, Opening] = {}
        """Of what the floor decided: they change nothing, and a further floor may forget what they are of."""
        self._displaced: dict[tuple[str, _Place], VoteAtom | Birth] = {}
        """By key and place."""
        self._bundles: dict[str, Bundle] = {}
        """By the key of the first in it; until the next floor."""
        self._told = Chronicle()
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
        news: Sequence[ProposalState] = ()
        if kind == events.VOTES:
            news = self._add_votes(event, changes)
        elif kind in PROPOSAL_TYPES:
            births = read_births(event)
            self.taken += len(births)
            news = self._add_births(births, changes)
        elif kind == events.ROUND_OPENED:
            opened = read_opening(event)
            if opened is not None:
                self._add_opening(opened, changes)
        elif kind == events.CONFLICT_RESOLVED:
            resolution = read_resolution(event)
            if resolution is not None:
                self._resolve(resolution)
        if news:
            self._told.add(news, event.journal, event.seq, event.hlc, event.origin)
        if self._must_restart:
            return self._restart()
        return tuple(changes)

    def _restart(self) -> tuple[Change, ...]:
        before = {key: p.verdict for key, p in self.decisions.register.by_key.items()}
        self._load(self._atoms(self.decisions.register.by_key.values()))
        return tuple(
            Change(p, p.verdict, key not in before)
            for key, p in self.decisions.register.by_key.items()
            if before.get(key) != p.verdict
        )

    def _add_births(self, births: Sequence[tuple[Birth, VersionKey]], changes: list[Change]) -> Sequence[ProposalState]:
        """Those of one event that are news: to be noted in `_told`."""
        bundle = self._add_bundle(births) if len(births) > 1 else None
        if bundle is None:
            return [p for birth, order in births if (p := self._add_birth(birth, order, changes)) is not None]
        changes += [Change(p, p.verdict, True) for p in bundle.proposals]
        return bundle.proposals

    def _add_bundle(self, births: Sequence[tuple[Birth, VersionKey]]) -> Bundle | None:
        """Take them in as one, if they may be."""
        known, openings = self.decisions.register.by_key, self._early_openings
        if any(birth.key in known or birth.key in openings for birth, _ in births):
            return None
        bundle = self.decisions.admit_bundle(births)
        if bundle is None:
            return None
        self._bundles[bundle.keys[0]] = bundle
        nothing: list[Change] = []
        cast = own_vote(births[0][0])
        if cast is not None and cast.voter in bundle.voters:
            self.decisions.cast_bundle(bundle, cast, nothing)
        if self._early_votes:
            early = [self._early_votes.pop(key, {}) for key in bundle.keys]
            for atoms in zip_longest(*(sorted(votes.values(), key=self._precedence) for votes in early)):
                self._take_again([atom for atom in atoms if atom is not None], nothing)
        return bundle

    def bundle(self, key: str) -> Bundle | None:
        """The bundle that begins with this proposal."""
        bundle = self._bundles.get(key)
        if bundle is None or bundle.is_whole:
            return bundle
        del self._bundles[key]
        return None

    def _add_birth(self, birth: Birth, order: VersionKey, changes: list[Change]) -> ProposalState | None:
        """The proposal, if it is news: to be noted in `_told`."""
        decisions = self.decisions
        former = decisions.register.by_key.get(birth.key)
        if former is not None:
            self._displace(former.birth, birth)
            return None
        p = decisions.admit(birth, order)
        for opening in self._early_openings.pop(birth.key, ()):
            self._told.add((p,), opening.journal, opening.seq, 0)
            p.open(opening)
        own: list[Change] = []
        cast = own_vote(birth)
        if cast is not None and cast.voter in p.payload.voters:
            decisions.cast(p, cast, own)
        early = self._early_votes.pop(birth.key, None)
        if early is not None:
            for atom in sorted(early.values(), key=self._precedence):
                self._take_again((atom,), own)
        if not p.votes:
            decisions.judge(p, own)
        changes.append(Change(p, p.verdict, True))
        if own:
            changes += [change for change in own if change.proposal is not p]
        return p

    def _displace(self, old: Birth, new: Birth) -> None:
        """Two events with one id: the lower one counts; what the floor knows stays."""
        if (old.journal, old.seq) != (new.journal, new.seq) and self._above(old):
            self._displaced[new.key, (new.journal, new.seq, OWN)] = new
            if (new.hlc, new.journal, new.seq) < (old.hlc, old.journal, old.seq):
                self._must_restart = True

    def _take_again(self, atoms: Sequence[VoteAtom], changes: list[Change]) -> None:
        """Votes that came before their proposals, or were taken before the state was built anew.

        They are one after another as their keys are; several are of one moment.
        """
        cast = atoms[0].cast
        bundle = self.bundle(atoms[0].key)
        if (
            bundle is not None
            and cast.round == 0
            and bundle.is_open_to(cast.voter)
            and bundle.is_of([atom.key for atom in atoms], [atom.hash for atom in atoms])
            and all(atom.cast == cast for atom in atoms)
        ):
            self.decisions.cast_bundle(bundle, cast, changes)
            self._told.add(bundle.proposals, cast.journal, cast.seq, cast.hlc, cast.voter)
            return
        for atom in atoms:
            cast = atom.cast
            p = self._add_vote(atom.key, atom.hash, cast, changes)
            if p is not None:
                self._told.add((p,), cast.journal, cast.seq, cast.hlc, cast.voter)

    def _add_votes(self, event: Event, changes: list[Change]) -> list[ProposalState]:
        """The proposals whose votes count and are news: to be noted in `_told`."""
        items = read_votes(event)
        news: list[ProposalState] = []
        at, count = 0, len(items)
        before: Counter[str] | None = None
        if count > 1 and len({item.proposal for item in items}) < count:
            before = Counter()
        while at < count:
            item = items[at]
            key = item.proposal
            if before is None and key in self._bundles:
                bundle = self.bundle(key)
                if bundle is not None and _votes_alike(bundle, event.origin, items[at : at + len(bundle.keys)]):
                    self.decisions.cast_bundle(bundle, cast_in(event, item), changes)
                    news += bundle.proposals
                    at += len(bundle.keys)
                    continue
            place = 0
            if before is not None:
                place = before[key]
                before[key] += 1
            p = self._add_vote(key, item.hash, cast_in(event, item, place), changes)
            if p is not None:
                news.append(p)
            at += 1
        return news

    def _add_vote(self, key: str, hash_: str, cast: Cast, changes: list[Change]) -> ProposalState | None:
        """The proposal, if the vote counts and is news: to be noted in `_told`."""
        p = self.decisions.register.by_key.get(key)
        if p is None:
            self._early_votes.setdefault(key, {})[cast.journal, cast.seq, cast.index] = VoteAtom(key, hash_, cast)
            return None
        former = p.votes.get((cast.voter, cast.round))
        body = p.payload
        valid = hash_ == body.hash and cast.voter in body.voters
        if former is None and valid:
            self.decisions.cast(p, cast, changes)
            return p
        if former is None or (former.journal, former.seq, former.index) != (cast.journal, cast.seq, cast.index):
            self._displaced[key, (cast.journal, cast.seq, cast.index)] = VoteAtom(key, hash_, cast)
            if former is not None and valid and cast.order < former.order and self._above(former):
                self._must_restart = True
        return None

    def _precedence(self, atom: VoteAtom) -> tuple[bool, tuple[bool, int, str, int, int]]:
        """What the floor knows comes first, then the lowest."""
        return (self._above(atom), atom.cast.order)

    def _add_opening(self, opening: Opening, changes: list[Change]) -> None:
        p = self.decisions.register.by_key.get(opening.key)
        if p is None:
            early = self._early_openings.setdefault(opening.key, [])
            if opening not in early:
                early.append(opening)
        elif p.final and not self._above(p.birth):
            self._late[opening.journal, opening.seq, 0] = opening
        elif opening not in p.openings:
            self._told.add((p,), opening.journal, opening.seq, 0)
            self.decisions.open(p, opening, changes)

    def _resolve(self, resolution: Resolution) -> None:
        if resolution.id not in self.decisions.resolutions:
            self.decisions.resolve(resolution)

    # The floor

    def checkpoint(self, vector: VersionVector) -> msgspec.Raw:
        """The state of the events at or below `vector`, for `reset` (C1). `vector` must cover the present floor."""
        apart, mixed = self._parted(vector)
        source = Facts(self._strategy, self._limits)
        source._vector, source.floor = self._vector, without(self.floor, {p.key for p in apart})
        atoms = [atom for atom in self._atoms(mixed) if not is_above(atom, vector)]
        source._load(atoms)
        source.decisions.borrow(apart)
        latest = self._told.last_words(self._vector, vector, [*self.floor.early_votes, *atoms])
        return write(source._checkpoint(vector, latest))

    def _parted(self, vector: VersionVector) -> tuple[list[ProposalState], list[ProposalState]]:
        """Proposals that are as they would be without what lies above `vector`, and those to be decided anew.

        Most lie below with all their votes, and nothing else can touch them.
        """
        decisions = self.decisions
        if decisions.resolutions or self._displaced:
            return [], list(decisions.register.by_key.values())
        apart: list[ProposalState] = []
        mixed: list[ProposalState] = []
        reach = self._told.reach(vector, self.floor.kept, decisions.register.by_key)
        # A plain loop: a floor is made of thousands, and the node stands still meanwhile.
        for p in reach.below.values():
            if p in reach.astride or p.openings or not decisions.is_alone(p):
                mixed.append(p)
            else:
                apart.append(p)
        return apart, mixed

    def _checkpoint(self, vector: VersionVector, latest: Mapping[str, int]) -> Checkpoint:
        lineage = self.decisions.lineage
        hlc = floor_time(self.floor.hlc, latest.values())
        # A vote may come long before its proposal. One that lies below the floor, or is unknown a whole floor later,
        # will not come any more.
        former = self.floor.hlc
        votes = (atom for votes in self._early_votes.values() for atom in votes.values())
        early = [atom for atom in votes if lies_above(atom.key, vector) or atom.cast.hlc > former]
        early.sort(key=lambda atom: (atom.cast.order, atom.key))
        openings = [opening for made in self._early_openings.values() for opening in made]
        openings.sort(key=lambda opening: (opening.journal, opening.seq))
        resolutions = [r for r in self.decisions.resolutions.values() if self._may_act(r)]
        resolutions.sort(key=lambda r: (r.hlc, r.id))
        bound = self._limits.max_open_proposals
        known = self.decisions.register.by_key.values()
        kept = keep(known, lineage, hlc, latest, self.decisions.highest_order, self._limits)
        return Checkpoint(
            hlc,
            self.decisions.highest,
            lineage.current.payload.version if lineage.current is not None else None,
            kept,
            tuple((void.low_text, void.high_text) for void in lineage.voids),
            tuple(early[-bound:]),
            tuple(openings[-bound:]),
            tuple(resolutions[-bound:]),
            forgets(known, kept, self.floor.forgotten),
        )

    def _may_act(self, resolution: Resolution) -> bool:
        p = self.decisions.register.by_key.get(resolution.key)
        return p is None or (p.settled is None and p.verdict != "rejected")

    def reset(self, vector: VersionVector, checkpoint: msgspec.Raw) -> None:
        """Install a floor: its state, joined with what is known here above `vector` (C1).

        Own atoms at or below `vector` that are not in the checkpoint are dropped. Raises `ValueError` when the
        checkpoint does not read as one.
        """
        floor = read(checkpoint)
        if self._advance(vector, floor):
            return
        atoms = self._atoms(self.decisions.register.by_key.values())
        self._vector, self.floor = dict(vector), floor
        self._load([atom for atom in atoms if self._above(atom)])

    def _advance(self, vector: VersionVector, floor: Checkpoint) -> bool:
        """Install a floor without starting over, if it only makes final what was decided here in the same way."""
        decisions = self.decisions
        unusual = self._displaced or self._early_openings or decisions.resolutions
        if unusual or floor.early_openings or floor.resolutions:
            return False
        if any(vector.get(journal, 0) < seq for journal, seq in self._vector.items()):
            return False
        reach = self._told.reach(vector, self.floor.kept, decisions.register.by_key)
        passage = passed(decisions.register.by_key, reach, decisions.highest_order, vector, floor)
        if passage is None:
            return False
        loose: list[Atom] = [atom for votes in self._early_votes.values() for atom in votes.values()]
        loose += self._late.values()
        loose = [atom for atom in loose if is_above(atom, vector)]
        for p in passage.heard_later:
            loose += _facts_above(p, vector)
        decisions.finish(floor.kept, passage.forgotten, floor.voids)
        self._vector, self.floor = dict(vector), floor
        self._told.advance(vector, set(passage.heard_later), passage.heard_earlier)
        self._early_votes, self._late, self._bundles = {}, {}, {}
        nothing: list[Change] = []
        for atom in [*floor.early_votes, *loose]:
            if isinstance(atom, VoteAtom):
                self._take_again((atom,), nothing)
            elif isinstance(atom, Opening):
                self._add_opening(atom, nothing)
        decisions.refresh()
        return True

    def _above(self, atom: Atom | Cast) -> bool:
        return is_above(atom, self._vector)

    def _atoms(self, proposals: Iterable[ProposalState]) -> list[Atom]:
        """All atoms above the floor: of these proposals, and of none that is known."""
        vector = self._vector
        atoms: list[Atom] = [*self._displaced.values(), *self._late.values(), *self.decisions.resolutions.values()]
        for votes in self._early_votes.values():
            atoms += votes.values()
        for openings in self._early_openings.values():
            atoms += openings
        atoms = [atom for atom in atoms if is_above(atom, vector)]
        for p in proposals:
            if is_above(p.birth, vector):
                atoms.append(p.birth)
            atoms += _facts_above(p, vector)
        return atoms

    def _load(self, atoms: Iterable[Atom]) -> None:
        """Start over: the floor, then the atoms, those first that count against their doubles."""
        self.decisions.release()
        self._start()
        self._install(self.floor)
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
        births.sort(key=lambda b: (b.hlc, b.journal, b.seq, b.index))
        for _, same in groupby(births, lambda b: (b.hlc, b.journal, b.seq)):
            event = [(birth, parse(birth.payload.version)) for birth in same]
            news = self._add_births(event, nothing)
            if news:
                birth = event[0][0]
                self._told.add(news, birth.journal, birth.seq, birth.hlc, birth.origin)
        votes.sort(key=self._precedence)
        for _, alike in groupby(votes, lambda atom: atom.cast):
            self._take_again(list(alike), nothing)

    def _install(self, floor: Checkpoint) -> None:
        decisions = self.decisions
        for kept in floor.kept:
            decisions.restore(kept)
        decisions.resolutions |= {r.id: r for r in floor.resolutions}
        nothing: list[Change] = []
        for atom in floor.early_votes:
            self._take_again((atom,), nothing)
        for opening in floor.early_openings:
            self._add_opening(opening, nothing)
        decisions.refresh()


def _votes_alike(bundle: Bundle, voter: str, items: Sequence[VoteItem]) -> bool:
    """Whether these are an instance's first word on each of a bundle, and the same on all."""
    return (
        bundle.is_open_to(voter)
        and bundle.is_of([item.proposal for item in items], [item.hash for item in items])
        and len({(item.round, item.vote, item.reason) for item in items}) == 1
        and items[0].round == 0
    )


def _facts_above(p: ProposalState, vector: VersionVector) -> Iterator[VoteAtom | Opening]:
    """The votes on a proposal and its rounds that lie above a floor. Its proposer's own vote is part of itself."""
    for cast in p.votes.values():
        if cast.index >= 0 and cast.seq > vector.get(cast.journal, 0):
            yield VoteAtom(p.key, p.payload.hash, cast)
    for opening in p.openings:
        if is_above(opening, vector):
            yield opening
