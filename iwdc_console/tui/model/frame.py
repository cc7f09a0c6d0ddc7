"""What the header says of a moment, field by field."""

from typing import NamedTuple

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Status
from iwdc_console.tui.model.lately import date_and_time
from iwdc_console.tui.model.marks import LEADER, UNREACHABLE
from iwdc_console.tui.model.moment import Beside, Moment
from iwdc_console.tui.model.quantity import NONE, age, milliseconds, offset
from iwdc_console.tui.model.verdict import spare

PRODUCT = "iwdc"
"""Also what a cluster is called that was given no name: once is enough then."""
GAUGE_DOTS = 9
"""Instances that are drawn as dots; of more, only the numbers are told."""

OFFSET, ROUND_TRIP = 6, 7
"""Cells of a number that changes all the time: what stands beside it shall not move."""


class Field(NamedTuple):
    """Texts with their tones. Where the line is too short, the highest `drop` is the first to say it in `brief`.

    Where that is not enough either, the highest `drop` goes.
    """

    drop: int
    pieces: tuple[tuple[str, str], ...]
    brief: tuple[tuple[str, str], ...] = ()


def fields(moment: Moment, read_only: bool = False) -> tuple[Field, ...]:
    """All fields, left to right; the age of the data comes last and stays longest.

    A console that is `read_only` says so beside the name of what it looks at.
    """
    observation = moment.observation
    name = (_name(moment), "bold")
    looks = ((f" {text('frame.read_only')}", "text-muted"),) if read_only else ()
    ours = () if _name(moment) == PRODUCT else ((PRODUCT, "bold $primary"), ("  ", ""))
    found = [Field(2, (*ours, name, *looks), (name, *looks))]
    if moment.beside is not None:
        found.append(_beside(moment.beside))
    if observation.status is not None:
        status = observation.status.value
        found.append(_leader(status))
        if not observation.retold:
            found += [Field(1, tuple(gauge(status)), tuple(gauge(status)[1:])), _drift(status)]
        found.append(_version(status))
    if not observation.retold:
        found.append(_node(moment))
    if moment.stale:
        found[1:] = [Field(one.drop, _muted(one.pieces), _muted(one.brief)) for one in found[1:]]
    return (*found, freshness(moment))


def _muted(pieces: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((words, "text-muted") for words, _ in pieces)


def _beside(node: Beside) -> Field:
    """The node of this console: running, or ended."""
    if node.runs:
        return Field(3, ((text("frame.beside") + " ", "text-muted"), (node.id, "")))
    return Field(2, ((text("frame.beside_ended", id=node.id), "status-unreachable"),))


def _name(moment: Moment) -> str:
    observation = moment.observation
    if observation.context:
        return observation.context
    return observation.status.value.cluster if observation.status else text("frame.no_name")


def _leader(status: Status) -> Field:
    leader = status.leader
    term = (text("frame.term", term=leader.term), "text-muted")
    if leader.id is None:
        return Field(3, ((text("frame.no_leader"), "status-unreachable"), ("  ", ""), term))
    brief = (text("frame.term_brief", term=leader.term), "text-muted")
    who = ((f"{LEADER} ", "status-leader"), (leader.id, ""))
    return Field(3, (*who, ("  ", ""), term), (*who, (" ", ""), brief))


def gauge(status: Status) -> list[tuple[str, str]]:
    """`quorum ●●●●○ 4/5 need 3, may lose 1`."""
    quorum = status.quorum
    pieces = [(text("frame.quorum") + " ", "text-muted")]
    if 0 < quorum.total <= GAUGE_DOTS:
        good = "status-healthy" if quorum.sufficient else "status-unreachable"
        pieces += [("●" * quorum.healthy, good), ("○" * (quorum.total - quorum.healthy), "status-unreachable")]
        pieces.append((" ", ""))
    pieces.append((f"{quorum.healthy}/{quorum.total}", "" if quorum.sufficient else "status-unreachable"))
    pieces.append((" " + text("frame.need", required=quorum.required), "text-muted"))
    left = min(spare(status))
    words = text("frame.may_lose", count=left) if left > 0 else text("frame.may_lose_none")
    if quorum.sufficient and left >= 0:
        pieces.append((", " + words, "text-muted" if left else "status-degraded"))
    return pieces


def _drift(status: Status) -> Field:
    known = [item.drift_ms for item in status.instances if item.drift_ms is not None and item.status != UNREACHABLE]
    worst = max(known, key=abs, default=None)
    off = status.suspect is not None or any("drift" in item.reasons for item in status.instances)
    shade = "status-degraded" if off else ""
    return Field(
        5, ((text("frame.drift") + " ", "text-muted"), (NONE if worst is None else f"{offset(worst):>{OFFSET}}", shade))
    )


def _version(status: Status) -> Field:
    version = (status.current_version or "–", "")
    return Field(4, ((text("frame.version") + " ", "text-muted"), version), (("v", "text-muted"), version))


def _node(moment: Moment) -> Field:
    link = moment.observation.link
    host = link.node.removeprefix("http://").removeprefix("https://")
    status = moment.observation.status
    name = status.value.id if status is not None and status.node == link.node else host
    return Field(
        6,
        (
            (text("frame.via") + " ", "text-muted"),
            (name, ""),
            (f" {milliseconds(link.rtt_ms):>{ROUND_TRIP}}", "text-muted"),
        ),
    )


def freshness(moment: Moment) -> Field:
    """How old all this is: live, stale or past."""
    age_s = moment.observation.age_s(moment.now_s)
    if moment.past:
        time = date_and_time(moment.now_ms, moment.present_ms or moment.now_ms)
        if moment.present_ms is None:
            return Field(0, ((text("frame.replay", time=time), "bold $accent"),))
        ago = age(moment.present_ms - moment.now_ms)
        return Field(0, ((text("frame.as_of", time=time, age=ago), "bold $accent"),))
    if age_s is None:
        return Field(0, ((text("frame.no_data"), "text-muted"),))
    if moment.mode == "paused":
        word, tone = "paused", "status-degraded"
    else:
        word, tone = ("stale", "status-degraded") if moment.stale else ("live", "status-healthy")
    return Field(0, ((f"{text(f'frame.{word}')} ", tone), (age(age_s * 1000).rjust(6), "text-muted")))
