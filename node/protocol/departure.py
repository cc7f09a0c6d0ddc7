"""Leaving in good order (E6): a node that is about to stop hands leadership over, and campaigns no more."""

from node.protocol.context import Context
from node.protocol.election import LEADER, Election
from node.protocol.membership import LEAVING, Membership
from node.protocol.requests import Accepted


class Departure:
    """What this node still has to do before it may stop."""

    def __init__(self, ctx: Context, members: Membership, election: Election) -> None:
        self._ctx = ctx
        self._members = members
        self._election = election
        self._call: int | None = None
        """Who waits until it may stop."""
        self._tried: set[str] = set()

    def begin(self, call: int) -> None:
        """This node is about to stop: answered once another leads, or at once where nobody can."""
        self._members.set_fault(LEAVING, True)
        self._call = call
        if self._election.role != LEADER:
            self._done("this node does not lead")
        else:
            self.look()

    def look(self) -> None:
        """Who leads has changed, or a hand-over has come to nothing: then it is the next one's turn."""
        election, own = self._election, self._ctx.settings.id
        if self._call is None or election.handover.to is not None:
            return
        if election.leader not in (None, own):
            self._done(f"{election.leader} leads")
        elif election.leads:
            heir = election.handover.heir(self._tried)
            if heir is None:
                self._done("nobody else can lead")
            else:
                self._tried.add(heir)
                election.hand_over(heir)

    def _done(self, detail: str) -> None:
        call, self._call = self._call, None
        if call is not None:
            self._ctx.reply(call, Accepted(detail))
