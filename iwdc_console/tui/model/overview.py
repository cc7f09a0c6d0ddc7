"""What the overview says of a moment, as rows and lines; `Line` is pieces of text with their tones."""

from datetime import datetime
from typing import Any

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Event, Instance, Lock, Proposal, Status
from iwdc_console.tui.model.bars import bar, sparkline
from iwdc_console.tui.model.evidence import note
from iwdc_console.tui.model.marks import UNREACHABLE, mark, tone
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.quantity import NONE, age, duration, milliseconds, offset
from iwdc_console.tui.model.table import Cell, Column, Row

Line = list[tuple[str, str]]

INSTANCE_COLUMNS = (
    Column("mark", 1),
    Column("instance", 12, grow=2),
    Column("status", 11, glows=True),
    Column("beat", 6, right=True),
    Column("rtt", 9, right=True, drop=3),
    Column("trend", 8, drop=5),
    Column("uptime", 7, right=True, drop=2),
    Column("drift", 8, right=True, drop=1),
    Column("version", 8, glows=True, grow=1),
)
SPARK = 8
SPARK_LEAST_MS = 5.0


def instance_rows(moment: Moment) -> list[Row]:
    """One row per instance, with a note beneath one that is not well."""
    part = moment.observation.status
    if part is None:
        return []
    aged_ms = 0.0 if moment.past else max(0.0, moment.now_s - part.at_s) * 1000
    return [_instance_row(item, part.value, moment, aged_ms) for item in part.value.instances]


def _instance_row(item: Instance, status: Status, moment: Moment, aged_ms: float) -> Row:
    own, leads = item.id == status.id, item.id == status.leader.id
    gone = item.status == UNREACHABLE
    shape, shade = mark(item, status.leader.id)
    dim = "text-muted" if gone else ""
    beat = None if item.heartbeat_age_ms is None else item.heartbeat_age_ms + aged_ms
    trend = sparkline([one.rtt_ms for one in moment.history.samples(item.id, SPARK)], SPARK, SPARK_LEAST_MS)
    rtt = None if own or gone else item.rtt_ms
    drift = None if gone else item.drift_ms
    return Row(
        key=item.id,
        cells=(
            Cell(shape, shade),
            Cell(item.id, dim or ("bold" if leads else "")),
            Cell(status_word(item.status), shade if shape != "★" else tone(item.status)),
            Cell(NONE if own else age(beat), dim, None if own else beat),
            Cell(milliseconds(rtt), dim, rtt),
            Cell("" if own else trend, "text-muted"),
            Cell(duration(None if gone else item.uptime_ms), dim, item.uptime_ms),
            Cell(text("overview.reference") if leads and not gone else offset(drift), dim, drift),
            Cell(item.version or NONE, dim),
        ),
        note=note(item),
        note_tone=tone(item.status),
        copy=item.id,
    )


def status_word(status: str) -> str:
    """A status in words; one that is not known, as the node says it."""
    return text(f"status.{status}") if status in ("healthy", "degraded", "unreachable") else status


def proposal_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The open proposals with their votes, then the newest decided."""
    part = moment.observation.proposals
    if part is None:
        return [[(text("panel.waiting"), "text-muted")]]
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


def _proposal_line(item: Proposal, now_ms: int, width: int) -> Line:
    shade = f"proposal-{item.state}" if item.state in STATES else ""
    if item.state == "pending":
        when = text("overview.left", time=duration(max(0, item.deadline - now_ms)))
    else:
        when = text("overview.ago", age=age(max(0, now_ms - (item.decided_at or item.created_at))))
    state = f"{state_word(item.state):<10}"
    room = max(8, width - len(state) - len(when) - 4)
    return [(f"{subject(item)[:room]:<{room}}  ", ""), (state, shade), (f"  {when}", "text-muted")]


def _votes_line(item: Proposal, width: int) -> Line:
    accepts = sum(vote.vote == "accept" for vote in item.votes.values())
    filled, empty = bar(accepts, item.required, 9)
    line: Line = [("  ", ""), (filled, "proposal-pending"), (empty, "text-muted")]
    line.append((" " + text("overview.votes", accepts=accepts, required=item.required), ""))
    if len(item.voters) <= 7:
        line += [vote_mark(item, voter) for voter in item.voters]
    return line


def vote_mark(item: Proposal, voter: str) -> tuple[str, str]:
    """One voter's vote as a letter and a mark."""
    vote = item.votes.get(voter)
    name = voter.rpartition("-")[2][:4]
    if vote is None:
        return f"  {name} ·", "text-muted"
    return (f"  {name} ✓", "proposal-accepted") if vote.vote == "accept" else (f"  {name} ✗", "proposal-rejected")


