"""Events that tell readers what was accepted: `SNAPSHOT_ACCEPT`, `DIFF_ACCEPT`, `ROLLBACK_ACCEPT` (seed 4.4).

Every instance reaches the verdict from the votes; the proposer announces it, and the leader in place of a proposer that
is gone. An event tells of one proposal in plain fields, or lists under `accepted` all of a kind that are told at once.
"""

from collections.abc import Iterable
from math import inf
from typing import Any, Final

from node.protocol.ballot import ProposalState
from node.protocol.context import Context
from node.protocol.events import DIFF_ACCEPT, ROLLBACK_ACCEPT, SNAPSHOT_ACCEPT, Event
from node.protocol.membership import Membership
from node.protocol.peer import UNREACHABLE
from node.protocol.replication import Replication
from node.protocol.shapes import ProposalKind
from node.protocol.state import Fold

EVENT_OF: Final[dict[ProposalKind, str]] = {
    "snapshot": SNAPSHOT_ACCEPT,
    "diff": DIFF_ACCEPT,
    "rollback": ROLLBACK_ACCEPT,
}
ANNOUNCEMENTS: Final = frozenset(EVENT_OF.values())
APART_S: Final = 0.025
"""What is accepted within this time of the last announcement shares the next one: nobody waits for it, and under load
an event for each verdict would be a fifth of all events."""


class Announcements:
    """What was accepted and is not yet announced, as far as this node knows."""

    def __init__(self, ctx: Context, members: Membership, replication: Replication, fold: Fold) -> None:
        self._ctx = ctx
        self._fold = fold
        self._members = members
        self._replication = replication
        self.due: dict[str, ProposalState] = {}
        """To be announced, by key."""
        self._next = -inf
        """When, at the earliest: monotonic seconds."""
        self._others: dict[str, float] = {}
        """Keys of other instances' proposals -> when they were accepted here, monotonic seconds."""
        self._ahead: set[str] = set()
        """Keys of those whose announcement came before the votes that decide them here, or before a restart."""

    def accepted(self, proposals: Iterable[ProposalState]) -> None:
        """Verdicts were reached here and now."""
        own, mono, ahead = self._ctx.settings.id, self._ctx.mono, self._ahead
        for proposal in proposals:
            key = proposal.key
            if key in ahead:
                ahead.discard(key)
            elif proposal.origin == own:
                self.due[key] = proposal
            else:
                self._others[key] = mono

    def restored(self) -> None:
        """The disk was read: a crash may have come between a verdict and its announcement."""
        for key in self._fold.keys:
            proposal = self._fold.get(key)
            if proposal is not None and proposal.verdict == "accepted" and not proposal.final:
                self.accepted((proposal,))
        self.tidy()

    def told(self, event: Event) -> None:
        """An announcement entered the log."""
        listed = event.payload.get("accepted", (event.payload,))
        for each in listed if isinstance(listed, list | tuple) else ():
            if isinstance(each, dict):
                key = str(each.get("proposal"))
                if self.due.pop(key, None) is None and self._others.pop(key, None) is None:
                    self._ahead.add(key)

    def tidy(self) -> None:
        """With every heartbeat: what is decided here needs to be remembered no more."""
        self._ahead.intersection_update(self._fold.open_keys)

    def look(self) -> None:
        """With every heartbeat of a leader: announce for proposers that have been unreachable for long."""
        patience_s = self._ctx.settings.timing.heartbeat_timeout
        for key, since in list(self._others.items()):
            proposal = self._fold.get(key)
            if proposal is None:
                del self._others[key]
            elif self._ctx.mono - since > patience_s and self._members.sees.get(proposal.origin) == UNREACHABLE:
                self.due[key] = proposal

    def flush(self) -> None:
        """End of a step: announce what is due, unless the last time was just now."""
        ctx = self._ctx
        if ctx.mono < self._next and not self._members.leaving:
            ctx.wake(self._next)
            return
        self._next = ctx.mono + APART_S
        due, self.due = self.due, {}
        by_kind: dict[ProposalKind, list[ProposalState]] = {}
        for proposal in due.values():
            by_kind.setdefault(proposal.payload.kind, []).append(proposal)
        for kind, proposals in by_kind.items():
            first = proposals[0]
            if len(proposals) == 1:
                # The id keeps two that announce the same, each on its side of a split, from telling it twice.
                self._replication.append(
                    EVENT_OF[kind], _told_of(first), first.trace, f"{first.key}:accept", urgent_to=()
                )
            else:
                payload = {"accepted": [_told_of(proposal) for proposal in proposals]}
                self._replication.append(EVENT_OF[kind], payload, "", urgent_to=())


def _told_of(proposal: ProposalState) -> dict[str, Any]:
    body = proposal.payload
    told: dict[str, Any] = {"proposal": proposal.key, "proposalId": body.label, "hash": body.hash}
    return told | ({"version": body.version} if body.kind == "snapshot" else {"from": body.base, "to": body.version})
