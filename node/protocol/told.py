"""What events told of which proposals, journal by journal and event by event: a floor touches those alone (C1)."""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain, compress

from node.protocol.ballot import ProposalState
from node.protocol.checkpoint import Kept, Reach
from node.protocol.events import VersionVector
from node.protocol.proposal import Atom, Birth, VoteAtom


class Chronicle:
    """All of what was told above a floor."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}
        self._origins: dict[str, str] = {}
        """Who writes a journal, by the proposals and votes in it: what of a v1.6 member stands there is of another."""

    def add(
        self, proposals: Sequence[ProposalState], journal: str, seq: int, hlc: int, origin: str | None = None
    ) -> None:
        """Note what an event told of; `origin` wrote it, which openings do not tell."""
        told = self._told.get(journal)
        if told is None:
            told = self._told[journal] = Told()
        told.add(seq, hlc, proposals)
        if origin is not None:
            self._origins[journal] = origin

    def reach(self, vector: VersionVector, kept: Iterable[Kept], by_key: Mapping[str, ProposalState]) -> Reach:
        """How what is known lies to a vector; `kept` by the floor before."""
        lower, upper = _Lists(), _Lists()
        for journal, told in self._told.items():
            told.split(vector.get(journal, 0), lower, upper)
        below = dict.fromkeys(by_key[each.birth.key] for each in kept)
        below |= dict.fromkeys(chain.from_iterable(lower.all))
        return Reach(below, set(chain.from_iterable(upper.all)).intersection(below))

    def last_words(self, floor: VersionVector, vector: VersionVector, atoms: Iterable[Atom]) -> dict[str, int]:
        """When each instance wrote last, of these atoms and of what was told between two vectors."""
        latest: dict[str, int] = {}
        for journal, told in self._told.items():
            last = told.last(floor.get(journal, 0), vector.get(journal, 0))
            if last:
                origin = self._origins[journal]
                latest[origin] = max(last, latest.get(origin, 0))
        for atom in atoms:
            if isinstance(atom, Birth) and atom.hlc > latest.get(atom.origin, 0):
                latest[atom.origin] = atom.hlc
            elif isinstance(atom, VoteAtom) and atom.cast.hlc > latest.get(atom.cast.voter, 0):
                latest[atom.cast.voter] = atom.cast.hlc
        return latest

    def advance(self, vector: VersionVector, without: Set[ProposalState], earlier: Set[ProposalState]) -> None:
        """Go on with what was told beyond a vector, `without` some, and with what was told before of `earlier` ones."""
        for journal, told in self._told.items():
            told.advance(vector.get(journal, 0), without, earlier)


class Told:
    """Of one journal. Three lists: a tuple for each event is much for the garbage collector.

    What is told of all of a bundle is noted by the bundle's own list, which is therefore looked at once.
    """

    __slots__ = ("_hlcs", "_news", "_seqs")

    def __init__(self) -> None:
        self._seqs: list[int] = []
        self._hlcs: list[int] = []
        self._news: list[Sequence[ProposalState]] = []

    def add(self, seq: int, hlc: int, news: Sequence[ProposalState]) -> None:
        """The event with this number told something of these proposals."""
        self._seqs.append(seq)
        self._hlcs.append(hlc)
        self._news.append(news)

    def split(self, low: int, lower: "_Lists", upper: "_Lists") -> None:
        """Add what was told of up to a number to `lower`, and what beyond to `upper`."""
        for seq, news in zip(self._seqs, self._news, strict=True):
            (upper if seq > low else lower).add(news)

    def last(self, above: int, upto: int) -> int:
        """The latest time between two numbers, 0 for none."""
        return max(compress(self._hlcs, [above < seq <= upto for seq in self._seqs]), default=0)

    def advance(self, low: int, without: Set[ProposalState], earlier: Set[ProposalState]) -> None:
        """Go on with what was told beyond a number, `without` some, and with what was told before of `earlier` ones."""
        seqs, hlcs, all_news = self._seqs, self._hlcs, self._news
        self._seqs, self._hlcs, self._news = [], [], []
        for seq, hlc, news in zip(seqs, hlcs, all_news, strict=True):
            left: Sequence[ProposalState] = news
            if seq <= low:
                left = [p for p in news if p in earlier] if earlier else ()
            elif not without.isdisjoint(news):
                left = [p for p in news if p not in without]
            if left:
                self.add(seq, hlc, left)


class _Lists:
    """Lists of proposals, hardly any of them twice: told of again, a bundle's list is the same object."""

    __slots__ = ("_last", "all")

    def __init__(self) -> None:
        self.all: list[Sequence[ProposalState]] = []
        self._last: dict[ProposalState, Sequence[ProposalState]] = {}
        """The last one that begins with a proposal."""

    def add(self, proposals: Sequence[ProposalState]) -> None:
        first = proposals[0]
        if self._last.get(first) is not proposals:
            self._last[first] = proposals
            self.all.append(proposals)
