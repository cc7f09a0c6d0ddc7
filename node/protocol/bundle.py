"""Proposals of one event that have shared every fate so far, so that what is known of one is known of all (P1, P4).

A client's batch, or what several clients proposed while a commit was under way, comes as one event of rising snapshots.
Nothing else competes for their slots as a rule, and a voter says the same of all of them in one event: that is one look
at their votes instead of hundreds. What sets one of them apart (another vote, a rival, a round, a floor) ends it, and
each goes on by itself with the votes it has.
"""

from collections.abc import Sequence

from node.protocol.ballot import ProposalState
from node.protocol.proposal import Birth
from node.protocol.tally import Tally
from node.protocol.versions import VersionKey


class Bundle:
    """Snapshots that are alone in their slots and share their voters and their votes; all of round 0."""

    __slots__ = ("_hashes", "keys", "proposals", "tally", "voters")

    def __init__(self, proposals: Sequence[ProposalState], tally: Tally) -> None:
        self.proposals = proposals
        self.keys = [p.key for p in proposals]
        self._hashes = [p.payload.hash for p in proposals]
        self.tally = tally
        self.voters = proposals[0].payload.voters

    @property
    def is_whole(self) -> bool:
        """Whether nothing has set one of them apart: that would have parted its votes from the others'."""
        return self.tally.sharers == len(self.keys)

    def is_of(self, keys: list[str], hashes: list[str]) -> bool:
        """Whether these are its proposals, in their order."""
        return keys == self.keys and hashes == self._hashes

    def is_open_to(self, voter: str) -> bool:
        """Whether a vote of this instance on all of them would count."""
        return self.is_whole and (voter, 0) not in self.tally.votes and voter in self.voters


def may_bundle(births: Sequence[tuple[Birth, VersionKey]]) -> bool:
    """Whether these may share their votes, as far as they themselves tell."""
    first = births[0][0].payload
    voters, required, vote, reason = first.voters, first.required, first.vote, first.reason
    return all(
        each.kind == "snapshot"
        and each.voters == voters
        and each.required == required
        and each.vote == vote
        and each.reason == reason
        for each in [birth.payload for birth, _ in births]
    )
