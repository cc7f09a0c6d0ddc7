"""What clients propose here within one step, on its way into this node's log (P1, P2).

Snapshots of rising versions share one event: they cannot touch one another, so each is judged as if it came alone.
Whatever else comes ends the event before it.
"""

from typing import NamedTuple

import msgspec

from node.protocol import quorum
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
    """A proposal with this node's vote, and the call that made it."""

    call: int
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

    def add(self, call: int, ask: Propose) -> None:
        """Draw up the proposal, with this node's vote if it can tell already (P1)."""
        ctx = self._ctx
        voters = self._members.voters
        base = f"{ask.base}-" if ask.kind != "snapshot" else ""
        hlc = self._clock.read(ctx.wall_ms)
        timeout_ms = ctx.settings.timing.proposal_timeout * 1000
        proposal = Proposal(
            kind=ask.kind,
            version=ask.version,
            base=ask.base,
            hash=ask.hash,
            base_hash=self._fold.base_hash(ask.base) if ask.base is not None else None,
            restored=self._fold.restored(ask.base) if ask.base is not None else None,
            label=f"{ask.kind}-{base}{ask.version}-{int(ctx.wall_ms)}",
            voters=voters,
            required=quorum.required(len(voters), ctx.settings.rule),
            deadline_hlc=hlc + hlc_from_wall_ms(timeout_ms),
            digest=self._members.digest,
            leader_term=self._election.term if self._election.leads else 0,
            signature=ask.signature,
            idempotency_key=ask.idempotency_key,
            vote=None,
            reason=None,
            carried=ask.content,
            trace=ask.trace,
        )
        judged = self._voting.judge(ctx.settings.id, proposal, 0, hlc)
        if judged is not None:
            proposal = msgspec.structs.replace(proposal, vote=judged[0], reason=judged[1])
            ctx.count("distributed_votes_total", type=judged[0])
        self.waiting.append(Draft(call, ask, proposal))
        if ask.idempotency_key is not None:
            self._idempotency_keys.add(ask.idempotency_key)

    def take(self) -> list[Draft]:
        """What is to be written as one event."""
        drafts, self.waiting = self.waiting, []
        self._idempotency_keys.clear()
        return drafts
