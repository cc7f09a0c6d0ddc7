"""Look-ups of proposals: by key, by label, by content, by idempotency key (P1, P6)."""

from collections.abc import Iterable
from heapq import nlargest
from itertools import chain
from typing import TypeVar

from node.protocol.ballot import ProposalState, age
from node.protocol.proposal import Content

_Key = TypeVar("_Key")


class Register:
    """All proposals the fold knows."""

    def __init__(self) -> None:
        self.by_key: dict[str, ProposalState] = {}
        self.pending: dict[str, ProposalState] = {}
        self._by_content: dict[Content, list[ProposalState]] = {}
        self._by_label: dict[str, list[ProposalState]] = {}
        self._by_idempotency_key: dict[str, list[ProposalState]] = {}

    def add(self, proposal: ProposalState) -> None:
        """A new proposal, pending."""
        self.by_key[proposal.key] = self.pending[proposal.key] = proposal
        self._by_content.setdefault(proposal.content, []).append(proposal)
        self._by_label.setdefault(proposal.payload.label, []).append(proposal)
        if proposal.payload.idempotency_key is not None:
            self._by_idempotency_key.setdefault(proposal.payload.idempotency_key, []).append(proposal)

    def forget(self, proposals: Iterable[ProposalState]) -> list[ProposalState]:
        """Remove them, and return those that are left of equal content."""
        by_key, pending, by_content = self.by_key, self.pending, self._by_content
        twins: list[list[ProposalState]] = []
        for p in proposals:
            del by_key[p.key]
            pending.pop(p.key, None)
            same = _drop(by_content, p.content, p)
            if same:
                twins.append(same)
            _drop(self._by_label, p.payload.label, p)
            if p.payload.idempotency_key is not None:
                _drop(self._by_idempotency_key, p.payload.idempotency_key, p)
        return list(chain.from_iterable(twins))

    def same(self, content: Content) -> list[ProposalState]:
        """All of equal content."""
        return self._by_content.get(content, [])

    def labelled(self, label: str) -> list[str]:
        """Keys of all that carry a label, the earliest first."""
        return [p.key for p in sorted(self._by_label.get(label, ()), key=age)]

    def repeated(self, idempotency_key: str) -> str | None:
        """Key of the earliest made under an idempotency key."""
        made = self._by_idempotency_key.get(idempotency_key)
        return min(made, key=age).key if made else None

    def find(self, content: Content) -> str | None:
        """Key of the earliest accepted of equal content, or else of the pending one that ends last."""
        same = self._by_content.get(content)
        if same is None:
            return None
        accepted = [p for p in same if p.verdict == "accepted"]
        if accepted:
            return min(accepted, key=age).key
        pending = [p for p in same if p.verdict == "pending"]
        return max(pending, key=lambda p: (p.payload.deadline_hlc, p.key)).key if pending else None

    def newest(self, limit: int) -> list[ProposalState]:
        """The newest, the newest first."""
        # Those that came last first: few of the others are newer than what was seen by then.
        return nlargest(limit, reversed(self.by_key.values()), key=age)

    def in_order(self) -> list[str]:
        """All keys, the earliest first."""
        return [p.key for p in sorted(self.by_key.values(), key=age)]


def _drop(index: dict[_Key, list[ProposalState]], name: _Key, proposal: ProposalState) -> list[ProposalState]:
    """What is left under the name."""
    same = index[name]
    same.remove(proposal)
    if not same:
        del index[name]
    return same
