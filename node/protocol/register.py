"""Look-ups of proposals: by key, by label, by idempotency key, and rollbacks by content (P1, P6)."""

from collections.abc import Iterable, Sequence
from heapq import nlargest
from itertools import chain
from typing import Generic, TypeVar

from node.protocol.ballot import ProposalState, age
from node.protocol.proposal import Content

_Name = TypeVar("_Name")


class Index(Generic[_Name]):
    """Proposals by a name that seldom two of them have: a list for each would be much for the garbage collector."""

    __slots__ = ("_first", "_others")

    def __init__(self) -> None:
        self._first: dict[_Name, ProposalState] = {}
        self._others: dict[_Name, list[ProposalState]] = {}

    def add(self, name: _Name, proposal: ProposalState) -> None:
        """It has this name."""
        if self._first.setdefault(name, proposal) is not proposal:
            self._others.setdefault(name, []).append(proposal)

    def drop(self, name: _Name, proposal: ProposalState) -> list[ProposalState]:
        """It is forgotten; what is left under the name."""
        others = self._others.pop(name, None)
        if others is None:
            del self._first[name]
            return []
        left = [p for p in (self._first.pop(name), *others) if p is not proposal]
        for p in left:
            self.add(name, p)
        return left

    def named(self, name: _Name) -> list[ProposalState]:
        """All that have it."""
        first = self._first.get(name)
        return [] if first is None else [first, *self._others.get(name, ())]


class Register:
    """All proposals the fold knows."""

    def __init__(self) -> None:
        self.by_key: dict[str, ProposalState] = {}
        self.pending: dict[str, ProposalState] = {}
        self._rollbacks: Index[Content] = Index()
        """By content; snapshots and diffs of one content meet in the slot of their version."""
        self._by_label: Index[str] = Index()
        self._by_idempotency_key: Index[str] = Index()

    def add(self, proposal: ProposalState) -> None:
        """A new proposal, pending."""
        self.by_key[proposal.key] = self.pending[proposal.key] = proposal
        body = proposal.payload
        self._by_label.add(body.label, proposal)
        if body.idempotency_key is not None:
            self._by_idempotency_key.add(body.idempotency_key, proposal)
        if body.kind == "rollback":
            self._rollbacks.add(body.content, proposal)

    def add_snapshots(self, keys: Sequence[str], proposals: Sequence[ProposalState]) -> None:
        """Several new ones with their keys, pending."""
        self.by_key.update(zip(keys, proposals, strict=True))
        self.pending.update(zip(keys, proposals, strict=True))
        label = self._by_label.add
        for p in proposals:
            body = p.payload
            label(body.label, p)
            if body.idempotency_key is not None:
                self._by_idempotency_key.add(body.idempotency_key, p)

    def forget(self, proposals: Iterable[ProposalState]) -> list[ProposalState]:
        """Remove them, which are decided, and return the rollbacks that are left of equal content."""
        by_key = self.by_key
        twins: list[list[ProposalState]] = []
        for p in proposals:
            body = p.payload
            del by_key[p.key]
            self._by_label.drop(body.label, p)
            if body.idempotency_key is not None:
                self._by_idempotency_key.drop(body.idempotency_key, p)
            if body.kind == "rollback":
                twins.append(self._rollbacks.drop(body.content, p))
        return list(chain.from_iterable(twins))

    def rollbacks(self, content: Content) -> list[ProposalState]:
        """Those of equal content."""
        return self._rollbacks.named(content)

    def labelled(self, label: str) -> list[str]:
        """Keys of all that carry a label, the earliest first."""
        return [p.key for p in sorted(self._by_label.named(label), key=age)]

    def repeated(self, idempotency_key: str) -> str | None:
        """Key of the earliest made under an idempotency key."""
        made = self._by_idempotency_key.named(idempotency_key)
        return min(made, key=age).key if made else None

    def newest(self, limit: int) -> list[ProposalState]:
        """The newest, the newest first."""
        # Those that came last first: few of the others are newer than what was seen by then.
        return nlargest(limit, reversed(self.by_key.values()), key=age)

    def in_order(self) -> list[str]:
        """All keys, the earliest first."""
        return [p.key for p in sorted(self.by_key.values(), key=age)]
