"""The Locks screen: leases that run on; locks that the console holds, gives back, loses or takes away."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from iwdc_console.client import Client
from iwdc_console.exchange import Answer
from iwdc_console.outcomes import ClusterRefused
from iwdc_console.tui import holdings, orders
from iwdc_console.tui.app import Console
from iwdc_console.tui.holdings import Holdings
from iwdc_console.tui.model import locks
from iwdc_console.tui.model.overview import lock_lines
from iwdc_console.tui.orders import Order, Outcome
from iwdc_console.tui.screens.acquire import Acquire
from iwdc_console.tui.widgets.confirm import Confirm
from iwdc_console.tui.widgets.field import Field
from iwdc_console.tui.widgets.menu import Menu
from tests.tui import prod_eu
from tests.tui.driving import DEADLINE_S, SIZES, drive, shown, until, write
from tests.tui.prod_eu import NOW_S
from tests.tui.test_overview import plain

TTL_MS = 3_000
"""Long enough for a busy machine, short enough to see renewals."""


def test_a_lease_runs_on_between_answers_and_stands_still_in_the_past() -> None:
    def left(now_s: float, **more: Any) -> list[str]:
        return [row.cells[4].text for row in locks.rows(prod_eu.moment(now_s=now_s, **more), frozenset())]

    assert left(NOW_S + 1.6) == ["22 s", "2.0 s"]
    assert left(NOW_S + 60) == ["over?", "over?"], "it may have been renewed since"
    assert left(NOW_S + 60, mode="past") == ["24 s", "4.0 s"]


def test_of_a_lease_that_ended_unseen_it_is_said_that_it_may_have_been_renewed() -> None:
    catalogue, reindex = locks.rows(prod_eu.moment(now_s=NOW_S + 13.6), frozenset())
    assert (catalogue.cells[4].text, catalogue.note) == ("10 s", "")
    assert (reindex.cells[4].text, reindex.cells[4].sort) == ("over?", 0)
    assert reindex.note == "its lease ran out 10 s ago, unless it was renewed since: nobody could be asked"
    assert "over?" in plain(lock_lines(prod_eu.moment(now_s=NOW_S + 13.6), 60, 9))


def test_a_lock_of_this_console_is_marked_and_a_low_lease_stands_out() -> None:
    catalogue, reindex = locks.rows(prod_eu.moment(), frozenset({"reindex"}))
    assert (catalogue.cells[0].text, reindex.cells[0].text) == ("·", "◆")
    assert reindex.note == "held and renewed by this console"
    assert (catalogue.cells[5].tone, reindex.cells[5].tone) == ("status-healthy", "status-degraded")
    unknown = msgspec.structs.replace(prod_eu.locks()[0], remaining_ms=None)
    assert locks.left_ms(unknown, 1_000) is None


@pytest.mark.parametrize(
    ("wish", "wrong"),
    [
        (("catalogue", "me", "", ""), set()),
        (("catalogue", "me", "0.1", "0"), set()),
        (("", "", "", ""), {"resource", "owner"}),
        (("a\nb", "me", "0", "-1"), {"resource", "ttl", "wait"}),
        (("a", "me", "nan", "inf"), {"ttl", "wait"}),
    ],
)
def test_a_wish_is_checked_before_anybody_is_asked(wish: tuple[str, str, str, str], wrong: set[str]) -> None:
    assert locks.problems(*wish).keys() == wrong


class Leader(Client):
    """Grants and renews, until `says` something else; remembers what it was asked."""

    asked: list[str]
    says: Callable[[str], None]
    ttl_ms = TTL_MS

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        verb = path.rpartition("/")[2]
        self.asked.append(verb)
        self.says(verb)
        lock = {"resource": path.split("/")[2], "owner": body["owner"], "fencingToken": 7, "ttlMs": self.ttl_ms}
        return Answer(lock, "", "", 0.0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(Leader, "asked", [], raising=False)
    monkeypatch.setattr(Leader, "says", staticmethod(lambda verb: None), raising=False)
    monkeypatch.setattr(orders, "Client", Leader)
    monkeypatch.setattr(holdings, "renewing", lambda nodes, lease: Leader(nodes))
    return Leader.asked


def held(act: Callable[[Holdings, list[tuple[str, str]]], Any]) -> None:
    """Take `catalogue`, then do something."""

    async def run() -> None:
        lost: list[tuple[str, str]] = []
        found = Holdings(lambda: ["http://a:1"], lambda resource, why: lost.append((resource, why)))
        assert (await found.acquire("catalogue", "me", None, 0)).kind == "done"
        assert list(found.held) == ["catalogue"]
        await act(found, lost)

    asyncio.run(run())


async def met(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)


def test_a_held_lock_is_renewed_until_it_is_released(asked: list[str]) -> None:
    async def act(found: Holdings, lost: list[tuple[str, str]]) -> None:
        await met(lambda: asked.count("renew") >= 2)
        assert [outcome.kind for outcome in await found.release_all()] == ["done"]
        assert (found.held, lost, asked[-1]) == ({}, [], "release")

    held(act)


def test_a_lock_that_is_somebody_elses_is_lost_and_told(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(verb: str) -> None:
        if verb == "renew":
            raise ClusterRefused("it was taken away", data={"reason": "wrong_token"})

    async def act(found: Holdings, lost: list[tuple[str, str]]) -> None:
        monkeypatch.setattr(Leader, "says", staticmethod(taken))
        await met(lambda: bool(lost))
        assert (lost, found.held) == ([("catalogue", "it was taken away")], {})

    held(act)


def test_a_lock_that_nobody_renews_is_lost_before_its_lease_ends(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_leader(verb: str) -> None:
        if verb == "renew":
            raise ClusterRefused("no leader", data={"reason": "no_leader"})

    async def act(found: Holdings, lost: list[tuple[str, str]]) -> None:
        monkeypatch.setattr(Leader, "says", staticmethod(no_leader))
        await met(lambda: bool(lost))
        assert lost == [("catalogue", "no renewal was acknowledged in time")]
        assert asked.count("renew") > 1, "it was tried again"

    held(act)


def test_a_wait_for_the_grant_ends_with_a_renewal(asked: list[str]) -> None:
    async def run() -> None:
        found = Holdings(lambda: ["http://a:1"], lambda resource, why: None)
        await found.acquire("catalogue", "me", 1.0, 5.0)
        assert asked[:2] == ["acquire", "renew"]
        await found.release("catalogue")

    asyncio.run(run())


def test_what_may_have_been_granted_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Order] = []

    async def silent(nodes: Sequence[str], order: Order) -> Outcome:
        given.append(order)
        return Outcome("maybe", "Unknown")

    monkeypatch.setattr(orders, "give", silent)
    found = Holdings(lambda: ["http://a:1"], lambda resource, why: None)
    assert asyncio.run(found.acquire("catalogue", "me", None, 0)).kind == "maybe"
    assert (len(given), found.held) == (2, {})


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_and_the_form_fit_every_terminal(size: tuple[int, int]) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("5")
        await pilot.pause()
        for words in ("catalogue", "build-7", "#60129", "█"):
            assert words in shown(app)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Acquire))
        await until(pilot, lambda: "Acquire on prod-eu" in shown(app))
        assert app.screen.query_one("#send", Button).disabled
        await pilot.press("escape")
        assert not isinstance(app.screen, Acquire)

    drive(act, None, size)


def test_enter_pressed_twice_does_not_leave_the_queue(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        granted = asyncio.Event()
        acquire = app.holdings.acquire

        async def waiting(*wish: Any) -> Outcome:
            await granted.wait()
            return await acquire(*wish)

        monkeypatch.setattr(app.holdings, "acquire", waiting)
        write(app, "5ashelf-9\r\r\r\r")
        await until(pilot, lambda: isinstance(app.screen, Acquire) and "Asking the leader" in shown(app))
        await pilot.pause()
        assert isinstance(app.screen, Acquire)
        granted.set()
        await until(pilot, lambda: not isinstance(app.screen, Acquire))
        assert list(app.holdings.held) == ["shelf-9"]
        await app.holdings.release_all()

    drive(act)


def test_a_lock_is_taken_released_on_leaving_and_no_single_key_does_it(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leader, "ttl_ms", 600_000)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("5")
        await pilot.pause()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Acquire))
        app.screen.query_one("#resource", Field).value = "reindex"
        await until(pilot, lambda: not app.screen.query_one("#send", Button).disabled)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "reindex" in app.holdings.held)
        await until(pilot, lambda: "held and renewed by this console" in shown(app))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await pilot.press("escape")
        assert "release" not in asked
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await pilot.press("enter")
        await until(pilot, lambda: "release" in asked)

    drive(act)


def test_force_release_asks_for_the_name(asked: list[str]) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("5")
        await pilot.pause()
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "build-7 goes on working until its next renewal" in shown(app)
        assert asked == []
        await pilot.press(*"prod-eu", "enter", "enter")
        await until(pilot, lambda: asked == ["force-release"])

    drive(act)
