"""What the Versions screen says: which instance has which version, and what one of them consists of."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import pairwise

from iwdc_console.locale import language, number, text
from iwdc_console.reasons import unanswered
from iwdc_console.tui.model import codes
from iwdc_console.tui.model.api import AtInstance, Proposal, Status, Version
from iwdc_console.tui.model.ballots import ballot
from iwdc_console.tui.model.matrix import short_names
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.overview import subject, tally
from iwdc_console.tui.model.quantity import NONE, size
from iwdc_console.tui.model.table import MARK, Cell, Cells, Column, Row, instant

Line = list[tuple[str, str]]

CURRENT = "current"
BASE_MARK, CURRENT_MARK = "◇", "▶"
STATES = ("current", "accepted", "void", "stored")
IN_USE, APPLYING = "in_use", "applying"
AT = {
    IN_USE: ("◆", "bold $status-healthy"),
    APPLYING: ("◈", "status-degraded"),
    "has": ("●", "status-healthy"),
    "fetching": ("◐", "status-degraded"),
    "waiting": ("◌", "status-degraded"),
    "other": ("≠", "status-degraded"),
    "bad": ("✗", "status-unreachable"),
    "missing": ("○", "status-unreachable"),
    "unlisted": ("□", "text-muted"),
    "unknown": ("?", "text-muted"),
}
"""How a version stands at an instance: shape and tone."""
BEFORE = (
    MARK,
    Column("version", 9, grow=1),
    Column("state", 8, glows=True),
    Column("size", 9, right=True, drop=1),
    Column("files", 7, right=True, drop=3),
    Column("when", 16, drop=2, keeps=instant),
)
AT_WIDTHS = ((5, 9), (7, 6), (99, 2))
"""So many instances at most -> the cells that each has: word and shape, a part of the word, the shape."""
NOTHING_TOLD = AtInstance("unknown")
LABEL = 11


def find(moment: Moment, version: str) -> Version | None:
    """A version by its name, if any instance has something of it."""
    part = moment.observation.versions
    return next((each for each in part.value if each.version == version), None) if part is not None else None


def current(moment: Moment) -> str:
    """The version that is current, as far as it is known; empty if there is none."""
    part = moment.observation.status
    return (part.value.current_version or "") if part is not None else ""


def instance_names(moment: Moment) -> list[str]:
    """The instances in the order of every screen, then those that only the versions name."""
    return _names(moment.observation.versions, moment.observation.status)


def _names(part: Part[tuple[Version, ...]] | None, status: Part[Status] | None) -> list[str]:
    known = [each.id for each in status.value.instances] if status is not None else []
    told = {name for each in part.value for name in each.instances} if part is not None else set()
    return [*(name for name in known if name in told or not told), *sorted(told - set(known))]


def columns(moment: Moment) -> tuple[Column, ...]:
    """What is known of a version, then a column for each instance."""
    names = instance_names(moment)
    width = next((width for most, width in AT_WIDTHS if len(names) <= most), AT_WIDTHS[-1][1])
    short = short_names(names, width)
    return (*BEFORE, *(Column(name, width, grow=1, glows=True, name=short[name].strip()) for name in names))


def rows(moment: Moment, base: str) -> list[Row]:
    """One row per version, the newest first; `base` is the one that others are compared with."""
    part = moment.observation.versions
    if part is None:
        return []
    return _rows(part, moment.observation.status, moment.observation.proposals, base, language())


@once
def _rows(
    part: Part[tuple[Version, ...]],
    status: Part[Status] | None,
    told: Part[tuple[Proposal, ...]] | None,
    base: str,
    spoken: str,
) -> list[Row]:
    names, proposals = _names(part, status), told.value if told is not None else ()
    return [_row(each, proposed(proposals, each.version), names, base) for each in part.value]


def _row(version: Version, origin: Proposal | None, names: list[str], base: str) -> Row:
    problems = [
        f"{name}: {codes.content(at.reason, at.problem)}" for name, at in version.instances.items() if at.problem
    ]
    cells = partial(_cells, version, origin, names, base)
    return Row(version.version, cells, "; ".join(problems), "status-degraded", copy=version.version)


def _cells(version: Version, origin: Proposal | None, names: list[str], base: str) -> Cells:
    is_current = version.state == CURRENT
    at_ms = origin.decided_at if origin is not None and origin.state == "accepted" else None
    mark = CURRENT_MARK if is_current else BASE_MARK if version.version == base else ""
    return (
        Cell(mark, "status-leader"),
        Cell(version.version, "bold" if is_current else ""),
        Cell(_state(version), "status-healthy" if is_current else "text-muted"),
        Cell(size(version.bytes) if version.files else NONE, "", version.bytes),
        Cell(number(version.files) if version.files else NONE, "text-muted", version.files),
        Cell(NONE if at_ms is None else _day(at_ms), "text-muted", at_ms, at_ms),
        *(_at(version.instances.get(name, NOTHING_TOLD), is_current, language()) for name in names),
    )


def _state(version: Version) -> str:
    return text(f"versions.state.{version.state}") if version.state in STATES else version.state


@lru_cache(maxsize=1024)
def _at(at: AtInstance, is_current: bool, spoken: str) -> Cell:
    """What is missing is a matter of concern where it is current; older versions are dropped in time."""
    state = APPLYING if at.applying else IN_USE if at.state == "has" and at.applied else at.state
    mark, tone = AT.get(state, AT["unknown"])
    word = text(f"versions.at.{state}", percent=at.percent) if state in AT else at.state
    return Cell(f"{mark} {word}", "text-muted" if state == "missing" and not is_current else tone)


def _day(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return NONE


def proposed(proposals: Sequence[Proposal], version: str) -> Proposal | None:
    """The proposal that a version came with, an accepted one first; None if none is remembered."""
    found = [each for each in proposals if each.kind != "rollback" and version in (each.version, each.to)]
    return max(found, key=lambda each: (each.state == "accepted", each.created_at), default=None)


def other(moment: Moment, chosen: str, base: str) -> str:
    """What a version is compared with: the marked one, or the current one, or the next older; empty if there is none.

    The versions stand from the newest to the oldest.
    """
    part = moment.observation.versions
    known = [each.version for each in part.value] if part is not None else []
    for each in (base, current(moment)):
        if each in known and each != chosen:
            return each
    return next((older for newer, older in pairwise(known) if newer == chosen), "")


def detail_lines(moment: Moment, chosen: str, width: int, most: int) -> list[Line]:
    """What the chosen version consists of, who proposed it, and how the votes went."""
    if moment.observation.versions is None:
        return [[(text(moment.unknown), "text-muted")]]
    version = find(moment, chosen)
    if version is None:
        return [[(text("versions.none_chosen"), "text-muted")]]
    lines: list[Line] = [[(version.version, "bold"), (f"  {_state(version)}", "text-muted")]]
    lines += _contents(moment, version)
    lines += _origin(moment, version)
    return lines[:most]


def _contents(moment: Moment, version: Version) -> list[Line]:
    part = moment.observation.summary
    lines = [_field("root", version.hash or NONE), _field("content", version.key or NONE)]
    if part is None or part.value.version != version.version:
        why = moment.observation.troubles.get("summary", "")
        return [*lines, [(text("versions.not_here" if why else moment.unknown, why=unanswered(why)), "text-muted")]]
    told = part.value
    types = " · ".join(f"{name} {number(count)}" for name, count in sorted(told.types.items()))
    return [
        *lines,
        _field("made", told.created_at),
        _field("files", f"{number(told.files)}  ({types})"),
        _field("size", size(told.bytes)),
    ]


def _field(name: str, words: str) -> Line:
    return [(f"{text(f'versions.field.{name}'):<{LABEL}} ", "text-muted"), (words, "")]


def _origin(moment: Moment, version: Version) -> list[Line]:
    told = moment.observation.proposals
    proposal = proposed(told.value if told is not None else (), version.version)
    if proposal is None:
        unproposed = text("versions.not_proposed" if version.state == "stored" else "versions.forgotten")
        return [_field("proposed", unproposed)]
    status = moment.observation.status
    when = _day(proposal.created_at)
    words = text("versions.proposed", what=subject(proposal), instance=proposal.proposer, when=when)
    found = ballot(proposal, status.value if status is not None else None, moment.now_ms)
    votes: Line = [(f"{text('versions.field.votes'):<{LABEL}} ", "text-muted")]
    votes.append((tally(found.accepts, found.required), ""))
    short = short_names([line.voter for line in found.lines], 8)
    for line in found.lines:
        votes.append((f"  {line.shape} {short[line.voter].strip()}", line.tone))
        if line.reason:
            votes.append((f" {line.reason}", "text-muted"))
    return [_field("proposed", words), votes]


def rollback_follows(moment: Moment, version: Version) -> str:
    """What a rollback to `version` does, sentence by sentence, with the names of what and who is concerned."""
    part, now = moment.observation.versions, current(moment)
    known = [each.version for each in part.value] if part is not None else []
    between = known[known.index(now) : known.index(version.version)] if now in known else [now]
    names = instance_names(moment)
    lacking = [name for name in names if (at := version.instances.get(name)) is None or at.state != "has"]
    status = moment.observation.status
    needed = status.value.quorum.required if status is not None else 0
    said = [
        text("versions.rollback.votes", required=needed, count=len(names)),
        text("versions.rollback.switch", version=version.version, former=now),
        text("versions.rollback.void", versions=", ".join(reversed(between))),
    ]
    if lacking:
        said.append(text("versions.rollback.fetch", instances=", ".join(lacking)))
    return " ".join(said)


def contents(moment: Moment, version: str) -> tuple[str, str]:
    """Which content a version is, and how it stands at the asked node: what is known of it may change with these."""
    found, status = find(moment, version), moment.observation.status
    if found is None:
        return "", ""
    at = found.instances.get(status.value.id) if status is not None else None
    return found.key or "", at.state if at is not None else ""
