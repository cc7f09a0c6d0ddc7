"""Look-ups of proposals: by key, by label, by content, by idempotency key (P1, P6)."""

from heapq import nlargest
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

    def remove(self, proposal: ProposalState) -> None:
        """A proposal is forgotten."""
        del self.by_key[proposal.key]
        self.pending.pop(proposal.key, None)
        _drop(self._by_content, proposal.content, proposal)
        _drop(self._by_label, proposal.payload.label, proposal)
        if proposal.payload.idempotency_key is not None:
            _drop(self._by_idempotency_key, proposal.payload.idempotency_key, proposal)

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


def _drop(index: dict[_Key, list[ProposalState]], name: _Key, proposal: ProposalState) -> None:
    same = index[name]
    if len(same) > 1:
        same.remove(proposal)
    else:
        del index[name]
