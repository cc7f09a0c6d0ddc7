"""What the overview says of a moment, as rows and lines; `Line` is pieces of text with their tones."""

from functools import partial

from iwdc_console.cli.text import cells
from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Instance, Lock, Proposal, Status
from iwdc_console.tui.model.bars import bar, sparkline
from iwdc_console.tui.model.evidence import note, status_word
from iwdc_console.tui.model.history import History, Pulse
from iwdc_console.tui.model.locks import left_ms, left_words
from iwdc_console.tui.model.marks import DEGRADED, UNREACHABLE, mark, tone
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.quantity import NONE, age, duration, milliseconds, offset
from iwdc_console.tui.model.table import MARK, Cell, Cells, Column, Row
from iwdc_console.tui.model.words import fitted

Line = list[tuple[str, str]]

INSTANCE_COLUMNS = (
    MARK,
    Column("instance", 10, grow=3),
    Column("status", 11, glows=True),
    Column("beat", 6, right=True),
    Column("rtt", 10, right=True, drop=3),
    Column("trend", 8, drop=5, keeps=None),
    Column("uptime", 7, right=True, drop=2),
    Column("drift", 8, right=True, drop=1),
    Column("version", 8, glows=True, grow=1),
)
MEMBER_COLUMNS = (
    *INSTANCE_COLUMNS,
    Column("protocol", 8, drop=6),
    Column("url", 24, drop=7, grow=4, most=60),
)
STATE, VOTE_BAR, MARKED_VOTERS = 8, 7, 7
LONG_AGO_MS = 3_599_000
"""An age that takes as many cells as any."""
LOCK_BAR, LEFT, WAITERS = 6, 7, 4
OWNERS_FROM = 34
"""Cells from which on there is room for who holds a lock."""
SPARK = 8
SPARK_LEAST_MS = 5.0


def instance_rows(moment: Moment) -> list[Row]:
    """One row per instance, with a note beneath one that is not well."""
    part = moment.observation.status
    if part is None:
        return []
    aged_s = 0 if moment.past else max(0, int(moment.now_s - part.at_s))
    newest = moment.history.pulses[-1] if moment.history.pulses else None
    return _instance_rows(part, moment.history, newest, aged_s, language())


@once
def _instance_rows(part: Part[Status], history: History, newest: Pulse | None, aged_s: int, spoken: str) -> list[Row]:
    """`newest` and `spoken` say that the history and the language are the same still. Ages grow by whole seconds."""
    return [_instance_row(item, part.value, history, aged_s * 1000) for item in part.value.instances]


def _instance_row(item: Instance, status: Status, history: History, aged_ms: float) -> Row:
    cells = partial(_instance_cells, item, status, history, aged_ms)
    said, shade = note(item), tone(item.status)
    if not said and item.id == status.suspect:
        said, shade = text("reason.suspect"), tone(DEGRADED)
    return Row(item.id, cells, said, shade, copy=item.id)


def _instance_cells(item: Instance, status: Status, history: History, aged_ms: float) -> Cells:
    own, leads = item.id == status.id, item.id == status.leader.id
    gone = item.status == UNREACHABLE
    shape, shade = mark(item, status.leader.id)
    dim = "text-muted" if gone else ""
    beat = None if item.heartbeat_age_ms is None else item.heartbeat_age_ms + aged_ms
    trend = sparkline([one.rtt_ms for one in history.samples(item.id, SPARK)], SPARK, SPARK_LEAST_MS)
    rtt = None if own or gone else item.rtt_ms
    drift = None if gone else item.drift_ms
    return (
        Cell(shape, shade),
        Cell(item.id, dim or ("bold" if leads else "")),
        Cell(status_word(item.status), shade if shape != "★" else tone(item.status)),
        Cell(NONE if own else age(beat), dim, None if own else beat),
        Cell(milliseconds(rtt), dim, rtt),
        Cell("" if own else trend, "text-muted"),
        Cell(duration(None if gone else item.uptime_ms), dim, item.uptime_ms),
        Cell(text("overview.reference") if leads and not gone else offset(drift), dim, drift),
        Cell(item.version or NONE, dim),
        Cell(item.protocol or NONE, dim),
        Cell(item.url, "text-muted"),
    )


def proposal_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The open proposals with their votes, then the newest decided."""
    part = moment.observation.proposals
    if part is None:
        return [[(text(moment.unknown), "text-muted")]]
    chosen = sorted(part.value, key=lambda item: (item.state != "pending", -item.created_at))[:most]
    if not chosen:
        return [[(text("overview.no_proposals"), "text-muted")]]
    lines: list[Line] = []
    for item in chosen:
        lines.append(_proposal_line(item, moment.now_ms, width))
        if item.state == "pending":
            lines.append(_votes_line(item, width))
    return lines[:most]


def subject(item: Proposal) -> str:
    """`snapshot 1.5.0`, `diff 1.4.1 → 1.4.2`."""
    version = f"{item.from_} → {item.to}" if item.from_ is not None else item.version or item.to or ""
    return f"{text_or(f'kind.{item.kind}', item.kind, ('snapshot', 'diff', 'rollback'))} {version}"


def text_or(key: str, word: str, known: tuple[str, ...]) -> str:
    """The words for `key` when `word` is one we know, else `word` as the node says it."""
    return text(key) if word in known else word


STATES = ("pending", "accepted", "rejected", "expired")


def state_word(state: str) -> str:
    """A proposal's state in words."""
    return text_or(f"state.{state}", state, STATES)


