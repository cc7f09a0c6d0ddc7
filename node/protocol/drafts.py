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
from node.protocol.proposal import Proposal
from node.protocol.requests import Propose
from node.protocol.state import Fold
from node.protocol.versions import parse
from node.protocol.voting import Voting

MAX_DRAFTS = 500
"""Proposals in one event: well below what one envelope takes."""


class Draft(NamedTuple):
    """A proposal with this node's vote, and whose it is: the call, and its place there."""

    caller: Caller
    place: int
    ask: Propose
    proposal: Proposal


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
        self._stamp_ms = self._hlc = self._deadline_hlc = self._required = self._leader_term = 0

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
        """Draw up the proposal, with this node's vote if it can tell already (P1)."""
        if not self.waiting:
            self._begin()
        base, base_hash, restored = "", None, None
        if ask.base is not None:
            base_hash, restored = self._fold.base_hash(ask.base), self._fold.restored(ask.base)
            base = f"{ask.base}-" if ask.kind != "snapshot" else ""
        # By place: msgspec looks for each name among all, which takes six times as long.
        proposal = Proposal(
            ask.kind, ask.version, ask.hash, f"{ask.kind}-{base}{ask.version}-{self._stamp_ms}", self._members.voters,
            self._required, self._deadline_hlc, self._members.digest, self._leader_term, ask.base, base_hash, restored,
            ask.signature, ask.idempotency_key, None, None, ask.content, ask.trace,
        )  # fmt: skip
        judged = self._voting.judge(self._ctx.settings.id, proposal, 0, self._hlc)
        if judged is not None:
            proposal = msgspec.structs.replace(proposal, vote=judged[0], reason=judged[1])
            self._voting.voted[judged[0]].n += 1
        self.waiting.append(Draft(caller, place, ask, proposal))
        if ask.idempotency_key is not None:
            self._idempotency_keys.add(ask.idempotency_key)

    def _begin(self) -> None:
        """What is the same for all of one event."""
        ctx = self._ctx
        self._stamp_ms = int(ctx.wall_ms)
        self._hlc = self._clock.read(ctx.wall_ms)
        self._deadline_hlc = self._hlc + hlc_from_wall_ms(ctx.settings.timing.proposal_timeout * 1000)
        self._required = quorum.required(len(self._members.voters), ctx.settings.rule)
        self._leader_term = self._election.term if self._election.leads else 0

    def take(self) -> list[Draft]:
        """What is to be written as one event."""
        drafts, self.waiting = self.waiting, []
        self._idempotency_keys.clear()
        return drafts
