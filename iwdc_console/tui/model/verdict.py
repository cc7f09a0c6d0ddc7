"""Is it safe now? One sentence, with the reason, and one on what may still fail.

The worst that is true is said first: not connected, not taking part, no quorum, no leader, conflicts, someone gone,
someone weak, a broken link, a suspect clock, all well.
"""

from typing import NamedTuple

from iwdc_console.locale import text
from iwdc_console.reasons import unanswered
from iwdc_console.tui.model.api import Instance, Status
from iwdc_console.tui.model.evidence import cause
from iwdc_console.tui.model.marks import DEGRADED, HEALTHY, UNREACHABLE
from iwdc_console.tui.model.matrix import Blind, broken_links, link_words
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.quantity import age

NAMED = 3
"""At most so many instances are named; the rest are counted."""


class Verdict(NamedTuple):
    """`status` gives shape and colour; `reason` and `next` may be empty. `brief` is `next` where there is less room."""

    status: str
    sentence: str
    reason: str = ""
    next: str = ""
    brief: str = ""


def verdict(moment: Moment) -> Verdict:
    """What to say of the cluster as it is known at this moment."""
    observation = moment.observation
    link = observation.link
    if observation.status is None:
        where = observation.context or ", ".join(observation.nodes[:NAMED])
        if not link.error:
            return Verdict("", text("verdict.connecting", where=where))
        tried = len(link.tried)
        sentence = text("verdict.never", where=where, tried=tried)
        return Verdict(UNREACHABLE, sentence, f"{_error(link.error)}.", *_next_try(moment))
    if observation.retold:
        return _retold(observation.status.value)
    if not moment.past and link.error and link.next_try_s is not None:
        status = observation.status.value
        last = age((moment.now_s - observation.status.at_s) * 1000)
        tried = len(status.instances) or len(link.tried)  # of a member, two addresses may have been tried
        sentence = text("verdict.lost", where=observation.context or status.cluster, tried=tried, age=last)
        return Verdict(UNREACHABLE, sentence, text("verdict.known_then"), *_next_try(moment))
    return _of_status(observation.status.value)


def _retold(status: Status) -> Verdict:
    """Events tell who led and what was decided; whether it was safe, they do not."""
    leader = status.leader
    if leader.id is None:
        return Verdict("", text("verdict.retold_no_leader"), text("verdict.not_recorded"))
    return Verdict("", text("verdict.retold", leader=leader.id, term=leader.term), text("verdict.not_recorded"))


def _error(error: str) -> str:
    """Which node, and why it did not answer."""
    node, _, why = error.partition(": ")
    return f"{node}: {unanswered(why)}"


def _next_try(moment: Moment) -> tuple[str, str]:
    """When, and what may be done meanwhile; and when, alone."""
    due_s = moment.observation.link.next_try_s
    left_s = 0.0 if due_s is None else max(0.0, due_s - moment.now_s)
    if left_s < 1:
        return text("verdict.trying"), text("verdict.trying")
    seconds = f"{left_s:.0f}"
    return text("verdict.next_try", seconds=seconds), text("verdict.next_try_brief", seconds=seconds)


