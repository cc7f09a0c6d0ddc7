"""What the events of a journal told of which proposals, event by event: a floor touches those alone (C1)."""

from collections.abc import Iterable, Sequence, Set
from itertools import chain, compress
from operator import not_

from node.protocol.ballot import ProposalState


class Told:
    """Of one journal. Three lists: a tuple for each event is much for the garbage collector."""

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

    def split(self, low: int) -> tuple[Iterable[ProposalState], Iterable[ProposalState]]:
        """What was told of up to a number, and beyond. A proposal comes as often as it was told of."""
        above = [seq > low for seq in self._seqs]
        lower, upper = compress(self._news, map(not_, above)), compress(self._news, above)
        return chain.from_iterable(lower), chain.from_iterable(upper)

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