def lock_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The locks, those that expire first at the top."""
    part = moment.observation.locks
    if part is None:
        return [[(text("panel.waiting"), "text-muted")]]
    if not part.value:
        return [[(text("overview.no_locks"), "text-muted")]]
    aged_ms = 0.0 if moment.past else (moment.now_s - part.at_s) * 1000
    chosen = sorted(part.value, key=lambda lock: float("inf") if lock.remaining_ms is None else lock.remaining_ms)
    lines = [_lock_line(lock, aged_ms, width) for lock in chosen[:most]]
    if len(chosen) > most:
        lines[-1] = [(text("overview.more_locks", count=len(chosen) - most + 1), "text-muted")]
    return lines


def _lock_line(lock: Lock, aged_ms: float, width: int) -> Line:
    name = max(8, width - 34)
    line: Line = [(f"{lock.resource[:name]:<{name}} ", ""), (f"{lock.owner[:10]:<10} ", "text-muted")]
    if lock.remaining_ms is None:
        line.append((text("overview.ttl", time=duration(lock.ttl_ms)), "text-muted"))
    else:
        left = max(0.0, lock.remaining_ms - aged_ms)
        filled, empty = bar(left, lock.ttl_ms, 6)
        shade = "status-degraded" if left < lock.ttl_ms / 4 else "status-healthy"
        line += [(filled, shade), (empty, "text-muted"), (f" {duration(left):>6}", "")]
    if lock.waiters:
        line.append((" " + text("overview.waiting", count=lock.waiters), "status-degraded"))
    return line


def event_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The newest events, newest first."""
    part = moment.observation.events
    if part is None:
        return [[(text("panel.waiting"), "text-muted")]]
    if not part.value:
        return [[(text("overview.no_events"), "text-muted")]]
    return [event_line(item, width) for item in reversed(part.value[-most:])]


def event_line(item: Event, width: int) -> Line:
    """Time, instance, type and what it is about."""
    moment_text = datetime.fromtimestamp(item.timestamp / 1000).astimezone().strftime("%H:%M:%S")
    return [
        (f"{moment_text}  ", "text-muted"),
        (f"{item.origin:<12}  ", ""),
        (f"{item.type:<20}  ", event_tone(item.type)),
        (event_summary(item.payload), "text-muted"),
    ]


def event_tone(kind: str) -> str:
    """What stands out: refusals, conflicts, changes of leader, accepted versions."""
    if "SKIPPED" in kind or "CONFLICT" in kind or "REJECT" in kind:
        return "status-unreachable"
    if "LEADER" in kind:
        return "status-leader"
    return "proposal-accepted" if "ACCEPT" in kind else ""


NAMING = ("version", "from", "to", "resource", "instance", "leader", "reason")


def event_summary(payload: dict[str, Any]) -> str:
    """The payload on one line, what names things first."""
    first = [str(payload[name]) for name in NAMING if payload.get(name)]
    rest = [f"{name}={value}" for name, value in payload.items() if isinstance(value, str | int | float)]
    return "  ".join(first) if first else "  ".join(rest)
