"""What the Conflicts screen says: slots with two accepted contents, and the candidates of one side by side."""

from iwdc_console.cli.text import cells
from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Conflict, Proposal
from iwdc_console.tui.model.events import time_of_day
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.overview import subject
from iwdc_console.tui.model.quantity import NONE, age, short_hash
from iwdc_console.tui.model.table import MARK, Cell, Column, Row
from iwdc_console.tui.model.words import clean, fitted

Line = list[tuple[str, str]]

COLUMNS = (
    MARK,
    Column("slot", 20, grow=3),
    Column("state", 9, glows=True),
    Column("candidates", 10, right=True),
    Column("winner", 16, grow=2),
    Column("strategy", 18, grow=1, drop=1),
    Column("age", 8, right=True, drop=2),
)
LABEL = 12
LEAST_COLUMN, APART = 22, 6
"""Cells of a candidate's column at the least; between its longest value and the next one, where there is room."""
STRATEGIES = ("last-write-wins", "leader-wins", "reject-inconsistent")
WHY = {
    "settled for good at the compaction floor": "floor",
    "a person decided": "resolution",
    "the configured strategy decides": "strategy",
    "none wins until a person decides": "strategy",
}
"""What a node says of who decided."""


def rows(moment: Moment) -> list[Row]:
    """One row per slot, open ones first."""
    part = moment.observation.conflicts
    if part is None:
        return []
    return _rows(part, moment.now_ms // 1000 * 1000, language())


@once
def _rows(part: Part[tuple[Conflict, ...]], now_ms: int, spoken: str) -> list[Row]:
    return [_row(each, now_ms) for each in sorted(part.value, key=lambda each: (not each.open, each.slot))]


def _row(conflict: Conflict, now_ms: int) -> Row:
    winner = next((each for each in conflict.candidates if each.key == conflict.winner), None)
    newest_ms = max((each.decided_at or each.created_at for each in conflict.candidates), default=None)
    state, tone = ("open", "status-unreachable") if conflict.open else ("settled", "status-healthy")
    return Row(
        key=conflict.slot,
        cells=(
            Cell("▲" if conflict.open else "✓", tone),
            Cell(conflict.slot),
            Cell(text(f"conflicts.{state}"), tone),
            Cell(str(len(conflict.candidates)), "", len(conflict.candidates)),
            Cell(text("conflicts.of", hash=short_hash(winner.hash), proposer=winner.proposer) if winner else NONE),
            Cell(conflict.strategy, "text-muted"),
            Cell(NONE if newest_ms is None else age(now_ms - newest_ms), "text-muted", newest_ms),
        ),
        note=why(conflict),
        copy=conflict.slot,
    )


def why(conflict: Conflict) -> str:
    """Who decided and by which rule (S1); what is not known here, as the node says it."""
    by = WHY.get(conflict.why)
    if by == "strategy" and conflict.strategy in STRATEGIES:
        return text(f"conflicts.why.{conflict.strategy}")
    return text(f"conflicts.why.{by}") if by in ("floor", "resolution") else conflict.why


def find(moment: Moment, slot: str) -> Conflict | None:
    """The conflict of a slot, if there still is one."""
    part = moment.observation.conflicts
    return next((each for each in part.value if each.slot == slot), None) if part is not None else None


def side_by_side(moment: Moment, slot: str, width: int, most: int) -> list[Line]:
    """The candidates in columns; a field in which they differ stands out."""
    conflict = find(moment, slot)
    if conflict is None:
        return [[(text("conflicts.none_chosen"), "text-muted")]]
    fitting = max(1, (width - LABEL) // LEAST_COLUMN)
    candidates = conflict.candidates[:fitting]
    fields = _fields(candidates)
    widest = max((cells(clean(value)) for _, values in fields for value in values), default=0)
    column = min((width - LABEL) // max(1, len(candidates)), max(LEAST_COLUMN, widest + APART))
    lines: list[Line] = [[(" " * LABEL, ""), *(_heading(each, conflict, column) for each in candidates)]]
    for name, values in fields:
        differ = len(set(values)) > 1
        tone = "status-degraded" if differ else ""
        label = fitted(text(f"column.{name}"), LABEL - 1)
        lines.append([(f"{label} ", "text-muted"), *((_cell(v, column), tone) for v in values)])
    lines.append([])
    lines.append([(why(conflict), "text-muted")])
    if len(conflict.candidates) > fitting:
        lines.append([(text("conflicts.more", count=len(conflict.candidates) - fitting), "text-muted")])
    if conflict.open:
        lines.append([(text("conflicts.how_to_resolve"), "status-degraded")])
    return lines[:most]


def _heading(proposal: Proposal, conflict: Conflict, width: int) -> tuple[str, str]:
    wins = proposal.key == conflict.winner
    word = text("conflicts.wins") if wins else text("conflicts.candidate" if conflict.open else "conflicts.loses")
    return _cell(("★ " if wins else "") + word, width), "status-leader" if wins else "text-muted"


def _fields(candidates: tuple[Proposal, ...]) -> list[tuple[str, list[str]]]:
    return [
        ("what", [subject(each) for each in candidates]),
        ("hash", [each.hash for each in candidates]),
        ("proposer", [each.proposer for each in candidates]),
        ("time", [time_of_day(each.created_at) for each in candidates]),
        ("votes", [_votes(each) for each in candidates]),
        ("key", [each.key for each in candidates]),
    ]


def _votes(proposal: Proposal) -> str:
    accepts = [voter.rpartition("-")[2] for voter, vote in sorted(proposal.votes.items()) if vote.vote == "accept"]
    return f"{len(accepts)}/{proposal.required} {' '.join(accepts)}"


def _cell(words: str, width: int) -> str:
    return fitted(words, width - 2) + "  "
