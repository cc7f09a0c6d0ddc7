"""What clients propose here within one step, on its way into this node's log (P1, P2).

Snapshots of rising versions share one event: they cannot touch one another, so each is judged as if it came alone.
Whatever else comes ends the event before it.
"""

from typing import NamedTuple

import msgspec

from node.protocol import quorum
from node.protocol.callers import Caller
from node.protocol.context import Context
from node.protocol.election import Election
from node.protocol.events import HybridClock, hlc_from_wall_ms
from node.protocol.membership import Membership
from node.protocol.proposal import Proposal, VoteWord
from node.protocol.requests import Propose
from node.protocol.state import Fold
from node.protocol.versions import parse
from node.protocol.voting import ACCEPT, Voting

MAX_DRAFTS = 500
"""Proposals in one event: well below what one envelope takes."""


class Draft(NamedTuple):
    """What a client proposed, and whose it is: the call, and its place there."""

    caller: Caller
    place: int
    ask: Propose


class Drafts:
    """Proposals of one event that is not yet written."""

    def __init__(
        self, ctx: Context, clock: HybridClock, members: Membership, election: Election, fold: Fold, voting: Voting
    ) -> None:
        self._ctx = ctx
        self._clock = clock
        self._members = members
        self._election = election
        self._fold = fold
        self._voting = voting
        self.waiting: list[Draft] = []
        """What is to be written."""
        self._idempotency_keys: set[str] = set()

    def may_join(self, ask: Propose) -> bool:
        """Whether it may share the event of those before it."""
        if not self.waiting:
            return True
        last = self.waiting[-1].ask
        return (
            ask.kind == last.kind == "snapshot"
            and parse(last.version) < parse(ask.version)
            and ask.idempotency_key not in self._idempotency_keys
            and len(self.waiting) < MAX_DRAFTS
        )

    def add(self, caller: Caller, place: int, ask: Propose) -> None:
        """One more, if it may join."""
        self.waiting.append(Draft(caller, place, ask))
        if ask.idempotency_key is not None:
            self._idempotency_keys.add(ask.idempotency_key)

    def take(self) -> tuple[list[Draft], list[Proposal]]:
        """What is to be written as one event: drawn up, with this node's votes as far as it can tell already (P1)."""
        drafts, self.waiting = self.waiting, []
        self._idempotency_keys.clear()
        asks = [draft.ask for draft in drafts]
        ctx, members, voting = self._ctx, self._members, self._voting
        hlc, stamp_ms = self._clock.read(ctx.wall_ms), int(ctx.wall_ms)
        deadline_hlc = hlc + hlc_from_wall_ms(ctx.settings.timing.proposal_timeout * 1000)
        required = quorum.required(len(members.voters), ctx.settings.rule)
        term = self._election.term if self._election.leads else 0
        vote: VoteWord | None = ACCEPT if voting.accepts_fresh(asks) else None
        proposals: list[Proposal] = []
        for ask in asks:
            base, base_hash, restored = "", None, None
            if ask.base is not None:
                base_hash, restored = self._fold.base_hash(ask.base), self._fold.restored(ask.base)
                base = f"{ask.base}-" if ask.kind != "snapshot" else ""
            # By place: msgspec looks for each name among all, which takes six times as long.
            proposal = Proposal(
                ask.kind, ask.version, ask.hash, f"{ask.kind}-{base}{ask.version}-{stamp_ms}", members.voters,
                required, deadline_hlc, members.digest, term, ask.base, base_hash, restored,
                ask.signature, ask.idempotency_key, vote, None, ask.content, ask.trace,
            )  # fmt: skip
            judged = (vote, None) if vote is not None else voting.judge(ctx.settings.id, proposal, 0, hlc)
            if judged is not None:
                voting.voted[judged[0]].n += 1
                if vote is None:
                    proposal = msgspec.structs.replace(proposal, vote=judged[0], reason=judged[1])
            proposals.append(proposal)
        return drafts, proposals
