"""What the Leadership screen says: who leads and for how long yet, who would be next, how it came to be (E1-E7)."""

from functools import partial

from iwdc_console.cli.text import wrap
from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Candidate, Event, Leader
from iwdc_console.tui.model.bars import bar
from iwdc_console.tui.model.events import time_of_day
from iwdc_console.tui.model.evidence import status_word
from iwdc_console.tui.model.marks import LEADER, UNREACHABLE, shape, tone
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.quantity import NONE, age, duration
from iwdc_console.tui.model.succession import REASONS, Change, challenger, changes, successor
from iwdc_console.tui.model.table import MARK, PROSE, Cell, Cells, Column, Row, instant
from iwdc_console.tui.model.verdict import electable, election
from iwdc_console.tui.model.words import clean

Line = list[tuple[str, str]]

CANDIDATES = (
    Column("rank", 4, right=True),
    MARK,
    Column("instance", 12, grow=2),
    Column("status", 11, glows=True),
    Column("uptime", 9, right=True),
    Column("part", 20, grow=4, most=PROSE),
)
CHANGES = (
    Column("time", 12, keeps=instant),
    Column("term", 5, right=True),
    Column("leader", 12, grow=2),
    Column("former", 12, grow=2, drop=1),
    Column("reason", 20, grow=4, most=PROSE),
)
LEASE_WIDTH = 20
LEASE_LOW = 1 / 4
"""A lease with less than this part of it left stands out."""


def head_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """Who leads, how long its lease runs, who would take over."""
    part = moment.observation.status
    if part is None:
        return [[(text(moment.unknown), "text-muted")]]
    status, leader = part.value, part.value.leader
    if leader.id is None:
        key = "leadership.nobody" if status.quorum.sufficient else "leadership.nothing_works"
        lines: list[Line] = [[(text(key, term=leader.term), "status-unreachable")]]
        lines += [[(line, "")] for line in wrap(clean(election(status)), width)]
    else:
        since = "" if leader.elected_at is None else age(moment.now_ms - leader.elected_at)
        words = text("leadership.leads", leader=leader.id, term=leader.term)
        lines = [[(f"{LEADER} ", "status-leader"), (words, "bold"), (f"  {_for(since)}", "text-muted")]]
        lines.append(_lease(moment, leader, status.id, part.at_s))
    heir, better = successor(leader), challenger(leader)
    if leader.id is not None and better is not None:
        outranks = clean(text("leadership.challenger", instance=better))
        lines += [[(line, "status-degraded")] for line in wrap(outranks, width)]
    elif leader.id is not None and leader.candidates:
        lines.append([(_next(heir), "text-muted")])
    return lines[:most]


def _for(since: str) -> str:
    return text("instances.for", age=since) if since else ""


def _next(heir: str | None) -> str:
    return text("leadership.no_heir") if heir is None else text("leadership.heir", instance=heir)


def _lease(moment: Moment, leader: Leader, asked: str, at_s: float) -> Line:
    """Ticks down between answers; the leader takes it up with every heartbeat that a majority answers (E5).

    Only the leader can tell: the one that is `asked`, or it was asked besides.
    """
    told = moment.observation.leader
    if leader.id != asked:
        if told is None or (told.value.id, told.value.term) != (leader.id, leader.term) or not told.value.lease_ms:
            return [(text("leadership.lease_untold"), "text-muted")]
        leader, at_s = told.value, told.at_s
    aged_ms = 0.0 if moment.past else max(0.0, moment.now_s - at_s) * 1000
    left_ms = max(0.0, leader.lease_remaining_ms - aged_ms)
    filled, empty = bar(left_ms, leader.lease_ms or leader.lease_remaining_ms, LEASE_WIDTH)
    shade = "status-healthy" if left_ms > leader.lease_ms * LEASE_LOW else "status-degraded"
    label = text("leadership.lease", left=duration(left_ms))
    return [(filled, shade), (empty, "text-muted"), (f"  {label}", "text-muted")]


def candidate_rows(moment: Moment) -> list[Row]:
    """The voters by rank: longest uptime, then the highest id (E2)."""
    part = moment.observation.status
    return [] if part is None else _candidates(part.value.leader, electable(part.value), language())


@once
def _candidates(leader: Leader, electable: bool, spoken: str) -> list[Row]:
    heir, better = successor(leader) if electable else None, challenger(leader)
    return [
        Row(each.id, partial(_candidate, rank, each, leader.id, better, heir), copy=each.id)
        for rank, each in enumerate(leader.candidates, 1)
    ]


def _candidate(rank: int, each: Candidate, leader: str | None, better: str | None, heir: str | None) -> Cells:
    leads, gone = each.id == leader, each.status == UNREACHABLE
    words, shade = _part(leads, each.id == better, each.id == heir, gone)
    return (
        Cell(str(rank), "text-muted", rank),
        Cell(LEADER if leads else shape(each.status), "status-leader" if leads else tone(each.status)),
        Cell(each.id, "bold" if leads else ""),
        Cell(status_word(each.status), tone(each.status)),
        Cell(NONE if gone else duration(each.uptime_ms), "", each.uptime_ms),
        Cell(words, shade),
    )


def _part(leads: bool, outranks: bool, is_next: bool, gone: bool) -> tuple[str, str]:
    if leads:
        return text("leadership.part.leads"), "status-leader"
    if gone:
        return text("leadership.part.gone"), "text-muted"
    if outranks:
        return text("leadership.part.outranks"), "status-degraded"
    if is_next:
        return text("leadership.part.next"), ""
    return text("leadership.part.waits"), "text-muted"


def change_rows(moment: Moment) -> list[Row]:
    """Every election that is still in the log, newest first, with why it came."""
    part = moment.observation.elections
    return [] if part is None else _changes(part, language())


@once
def _changes(part: Part[tuple[Event, ...]], spoken: str) -> list[Row]:
    return [_change(each) for each in changes(part.value)]


def _change(change: Change) -> Row:
    reason = text(f"leadership.reason.{change.reason}") if change.reason in REASONS else change.reason
    return Row(
        key=str(change.term),
        cells=(
            Cell(time_of_day(change.at_ms), "text-muted", change.at_ms, change.at_ms),
            Cell(str(change.term), "", change.term),
            Cell(change.leader),
            Cell(change.former or NONE, "text-muted"),
            Cell(reason),
        ),
        copy=f"{change.term} {change.leader}",
    )
