"""What is not done: nothing is said or painted twice."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from textual.app import App, ComposeResult
from textual.css.stylesheet import Stylesheet
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

from iwdc_console.tui import themes
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.overview import instance_rows
from iwdc_console.tui.model.table import Cell, Column, Row
from iwdc_console.tui.recording.ring import Ring
from iwdc_console.tui.screens.places import PLACES, Place
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.table import Table
from tests.tui import prod_eu
from tests.tui.driving import all_shown, drive, until
from tests.tui.prod_eu import NOW_S, moment, observation
from tests.tui.prod_eu_versions import everything

UNTIL_PAINTED = """
import gc, json, sys
from textual.app import App
from iwdc_console import console
def painted(self):
    from iwdc_console.tui import forgetting
    seen = {"modules": sorted(sys.modules), "looks for garbage": gc.isenabled()}
    forgetting.begin()
    print(json.dumps(seen | {"then": gc.isenabled()}), file=sys.__stdout__)
    self.exit()
run = App.run
def headless(self, **given):
    type(self)._begin = painted
    return run(self, headless=True, **given)
App.run = headless
console.run(["--node", "http://127.0.0.1:1"])
"""
"""A console that tells what there is when its first frame is out, and ends."""


class Alone(App[None]):
    """One widget and nothing else."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self._widget = widget
        theme = themes.load().by_name["iwdc-dark"]
        self.register_theme(theme)
        self.theme = theme.name

    def compose(self) -> ComposeResult:
        yield self._widget


def refreshed(act: Callable[[Console, Table], None]) -> tuple[int, int, bool]:
    """How many regions of the table, how many panels are painted again, and whether anything is laid out anew."""

    async def run() -> tuple[int, int, bool]:
        app = prod_eu.console()
        async with app.run_test(size=(120, 40)) as pilot:
            await all_shown(app, pilot)
            table = app.screen.query_one(Table)
            with (
                patch.object(Table, "refresh", autospec=True) as lines,
                patch.object(Lines, "refresh", autospec=True) as panels,
            ):
                act(app, table)
                laid_out = any(call.kwargs.get("layout") for call in panels.call_args_list)
                return len(lines.call_args_list), len(panels.call_args_list), laid_out

    return asyncio.run(run())


def shown(app: Console, known: Observation) -> None:
    app._newest = known
    app.show_moment()


def test_the_same_observation_again_paints_nothing() -> None:
    assert refreshed(lambda app, table: app.show_moment()) == (0, 0, False)


def test_an_equal_status_received_again_paints_nothing_of_the_table() -> None:
    again = observation(prod_eu.status(at=prod_eu.NOW_MS + 1))
    assert refreshed(lambda app, table: shown(app, again))[0] == 0


def test_one_instance_that_changed_is_one_line_painted_again() -> None:
    first, *others = prod_eu.instances()
    changed = observation(prod_eu.status(instances=(msgspec.structs.replace(first, version="1.4.3"), *others)))
    assert refreshed(lambda app, table: shown(app, changed)) == (1, 0, False)


def test_the_cursor_moves_with_two_lines_painted() -> None:
    assert refreshed(lambda app, table: table.action_move(1)) == (2, 0, False)


def test_rows_are_built_again_a_second_later_but_not_before() -> None:
    known = moment()
    rows = instance_rows(known)
    assert instance_rows(replace(known, now_s=NOW_S + 0.5)) is rows
    assert instance_rows(replace(known, now_s=NOW_S + 0.7)) is not rows


def test_of_a_row_that_nobody_sees_no_cell_is_made() -> None:
    made: list[int] = []

    def row(n: int) -> Row:
        def cells() -> tuple[Cell, ...]:
            made.append(n)
            return (Cell(str(n)),)

        return Row(str(n), cells)

    async def run() -> None:
        table = Table((Column("instance", 10, glows=True),), "screen.events", id="table")
        async with Alone(table).run_test(size=(40, 10)) as pilot:
            for then in (0, 1000):
                made.clear()
                table.show_rows([row(n) for n in range(then, then + 1000)], NOW_S)
                await pilot.pause()
                assert sorted(made) == list(range(then, then + len(made)))
                assert 5 <= len(made) <= 10

    asyncio.run(run())


def test_while_a_row_is_read_what_comes_and_goes_around_it_moves_and_paints_nothing() -> None:
    async def run() -> None:
        table = Table((Column("instance", 10),), "screen.events", id="table", tail=True)
        async with Alone(table).run_test(size=(40, 10)) as pilot:
            rows = [Row(str(n), (Cell(str(n)),)) for n in range(400)]
            table.show_rows(rows[:200], NOW_S)
            await pilot.pause()
            table.select("150")
            await pilot.pause()
            top = table.scroll_offset.y
            assert top > 0
            before = [table.render_line(y).text for y in range(8)]
            with patch.object(Table, "refresh", autospec=True) as painted:
                table.show_rows(rows[60:260], NOW_S)
            assert not painted.call_args_list
            await pilot.pause()
            assert (table.scroll_offset.y, table.cursor) == (top - 60, "150")
            assert [table.render_line(y).text for y in range(8)] == before
            table.show_rows(rows[160:360], NOW_S)
            await pilot.pause()
            assert any(table.cursor in table.render_line(y).text for y in range(1, 10)), (
                "its row is gone, another is read"
            )

    asyncio.run(run())


