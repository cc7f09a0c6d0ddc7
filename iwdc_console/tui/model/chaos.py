"""What the chaos screen says: the nodes and what was done to them, the links, what is in force, what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from iwdc_console.demo.faults import Impaired, Member, State
from iwdc_console.locale import number, text
from iwdc_console.tui.model.api import Instance
from iwdc_console.tui.model.evidence import note, status_word
from iwdc_console.tui.model.marks import mark, tone
from iwdc_console.tui.model.matrix import NAME, Blind, short_names
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.quantity import age
from iwdc_console.tui.model.rehearsal import Rehearsal, followed
from iwdc_console.tui.model.table import MARK, PROSE, Cell, Column, Row

Line = list[tuple[str, str]]
COLUMNS = (
    MARK,
    Column("instance", 14, grow=1),
    Column("process", 8, glows=True),
    Column("since", 8, right=True, drop=2),
    Column("clock", 8, right=True, glows=True),
    Column("status", 11, glows=True),
    Column("reason", 16, grow=3, drop=1, most=PROSE),
)
CELL, LEAST_CELL = 7, 2
OPEN, CUT, SLOW = "·", "✗", "~"
PROCESS_TONES = {"running": "", "paused": "status-degraded", "down": "status-unreachable"}


def node_rows(state: State, moment: Moment) -> list[Row]:
    """Every node: what was done to it, and how the asked node sees it."""
    part = moment.observation.status
    seen = {each.id: each for each in part.value.instances} if part else {}
    leader = part.value.leader.id if part else None
    return [_row(member, seen.get(member.id), leader, moment.now_ms) for member in state.members]


def _row(member: Member, seen: Instance | None, leader: str | None, now_ms: int) -> Row:
    sign, shade = mark(seen, leader) if seen else ("·", "text-muted")
    since = age(now_ms - member.condition_since_ms)
    clock = text("unit.s", value=f"{member.skew_ms / 1000:+g}") if member.skew_ms else text("chaos.clock_right")
    return Row(
        member.id,
        (
            Cell(sign, shade),
            Cell(member.id, "bold" if member.id == leader else ""),
            Cell(text(f"chaos.process.{member.condition}"), PROCESS_TONES[member.condition]),
            Cell(since, "text-muted", now_ms - member.condition_since_ms),
            Cell(clock, "status-degraded" if member.skew_ms else "text-muted", member.skew_ms),
            Cell(status_word(seen.status), tone(seen.status)) if seen else Cell("–", "text-muted"),
            Cell(note(seen) if seen else "", "text-muted"),
        ),
    )


def link_lines(state: State, width: int, most: int) -> list[Line]:
    """From each node (lines) to each other (columns): open, cut or slow, and how slow where there is room for it."""
    names = [member.id for member in state.members]
    cell = max(LEAST_CELL, min(CELL, (width - NAME) // len(names)))
    short = short_names(names, cell - 1)
    impaired = {(way.source, way.target): way for way in state.impaired}
    heading: Line = [(f"{text('chaos.from_to'):<{NAME}}", "text-muted")]
    lines = [[*heading, *((f"{short[name]:>{cell}}", "text-muted") for name in names)]]
    for source in names:
        ways = (_link(impaired.get((source, target)), cell) if source != target else ("", "") for target in names)
        lines.append([(f"{source[: NAME - 1]:<{NAME}}", ""), *((f"{words:>{cell}}", tone) for words, tone in ways)])
    return lines[:most]


def _link(way: Impaired | None, cell: int) -> tuple[str, str]:
    if way is None:
        return OPEN, "status-healthy"
    if way.cut:
        return CUT, "status-unreachable"
    by = text("unit.ms", value=f"{way.delay_ms:g}")
    return by if len(by) < cell else SLOW, "status-degraded"


def force_lines(state: State, moment: Moment, width: int, most: int) -> list[Line]:
    """Everything that is in force, the newest first, each with since when."""
    found: list[tuple[float, str]] = []
    short = {name: end.strip() for name, end in short_names([member.id for member in state.members], CELL).items()}
    for member in state.members:
        if member.condition != "running":
            words = text(f"chaos.process.{member.condition}")
            found.append((member.condition_since_ms, f"{member.id} {words}"))
        if member.skew_ms:
            words = text("chaos.force.skew", node=member.id, offset=f"{member.skew_ms / 1000:+g}")
            found.append((member.skew_since_ms, words))
    for way, both in _ways(state.impaired):
        arrow = "↔" if both else "→"
        link = f"{short[way.source]} {arrow} {short[way.target]}"
        key = "chaos.force.cut" if way.cut else "chaos.force.delay"
        found.append((way.since_ms, text(key, link=link, ms=f"{way.delay_ms:g}")))
    if not found:
        return [[(text("chaos.force.nothing"), "text-muted")]]
    lines: list[Line] = [
        [(f"{age(moment.now_ms - since_ms):>7}  ", "text-muted"), (words, "")]
        for since_ms, words in sorted(found, reverse=True)
    ]
    return _cut(lines, most)


def _ways(impaired: Sequence[Impaired]) -> Iterator[tuple[Impaired, bool]]:
    """Each link that is impaired, and whether both of its directions are so alike: then it stands there once."""
    alike = {(way.source, way.target): (way.cut, way.delay_ms) for way in impaired}
    for way in impaired:
        both = alike.get((way.target, way.source)) == (way.cut, way.delay_ms)
        if not both or way.source < way.target:
            yield way, both


def outcome_lines(
    rehearsal: Rehearsal | None, problem: str, blind: Mapping[Blind, int], moment: Moment, width: int, most: int
) -> list[Line]:
    """The last thing done: what was expected of it, and what has happened since; `blind` as for `followed`."""
    if problem:
        return [[(words, "status-unreachable")] for words in wrap(problem, width)]
    if rehearsal is None:
        return [[(words, "text-muted")] for words in wrap(text("chaos.nothing_yet"), width)]
    ago = text("overview.ago", age=age(moment.now_ms - rehearsal.at_ms))
    lines: list[Line] = [[(rehearsal.words, "bold"), (f"  {ago}", "text-muted")]]
    sentences = [line for sentence in rehearsal.expected for line in wrap(sentence, max(20, width - NAME))]
    for at, sentence in enumerate(sentences):
        label = text("chaos.expected") if at == 0 else ""
        lines.append([(f"{label:<{NAME}}", "text-muted"), (sentence, "")])
    happened = followed(rehearsal, moment, blind)
    for at, (after_s, words) in enumerate(happened):
        label = text("chaos.happened") if at == 0 else ""
        after = text("unit.s", value=number(after_s, 1, signed=True))
        lines.append([(f"{label:<{NAME}}", "text-muted"), (f"{after:>8}  ", "text-accent"), (words, "")])
    if not happened:
        lines.append([(f"{text('chaos.happened'):<{NAME}}", "text-muted"), (text("chaos.seen.nothing"), "text-muted")])
    return _cut(lines, most)


def _cut(lines: list[Line], most: int) -> list[Line]:
    """As many as there is room for; in the place of the last, how many more there are."""
    if len(lines) > most:
        lines[most - 1 :] = [[(text("verdict.more", count=len(lines) - most + 1), "text-muted")]]
    return lines
