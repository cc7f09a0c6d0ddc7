"""Time travel: the moment looked at, how it moves, what is shown of it; and back."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from textual.pilot import Pilot

from iwdc_console.demo.cluster import Cluster
from iwdc_console.locale import text
from iwdc_console.tui.app import Console
from iwdc_console.tui.company import Company
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.milestones import Milestone
from iwdc_console.tui.model.observation import Observation, Part
from iwdc_console.tui.model.retold import Retold
from iwdc_console.tui.model.track import track
from iwdc_console.tui.recording.ring import Ring
from iwdc_console.tui.recording.tape import Tape
from iwdc_console.tui.screens.places import PLACES
from iwdc_console.tui.travel import SPEEDS, Travel
from iwdc_console.tui.widgets.header import Header
from iwdc_console.tui.widgets.table import Table
from iwdc_console.tui.widgets.timeline_bar import TimelineBar
from iwdc_console.tui.widgets.verdict_line import VerdictLine
from tests.tui import driving, prod_eu
from tests.tui.prod_eu import FIXED, NAMES, NODE, NOW_MS, NOW_S, Script, observation, watched
from tests.tui.stations import Broken, nothing

A, B, C, D, E = NAMES
MINUTE_MS = 60_000
START_MS = NOW_MS - 50 * MINUTE_MS


def event(id: str, at_ms: int, origin: str, type: str, **payload: object) -> Event:
    return Event(id, origin, 1, type, at_ms, at_ms << 16, "", payload)


def proposed(id: str, at_ms: int, hash: str = "aa", version: str = "1.4.1") -> Event:
    return event(
        id, at_ms, A, "SNAPSHOT_PROPOSAL", version=version, hash=hash, label=f"snapshot-{version}", voters=list(NAMES),
        required=3, deadlineHlc=(at_ms + MINUTE_MS) << 16, vote="accept",
    )  # fmt: skip


def voted(id: str, at_ms: int, origin: str, key: str, vote: str = "accept") -> Event:
    return event(id, at_ms, origin, "VOTES", votes=[{"proposal": key, "round": 0, "hash": "aa", "vote": vote}])


PAST = (
    event("e1", START_MS, E, "LEADER_ELECTED", leader=E, term=13, reason="start"),
    proposed("p1", START_MS + 10 * MINUTE_MS),
    voted("v1", START_MS + 10 * MINUTE_MS + 100, B, "p1"),
    voted("v2", START_MS + 10 * MINUTE_MS + 200, C, "p1"),
    event("e2", START_MS + 30 * MINUTE_MS, B, "LEADER_ELECTED", leader=B, term=14, reason="refused"),
)


def tape() -> Tape:
    ring = Ring()
    for one in [*watched(), observation()]:
        assert one.status is not None
        ring.add(one, one.status.at_s, one.status.at_ms)
    return ring.tape()


# What events tell


def at(minutes: float, events: tuple[Event, ...] = PAST) -> Observation:
    return Retold(events, "prod-eu").observation(START_MS + int(minutes * MINUTE_MS))


def test_events_tell_leaders_proposals_votes_and_versions() -> None:
    first, during, after = at(1), at(10.0025), at(31)
    assert first.retold
    assert first.status is not None
    assert during.proposals is not None
    assert after.status is not None
    assert after.proposals is not None
    assert (first.status.value.leader.id, first.status.value.current_version) == (E, None)
    (open_one,) = during.proposals.value
    assert (open_one.state, sorted(open_one.votes)) == ("pending", [A, B])
    assert (after.status.value.leader.id, after.status.value.leader.term) == (B, 14)
    assert (after.status.value.current_version, after.proposals.value[0].state) == ("1.4.1", "accepted")


def test_what_events_do_not_tell_is_not_invented() -> None:
    found = at(31)
    assert (found.locks, found.drift, found.metrics, found.traces) == (None, None, None, None)
    assert found.status is not None
    assert found.status.value.instances == ()


def test_proposals_that_came_to_nothing() -> None:
    against = (voted(f"v-{name}", START_MS + 5, name, "p", "reject") for name in (B, C, D))
    rejected, lonely = (proposed("p", START_MS), *against), PAST[1:2]
    for events, minutes, state in ((rejected, 0.5, "rejected"), (lonely, 10.5, "pending"), (lonely, 12, "expired")):
        proposals = at(minutes, events).proposals
        assert proposals is not None
        assert proposals.value[0].state == state


def test_two_contents_for_one_version_are_a_conflict_until_someone_chooses() -> None:
    events = [
        one
        for key, content in (("p", "aa"), ("q", "bb"))
        for one in (proposed(key, START_MS, content), *(voted(key + name, START_MS + 1, name, key) for name in (B, C)))
    ]
    resolved = event("r", START_MS + MINUTE_MS, A, "CONFLICT_RESOLVED", slot="version:1.4.1", proposal="q")
    for minutes, winner in ((0.5, None), (2, "q")):
        conflicts = at(minutes, (*events, resolved)).conflicts
        assert conflicts is not None
        (conflict,) = conflicts.value
        assert (conflict.slot, conflict.winner, len(conflict.candidates)) == ("version:1.4.1", winner, 2)


@pytest.mark.parametrize("payload", [{}, {"votes": 3, "accepted": [1], "leader": [], "term": "x", "voters": "y"}])
def test_events_that_make_no_sense_change_nothing(payload: dict[str, object]) -> None:
    types = ("LEADER_ELECTED", "VOTES", "SNAPSHOT_PROPOSAL", "DIFF_ACCEPT", "CONFLICT_RESOLVED", "OTHER")
    found = at(1, tuple(event(str(i), START_MS + i, A, type, **payload) for i, type in enumerate(types)))
    assert found.status is not None
    assert found.status.value.leader.id is None


# How one moves


def test_every_moment_is_the_newest_that_was_known_then() -> None:
    travel = Travel(tape())
    for one in watched():
        assert one.status is not None
        travel.go(one.status.at_ms + 200)
        frame = travel.frame()
        assert frame.observation == one
        assert (frame.at_ms, round(frame.at_s - one.status.at_s, 3)) == (one.status.at_ms + 200, 0.2)


def test_a_journey_has_two_ends() -> None:
    travel = Travel(tape())
    assert travel.position_ms == travel.last_ms
    travel.step(5, 100)
    assert travel.position_ms == travel.last_ms
    travel.go(0)
    assert travel.position_ms == travel.first_ms == tape().first_ms
    travel.tell(Retold(PAST))
    travel.go(0)
    assert travel.position_ms == START_MS
    assert travel.frame().observation.retold


def test_steps_grow_with_the_way_back() -> None:
    travel = Travel(tape(), Retold(PAST))
    travel.step(-1, 60)
    assert travel.last_ms - travel.position_ms == 1_000
    travel.go(START_MS)
    travel.step(1, 60)
    assert travel.position_ms - START_MS == MINUTE_MS, "the track shows an hour now"


def test_jumps_go_from_mark_to_mark() -> None:
    travel = Travel(tape(), Retold(PAST))
    seen = []
    while travel.position_ms > travel.first_ms:
        travel.jump(-1)
        mark = travel.near()
        seen.append((mark.kind, mark.what) if mark is not None else None)
    assert seen == [("lost", E), ("leader", B), ("leader", E)]
    travel.jump(1)
    assert travel.near() == Milestone(START_MS + 30 * MINUTE_MS, "leader", B)
    for _ in range(3):
        travel.jump(1)
    assert travel.position_ms == travel.last_ms


def test_time_runs_as_fast_as_it_is_told_and_stops_at_the_end() -> None:
    travel = Travel(tape())
    travel.play()
    assert (travel.playing, travel.position_ms) == (True, travel.first_ms)
    for _ in range(9):
        travel.change_speed(1)
    assert travel.speed == SPEEDS[-1] == 60
    travel.change_speed(-1)
    travel.tick(0.5)
    assert travel.position_ms == travel.first_ms + 15_000
    travel.tick(60)
    assert (travel.playing, travel.position_ms) == (False, travel.last_ms)


def test_the_history_of_a_moment_ends_there() -> None:
    travel = Travel(tape())
    travel.go(travel.first_ms + 30_000)
    before = travel.history().samples(B)
    travel.go(travel.first_ms + 40_000)
    after = travel.history().samples(B)
    assert (len(before), len(after)) == (31, 41)
    assert after[:31] == before
    travel.go(travel.first_ms + 10_000)
    assert len(travel.history().samples(B)) == 11
    travel.tell(Retold(PAST))
    travel.go(START_MS)
    assert travel.history().samples(B) == []


def test_the_track_shows_marks_and_what_is_recorded() -> None:
    leader, conflict = Milestone(5_000, "leader"), Milestone(5_100, "conflict")
    marks = (leader, conflict, Milestone(8_000, "back"), Milestone(99_000, "lost"))
    cells = track(marks, 0, 10_000, 3_000, (2_000, 6_000), 10)
    assert "".join(shape for shape, _ in cells) == "  ╌┃╌▲──●─"
    assert track(marks, 0, 10_000, 8_500, (2_000, 6_000), 10)[8] == ("●", "bold reverse $status-healthy")


# On screen


def shown(console: Console) -> tuple[str, str, str]:
    """Header, verdict and timeline as words; the timeline empty where there is none."""
    screen = console.screen
    bar = screen.query_one(TimelineBar)
    return (
        screen.query_one(Header).render().plain, screen.query_one(VerdictLine).render().plain,
        bar.render().plain if bar.display else "",
    )  # fmt: skip


def travelling(source: Script, replay: Tape | None = None) -> Console:
    start = Observation(context="prod-eu", nodes=(NODE,))
    return Console(source, start, FIXED, replay=replay)


async def until(pilot: "Pilot[None]", what: str, where: int, console: Console) -> None:
    await driving.until(pilot, lambda: what in shown(console)[where])


def test_one_key_goes_into_the_past_and_back_while_the_source_goes_on() -> None:
    source = Script([observation()], past=PAST)
    console = travelling(source)

    async def run() -> None:
        async with console.run_test(size=(120, 40)) as pilot:
            await until(pilot, "live", 0, console)
            assert shown(console)[2] == ""
            await pilot.press("t")
            await until(pilot, "★", 2, console)
            await pilot.press("comma")
            await until(pilot, f"{B} led, term 14", 1, console)
            header, verdict, bar = shown(console)
            assert "as of " in header
            assert "20m 00s ago" in header
            assert "quorum" not in header
            assert "not recorded" in " ".join(verdict.split())
            assert "retold from the journal's events" in bar
            newer = observation()
            assert newer.status is not None
            value = msgspec.structs.replace(newer.status.value, current_version="9.9.9")
            source.tell(msgspec.structs.replace(newer, status=Part(value, NODE, NOW_S + 1, NOW_MS + 1000)))
            await driving.all_shown(console, pilot)
            assert "9.9.9" not in shown(console)[0]
            await pilot.press("t")
            await until(pilot, "9.9.9", 0, console)
            assert shown(console)[2] == ""

    asyncio.run(run())


def test_a_notice_never_hides_the_timeline() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        app.notify("something else", timeout=2 * driving.DEADLINE_S)
        await pilot.press("t")
        await driving.until(pilot, lambda: "something else" in driving.shown(app))
        bar = app.screen.query_one(TimelineBar).render().plain.splitlines()
        assert len(bar) == 2
        assert [line.strip() for line in driving.shown(app).splitlines()[-3:-1]] == [line.strip() for line in bar]
        assert "something else" in driving.shown(app)

    for size in driving.SIZES:
        driving.drive(act, size=size, notices=True)


UNTOLD = tuple(place.key for place in PLACES if place.name not in ("proposals", "events", "conflicts"))
"""The screens whose tables show what the journal's events do not tell of."""
CLAIMS = (
    "locks.none",
    "traces.none",
    "versions.none",
    "leadership.no_heir",
    "leadership.no_changes",
    "chaos.force.nothing",
)


