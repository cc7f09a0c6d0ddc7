"""Facts above a floor: on the proposals they are about, or kept until those come (S3, C1).

The order in which they come, and how often, changes nothing. What cannot happen with honest instances (one voter, two
votes on one key and round; two proposals with one id) makes `must_restart` true: whoever reads it starts over.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, zip_longest

from node.protocol.ballot import ProposalState
from node.protocol.bundle import Bundle
from node.protocol.checkpoint import is_above
from node.protocol.decisions import Change, Decisions
from node.protocol.events import Event, VersionVector
from node.protocol.proposal import (
    OWN,
    Atom,
    Birth,
    Cast,
    Opening,
    Resolution,
    VoteAtom,
    VoteItem,
    cast_in,
    own_vote,
    read_votes,
)
from node.protocol.told import Chronicle
from node.protocol.versions import VersionKey, parse

_Place = tuple[str, int, int]
"""Journal, sequence number, which of its event's on one proposal."""
_News = Sequence[ProposalState]
"""What an event told something of: all of a bundle, or others."""


class Placing:
    """All facts above the floor at `vector`, and what follows from them."""

    def __init__(self, decisions: Decisions, vector: VersionVector) -> None:
        self.decisions = decisions
        self.vector = vector
        self.told = Chronicle()
        self.must_restart = False
        """Whether a fact counts that had been passed over for another."""
        self._early_votes: dict[str, dict[_Place, VoteAtom]] = {}
        self._early_openings: dict[str, list[Opening]] = {}
        self._late: dict[_Place, Opening] = {}
        """Of what the floor decided: they change nothing, and a further floor may forget what they are of."""
        self._displaced: dict[tuple[str, _Place], VoteAtom | Birth] = {}
        """By key and place."""
        self._bundles: dict[str, Bundle] = {}
        """By the key of the first in it; until the next floor."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing was passed over, and no person has decided anything."""
        return not (self._displaced or self.decisions.resolutions)

    @property
    def early_votes(self) -> Iterator[VoteAtom]:
        """Votes whose proposal is not known."""
        return (atom for votes in self._early_votes.values() for atom in votes.values())

    @property
    def early_openings(self) -> list[Opening]:
        """Openings whose proposal is not known."""
        return list(chain.from_iterable(self._early_openings.values()))

    def atoms(self, proposals: Iterable[ProposalState]) -> list[Atom]:
        """All facts above the floor: of these proposals, and of none that is known."""
        vector = self.vector
        atoms: list[Atom] = [*self._displaced.values(), *self._late.values(), *self.decisions.resolutions.values()]
        atoms += self.early_votes
        atoms += self.early_openings
        atoms = [atom for atom in atoms if is_above(atom, vector)]
        for p in proposals:
            if is_above(p.birth, vector):
                atoms.append(p.birth)
            atoms += facts_above(p, vector)
        return atoms

    def take(self, atoms: Iterable[Atom]) -> None:
        """Take in many at once, those first that count against their doubles."""
        births: list[Birth] = []
        votes: list[VoteAtom] = []
        nothing: list[Change] = []
        for atom in atoms:
            if isinstance(atom, Birth):
                births.append(atom)
            elif isinstance(atom, VoteAtom):
                votes.append(atom)
            elif isinstance(atom, Opening):
                self.add_opening(atom, nothing)
            else:
                self.resolve(atom)
        births.sort(key=lambda b: (b.hlc, b.journal, b.seq, b.index))
        for _, same in groupby(births, lambda b: (b.hlc, b.journal, b.seq)):
            event = [(birth, parse(birth.payload.version)) for birth in same]
            birth = event[0][0]
            for news in self.add_births(event, nothing):
                self.told.add(news, birth.journal, birth.seq, birth.hlc, birth.origin)
        votes.sort(key=self._precedence)
        self.take_again(votes, nothing)

    def advance(self, vector: VersionVector) -> list[Atom]:
        """Go on above a higher floor, without what was kept for what lies below; what was kept and lies above."""
        kept: list[Atom] = [*self.early_votes, *self._late.values()]
        self._early_votes, self._late, self._bundles = {}, {}, {}
        self.vector = vector
        return [atom for atom in kept if is_above(atom, vector)]

    # Fact by fact

    def add_births(self, births: Sequence[tuple[Birth, VersionKey]], changes: list[Change]) -> list[_News]:
        """Those of one event that are news: to be noted in `told`."""
        bundle = self._add_bundle(births) if len(births) > 1 else None
        if bundle is None:
            new = [p for birth, order in births if (p := self._add_birth(birth, order, changes)) is not None]
            return [new] if new else []
        alike = [bundle.proposals] if bundle.is_whole else [(p,) for p in bundle.proposals]
        changes += [Change(each, each[0].verdict, True) for each in alike]
        return [bundle.proposals]

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
                self.take_again([atom for atom in atoms if atom is not None], nothing)
        return bundle

    def bundle(self, key: str) -> Bundle | None:
        """The bundle that begins with this proposal."""
        bundle = self._bundles.get(key)
        if bundle is None or bundle.is_whole:
            return bundle
        del self._bundles[key]
        return None

    def _add_birth(self, birth: Birth, order: VersionKey, changes: list[Change]) -> ProposalState | None:
        """The proposal, if it is news: to be noted in `told`."""
        decisions = self.decisions
        former = decisions.register.by_key.get(birth.key)
        if former is not None:
            self._displace(former.birth, birth)
            return None
        p = decisions.admit(birth, order)
        for opening in self._early_openings.pop(birth.key, ()):
            self.told.add((p,), opening.journal, opening.seq, 0)
            p.open(opening)
        own: list[Change] = []
        cast = own_vote(birth)
        if cast is not None and cast.voter in p.payload.voters:
            decisions.cast(p, cast, own)
        early = self._early_votes.pop(birth.key, None)
        if early is not None:
            for atom in sorted(early.values(), key=self._precedence):
                self.take_again((atom,), own)
        if not p.votes:
            decisions.judge(p, own)
        changes.append(Change((p,), p.verdict, True))
        if own:
            changes += [change for change in own if p not in change.proposals]
        return p

    def _displace(self, old: Birth, new: Birth) -> None:
        """Two events with one id: the lower one counts; what the floor knows stays."""
        if (old.journal, old.seq) != (new.journal, new.seq) and self._above(old):
            self._displaced[new.key, (new.journal, new.seq, OWN)] = new
            if (new.hlc, new.journal, new.seq) < (old.hlc, old.journal, old.seq):
                self.must_restart = True

    def take_again(self, atoms: Sequence[VoteAtom], changes: list[Change]) -> None:
        """Votes that came before their proposals, or were taken before the state was built anew."""
        at = 0
        while at < len(atoms):
            cast = atoms[at].cast
            bundle = self.bundle(atoms[at].key)
            if bundle is not None and _are_alike(bundle, atoms[at : at + len(bundle.keys)]):
                self.decisions.cast_bundle(bundle, cast, changes)
                self.told.add(bundle.proposals, cast.journal, cast.seq, cast.hlc, cast.voter)
                at += len(bundle.keys)
                continue
            p = self._add_vote(atoms[at].key, atoms[at].hash, cast, changes)
            if p is not None:
                self.told.add((p,), cast.journal, cast.seq, cast.hlc, cast.voter)
            at += 1

    def add_votes(self, event: Event, changes: list[Change]) -> list[_News]:
        """The proposals whose votes count and are news, each bundle by itself: to be noted in `told`."""
        items = read_votes(event)
        news: list[_News] = []
        others: list[ProposalState] = []
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
                    news.append(bundle.proposals)
                    at += len(bundle.keys)
                    continue
            place = 0
            if before is not None:
                place = before[key]
                before[key] += 1
            p = self._add_vote(key, item.hash, cast_in(event, item, place), changes)
            if p is not None:
                others.append(p)
            at += 1
        if others:
            news.append(others)
        return news

    def _add_vote(self, key: str, hash_: str, cast: Cast, changes: list[Change]) -> ProposalState | None:
        """The proposal, if the vote counts and is news: to be noted in `told`."""
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
                self.must_restart = True
        return None

    def _precedence(self, atom: VoteAtom) -> tuple[bool, tuple[bool, int, str, int, int]]:
        """What the floor knows comes first, then the lowest."""
        return (self._above(atom), atom.cast.order)

    def add_opening(self, opening: Opening, changes: list[Change]) -> None:
        p = self.decisions.register.by_key.get(opening.key)
        if p is None:
            early = self._early_openings.setdefault(opening.key, [])
            if opening not in early:
                early.append(opening)
        elif p.final and not self._above(p.birth):
            self._late[opening.journal, opening.seq, 0] = opening
        elif opening not in p.openings:
            self.told.add((p,), opening.journal, opening.seq, 0)
            self.decisions.open(p, opening, changes)

    def resolve(self, resolution: Resolution) -> None:
        if resolution.id not in self.decisions.resolutions:
            self.decisions.resolve(resolution)

    def _above(self, atom: Atom | Cast) -> bool:
        return is_above(atom, self.vector)


