"""The votes on a proposal, or on several that have had the same ones so far (P1, P4)."""

from typing import Final

from node.protocol.proposal import CONFLICTING_VOTE, Cast

NOBODY: Final[frozenset[str]] = frozenset()
"""One for all: there are tens of thousands of proposals, and `frozenset()` makes another one each time."""


class Tally:
    """Votes and what they come to. Proposals of one event share one until something sets one of them apart."""

    __slots__ = ("accepts", "hard", "sharers", "votes")

    def __init__(self, sharers: int = 1) -> None:
        self.sharers = sharers
        """How many proposals count by it."""
        self.votes: dict[tuple[str, int], Cast] = {}
        """(voter, round) -> vote."""
        self.accepts: dict[int, int] = {}
        """Round -> how many accepted."""
        self.hard = NOBODY
        """Voters that rejected for a reason that no round lifts, or abstained."""

    def cast(self, vote: Cast) -> None:
        """Count a vote of a voter that has not voted in this round."""
        self.votes[(vote.voter, vote.round)] = vote
        if vote.vote == "accept":
            self.accepts[vote.round] = self.accepts.get(vote.round, 0) + 1
        elif vote.reason != CONFLICTING_VOTE:
            self.hard |= {vote.voter}

    def parted(self) -> "Tally":
        """The same votes for one of its sharers alone."""
        self.sharers -= 1
        own = Tally()
        own.votes, own.accepts, own.hard = dict(self.votes), dict(self.accepts), self.hard
        return own
