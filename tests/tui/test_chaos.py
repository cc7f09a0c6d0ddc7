"""Chaos: what can be done, what should follow by the rules, what is shown of both."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest
from textual.widgets import OptionList
from textual.worker import WorkerCancelled

from iwdc_console.demo.cluster import Cluster, DemoError
from iwdc_console.demo.faults import (
    Cut,
    Delay,
    Heal,
    Impaired,
    Kill,
    Look,
    Member,
    Mend,
    Order,
    Pause,
    Resume,
    Skew,
    Split,
    Start,
    State,
    Wipe,
)
from iwdc_console.locale import set_language
from iwdc_console.tui import commandline
from iwdc_console.tui.company import Company
from iwdc_console.tui.model.api import Candidate, Event, Instance, Leader, Quorum, Status
from iwdc_console.tui.model.chaos import force_lines, link_lines, node_rows, outcome_lines
from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.matrix import Blind
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Link, Observation, Part
from iwdc_console.tui.model.rehearsal import Choice, Rehearsal, choices, expected, followed
from iwdc_console.tui.screens.chaos import Chaos
from iwdc_console.tui.widgets.menu import Menu
from tests.tui.driving import until
from tests.tui.prod_eu import console

NOW_MS = 1_768_466_400_000
A, B, C = "instance-A", "instance-B", "instance-C"


def state(*impaired: Impaired, **changes: Member) -> State:
    members = {name[-1]: Member(name, f"http://{name}", "running", NOW_MS - 60_000) for name in (A, B, C)}
    return State(tuple((members | changes).values()), impaired)


def status(leader: str | None = C, **statuses: str) -> Status:
    ranked = [C, B, A]
    return Status(
        id=A,
        quorum=Quorum(3, 3, 2, True),
        leader=Leader(leader, 4, candidates=tuple(Candidate(i, 1, statuses.get(i[-1], "healthy")) for i in ranked)),
        instances=tuple(Instance(i, status=statuses.get(i[-1], "healthy"), status_age_ms=60_000) for i in (A, B, C)),
    )


def moment(known: Status, *events: Event) -> Moment:
    seen = Observation(
        nodes=(A,), link=Link(node=A), status=Part(known, A, 100.0, NOW_MS), events=Part(events, A, 100.0, NOW_MS)
    )
    return Moment(seen, History(), 100.0, NOW_MS)


def flat(offered: tuple[Choice, ...]) -> list[Order]:
    return [order for each in offered for order in (*each.orders, *flat(each.further))]


def words(lines: list[list[tuple[str, str]]]) -> str:
    return "\n".join("".join(piece for piece, _ in line) for line in lines)


def test_only_what_makes_sense_is_offered() -> None:
    running = flat(choices(state(), A, C))
    assert {Kill(A), Pause(A), Wipe(A), Heal(), Skew(A, 5_000.0), Cut(A, B), Cut(B, A), Delay(C, A, 300.0)} <= {
        *running
    }
    assert not {Start(A), Resume(A)} & {*running}
    down = flat(choices(state(A=Member(A, "", "down", NOW_MS)), A, C))
    assert Start(A) in down
    assert not {Kill(A), Pause(A)} & {*down}
    paused = flat(choices(state(A=Member(A, "", "paused", NOW_MS)), A, C))
    assert {Resume(A), Kill(A)} <= {*paused}
    assert Pause(A) not in paused
    skewed = flat(choices(state(A=Member(A, "", "running", NOW_MS, 5_000.0, NOW_MS)), A, C))
    assert [order for order in skewed if isinstance(order, Skew)] == [Skew(A, 0.0)]
    assert not any(isinstance(order, Mend) for order in running)
    assert Mend(B, A) in flat(choices(state(Impaired(B, A, True, 0.0, NOW_MS)), A, C))


def test_splits_part_all_nodes() -> None:
    for order in flat(choices(state(), A, C)):
        if isinstance(order, Split):
            assert sorted(name for group in order.groups for name in group) == [A, B, C]


@pytest.mark.parametrize(
    ("order", "known", "says"),
    [
        (Kill(C), status(), "instance-B takes over within about 0.5 s."),
        (Kill(A), status(), "instance-C goes on leading."),
        (Kill(C), status(B="unreachable"), "Only one is left, no majority"),
        (Kill(C), status(A="unreachable", B="unreachable"), "Nobody is left"),
        (Pause(C), status(), "instance-B takes over within about 1.75 s."),
        (Skew(A, 5_000.0), status(), "instance-A is degraded"),
        (Skew(C, 5_000.0), status(), "all others are shown as off"),
        (Split(((A, B), (C,))), status(), "instance-C stops leading"),
        (Split(((B, C), (A,))), status(), "instance-B, instance-C are a majority and go on."),
        (Split(((A,), (B,), (C,))), status(), "No side has a majority"),
        (Delay(A, B, 300.0), status(), "300 ms longer"),
    ],
)
def test_what_should_follow_is_told_before(order: Order, known: Status, says: str) -> None:
    assert says in "\n".join(expected([order], known))


def test_a_link_cut_both_ways_is_told_once() -> None:
    (sentence,) = expected([Cut(A, B), Cut(B, A)], status())
    assert "each other" in sentence


def test_what_is_in_force_both_ways_stands_there_once() -> None:
    ways = [Impaired(A, B, True, 0, 5), Impaired(B, A, True, 0, 5), Impaired(B, C, False, 300, 4)]
    both = words(force_lines(state(*ways), moment(status()), 60, 9))
    assert [line.split("  ")[-1] for line in both.splitlines()] == ["A ↔ B cut", "B → C 300 ms slower"]


def test_a_link_slowed_both_ways_is_told_once_with_the_sum() -> None:
    (sentence,) = expected([Delay(A, B, 300.0), Delay(B, A, 300.0)], status())
    assert "take 600 ms longer" in sentence


def test_a_slow_link_of_the_asked_node_is_seen_in_its_round_trips() -> None:
    slow = next(at for at, each in enumerate(choices(state(), B, C)) if each.words.startswith("Slow a link"))
    then = Rehearsal(state(), B, status(), (slow, 0), NOW_MS - 3_000)
    assert then.words.endswith(f"{B} ↔ {A}")
    history = History()
    for at_ms, rtt_ms in ((NOW_MS - 4_000, 700.0), (NOW_MS - 2_500, 2.0), (NOW_MS - 1_000, 612.4), (NOW_MS, 640.2)):
        members = tuple(Instance(name, status="healthy", rtt_ms=rtt_ms) for name in (B, C))
        history.add(Observation(status=Part(Status(id=A, instances=members), "n", at_ms / 1000, at_ms)))
    seen = replace(moment(Status(id=A, instances=members)), history=history)
    assert followed(then, seen, {}) == [(2.0, "a round trip instance-A ↔ instance-B takes 640 ms")]
    elsewhere = replace(moment(Status(id=C, instances=members)), history=history)
    assert followed(then, elsewhere, {}) == [], "the asked node measures its own links"


def test_nothing_is_foretold_of_a_cluster_nobody_knows() -> None:
    assert expected([Kill(A)], None) == ()


def test_what_did_follow_is_told_with_its_time() -> None:
    then = Rehearsal(state(), C, status(), (0,), NOW_MS - 3_000)
    gone = Instance(C, status="unreachable", reasons=("refused",), status_age_ms=2_900)
    known = status(leader=B)
    known = Status(id=A, leader=known.leader, quorum=known.quorum, instances=(*known.instances[:2], gone))
    elected = {"leader": B, "term": 5}
    seen = moment(
        known,
        Event("1", C, 1, "LEADER_ELECTED", NOW_MS - 90_000, payload={"leader": C, "term": 4}),
        Event("2", B, 2, "LEADER_ELECTED", NOW_MS - 2_800, payload=elected),
    )
    (first, _), (second, _) = found = followed(then, seen, {})
    assert (round(first, 1), round(second, 1)) == (0.1, 0.2)
    assert [sentence for _, sentence in found] == [
        "instance-C is unreachable (its host refuses connections)",
        "instance-B leads, term 5",
    ]
    shown = words(outcome_lines(then, "", {}, seen, 90, 20))
    assert "Kill instance-C (kill -9)  3.0 s ago" in shown
    assert "instance-B takes over" in shown
    assert "+0.2 s  instance-B leads, term 5" in shown
    assert outcome_lines(then, "it cannot be", {}, seen, 90, 20) == [[("it cannot be", "status-unreachable")]]


def seen_in_turn(*statuses: Status) -> Moment:
    """The last of these, a second apart, with what they were before."""
    begin_ms = NOW_MS - 1_000 * (len(statuses) - 1)
    observations = [
        Observation(nodes=(A,), link=Link(node=A), status=Part(each, A, float(at), begin_ms + 1_000 * at))
        for at, each in enumerate(statuses)
    ]
    return Moment(observations[-1], History.of(observations), float(len(statuses)), NOW_MS)


def test_a_clock_that_is_set_off_is_told_until_it_is_right_again() -> None:
    at = choices(state(), C, C).index(next(one for one in choices(state(), C, C) if Skew(C, 5_000.0) in one.orders))
    then = Rehearsal(state(), C, status(), (at,), NOW_MS - 3_000)
    weak = replace_instance(status(), B, status="degraded", reasons=("drift",), status_age_ms=100)
    doubted = msgspec.structs.replace(replace_instance(status(), B, status_age_ms=600), suspect=C)
    right = replace_instance(status(), B, status_age_ms=1_600)
    seen = seen_in_turn(status(), weak, doubted, right)
    assert [sentence for _, sentence in followed(then, seen, {})] == [
        "instance-B is degraded (its clock is off)",
        "instance-B is healthy",
        "the clock of instance-C is suspect",
        "the clock of instance-C is no longer suspect",
    ]
    assert [after_s for after_s, _ in followed(then, seen, {})] == [0.9, 1.4, 2.0, 3.0], "as the asked node has it"
    assert "and 3 more" in words(outcome_lines(then, "", {}, seen, 90, 5)), "what has no room is counted"


def replace_instance(known: Status, id: str, **changes: Any) -> Status:
    instances = tuple(msgspec.structs.replace(each, **changes) if each.id == id else each for each in known.instances)
    return msgspec.structs.replace(known, instances=instances)


def test_a_link_between_two_others_is_seen_to_break() -> None:
    """The asked node sees both ends, so that no status changes."""
    then, seen = Rehearsal(state(), A, status(), (0,), NOW_MS - 3_000), moment(status())
    broken = {Blind(A, B, True): NOW_MS - 1_000, Blind(B, C, False): NOW_MS - 4_000}
    assert followed(then, seen, broken) == [(2.0, "instance-A and instance-B do not see each other")]
    assert "+2.0 s  instance-A and" in words(outcome_lines(then, "", broken, seen, 90, 20))


def test_what_was_done_is_told_in_the_language_that_is_spoken_now() -> None:
    offered = choices(state(), A, C)
    cut = next(at for at, choice in enumerate(offered) if choice.words == "Cut a link…")
    then = Rehearsal(state(), A, status(), (cut, 0), NOW_MS)
    assert then.words == f"Cut a link: {offered[cut].further[0].words}"
    english = then.expected
    set_language("ru")
    try:
        assert then.words.startswith("Разорвать канал: ")
        assert len(then.expected) == len(english)
        assert not set(then.expected) & set(english)
    finally:
        set_language("en")


def test_links_and_what_is_in_force() -> None:
    broken = state(
        Impaired(A, B, True, 0.0, NOW_MS - 5_000),
        Impaired(B, A, False, 300.0, NOW_MS - 4_000),
        C=Member(C, "", "paused", NOW_MS - 2_000, -5_000.0, NOW_MS - 1_000),
    )
    lines = words(link_lines(broken, 60, 20)).split("\n")
    assert lines[1].split() == [A, "✗", "·"]
    assert lines[2].split() == [B, "300", "ms", "·"]
    force = words(force_lines(broken, moment(status()), 60, 20)).split("\n")
    assert [line.split("s  ")[1] for line in force] == [
        "instance-C: clock -5 s",
        "instance-C paused",
        "B → A 300 ms slower",
        "A → B cut",
    ]
    assert len(force_lines(broken, moment(status()), 60, 2)) == 2
    rows = node_rows(broken, moment(status()))
    assert [cell.text for cell in rows[2].cells] == ["★", C, "paused", "2.0 s", "-5 s", "healthy", ""]


class FakeCluster:
    """Takes orders and does nothing."""

    def __init__(self) -> None:
        self.state = state()
        self.taken: list[Order] = []
        self.problem = ""

    def order(self, order: Order) -> State:
        if not isinstance(order, Look):
            self.taken.append(order)
            if self.problem:
                raise DemoError(self.problem)
        return self.state


async def looked(screen: Chaos) -> None:
    """Once the host was asked and has answered; the next look ends one that takes too long."""
    while True:
        with suppress(WorkerCancelled):
            await screen._look().wait()
            return


def test_the_menu_takes_two_keys_and_esc_changes_nothing() -> None:
    cluster = FakeCluster()

    async def use() -> None:
        app = console(company=Company(demo=cast(Cluster, cluster)))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press("X")
            assert isinstance(app.screen, Chaos)
            await pilot.press("down", "enter")
            assert isinstance(app.screen, Menu)
            await pilot.press("escape")
            assert cluster.taken == []
            await pilot.press("enter", "enter")
            await until(pilot, lambda: cluster.taken == [Kill(B)])
            cluster.problem = "it is down already"
            await pilot.press("enter")
            for _ in range(6):
                await pilot.press("down")
            await pilot.press("enter")
            assert len(app.screen.query_one(OptionList).options) == 6, "three ways to two others"
            await pilot.press("enter")
            await until(pilot, lambda: cluster.taken == [Kill(B), Cut(B, A)])
            outcome = app.screen.query_one("#outcome")
            await until(pilot, lambda: "it is down already" in str(outcome.render()))
            assert isinstance(app.screen, Chaos)
            await looked(app.screen)
            assert "it is down already" in str(outcome.render()), "told until something else is ordered"

    asyncio.run(use())


def test_without_a_demo_there_is_no_chaos() -> None:
    async def use() -> None:
        app = console()
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press("X")
            assert not isinstance(app.screen, Chaos)
            assert commandline.run(app, "chaos") is not None

    asyncio.run(use())


def test_all_nodes_have_their_column_where_it_is_narrow() -> None:
    members = {name: Member(f"instance-{name}", "", "running", NOW_MS) for name in "DEFG"}
    slow = Impaired(A, B, cut=False, delay_ms=300.0, since_ms=NOW_MS)
    heading, first, *_ = ("".join(piece for piece, _ in line) for line in link_lines(state(slow, **members), 44, 20))
    assert heading.split()[-7:] == list("ABCDEFG")
    assert first.split() == [A, "~", *"·····"]
    assert len(heading) <= 44
    wide = words(link_lines(state(slow, **members), 80, 20))
    assert "300 ms" in wide


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_what_follows_has_room_on_every_terminal(size: tuple[int, int]) -> None:
    cluster = FakeCluster()
    cluster.state = state(**{name: Member(f"instance-{name}", "", "running", NOW_MS) for name in "DEFG"})

    async def use() -> int:
        app = console(company=Company(demo=cast(Cluster, cluster)))
        async with app.run_test(size=size) as pilot:
            await pilot.press("X")
            await until(pilot, lambda: app.screen.query_one("#outcome").content_size.height > 0)
            assert app.screen.query_one("#force").content_size.height > 0
            return app.screen.query_one("#outcome").content_size.height

    assert asyncio.run(use()) >= 5, "what was done, what was expected, what has happened"