def test_once_says_again_only_what_it_was_asked_of_the_same_things() -> None:
    asked = []

    @once
    def say(what: list[int], times: int) -> int:
        asked.append(what)
        return len(what) * times

    one, equal = [1], [1]
    assert (say(one, 2), say(one, 2), say(equal, 2), say(equal, 3)) == (2, 2, 2, 3)
    assert len(asked) == 3


@pytest.mark.parametrize("place", [place for place in PLACES if not place.demo], ids=lambda place: place.name)
def test_what_is_known_already_is_not_said_again(place: Place) -> None:
    """On every screen: the same observation a moment later makes no new row."""

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press(place.key)
        await until(pilot, lambda: app.current_mode == place.name and bool(app.screen.query(Table)))
        await pilot.pause()
        tables = list(app.screen.query(Table))
        assert all(table.shown for table in tables)
        before = [row for table in tables for row in table._rows]
        app.show_moment()
        after = [row for table in tables for row in table._rows]
        assert all(one is other for one, other in zip(before, after, strict=True))

    drive(act, prod_eu.console(everything()))


def test_nothing_is_imported_before_the_first_paint_that_it_does_not_show() -> None:
    """Nor is garbage looked for: all that is there then stays."""
    told = subprocess.run([sys.executable, "-c", UNTIL_PAINTED], capture_output=True, text=True, check=True)
    seen = json.loads(told.stdout.splitlines()[-1])
    modules = set(seen["modules"])
    assert {name for name in modules if name.startswith("iwdc_console.tui.screens.")} == {
        f"iwdc_console.tui.screens.{name}" for name in ("overview", "places", "view")
    }
    assert not modules & {
        "http.client", "csv", "iwdc_console.diagnosis", "iwdc_console.lease",
        *(f"iwdc_console.tui.{name}" for name in ("holdings", "leaving", "orders", "palette", "recorder", "travel")),
        *(f"iwdc_console.tui.widgets.{name}" for name in ("confirm", "export", "field", "menu", "picker")),
        *(f"iwdc_console.tui.recording.{name}" for name in ("file", "lines", "ring", "tape")),
        "iwdc_console.tui.model.retold",
    }  # fmt: skip
    assert {name for name in modules if name.partition(".")[0] == "node"} == {"node", "node.documents"}, "for settings"
    assert (seen["looks for garbage"], seen["then"]) == (False, True)


def test_a_screen_that_is_opened_is_laid_out_with_the_styles_there_are() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        with patch.object(Stylesheet, "reparse", autospec=True) as parsed:
            await pilot.press("2")
            await until(pilot, lambda: app.current_mode == "instances" and bool(app.screen.query(Table)))
            await pilot.pause()
        assert parsed.call_args_list == []

    drive(act)


def test_what_is_seen_is_recorded_beside_the_thread_that_paints() -> None:
    threads: list[threading.Thread] = []

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: bool(threads))
        assert threading.main_thread() not in threads

    with patch.object(Ring, "add", lambda *args: threads.append(threading.current_thread())):
        drive(act)


def test_only_the_line_of_a_panel_that_says_something_else_is_painted() -> None:
    said = [[("one", ""), ("  1", "bold")], [("two", "")], [("three", "")]]
    panel = Lines("panel.matrix", lambda *_: list(said), id="panel")

    async def run() -> None:
        app = Alone(panel)
        async with app.run_test(size=(40, 10)) as pilot:
            panel.styles.height = 6
            panel.show(moment())
            await pilot.pause()
            before = [panel.render_line(y) for y in range(3)]
            said[1] = [("two again", "")]
            with patch.object(Lines, "refresh", autospec=True) as painted:
                panel.show(moment())
            assert [call.args[1:] for call in painted.call_args_list] == [(Region(0, 1, panel.content_size.width, 1),)]
            after = [panel.render_line(y) for y in range(3)]
            assert [one is other for one, other in zip(before, after, strict=True)] == [True, False, True]

    asyncio.run(run())


def test_a_row_that_differs_only_in_what_it_is_sorted_by_is_not_painted() -> None:
    """Such as how much of a lease is left, to the millisecond."""

    def act(app: Console, table: Table) -> None:
        table.show_rows([replaced(row, otherwise) for row in table._rows], NOW_S)

    def replaced(row: Row, by: Callable[[Cell], Cell]) -> Row:
        return Row(row.key, tuple(map(by, row.cells)), row.note, row.note_tone)

    def otherwise(cell: Cell) -> Cell:
        return cell._replace(sort=77.0)

    assert refreshed(act) == (0, 0, False)