def _votes_alike(bundle: Bundle, voter: str, items: Sequence[VoteItem]) -> bool:
    """Whether these are an instance's first word on each of a bundle, and the same on all."""
    return (
        bundle.is_open_to(voter)
        and bundle.is_of([item.proposal for item in items], [item.hash for item in items])
        and len({(item.round, item.vote, item.reason) for item in items}) == 1
        and items[0].round == 0
    )


def _are_alike(bundle: Bundle, atoms: Sequence[VoteAtom]) -> bool:
    """Whether these are the same one vote on each of a bundle, and its voter's first word."""
    cast = atoms[0].cast
    return (
        cast.round == 0
        and bundle.is_open_to(cast.voter)
        and bundle.is_of([atom.key for atom in atoms], [atom.hash for atom in atoms])
        and all(atom.cast == cast for atom in atoms)
    )


def facts_above(p: ProposalState, vector: VersionVector) -> Iterator[VoteAtom | Opening]:
    """The votes on a proposal and its rounds that lie above a floor. Its proposer's own vote is part of itself."""
    for cast in p.votes.values():
        if cast.index >= 0 and cast.seq > vector.get(cast.journal, 0):
            yield VoteAtom(p.key, p.payload.hash, cast)
    for opening in p.openings:
        if is_above(opening, vector):
            yield opening
