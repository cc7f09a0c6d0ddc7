"""What follows from proposals, votes, rounds and resolutions: verdicts, winners of slots, the current version.

Kept up to date fact by fact: a verdict is looked at when a vote for it or for another in its slots comes in, a
settlement when something is accepted, and then only what is linked to it by slots (P4, S1, S2).
"""

import hashlib
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from node.protocol.ballot import ProposalState, Slot, age, front_runners, judge
from node.protocol.bundle import Bundle, may_bundle
from node.protocol.checkpoint import Kept
from node.protocol.conflicts import Conflict, conflict_in
from node.protocol.proposal import VERSION_SLOT, Birth, Cast, Content, Opening, Resolution, Verdict
from node.protocol.register import Register
from node.protocol.settings import Strategy
from node.protocol.settlement import Lineage, Void, choices, settle
from node.protocol.tally import Tally
from node.protocol.versions import VersionKey, parse

_DIGEST_BYTES = 16
_key, _order, _mark = attrgetter("key"), attrgetter("order"), attrgetter("mark")


class Change(NamedTuple):
    """What an event did to a proposal: it became known (`new`), or its verdict is now another one, or both.

    It is told once of several to which it did the same: they are of one bundle.
    """

    proposals: Sequence[ProposalState]
    verdict: Verdict
    new: bool


class Stall(NamedTuple):
    """A split that nothing can win any more, and the proposal to put to the vote in a further round (P5)."""

    key: str
    round: int
    slots: tuple[Any, ...]
    """`slots` of the `ROUND_OPENED`: pairs of a slot and the round up to which it is dead."""


