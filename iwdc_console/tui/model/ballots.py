"""A proposal before its voters: who has said what, what is still needed, how long it may take. Pure."""

from typing import NamedTuple

from iwdc_console.tui.model.api import Proposal, Status
from iwdc_console.tui.model.marks import UNREACHABLE

ACCEPT, REJECT, ABSTAIN = "accept", "reject", "abstain"
WAITING, ABSENT = "waiting", "absent"
"""Not voted yet; not voted, and not there to vote."""
SHAPES = {ACCEPT: "✓", REJECT: "✗", ABSTAIN: "~", WAITING: "·", ABSENT: "○"}
TONES = {ACCEPT: "text-success", REJECT: "text-error", ABSTAIN: "text-warning"}
PENDING = "pending"


class Line(NamedTuple):
    """One voter. `latency_ms` is from the proposal's making to the vote, by the two instances' clocks."""

    voter: str
    vote: str
    reason: str = ""
    latency_ms: int | None = None

    @property
    def shape(self) -> str:
        """The vote as a shape."""
        return SHAPES.get(self.vote, "?")

    @property
    def tone(self) -> str:
        """The theme variable of the vote."""
        return TONES.get(self.vote, "text-muted")


class Ballot(NamedTuple):
    """Where a proposal stands. `left_ms` is None once it is decided."""

    lines: tuple[Line, ...]
    accepts: int
    required: int
    left_ms: int | None


def ballot(proposal: Proposal, status: Status | None, now_ms: int) -> Ballot:
    """Every voter's line, in the order of the voters; who is absent is told by `status`."""
    gone = {item.id for item in status.instances if item.status == UNREACHABLE} if status else set()
    voters = proposal.voters or tuple(sorted(proposal.votes))
    lines = []
    for voter in voters:
        vote = proposal.votes.get(voter)
        if vote is None:
            absent = voter in gone and proposal.state == PENDING
            lines.append(Line(voter, ABSENT if absent else WAITING))
        else:
            lines.append(Line(voter, vote.vote, vote.reason or "", max(0, vote.at - proposal.created_at)))
    accepts = sum(1 for line in lines if line.vote == ACCEPT)
    left_ms = max(0, proposal.deadline - now_ms) if proposal.state == PENDING else None
    return Ballot(tuple(lines), accepts, proposal.required, left_ms)


def bar(ballot: Ballot, width: int) -> tuple[str, str, str]:
    """A bar of `width` cells in three parts: accepted, rejected, still open. Every voter has its share."""
    if not ballot.lines or width <= 0:
        return "", "", " " * max(0, width)
    against = sum(1 for line in ballot.lines if line.vote == REJECT)
    accepted = width * ballot.accepts // len(ballot.lines)
    rejected = width * (ballot.accepts + against) // len(ballot.lines) - accepted
    return "█" * accepted, "▒" * rejected, "░" * (width - accepted - rejected)
