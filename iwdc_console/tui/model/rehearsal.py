"""What can be done to a demo, what should follow from it by the rules of the protocol, and what did follow. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from iwdc_console.demo.faults import (
    SILENCE_S,
    Condition,
    Cut,
    Delay,
    Heal,
    Kill,
    Mend,
    Order,
    Pause,
    Restart,
    Resume,
    Skew,
    Split,
    Start,
    State,
    Wipe,
)
from iwdc_console.locale import number, text
from iwdc_console.tui.model.api import Status
from iwdc_console.tui.model.evidence import note, reason, status_word, telling
from iwdc_console.tui.model.history import Doubt
from iwdc_console.tui.model.matrix import Blind, link_words
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.succession import changes, successor

DELAY_MS = 300.0
SKEW_MS = 5_000.0
DRIFT_WARN_MS = 1_000.0
MARGIN_S = 0.5
"""What an election takes on a busy machine, generously."""


class Choice(NamedTuple):
    """A line of the menu: what it does at once, or the `further` lines it leads to."""

    words: str
    orders: tuple[Order, ...] = ()
    further: "tuple[Choice, ...]" = ()


class Rehearsal(NamedTuple):
    """One choice carried out: `picked` in the menu of `node` as all stood then, and since when to look what follows."""

    state: State
    node: str
    status: Status | None
    picked: tuple[int, ...]
    at_ms: int

    @property
    def menu(self) -> tuple[Choice, ...]:
        """The menu of that moment."""
        return choices(self.state, self.node, self.status.leader.id if self.status else None)

    @property
    def chosen(self) -> list[Choice]:
        """The lines that led there, in the language that is spoken now."""
        first, *further = self.picked
        lines = [self.menu[first]]
        for at in further:
            lines.append(lines[-1].further[at])
        return lines

    @property
    def words(self) -> str:
        """What was done."""
        return ": ".join(line.words.rstrip("…") for line in self.chosen)

    @property
    def expected(self) -> tuple[str, ...]:
        """What should have followed."""
        return expected(self.chosen[-1].orders, self.status)


# The menu


def choices(state: State, node: str, leader: str | None) -> tuple[Choice, ...]:
    """What can be done to `node` now, to its links, and to all."""
    member = next(each for each in state.members if each.id == node)
    others = [each.id for each in state.members if each.id != node]
    return (
        *_to_process(node, member.condition),
        *_to_clock(node, member.skew_ms),
        Choice(text("chaos.do.cut"), further=tuple(_links(state, node, others, "cut"))),
        Choice(text("chaos.do.delay", ms=f"{DELAY_MS:g}"), further=tuple(_links(state, node, others, "delay"))),
        *_mending(state, node),
        Choice(text("chaos.do.split"), further=tuple(_splits(state, node, leader))),
        Choice(text("chaos.do.heal"), (Heal(),)),
    )


def _to_process(node: str, condition: Condition) -> list[Choice]:
    wipe = Choice(text("chaos.do.wipe", node=node), (Wipe(node),))
    if condition == "down":
        return [Choice(text("chaos.do.start", node=node), (Start(node),)), wipe]
    kill = Choice(text("chaos.do.kill", node=node), (Kill(node),))
    restart = Choice(text("chaos.do.restart", node=node), (Restart(node),))
    if condition == "paused":
        return [Choice(text("chaos.do.resume", node=node), (Resume(node),)), kill, restart, wipe]
    return [kill, Choice(text("chaos.do.pause", node=node), (Pause(node),)), restart, wipe]


def _to_clock(node: str, skew_ms: float) -> list[Choice]:
    if skew_ms:
        return [Choice(text("chaos.do.set_right", node=node), (Skew(node, 0.0),))]
    return [
        Choice(text("chaos.do.skew", node=node, offset=f"{sign * SKEW_MS / 1000:+g}"), (Skew(node, sign * SKEW_MS),))
        for sign in (1, -1)
    ]


def _links(state: State, node: str, others: Sequence[str], fault: str) -> list[Choice]:
    def order(source: str, target: str) -> Order:
        return Cut(source, target) if fault == "cut" else Delay(source, target, DELAY_MS)

    found = []
    for other in others:
        there, back = order(node, other), order(other, node)
        found += [
            Choice(f"{node} ↔ {other}", (there, back)),
            Choice(f"{node} → {other}", (there,)),
            Choice(f"{node} ← {other}", (back,)),
        ]
    return found


def _mending(state: State, node: str) -> list[Choice]:
    broken = [way for way in state.impaired if node in (way.source, way.target)]
    if not broken:
        return []
    return [Choice(text("chaos.do.mend", node=node), tuple(Mend(way.source, way.target) for way in broken))]


def _splits(state: State, node: str, leader: str | None) -> list[Choice]:
    ids = tuple(each.id for each in state.members)
    half = len(ids) // 2
    groupings = [(_without(ids, node), (node,)), (ids[:half], ids[half:])]
    if leader in ids and leader != node:
        groupings.append((_without(ids, leader), (leader,)))
    return [Choice(" | ".join(", ".join(group) for group in groups), (Split(groups),)) for groups in groupings]


def _without(ids: Sequence[str], one: str) -> tuple[str, ...]:
    return tuple(each for each in ids if each != one)


# What should follow


def expected(orders: Sequence[Order], status: Status | None) -> tuple[str, ...]:
    """Sentences, by the cluster as the asked node sees it now; none when nothing is known of it."""
    if status is None:
        return ()
    match orders:
        case [Cut(source=source, target=target), Cut()]:
            return (text("chaos.expect.cut_both", source=source, target=target, seconds=number(SILENCE_S, 2)),)
        case [Delay(source=source, target=target, delay_ms=there_ms), Delay(delay_ms=back_ms)]:
            return (text("chaos.expect.delayed", source=source, target=target, ms=f"{there_ms + back_ms:g}"),)
    return tuple(dict.fromkeys(sentence for order in orders for sentence in _follows(order, status)))


def _follows(order: Order, status: Status) -> list[str]:
    match order:
        case Kill(node=node) | Restart(node=node):
            back = [text("chaos.expect.back")] if isinstance(order, Restart) else []
            return [text("chaos.expect.refused", node=node), *_after(node, MARGIN_S, status), *back]
        case Wipe(node=node):
            return [*_after(node, SILENCE_S + MARGIN_S, status), text("chaos.expect.wiped", node=node)]
        case Pause(node=node):
            silent = text("chaos.expect.silent", node=node, seconds=number(SILENCE_S, 2))
            return [silent, *_after(node, SILENCE_S + MARGIN_S, status)]
        case Start(node=node) | Resume(node=node):
            return [text("chaos.expect.joins", node=node)]
        case Skew(node=node, offset_ms=offset_ms):
            if abs(offset_ms) <= DRIFT_WARN_MS:
                return [text("chaos.expect.right", node=node)]
            leads = node == status.leader.id
            return [text("chaos.expect.skewed_leader" if leads else "chaos.expect.skewed", node=node)]
        case Cut(source=source, target=target):
            return [text("chaos.expect.cut", source=source, target=target, seconds=number(SILENCE_S, 2))]
        case Delay(source=source, target=target, delay_ms=delay_ms):
            return [text("chaos.expect.delayed", source=source, target=target, ms=f"{delay_ms:g}")]
        case Mend():
            return [text("chaos.expect.mended")]
        case Split(groups=groups):
            return _after_split(groups, status)
        case Heal():
            return [text("chaos.expect.healed")]
    return []


def _after(node: str, within_s: float, status: Status) -> list[str]:
    """Who leads once `node` is gone, and what may still fail."""
    left = sum(each.status != "unreachable" and each.id != node for each in status.leader.candidates)
    if left <= len(status.leader.candidates) // 2:
        return [text("chaos.expect.no_majority", count=left) if left else text("chaos.expect.none_left")]
    if node != status.leader.id:
        return [text("chaos.expect.stays", leader=status.leader.id or text("frame.no_leader"))]
    return [text("chaos.expect.takes_over", node=successor(status.leader), seconds=f"{within_s:g}")]


def _after_split(groups: Sequence[Sequence[str]], status: Status) -> list[str]:
    total = len(status.instances)
    majority = next((group for group in groups if len(group) > total / 2), None)
    if majority is None:
        return [text("chaos.expect.halves")]
    members = ", ".join(majority)
    lines = [text("chaos.expect.majority", members=members)]
    if status.leader.id not in majority:
        within = f"{SILENCE_S + MARGIN_S:g}"
        lines.append(text("chaos.expect.leader_lost", leader=status.leader.id, seconds=within))
    return lines


# What did follow


def followed(rehearsal: Rehearsal, moment: Moment, blind: Mapping[Blind, int]) -> list[tuple[float, str]]:
    """What has happened since, in order: seconds after, and a sentence. From events, statuses and doubts of clocks.

    `blind` are links between others that were seen to be broken, since unix ms.
    """
    leaders = changes(moment.observation.events.value if moment.observation.events else ())
    part = moment.observation.status
    found = [
        *((each.at_ms, text("chaos.seen.leads", node=each.leader, term=each.term)) for each in leaders),
        *_statuses(moment),
        *((each.at_ms, _doubt(each)) for each in moment.history.doubts),
        *((since_ms, link_words(link)) for link, since_ms in blind.items()),
        *(_slowed(rehearsal, moment, part.value.id) if part is not None else ()),
    ]
    since = sorted((at_ms, words) for at_ms, words in found if at_ms >= rehearsal.at_ms)
    return [((at_ms - rehearsal.at_ms) / 1000, words) for at_ms, words in since]


def _statuses(moment: Moment) -> Iterator[tuple[int, str]]:
    """What each instance is, since when the asked node says; and what it was in between, when that was seen."""
    part = moment.observation.status
    present: dict[str, str] = {}
    for each in part.value.instances if part is not None else ():
        if part is not None and each.status_age_ms is not None:
            present[each.id] = each.status
            yield part.at_ms - each.status_age_ms, _status(each.id, each.status, note(each))
    for change in reversed(moment.history.changes):
        if present.pop(change.instance, None) != change.status:
            yield change.at_ms, _status(change.instance, change.status, "; ".join(map(reason, telling(change.reasons))))


def _doubt(doubt: Doubt) -> str:
    return text("chaos.seen.cleared" if doubt.cleared else "chaos.seen.suspect", node=doubt.instance)


def _status(node: str, status: str, why: str) -> str:
    return text("chaos.seen.status", node=node, status=status_word(status), why=f" ({why})" if why else "")


def _slowed(rehearsal: Rehearsal, moment: Moment, asked: str) -> Iterator[tuple[int, str]]:
    """Round trips that have become as slow as was ordered: the asked node measures those of its own links."""
    slowed: dict[str, float] = {}
    for order in rehearsal.chosen[-1].orders:
        if isinstance(order, Delay) and asked in (order.source, order.target):
            other = order.target if order.source == asked else order.source
            slowed[other] = slowed.get(other, 0.0) + order.delay_ms
    for other, least_ms in slowed.items():
        since = [each for each in moment.history.samples(other) if each.at_ms >= rehearsal.at_ms]
        first = next((each for each in since if each.rtt_ms is not None and each.rtt_ms >= least_ms), None)
        if first is not None and (now_ms := since[-1].rtt_ms) is not None:
            words = text("chaos.seen.round_trip", one=asked, other=other, ms=number(now_ms))
            yield first.at_ms, words
