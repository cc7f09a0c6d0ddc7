"""What the Proposals screen says: every proposal, and the chosen one before its voters."""

from functools import partial

from iwdc_console.locale import language, text
from iwdc_console.tui.model import ballots, codes
from iwdc_console.tui.model.api import Proposal, Status
from iwdc_console.tui.model.ballots import Ballot, ballot
from iwdc_console.tui.model.events import time_of_day
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.overview import standing, standing_tone, subject, tally, text_or
from iwdc_console.tui.model.quantity import NONE, age, duration, short_hash
from iwdc_console.tui.model.table import MARK, Cell, Cells, Column, Row, instant
from iwdc_console.tui.model.words import fitted

Line = list[tuple[str, str]]

COLUMNS = (
    MARK,
    Column("what", 18, grow=3),
    Column("state", 9, glows=True),
    Column("votes", 6, right=True, glows=True),
    Column("age", 9, right=True),
    Column("proposer", 12, grow=1, drop=1),
    Column("hash", 9, drop=2),
    Column("time", 12, drop=3, keeps=instant),
)
MARKS = {"pending": "◌", "accepted": "✓", "rejected": "✗", "expired": "–"}
LOST = "▽"
"""Accepted, and another won the conflict."""
VOTES = (ballots.ACCEPT, ballots.REJECT, ballots.ABSTAIN, ballots.WAITING, ballots.ABSENT)
BAR, LABEL, VOTER, VOTE = 24, 11, 16, 10


def rows(moment: Moment) -> list[Row]:
    """Those under vote first, then the newest."""
    part = moment.observation.proposals
    if part is None:
        return []
    return _rows(part, moment.now_ms // 1000 * 1000, language())


@once
def _rows(part: Part[tuple[Proposal, ...]], now_ms: int, spoken: str) -> list[Row]:
    chosen = sorted(part.value, key=lambda each: (each.state != ballots.PENDING, -each.created_at))
    return [_row(each, now_ms) for each in chosen]


def _row(proposal: Proposal, now_ms: int) -> Row:
    return Row(proposal.key, partial(_cells, proposal, now_ms), codes.vote(proposal.reason or ""), copy=proposal.id)


def _cells(proposal: Proposal, now_ms: int) -> Cells:
    tone = standing_tone(proposal)
    accepts = sum(vote.vote == ballots.ACCEPT for vote in proposal.votes.values())
    return (
        Cell(_mark(proposal), tone),
        Cell(subject(proposal)),
        Cell(standing(proposal), tone),
        Cell(f"{accepts}/{proposal.required}", "", accepts),
        Cell(age(now_ms - proposal.created_at), "text-muted", now_ms - proposal.created_at),
        Cell(proposal.proposer),
        Cell(short_hash(proposal.hash), "text-muted", exact=proposal.hash),
        Cell(time_of_day(proposal.created_at), "text-muted", proposal.created_at, proposal.created_at),
    )


def _mark(proposal: Proposal) -> str:
    return LOST if proposal.settled is False else MARKS.get(proposal.state, "?")


def find(moment: Moment, key: str) -> Proposal | None:
    """The proposal with this key or id, if there still is one."""
    part = moment.observation.proposals
    return next((each for each in part.value if key in (each.key, each.id)), None) if part is not None else None


def board_lines(moment: Moment, key: str, width: int, most: int) -> list[Line]:
    """The chosen proposal: where it stands, every voter, and what it is about."""
    proposal = find(moment, key)
    if proposal is None:
        known = moment.observation.proposals is not None
        return [[(text("proposals.none_chosen") if known else text(moment.unknown), "text-muted")]]
    known_status = moment.observation.status
    status = known_status.value if known_status is not None else None
    lines = vote_lines(proposal, status, moment.now_ms, width)
    facts = _facts(proposal)
    return [*lines, [], *facts][:most] if len(lines) + 1 < most else lines[:most]


def vote_lines(proposal: Proposal, status: Status | None, now_ms: int, width: int) -> list[Line]:
    """What it is and how it stands, the bar, then a line for every voter."""
    found = ballot(proposal, status, now_ms)
    tone = standing_tone(proposal)
    head: Line = [(f"{_mark(proposal)} ", tone), (subject(proposal), "bold"), ("  ", "")]
    head.append((standing(proposal), tone))
    if proposal.reason:
        head.append((f": {codes.vote(proposal.reason)}", tone))
    return [head, _bar(found), *(_voter(line, width) for line in found.lines)]


def _bar(found: Ballot) -> Line:
    accepted, rejected, rest = ballots.bar(found, BAR)
    line: Line = [(accepted, "proposal-accepted"), (rejected, "proposal-rejected"), (rest, "text-muted")]
    line.append((f"  {tally(found.accepts, found.required)}", ""))
    if found.left_ms is not None:
        line.append((f"   {text('overview.left', time=duration(found.left_ms))}", "proposal-pending"))
    return line


def _voter(line: ballots.Line, width: int) -> Line:
    took = "" if line.latency_ms is None else duration(line.latency_ms)
    name = max(VOTER, min(2 * VOTER, width // 4))
    return [
        (f"{line.shape} ", line.tone),
        (fitted(line.voter, name) + " ", ""),
        (fitted(text_or(f"vote.{line.vote}", line.vote, VOTES), VOTE) + " ", line.tone),
        (f"{took:>9}  ", "text-muted"),
        (codes.vote(line.reason), ""),
    ]


def _facts(proposal: Proposal) -> list[Line]:
    decided = NONE if proposal.decided_at is None else duration(proposal.decided_at - proposal.created_at)
    facts = [
        ("hash", proposal.hash),
        ("proposer", f"{proposal.proposer}, {time_of_day(proposal.created_at)}"),
        ("took", decided),
        ("trace", proposal.trace_id or NONE),
        ("id", proposal.id),
        ("key", proposal.key),
    ]
    return [[(fitted(text(f"column.{name}"), LABEL), "text-muted"), (value, "")] for name, value in facts]
