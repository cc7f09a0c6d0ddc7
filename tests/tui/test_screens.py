"""The other screens, as a person meets them: events, traces, metrics, clocks, leadership, conflicts."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from iwdc_console.tui import orders
from iwdc_console.tui.app import Console
from iwdc_console.tui.model import leadership
from iwdc_console.tui.orders import Order, Outcome
from iwdc_console.tui.screens.events import Events
from iwdc_console.tui.widgets.confirm import Confirm
from iwdc_console.tui.widgets.menu import Menu
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.table import Table
from tests.tui import prod_eu
from tests.tui.driving import SIZES, Act, drive, shown, until
from tests.tui.prod_eu import NODE, Script, moment
from tests.tui.prod_eu_detail import TRACE, detailed

SAID = {
    "3": ["instance-B leads in term 14", "outranks the leader", "the last one refused"],
    "6": ["instance-A is +3 ms ± 0.4 ms from instance-B", "suspect", "instance-C", "●"],
    "7": ["SKIPPED_QUORUM", "▲", "instance-E", "accept k3"],
    "8": ["PROPOSE_SNAPSHOT_API", "LOCK_ACQUIRE"],
    "9": ["distributed_votes_total", "4,812", "type=reject"],
    "c": ["version:1.4.2", "open", "version:1.3.0", "settled"],
}


def at(key: str, act: Act, size: tuple[int, int] = (120, 40)) -> None:
    """Go to a screen first."""

    async def go(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press(key)
        await pilot.pause()
        await act(app, pilot)

    drive(go, prod_eu.console(detailed()), size)


@pytest.mark.parametrize("size", SIZES)
def test_each_screen_says_what_it_is_for(size: tuple[int, int]) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        for key, words in SAID.items():
            await pilot.press(key)
            await pilot.pause()
            found = shown(app)
            for word in words:
                assert word in found

    drive(act, prod_eu.console(detailed()), size)


def test_who_is_worst_off_is_looked_at_first_and_the_cursor_stays_with_one_that_is_not_well() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        table = app.screen.query_one(Table)
        assert table.cursor == "instance-E", "it is unreachable"
        await pilot.press("up", "1", "2")
        assert table.cursor == "instance-D", "it is degraded"
        await pilot.press("home", "1", "2")
        assert table.cursor == "instance-E"

    at("2", act)


def test_events_follow_the_newest_until_the_cursor_leaves_it() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        table = app.screen.query_one(Table)
        assert table.cursor == "e5"
        await pilot.press("up")
        assert table.cursor == "e4"
        await pilot.press("G")
        assert table.cursor == "e5"

    at("7", act)


def test_the_row_under_the_cursor_stays_in_sight_when_a_panel_takes_its_room() -> None:
    known = detailed()
    assert known.events is not None
    first = known.events.value[0]
    many = tuple(msgspec.structs.replace(first, id=f"m{n:02}", seq=n, timestamp=first.timestamp + n) for n in range(30))
    known = msgspec.structs.replace(known, events=msgspec.structs.replace(known.events, value=many))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        table = app.screen.query_one(Table)
        await pilot.press("7", "enter")
        table = app.screen.query_one(Table)
        assert table.cursor == "m29"
        await until(pilot, lambda: table.size.height < len(many) // 2)
        await until(pilot, lambda: table.cursor in [row.key for row, _ in table._visible[: table.size.height - 1]])

    drive(act, prod_eu.console(known), (80, 24))


def test_events_are_chosen_by_type_level_and_instance() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        table = app.screen.query_one(Table)
        await pilot.press("f")
        field = app.screen.query_one(Prompt).query_one(Input)
        await pilot.press(*"level:alarm")
        assert [row.key for row in table.shown] == ["e2"]
        field.value = "type:votes,leader_changed"
        await until(pilot, lambda: [row.key for row in table.shown] == ["e1", "e5"])
        field.value = "colour:red"
        await until(pilot, lambda: "colour:red: expected type:, level:, on:, trace:" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(table.shown) == 5)
        await pilot.press("up", "up", "o")
        assert [row.key for row in table.shown] == ["e3"]
        await until(pilot, lambda: "Events 1  on:instance-C" in shown(app))
        await pilot.press("o")
        assert len(table.shown) == 5
        await until(pilot, lambda: "Events 5 ─" in shown(app))

    at("7", act)


def test_an_event_shows_all_of_itself_and_leads_to_its_trace() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("up", "enter")
        await until(pilot, lambda: '"type": "SNAPSHOT_PROPOSAL"' in shown(app))
        assert isinstance(app.screen, Events)
        await pilot.press("T")
        await until(pilot, lambda: "6 spans on 3 instances, 7.4 ms" in shown(app))
        assert isinstance(app.source, Script)
        assert app.source.trace == TRACE
        assert "did not answer: instance-D" in shown(app)
        assert "QUORUM_DECISION" in shown(app)

    at("7", act)


def test_the_clock_under_the_cursor_is_plotted_with_its_own_measurements() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        said = shown(app)
        assert "Offset from the leader over time instance-A" in said
        assert "± 2.5 ms" in said, "the error of an instance that is not the asked one"
        assert "+31.0 ppm" in said
        await pilot.press("down")
        await until(pilot, lambda: "instance-B leads: the others measure against it." in shown(app))
        await pilot.press("down", "down")
        await until(pilot, lambda: "over time instance-D" in shown(app))
        assert "+2000 ms" in shown(app)
        assert "20m 00s ago" in shown(app)
        await pilot.press("down")
        await until(pilot, lambda: "1m 00s ago" in shown(app))  # E could not be asked: what it said before is shown

    at("6", act)


def test_the_lease_is_told_by_the_leader_alone() -> None:
    leads = detailed()
    first = leadership.head_lines(moment(leads), 100, 4)
    assert [words for words, _ in first[1]][:2] == ["█" * 17, "░" * 3], "13.0 of 15 s, a moment later"
    other = msgspec.structs.replace(leads, leader=None)
    assert "the leader alone tells it" in leadership.head_lines(moment(other), 100, 4)[1][0][0]


def test_metrics_tell_what_they_count() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("down")
        await until(pilot, lambda: "From an event's origin writing it to this instance holding it." in shown(app))
        assert "mean 0.009" in shown(app)

    at("9", act)


def told(app: Console) -> str:
    """What the console has notified, in whatever lines it is shown."""
    return "\n".join(notice.message for notice in app._notifications)


class Cluster:
    """Takes orders in the place of a cluster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
        self.given: list[tuple[str, ...]] = []
        self._outcome = outcome
        monkeypatch.setattr(orders, "give", self._give)

    async def _give(self, nodes: Sequence[str], order: Order) -> Outcome:
        self.given.append(tuple(nodes))
        return self._outcome


