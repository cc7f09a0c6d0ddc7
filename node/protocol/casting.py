"""The votes this node casts: what it is asked for, what it holds back, and what is on its way to the disk (P3).

Votes asked for within one step are cast as one event at its end, and a vote, once written, is never taken back. A
proposal whose base is not yet known, or whose config differs, is held until it can be judged or its deadline nears; so
is one whose content is not here yet.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from node.protocol.ballot import ProposalState
from node.protocol.context import Context
from node.protocol.effects import ObserveEach
from node.protocol.events import VOTES
from node.protocol.membership import Membership
from node.protocol.proposal import Content, Proposal, VoteWord
from node.protocol.replication import Replication
from node.protocol.state import Fold
from node.protocol.voting import ACCEPT, Voting


class Casting:
    """This node's votes."""

    def __init__(
        self, ctx: Context, members: Membership, replication: Replication, fold: Fold, voting: Voting
    ) -> None:  # fmt: skip
        self._ctx = ctx
        self._members = members
        self._replication = replication
        self._fold = fold
        self._voting = voting
        self.ballot: dict[tuple[str, int], None] = {}
        """Proposals and rounds to be voted on at the end of this step."""
        self._held: dict[tuple[str, int], float] = {}
        """Those to be voted on later -> when at the latest, before the deadline (monotonic s)."""
        self._unsynced: dict[str, int] = {}
        """Proposals whose vote of ours is on its way to the disk -> the persist it is in, in order."""
        self.unfounded: dict[str, int] = {}
        """Proposals decided here by such a vote -> the persist it is in."""

    def retry(self) -> None:
        """What was held may be judged now."""
        if self._held:
            self.ballot |= dict.fromkeys(self._held)
            self._held.clear()

    def tick(self) -> None:
        """Vote on held proposals before their deadline."""
        mono = self._ctx.mono
        for held in [held for held, due in self._held.items() if due <= mono]:
            del self._held[held]
            self.ballot[held] = None
        if self._held:
            self._ctx.wake(min(self._held.values()))

    def look(self, pending: list[ProposalState]) -> None:
        """With every heartbeat: vote on what was held or missed."""
        own = self._ctx.settings.id
        self._held.clear()
        for state in pending:
            if own in state.payload.voters:
                for round_ in sorted({0, state.round}):
                    if (own, round_) not in state.votes:
                        self.ballot[state.key, round_] = None

    def flush(self) -> None:
        """End of a step: vote on everything in the ballot that can be judged now."""
        if not self.ballot or not self._members.can_vote:
            return
        ctx, fold, own = self._ctx, self._fold, self._ctx.settings.id
        ballot, self.ballot = self.ballot, {}
        number = ctx.next_persist
        votes: list[dict[str, Any]] = []
        trace = ""
        proposers: set[str] = set()
        planned: dict[str, Content] = {}
        together: set[str] = set()
        for key, round_ in ballot:
            if key in together and round_ == 0:
                continue
            bundle = fold.bundle(key) if round_ == 0 else None
            if bundle is not None:
                if (own, 0) in bundle.tally.votes:
                    together.update(bundle.keys)
                    continue
                shared = self._voting.judge_all(bundle) if all((each, 0) in ballot for each in bundle.keys) else None
                if shared is not None:
                    together.update(bundle.keys)
                    self._cast(bundle.proposals, 0, *shared, number, votes)
                    trace = bundle.proposals[-1].trace
                    proposers.add(bundle.proposals[0].origin)
                    continue
            state = fold.get(key)
            if state is None or (own, round_) in state.votes or own not in state.payload.voters:
                continue
            if state.verdict != "pending" and (round_ > 0 or state.final):
                continue
            lasting = state.lasting(own)
            judged = (
                (lasting.vote, lasting.reason)
                if lasting is not None
                else self._voting.judge(state.origin, state.payload, round_, state.hlc, state, planned)
            )
            if judged is None:
                self._hold(key, round_, state.payload)
                continue
            vote, reason = judged
            if vote == ACCEPT and state.contested:
                planned |= dict.fromkeys(state.payload.slots, state.content)
            self._cast((state,), round_, vote, reason, number, votes)
            trace = state.trace
            proposers.add(state.origin)
        if votes:
            # Only the proposers' clients wait for these votes.
            self._replication.append(VOTES, {"votes": votes}, trace if len(votes) == 1 else "", urgent_to=proposers)

    def _cast(
        self,
        proposals: Sequence[ProposalState],
        round_: int,
        vote: VoteWord,
        reason: str | None,
        number: int,
        votes: list[dict[str, Any]],
    ) -> None:
        """Say the same of all of these, in persist `number`."""
        why = {} if reason is None else {"reason": reason}
        for state in proposals:
            key, body = state.key, state.payload
            votes.append({"proposal": key, "round": round_, "hash": body.hash, "vote": vote, **why})
            self.written(key, number)
        each = [(state.trace, state.payload.label) for state in proposals]
        fields: dict[str, object] = {"vote": vote, "reason": reason or ""}
        self._ctx.effect(ObserveEach("VOTE", "debug", self._ctx.mono, fields, "proposal", each))
        self._voting.voted[vote].n += len(proposals)

    def _hold(self, key: str, round_: int, proposal: Proposal) -> None:
        due = self._ctx.mono + self._voting.patience_s(proposal)
        self._held[(key, round_)] = due
        self._ctx.wake(due)

    # On the way to the disk

    def written(self, key: str, number: int) -> None:
        """Our vote on this proposal is in persist `number`."""
        self._unsynced.pop(key, None)
        self._unsynced[key] = number

    def decided(self, states: Iterable[ProposalState]) -> None:
        """What is decided by now may rest on our vote: it is shown once that is on the disk."""
        unsynced = self._unsynced
        if unsynced:
            for state in states:
                number = unsynced.get(state.key)
                if number is not None and state.verdict != "pending":
                    self.unfounded[state.key] = number

    def durable_with(self, key: str) -> int:
        """The persist that our vote on this proposal is on its way with, 0 for none."""
        return self._unsynced.get(key, 0)

    def synced(self, number: int) -> None:
        """The disk has caught up to persist `number`: our votes in it are durable."""
        if self.unfounded:
            for key in [key for key, persist in self.unfounded.items() if persist <= number]:
                del self.unfounded[key]
        passed = []
        for key, persist in self._unsynced.items():
            if persist > number:
                break
            passed.append(key)
        # In one walk: to look for the first entry again after each that goes would pass over all that went before.
        for key in passed:
            del self._unsynced[key]