class Decisions:
    """Verdicts and settlements of all proposals known. It takes no fact twice: the fold sees to that."""

    def __init__(self, strategy: Strategy, highest: str | None, voids: Iterable[tuple[str, str]]) -> None:
        self.register = Register()
        self.slots: dict[str, Slot] = {}
        self.contended: set[str] = set()
        """Slots with two or more accepted contents."""
        self.resolutions: dict[str, Resolution] = {}
        self.highest = highest
        self.highest_order: VersionKey | None = parse(highest) if highest else None
        self.touched: dict[str, ProposalState] = {}
        """What changed since the last digest."""
        self._strategy: Strategy = strategy
        self._voids = tuple(voids)
        self._contested: set[str] = set()
        self._lineage: Lineage | None = None
        self._sum = 0
        """Of the marks of all proposals as they were when the last digest was made."""

    @property
    def lineage(self) -> Lineage:
        """The versions that settled proposals lead to."""
        if self._lineage is None:
            settled = (p for p in self.register.by_key.values() if p.settled)
            self._lineage = Lineage(settled, (Void.of(low, high) for low, high in self._voids))
        return self._lineage

    @property
    def current(self) -> tuple[str, str] | None:
        """The current version and the hash that settled it (S2)."""
        head = self.lineage.current
        return (head.payload.version, head.payload.hash) if head is not None else None

    def admit(self, birth: Birth, order: VersionKey) -> ProposalState:
        """A proposal becomes known, pending and without votes."""
        p = ProposalState(birth, order, Tally())
        self.register.add(p)
        self.touched[p.key] = p
        slots = []
        for name in birth.payload.slots:
            slot = self.slots.get(name)
            if slot is None:
                slot = self.slots[name] = Slot(name, p)
            else:
                for each in slot.proposals:
                    each.part()
                slot.add(p)
            if slot.contested and not slot.accepted:
                self._contested.add(name)
            slots.append(slot)
        p.slots = tuple(slots)
        return p

    def admit_bundle(self, births: Sequence[tuple[Birth, VersionKey]]) -> Bundle | None:
        """The same for proposals of one event at once, if they may share their votes."""
        if not may_bundle(births):
            return None
        names = [birth.payload.slots[0] for birth, _ in births]
        slots = self.slots
        if len(set(names)) < len(names) or any(name in slots for name in names):
            return None
        tally = Tally(len(births))
        proposals = [ProposalState(birth, order, tally) for birth, order in births]
        for name, p in zip(names, proposals, strict=True):
            slot = slots[name] = Slot(name, p)
            p.slots = (slot,)
        bundle = Bundle(proposals, tally)
        self.register.add_snapshots(bundle.keys, proposals)
        self.touched.update(zip(bundle.keys, proposals, strict=True))
        return bundle

    def freeze(self, p: ProposalState, verdict: Verdict, reason: str | None) -> None:
        """The floor decides: no vote changes this any more (C1)."""
        p.verdict, p.final, p.final_reason = verdict, True, reason
        self.register.pending.pop(p.key)

    def restore(self, kept: Kept) -> None:
        """Put back what a floor kept of a proposal."""
        p = self.admit(kept.birth, parse(kept.birth.payload.version))
        for opening in kept.openings:
            p.open(opening)
        for cast in kept.votes:
            p.cast(cast)
            for slot in p.slots:
                slot.bind(p, cast)
        if kept.final:
            self.freeze(p, kept.verdict, kept.reason)
            p.settled = p.standing = kept.settled
            p.rooted = kept.rooted
        if p.verdict == "accepted":
            self._occupy(p)

    def is_alone(self, p: ProposalState) -> bool:
        """Whether no other proposal is in its slots, or of its content."""
        for slot in p.slots:
            if len(slot.proposals) > 1:
                return False
        return p.payload.kind != "rollback" or len(self.same(p.content)) == 1

    def same(self, content: Content) -> list[ProposalState]:
        """All of equal content."""
        if content[0] == "rollback":
            return self.register.rollbacks(content)
        slot = self.slots.get(f"{VERSION_SLOT}{content[2]}")
        return [] if slot is None else [p for p in slot.proposals if p.content == content]

    def find(self, content: Content) -> ProposalState | None:
        """The earliest accepted of equal content, or else the pending one that ends last (P6)."""
        same = self.same(content)
        if not same:
            return None
        accepted = [p for p in same if p.verdict == "accepted"]
        if accepted:
            return min(accepted, key=age)
        pending = (p for p in same if p.verdict == "pending")
        return max(pending, key=lambda p: (p.payload.deadline_hlc, p.key), default=None)

    def borrow(self, proposals: Sequence[ProposalState]) -> None:
        """List what was decided elsewhere. It stays as it is: nothing here competes with it."""
        self.register.by_key.update(zip(map(_key, proposals), proposals, strict=True))
        accepted = (p for p in proposals if p.verdict == "accepted" and p.payload.kind != "rollback")
        highest = max(accepted, key=_order, default=None)
        if highest is not None:
            self._raise_highest(highest)
        self._lineage = None

    def finish(
        self, kept: Iterable[Kept], forgotten: Sequence[ProposalState], voids: Iterable[tuple[str, str]]
    ) -> None:
        """A floor makes final what was decided here in the same way, and forgets what else lies below it (C1)."""
        changed: set[Slot] = set()
        linked = self.register.forget(forgotten)
        slots, touched = self.slots, self.touched
        for p in forgotten:
            touched.pop(p.key, None)
            for slot in p.slots:
                if len(slot.proposals) == 1:
                    del slots[slot.name]
                else:
                    changed.add(slot)
            p.slots = ()
        self._sum -= sum(map(_mark, forgotten))
        for each in kept:
            p = self.register.by_key[each.birth.key]
            if each.final:
                p.final, p.final_reason, p.standing, p.rooted = True, each.reason, each.settled, each.rooted
                if p.recall(each.votes, each.openings):
                    changed.update(p.slots)
        for slot in changed:
            linked += self._renew(slot)
        former, self._voids = self._voids, tuple(voids)
        if self._lineage is not None and not (self._voids == former and self._lineage.forget(forgotten)):
            self._lineage = None
        for p in linked:
            if p.verdict == "accepted" and not p.final:
                self._settle_group(p)

    def release(self) -> None:
        """Proposals and slots hold one another: let go of them, so that they are freed at once.

        What was borrowed has its slots elsewhere, and keeps them.
        """
        for slot in self.slots.values():
            for p in slot.proposals:
                p.slots = ()

    def _renew(self, old: Slot) -> list[ProposalState]:
        """Build a slot anew from those of its proposals that are left, and return them."""
        left = [p for p in old.proposals if p.key in self.register.by_key]
        self._contested.discard(old.name)
        self.contended.discard(old.name)
        if not left:
            del self.slots[old.name]
            return []
        slot = self.slots[old.name] = Slot(old.name, left[0])
        for p in left[1:]:
            slot.add(p)
        for p in left:
            p.slots = tuple(slot if each.name == slot.name else each for each in p.slots)
            p.contested = any(each.contested for each in p.slots)
        slot.accepted = tuple(p for p in left if p.verdict == "accepted")
        if slot.contested and not slot.accepted:
            self._contested.add(slot.name)
        if len({p.content for p in slot.accepted}) > 1:
            self.contended.add(slot.name)
        return left

    def refresh(self) -> None:
        """After a floor was put in place: look at everything that is not final."""
        nothing: list[Change] = []
        for p in list(self.register.by_key.values()):
            if p.verdict != "accepted":
                self.judge(p, nothing)
            elif p.final and p.settled is None:
                self._settle_group(p)

    def cast(self, p: ProposalState, cast: Cast, changes: list[Change]) -> None:
        """A vote counts."""
        p.cast(cast)
        if not p.contested:
            if p.verdict != "accepted":
                self.judge(p, changes)
            return
        for slot in p.slots:
            slot.bind(p, cast)
        self.judge(p, changes)
        if cast.vote == "accept":
            self._judge_others(p, changes)

    def cast_bundle(self, bundle: Bundle, cast: Cast, changes: list[Change]) -> None:
        """A vote counts for all of a bundle (`Bundle.is_open_to`): what it comes to for one, it does for each."""
        bundle.tally.cast(cast)
        first = bundle.proposals[0]
        if first.verdict != "pending":
            return
        verdict = judge(first)
        if verdict == "pending":
            return
        proposals, pending, lineage = bundle.proposals, self.register.pending, self._lineage
        changes.append(Change(proposals, verdict, False))
        for p in proposals:
            del pending[p.key]
            p.verdict = verdict
        self.touched.update(zip(bundle.keys, proposals, strict=True))
        if verdict == "accepted":
            for p in proposals:
                # Alone in its slot, and so the only one of its content.
                slot = p.slots[0]
                slot.accepted, p.settled = slot.proposals, True
            if lineage is not None:
                lineage.add_apart(proposals)
            self._raise_highest(max(proposals, key=_order))

    def open(self, p: ProposalState, opening: Opening, changes: list[Change]) -> None:
        """A further round of a proposal (P5)."""
        p.open(opening)
        self.judge(p, changes)

    def resolve(self, resolution: Resolution) -> None:
        """A person's decision (S1)."""
        self.resolutions[resolution.id] = resolution
        p = self.register.by_key.get(resolution.key)
        if p is not None and p.verdict == "accepted":
            self._settle_group(p)

    def judge(self, p: ProposalState, changes: list[Change]) -> None:
        """Look at a verdict again, and at what hangs on it."""
        if p.final or p.verdict == "accepted":
            return
        verdict = judge(p)
        if verdict == p.verdict:
            return
        if verdict == "pending":
            self.register.pending[p.key] = p
        else:
            self.register.pending.pop(p.key, None)
        p.verdict = verdict
        self.touched[p.key] = p
        changes.append(Change((p,), verdict, False))
        if verdict == "accepted":
            self._accept(p)
            self._judge_others(p, changes)

    def _judge_others(self, p: ProposalState, changes: list[Change]) -> None:
        for slot in p.slots:
            if len(slot.proposals) > 1:
                for other in slot.proposals:
                    if other.verdict == "pending" and other is not p:
                        self.judge(other, changes)

    def _accept(self, p: ProposalState) -> None:
        if p.payload.kind != "rollback":
            self._raise_highest(p)
        self._occupy(p)
        if self.is_alone(p):
            self._set_settled(p, True)
        else:
            self._settle_group(p)

    def _raise_highest(self, p: ProposalState) -> None:
        if self.highest_order is None or p.order > self.highest_order:
            self.highest_order, self.highest = p.order, p.payload.version

    def _occupy(self, p: ProposalState) -> None:
        for slot in p.slots:
            slot.accepted += (p,)
            if not slot.contested:
                continue
            self._contested.discard(slot.name)
            if any(True for _ in slot.rivals(p.content)):
                self.contended.add(slot.name)

    def _settle_group(self, p: ProposalState) -> None:
        """Settle anew what is linked to `p` by slots and contents; nothing else can be touched by it."""
        group = {p.key: p}
        waiting = [p]
        while waiting:
            each = waiting.pop()
            linked = [q for slot in each.slots for q in slot.accepted]
            linked += [q for q in self.same(each.content) if q.verdict == "accepted"]
            for q in linked:
                if q.key not in group:
                    group[q.key] = q
                    waiting.append(q)
        chosen = choices(group, self.resolutions.values()) if self.resolutions else {}
        outcome = settle(group.values(), self._strategy, chosen)
        for q in group.values():
            self._set_settled(q, outcome[q.content])

    def _set_settled(self, p: ProposalState, settled: bool | None) -> None:
        if p.settled is settled:
            return
        if settled and p.payload.kind != "rollback":
            if self._lineage is not None:
                self._lineage.add(p)
        elif settled or p.settled:
            self._lineage = None
        p.settled = settled
        self.touched[p.key] = p

    def digest(self) -> str:
        """Short hex of all verdicts and settlements, and of the current version (S3)."""
        for p in self.touched.values():
            text = f"{p.key} {p.verdict} {p.settled}"
            mark = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest())
            self._sum += mark - p.mark
            p.mark = mark
        self.touched.clear()
        self._sum %= 1 << 8 * _DIGEST_BYTES
        state = f"{self.current} {self.highest} {self.lineage.voids} {self._sum:x}"
        return hashlib.blake2b(state.encode(), digest_size=_DIGEST_BYTES // 2).hexdigest()

    def stalls(self, hlc: int) -> list[Stall]:
        """What to put to the vote again, sorted (P5)."""
        if not self._contested:
            return []
        runs = front_runners([self.slots[name] for name in self._contested], hlc)
        return sorted(Stall(run.proposal.key, run.round, tuple(sorted(run.dead.items()))) for run in runs)

    def conflicts(self) -> list[Conflict]:
        """Slots with two or more accepted contents, by name (S1)."""
        return [conflict_in(self.slots[name], self.resolutions.values()) for name in sorted(self.contended)]
