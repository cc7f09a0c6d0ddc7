"""Proposals and conflicts as the API shows them."""

from collections.abc import Container
from operator import attrgetter
from typing import NamedTuple

import msgspec

from node.protocol.ballot import ProposalState
from node.protocol.context import Context
from node.protocol.events import HybridClock, hlc_wall_ms
from node.protocol.proposal import Verdict
from node.protocol.shapes import ConflictView, ProposalView, QuorumView, VoteView
from node.protocol.state import Fold
from node.protocol.tally import Tally

_round = attrgetter("round")

WHY = {
    "floor": "settled for good at the compaction floor",
    "resolution": "a person decided",
    "strategy": "the configured strategy decides",
}
OPEN = "none wins until a person decides"


class ProposalViews:
    """Looks into the fold. `unfounded`: decided by a vote of this node that a crash may still take back."""

    def __init__(self, ctx: Context, clock: HybridClock, fold: Fold, unfounded: Container[str]) -> None:
        self._ctx = ctx
        self._clock = clock
        self._fold = fold
        self._unfounded = unfounded
        self._last: _Count | None = None

    def newest(self, limit: int) -> tuple[ProposalView, ...]:
        """The newest proposals, newest first."""
        return tuple(map(self._seen, self._fold.newest(limit)))

    def lookup(self, name: str) -> tuple[ProposalView, ...]:
        """By key, or all that carry the label (P1)."""
        fold = self._fold
        keys = [name] if fold.get(name) else fold.by_label(name)
        states = [state for key in keys if (state := fold.get(key)) is not None]
        return tuple(self._seen(state) for state in states if not fold.is_unsure(state))

    @property
    def current(self) -> tuple[str, str] | None:
        """The current version and its hash (S2), of what is decided without a vote that is still on its way."""
        head = self._fold.head
        if head is None or head.key not in self._unfounded:
            return self._fold.current
        return self._fold.current_without(self._unfounded)

    def conflicts(self) -> tuple[ConflictView, ...]:
        """Slots with more than one accepted content (S1)."""
        return tuple(
            ConflictView(
                slot=conflict.slot,
                candidates=tuple(self.show(s) for key in conflict.keys if (s := self._fold.get(key)) is not None),
                winner=conflict.winner,
                strategy=self._ctx.settings.strategy,
                why=OPEN if conflict.open else WHY[conflict.by],
                open=conflict.open,
            )
            for conflict in self._fold.conflicts()
        )

    def _seen(self, state: ProposalState) -> ProposalView:
        """One proposal, to who looks at this moment: open until what decided it is on the disk."""
        view = self.show(state)
        if state.key not in self._unfounded:
            return view
        return msgspec.structs.replace(view, state="pending", reason=None, decided_at=None, settled=None)

    def show(self, state: ProposalState) -> ProposalView:
        """One proposal. `expired` is a display: a vote given in time may still turn up (P4)."""
        proposal = state.payload
        snapshot = proposal.kind == "snapshot"
        verdict: str = state.verdict
        if verdict == "pending" and self._clock.read(self._ctx.wall_ms) > proposal.deadline_hlc:
            verdict = "expired"
        count = self._count(state)
        version, base, to = (proposal.version, None, None) if snapshot else (None, proposal.base, proposal.version)
        # By place: msgspec looks for each name among all, which takes six times as long.
        return ProposalView(
            state.key, proposal.label, proposal.kind, proposal.hash, state.origin, verdict, state.birth.timestamp_ms,
            hlc_wall_ms(proposal.deadline_hlc), proposal.required, proposal.voters, count.votes, count.quorum,
            state.trace, state.round, version, base, to, count.reason, count.decided_ms, proposal.carried,
            state.settled,
        )  # fmt: skip

    def _count(self, state: ProposalState) -> "_Count":
        """What the votes come to. Those of one event, shown one after another, mostly share them: once for all."""
        last = self._last
        if (
            last is not None
            and last.tally is state.tally
            and last.cast == len(last.tally.votes)
            and last.verdict == state.verdict
            and not state.final
        ):
            return last
        proposal, votes = state.payload, dict[str, VoteView]()
        for cast in sorted(state.votes.values(), key=_round):
            votes[cast.voter] = VoteView(cast.vote, cast.reason, cast.timestamp_ms, cast.round)
        quorum = QuorumView(len(proposal.voters), len(votes), proposal.required, len(votes) >= proposal.required)
        count = _Count(
            state.tally, len(state.votes), state.verdict, votes, quorum, state.reason, state.decided_ms
        )  # fmt: skip
        self._last = count if state.tally.sharers > 1 and not state.final else None
        return count


class _Count(NamedTuple):
    """The votes of a tally, while it has so many, and what they come to."""

    tally: Tally
    cast: int
    verdict: Verdict
    votes: dict[str, VoteView]
    quorum: QuorumView
    reason: str | None
    decided_ms: int | None