def standing(item: Proposal) -> str:
    """The state in a word; one that was accepted and lost its conflict is not called accepted."""
    return text("state.lost") if item.settled is False else state_word(item.state)


def standing_tone(item: Proposal) -> str:
    """The tone of that word."""
    if item.settled is False:
        return "proposal-rejected"
    return f"proposal-{item.state}" if item.state in STATES else ""


def _proposal_line(item: Proposal, now_ms: int, width: int) -> Line:
    if item.state == "pending":
        when = text("overview.left", time=duration(max(0, item.deadline - now_ms)))
    else:
        when = text("overview.ago", age=age(max(0, now_ms - (item.decided_at or item.created_at))))
    state = f"{standing(item):<{STATE}} "
    whens = cells(text("overview.ago", age=age(LONG_AGO_MS)))
    room = max(8, width - len(state) - whens - 1)
    return [(fitted(subject(item), room) + " ", ""), (state, standing_tone(item)), (f"{when:>{whens}}", "text-muted")]


def _votes_line(item: Proposal, width: int) -> Line:
    accepts = sum(vote.vote == "accept" for vote in item.votes.values())
    filled, empty = bar(accepts, item.required, VOTE_BAR)
    line: Line = [("  ", ""), (filled, "proposal-pending"), (empty, "text-muted")]
    line.append((f" {tally(accepts, item.required)}", ""))
    if len(item.voters) <= MARKED_VOTERS:
        line += [vote_mark(item, voter) for voter in item.voters]
    return line


def tally(accepts: int, required: int) -> str:
    """How many have accepted, and how many must."""
    return text("overview.votes" if accepts <= required else "overview.votes_more", accepts=accepts, required=required)


def vote_mark(item: Proposal, voter: str) -> tuple[str, str]:
    """One voter's vote as the end of its name and a mark."""
    vote = item.votes.get(voter)
    name = voter.rpartition("-")[2][:4]
    if vote is None:
        return f" {name}·", "text-muted"
    return (f" {name}✓", "proposal-accepted") if vote.vote == "accept" else (f" {name}✗", "proposal-rejected")


def lock_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The locks, those that expire first at the top."""
    part = moment.observation.locks
    if part is None:
        return [[(text(moment.unknown), "text-muted")]]
    if not part.value:
        return [[(text("overview.no_locks"), "text-muted")]]
    aged_ms = 0.0 if moment.past else (moment.now_s - part.at_s) * 1000
    chosen = sorted(part.value, key=lambda lock: float("inf") if lock.remaining_ms is None else lock.remaining_ms)
    lines = [_lock_line(lock, aged_ms, width) for lock in chosen[:most]]
    if len(chosen) > most:
        lines[-1] = [(text("overview.more_locks", count=len(chosen) - most + 1), "text-muted")]
    return lines


def _lock_line(lock: Lock, aged_ms: float, width: int) -> Line:
    owner = width // 5 if width >= OWNERS_FROM else 0
    name = max(8, width - owner - 2 - LOCK_BAR - LEFT - WAITERS)
    line: Line = [
        (fitted(lock.resource, name) + " ", ""),
        (fitted(lock.owner, owner) + " " * bool(owner), "text-muted"),
    ]
    if lock.remaining_ms is None:
        line.append((fitted(text("overview.ttl", time=duration(lock.ttl_ms)), LOCK_BAR + LEFT), "text-muted"))
    else:
        left = left_ms(lock, aged_ms) or 0.0
        filled, empty = bar(left, lock.ttl_ms, LOCK_BAR)
        shade = "status-degraded" if left < lock.ttl_ms / 4 else "status-healthy"
        line += [(filled, shade), (empty, "text-muted"), (f"{left_words(left):>{LEFT}}", "")]
    waiting = f"+{lock.waiters}" if lock.waiters else ""
    line.append((f"{waiting:>{WAITERS}}", "status-degraded"))
    return line


def drift_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """Each clock against the leader's: left of the middle it is behind, right of it ahead."""
    part = moment.observation.status
    if part is None:
        return [[(text(moment.unknown), "text-muted")]]
    status = part.value
    known = [abs(item.drift_ms) for item in status.instances if item.drift_ms is not None]
    scale = max([DRIFT_LEAST_MS, *known])
    half = max(4, (width - 14 - 10) // 2)
    lines: list[Line] = []
    for item in status.instances[:most]:
        drift = None if item.status == UNREACHABLE else item.drift_ms
        reference = item.id == status.leader.id
        value = text("overview.reference") if reference else offset(drift)
        left, right = _needle(0.0 if reference else drift, scale, half)
        lines.append(
            [
                (fitted(item.id, 13) + " ", ""),
                (left, "proposal-pending"),
                ("┼", "text-muted"),
                (right, "proposal-pending"),
                (f"{value:>9}", "text-muted" if drift is None else ""),
            ]
        )
    return lines


DRIFT_LEAST_MS = 10.0


def _needle(drift_ms: float | None, scale: float, half: int) -> tuple[str, str]:
    if drift_ms is None:
        return " " * half, " " * half
    filled, _ = bar(abs(drift_ms), scale, half) if round(drift_ms) else ("", "")
    if drift_ms < 0:
        return filled.rjust(half), " " * half
    return " " * half, filled.ljust(half)