def test_no_screen_claims_what_nobody_watched() -> None:
    console = prod_eu.console(company=Company(demo=cast(Cluster, Broken())))
    assert isinstance(console.source, Script)
    console.source.past = PAST

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("t")
        await until(pilot, "★", 2, app)
        await pilot.press("comma")
        await until(pilot, f"{B} led, term 14", 1, app)
        for key in UNTOLD:
            await pilot.press(key)
            await pilot.pause()
            await driving.until(pilot, lambda: text("panel.not_recorded") in table_of(app))
            words = driving.shown(app)
            assert not [claim for claim in CLAIMS if text(claim) in words], key
        await pilot.press("3")
        await driving.until(pilot, lambda: "the last one refused connections" in driving.shown(app))

    driving.drive(act, console)


def table_of(app: Console) -> str:
    """The first table of the screen in front, as text."""
    table = app.screen.query(Table).first()
    return "".join(table.render_line(y).text for y in range(table.size.height))


def test_a_table_that_nobody_told_of_does_not_say_that_there_is_nothing() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        for place in PLACES:
            await pilot.press(place.key)
            await pilot.pause()
            await driving.until(pilot, lambda: text("table.no_data") in table_of(app))

    driving.drive(act, prod_eu.console(nothing(), history=False))


def test_without_anything_seen_there_is_nowhere_to_go() -> None:
    console = travelling(Script())

    async def run() -> None:
        async with console.run_test() as pilot:
            await pilot.press("t")
            await pilot.pause()
            assert console.time_travel.journey is None
            assert any(text("travel.nothing_yet") in str(note.message) for note in console._notifications)

    asyncio.run(run())