def _of_status(status: Status) -> Verdict:
    quorum = status.quorum
    own = next((item for item in status.instances if item.id == status.id), None)
    down = [item for item in status.instances if item.status == UNREACHABLE]
    weak = [item for item in status.instances if item.status == DEGRADED]
    gone = _gone(status, [item for item in down if item is not own])
    if own is not None and own.status == UNREACHABLE:
        return Verdict(UNREACHABLE, text("verdict.not_taking_part", id=status.id), cause(own))
    if not quorum.sufficient:
        sentence = text(
            "verdict.no_quorum", healthy=quorum.healthy, total=quorum.total, required=quorum.required
        )  # fmt: skip
        return Verdict(
            UNREACHABLE, sentence, gone, text("verdict.writes_wait", id=status.id), text("verdict.writes_wait_brief")
        )
    if status.leader.id is None:
        return Verdict(UNREACHABLE, text("verdict.no_leader"), gone, election(status))
    spare = _spare(status)
    if status.open_conflicts:
        return Verdict(DEGRADED, text("verdict.conflicts", count=status.open_conflicts), gone, *spare)
    if down:
        return Verdict(DEGRADED, text("verdict.gone", count=len(down)), gone, *spare)
    if weak:
        return Verdict(DEGRADED, text("verdict.weak", count=len(weak)), _gone(status, weak), *spare)
    links = broken_links(status)
    if links:
        return Verdict(DEGRADED, text("verdict.broken_link"), _links(links), *spare)
    if status.suspect is not None:
        return Verdict(
            DEGRADED, text("verdict.suspect_clock", id=status.suspect), text("verdict.suspect_harms"), *spare
        )
    return Verdict(HEALTHY, text("verdict.safe", total=quorum.total, leader=status.leader.id), "", *spare)


def _links(links: list[Blind]) -> str:
    words = link_words(links[0])
    return words + (f"; {text('verdict.more', count=len(links) - 1)}." if len(links) > 1 else ".")


def _gone(status: Status, instances: list[Instance]) -> str:
    """Who is not well and why, those with the same cause together."""
    named: dict[str, list[str]] = {}
    elsewhere = _seen_elsewhere(status)
    for item in instances[:NAMED]:
        why = cause(item)
        named.setdefault(text("verdict.seen_elsewhere", cause=why) if item.id in elsewhere else why, []).append(item.id)
    parts = [text("verdict.because", id=", ".join(ids), cause=why) for why, ids in named.items()]
    if len(instances) > NAMED:
        parts.append(text("verdict.more", count=len(instances) - NAMED))
    return "; ".join(parts) + "." if parts else ""


def _seen_elsewhere(status: Status) -> set[str]:
    """Instances that the asked node alone does not hear: a link is broken, not they. Who is refused is down."""
    down = [item for item in status.instances if item.status == UNREACHABLE]
    silent = {item.id for item in down if "refused" not in item.reasons}
    there = [item for item in status.instances if item not in down and item.id != status.id]
    return {name for item in there for name, seen in item.sees.items() if name in silent and seen != UNREACHABLE}


def _spare(status: Status) -> tuple[str, str]:
    """What may still fail, in full and in brief."""
    proposals, locks = spare(status)
    if locks < 0:
        return text("verdict.no_majority"), text("verdict.no_majority")
    name = "spare_apart" if locks != proposals else "spare" if locks else "no_spare"
    figures = {"count": locks, "locks": locks, "proposals": proposals}
    return text(f"verdict.{name}", **figures), text(f"verdict.{name}_brief", **figures)


def election(status: Status) -> str:
    """Whether there can be a leader: one needs a strict majority of the voters."""
    voters, alive, needed = _majority(status)
    if not electable(status):
        return text("verdict.no_election", alive=alive, voters=voters, needed=needed)
    if _seen_elsewhere(status):
        return text("verdict.led_elsewhere")
    return text("verdict.locks_wait")


def electable(status: Status) -> bool:
    """Whether enough voters are there to elect a leader; of none that are told of, nothing is known to be missing."""
    voters, alive, needed = _majority(status)
    return not voters or alive >= needed


def _majority(status: Status) -> tuple[int, int, int]:
    """How many vote for a leader, how many of them are there, how many it takes."""
    voters = status.leader.candidates
    return len(voters), sum(1 for voter in voters if voter.status != UNREACHABLE), len(voters) // 2 + 1


def spare(status: Status) -> tuple[int, int]:
    """How many more may fail: for proposals by the rule, for locks by the strict majority of the voters.

    Below zero where there are too few already.
    """
    _, alive, needed = _majority(status)
    return status.quorum.healthy - status.quorum.required, alive - needed