async def confirmed(app: Console, pilot: Pilot[Any], name: str) -> None:
    await until(pilot, lambda: isinstance(app.screen, Confirm))
    await pilot.press(*name, "enter", "enter")
    await until(pilot, lambda: not isinstance(app.screen, Confirm))


def test_stepping_down_asks_for_the_name_and_tells_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, Outcome("maybe", "Unknown: it may have happened."))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "instance-A takes over within a moment" in shown(app)
        await pilot.press("escape")
        assert cluster.given == []
        await pilot.press("D")
        await confirmed(app, pilot, "prod-eu")
        await until(pilot, lambda: "it may have happened" in told(app))
        assert cluster.given == [(NODE,)]

    at("3", act)


def test_an_open_conflict_is_resolved_by_choosing_the_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, Outcome("done", "version:1.4.2 goes to d-3"))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        assert "It stays open until a person chooses" in shown(app)
        assert "reject-inconsistent: none wins until a person decides" in shown(app)
        assert "last-write-wins: what was proposed last wins" in shown(app)
        assert "bbbb2222 of instance-B" in shown(app)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "snapshot 1.4.2  dddd4444  instance-D wins version:1.4.2?" in shown(app)
        await confirmed(app, pilot, "prod-eu")
        await until(pilot, lambda: "goes to d-3" in told(app))
        assert len(cluster.given) == 1
        await pilot.press("down", "R")
        await until(pilot, lambda: "Nothing is open here." in told(app))

    at("c", act)


def test_nothing_is_said_to_be_settled_before_that_is_known() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("c", "R")
        await until(pilot, lambda: "is not known yet" in told(app))

    drive(act, prod_eu.console(msgspec.structs.replace(detailed(), conflicts=None)))


def test_a_console_that_only_looks_gives_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, Outcome("done", "never"))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        assert "read-only" not in shown(app)
        app.read_only = True
        await pilot.press("3", "D")
        await until(pilot, lambda: "prod-eu read-only" in shown(app).split("\n")[0])
        await until(pilot, lambda: "was started with --read-only" in told(app))
        assert cluster.given == []

    drive(act, prod_eu.console(detailed()))