def test_arrows_in_a_prompt_are_the_prompts() -> None:
    console = travelling(Script([observation()], past=PAST))

    async def run() -> None:
        async with console.run_test(size=(120, 40)) as pilot:
            await until(pilot, "live", 0, console)
            await pilot.press("t")
            await until(pilot, "★", 2, console)
            await pilot.press("colon", "t", "comma", "left")
            assert console.time_travel.journey is not None
            assert console.time_travel.journey.position_ms == console.time_travel.journey.last_ms

    asyncio.run(run())


@pytest.mark.parametrize("key", ["1", "2", "3", "7"])
def test_every_screen_shows_the_moment(key: str) -> None:
    console = travelling(Script([observation()], past=PAST))

    async def run() -> None:
        async with console.run_test(size=(120, 40)) as pilot:
            await until(pilot, "live", 0, console)
            await pilot.press("t", key)
            await until(pilot, "★", 2, console)
            await pilot.press("comma")
            await until(pilot, f"{B} led, term 14", 1, console)

    asyncio.run(run())


def test_a_replay_has_no_present_and_shows_what_was_recorded() -> None:
    console = travelling(Script(), replay=tape())

    async def run() -> None:
        async with console.run_test(size=(120, 40)) as pilot:
            await until(pilot, "replay ", 0, console)
            assert console.time_travel.journey is not None
            assert console.time_travel.journey.playing
            await pilot.press("space", "full_stop")
            await until(pilot, f"{E} is lost", 2, console)
            assert "one instance gone" in shown(console)[1]
            await pilot.press("t")
            assert console.time_travel.journey is not None
            await pilot.press("4", "p")
            assert text("orders.replay") in [str(note.message) for note in console._notifications]

    asyncio.run(run())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_how_the_past_looks(snap_compare: Any, size: tuple[int, int]) -> None:
    console = travelling(Script([observation()], past=PAST))
    seen = tape()

    async def back(pilot: "Pilot[None]") -> None:
        await until(pilot, "live", 0, console)
        await pilot.press("t")
        await until(pilot, "★", 2, console)
        console.time_travel.journey = Travel(seen, Retold(PAST))
        await pilot.press("comma")
        await until(pilot, "one instance gone", 1, console)
        await pilot.wait_for_scheduled_animations()

    assert snap_compare(console, terminal_size=size, run_before=back)
