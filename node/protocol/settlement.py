"""From accepted proposals to the current version (S1, S2).

Two accepted contents that share a slot are a conflict. What the floor settled stands; a person's decision comes next;
then the strategy. Of what is settled, the current version is the greatest that snapshots and unbroken chains of diffs
lead to, without what settled rollbacks removed: a rollback `{from, to}` removes every version in (to, from], however
and whenever it arrived.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from node.protocol.ballot import ProposalState
from node.protocol.proposal import Content, Resolution
from node.protocol.settings import Strategy
from node.protocol.versions import VersionKey, parse

_Rank = tuple[int, int, str]


class Void(NamedTuple):
    """Versions above `low` and up to `high` were rolled back; the texts are for storing it."""

    low: VersionKey
    high: VersionKey
    low_text: str
    high_text: str

    @classmethod
    def of(cls, low: str, high: str) -> "Void":
        """From two versions."""
        return cls(parse(low), parse(high), low, high)


class Contender:
    """One content among the accepted: all keys that carry it stand and fall together."""

    __slots__ = ("content", "names", "proposals")

    def __init__(self, content: Content) -> None:
        self.content = content
        self.proposals: list[ProposalState] = []
        self.names: set[str] = set()

    def rank(self, strategy: Strategy) -> _Rank:
        """Greatest wins (S1): the term in which the proposer led if the strategy asks for it, then the last write."""
        by_term: Final = strategy == "leader-wins"
        return max((p.payload.leader_term if by_term else 0, p.hlc, p.key) for p in self.proposals)

    @property
    def standing(self) -> bool | None:
        """What the floor made of it."""
        stands = [p.standing for p in self.proposals if p.standing is not None]
        return any(stands) if stands else None


def settle(
    accepted: Iterable[ProposalState], strategy: Strategy, chosen: Mapping[str, Resolution]
) -> dict[Content, bool | None]:
    """Who wins among accepted proposals that are linked by slots: True won, False lost, None open (S1).

    `chosen` maps keys to the resolutions that name them.
    """
    contenders: dict[Content, Contender] = {}
    for proposal in accepted:
        contender = contenders.setdefault(proposal.content, Contender(proposal.content))
        contender.proposals.append(proposal)
        contender.names.update(slot.name for slot in proposal.slots)
    outcome: dict[Content, bool | None] = {}
    taken: set[str] = set()

    def take(ordered: Iterable[Contender]) -> None:
        for contender in ordered:
            outcome[contender.content] = taken.isdisjoint(contender.names)
            if outcome[contender.content]:
                taken.update(contender.names)

    for contender in contenders.values():
        if contender.standing is not None:
            outcome[contender.content] = contender.standing
            taken.update(contender.names if contender.standing else ())
    take(_chosen_first([c for c in contenders.values() if c.content not in outcome], chosen))
    rest = [c for c in contenders.values() if c.content not in outcome]
    if strategy != "reject-inconsistent":
        take(sorted(rest, key=lambda c: c.rank(strategy), reverse=True))
        return outcome
    possible = [c for c in rest if taken.isdisjoint(c.names)]
    take(c for c in rest if c not in possible)
    for contender in possible:
        alone = all(c is contender or c.names.isdisjoint(contender.names) for c in possible)
        outcome[contender.content] = True if alone else None
    return outcome


def choices(group: Mapping[str, ProposalState], resolutions: Iterable[Resolution]) -> dict[str, Resolution]:
    """Key -> decision, for the last decision on each slot that names one of the accepted proposals in it."""
    by_slot: dict[str, Resolution] = {}
    for r in resolutions:
        proposal = group.get(r.key)
        if proposal is not None and any(slot.name == r.slot for slot in proposal.slots):
            last = by_slot.get(r.slot)
            if last is None or (last.hlc, last.id) < (r.hlc, r.id):
                by_slot[r.slot] = r
    return {r.key: r for r in sorted(by_slot.values(), key=lambda r: (r.hlc, r.id))}


def _chosen_first(contenders: list[Contender], chosen: Mapping[str, Resolution]) -> list[Contender]:
    """Those that a person named, the latest decision first."""
    ranked = [
        (max((chosen[p.key].hlc, chosen[p.key].id) for p in c.proposals if p.key in chosen), c)
        for c in contenders
        if any(p.key in chosen for p in c.proposals)
    ]
    return [c for _, c in sorted(ranked, key=lambda pair: pair[0], reverse=True)]


class Lineage:
    """The versions that settled proposals lead to, grown one by one; after a loss it is built anew (S2)."""

    def __init__(self, settled: Iterable[ProposalState] = (), voids: Iterable[Void] = ()) -> None:
        self.by_version: dict[str, ProposalState] = {}
        self.restored: dict[str, ProposalState] = {}
        """Version -> the last settled rollback to it."""
        self.reachable: dict[str, bool] = {}
        """Versions one can go to, in the order in which they became so -> whether it was the greatest then."""
        self.current: ProposalState | None = None
        self._waiting: dict[str, list[ProposalState]] = {}
        self._is_plain = True
        """Whether it is of snapshots alone, one for each version, and none was rolled back: none needs another."""
        proposals = list(settled)
        rollbacks = [p for p in proposals if p.payload.kind == "rollback"]
        for rollback in rollbacks:
            last = self.restored.get(rollback.payload.version)
            if last is None or (last.hlc, last.key) < (rollback.hlc, rollback.key):
                self.restored[rollback.payload.version] = rollback
        self.voids = merge([*voids, *(Void.of(p.payload.version, p.payload.base) for p in rollbacks if p.payload.base)])
        if not self.voids and len({p.payload.version for p in proposals if p.payload.base is None}) == len(proposals):
            self.add_apart(proposals)
            return
        self._is_plain = not self.voids
        for proposal in proposals:
            if proposal.payload.kind != "rollback":
                self.add(proposal)

    def forget(self, proposals: Iterable[ProposalState]) -> bool:
        """Go on without these, none of which is current. False where others may depend on them: build it anew."""
        if not self._is_plain:
            return False
        by_version, reachable = self.by_version, self.reachable
        for proposal in proposals:
            version = proposal.payload.version
            if by_version.get(version) is proposal:
                del by_version[version], reachable[version]
        return True

    def is_void(self, order: VersionKey) -> bool:
        """Whether a rollback removed this version."""
        below = bisect_left(self.voids, order, key=_low)
        return below > 0 and order <= self.voids[below - 1].high

    def greatest(self, but: Container[str]) -> ProposalState | None:
        """What leads to the greatest version that one can go to, `but` for these keys: few, and of late."""
        last: ProposalState | None = None
        for version, was_greatest in reversed(self.reachable.items()):
            each = self.by_version[version]
            if each.key in but:
                continue
            if last is None or last.order < each.order:
                last = each
            if was_greatest:
                break  # What came before is no greater.
        return last

    def add_apart(self, snapshots: Sequence[ProposalState]) -> None:
        """Snapshots of versions that nothing else leads to, nor waits for, have settled."""
        if self.voids or self._waiting:
            for proposal in snapshots:
                self.add(proposal)
            return
        by_version, reachable, current = self.by_version, self.reachable, self.current
        for proposal in snapshots:
            version = proposal.payload.version
            by_version[version] = proposal
            greatest = reachable[version] = current is None or current.order < proposal.order
            if greatest:
                current = proposal
        self.current = current

    def add(self, proposal: ProposalState) -> None:
        """A snapshot or diff has settled. Of keys with the same content the earliest speaks for the version."""
        payload = proposal.payload
        version, base = payload.version, payload.base
        self._is_plain &= base is None and version not in self.by_version
        former = self.by_version.setdefault(version, proposal)
        if former is not proposal and (proposal.hlc, proposal.key) < (former.hlc, former.key):
            self.by_version[version] = proposal
        if version in self.reachable or (self.voids and self.is_void(proposal.order)):
            return
        if base is None and version not in self._waiting:
            self._arrive(proposal)
        elif base is None or proposal.rooted or (base in self.reachable and self._stands_on(proposal, base)):
            self._reach(proposal)
        else:
            self._waiting.setdefault(base, []).append(proposal)

    def _stands_on(self, proposal: ProposalState, base: str) -> bool:
        wanted = proposal.payload.base_hash
        return wanted is None or wanted == self.by_version[base].payload.hash

    def _arrive(self, proposal: ProposalState) -> None:
        """One can go to its version."""
        greatest = self.current is None or self.current.order < proposal.order
        self.reachable[proposal.payload.version] = greatest
        if greatest:
            self.current = proposal

    def _reach(self, proposal: ProposalState) -> None:
        ready = [proposal]
        for each in ready:
            self._arrive(each)
            version = each.payload.version
            if version in self._waiting:
                ready += [p for p in self._waiting.pop(version) if self._stands_on(p, version)]


def _low(void: Void) -> VersionKey:
    return void.low


def merge(voids: Iterable[Void]) -> list[Void]:
    """The same removed versions in as few ranges as possible, in order."""
    merged: list[Void] = []
    for void in sorted(voids):
        last = merged[-1] if merged else None
        if last is None or void.low > last.high:
            merged.append(void)
        elif void.high > last.high:
            merged[-1] = Void(last.low, void.high, last.low_text, void.high_text)
    return merged
