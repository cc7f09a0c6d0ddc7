"""Keys, filters, screens and questions, as a person meets them."""

import csv
import json
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList

from iwdc_console.cli.text import cells
from iwdc_console.locale import language, set_language, text
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.observation import Link, Observation, Part
from iwdc_console.tui.model.table import Row
from iwdc_console.tui.screens.help import Help
from iwdc_console.tui.widgets.confirm import Confirm
from iwdc_console.tui.widgets.header import Header
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.table import Table
from tests.tui import prod_eu
from tests.tui.driving import DEADLINE_S, SIZES, all_shown, drive, shown, until
from tests.tui.prod_eu import NODE, NOW_MS, NOW_S, Script, instance, observation


def table(app: Console) -> Table:
    return app.screen.query_one(Table)


def test_the_overview_answers_first_whether_it_is_safe() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        words = shown(app)
        assert "Working, with one instance gone." in words
        assert "its host refuses connections" in words
        assert "●●●●○ 4/5 need 3, may lose 1" in words
        for name in ("snapshot 1.5.0", "reindex", "SNAPSHOT_PROPOSAL"):
            assert name in words

    for size in SIZES:
        drive(act, size=size)


def test_enter_on_an_instance_says_why_it_is_as_it_is() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("end", "enter")
        await until(pilot, lambda: app.current_mode == "instances" and table(app).cursor == "instance-E")
        await pilot.pause()
        words = shown(app)
        assert "unreachable for 41 s" in words
        assert "last heard 41 s ago" in words
        assert "instance-A, instance-B, instance-C, instance-D" in words
        await pilot.press("up")
        await pilot.pause()
        assert "+1204 ms against the leader" in shown(app)
        await pilot.press("minus")
        await until(pilot, lambda: app.current_mode == "overview")

    drive(act)


def test_a_filter_narrows_while_one_types_and_escape_gives_it_up() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("slash", *"degraded|unreach")
        assert [row.key for row in table(app).shown] == ["instance-D", "instance-E"]
        await pilot.press("enter")
        assert app.focused is table(app)
        assert table(app).cursor == "instance-D"
        await pilot.press("n")
        assert table(app).cursor == "instance-E"
        await pilot.press("n")
        assert table(app).cursor == "instance-D", "around the end"
        await pilot.press("escape")
        assert len(table(app).shown) == 5
        await pilot.press("slash", "exclamation_mark", *"healthy", "escape")
        assert len(table(app).shown) == 5

    drive(act)


def test_a_broken_filter_says_why_and_changes_nothing() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("slash", "left_square_bracket")
        await pilot.pause()
        assert "no regular expression from character 1 on" in shown(app)
        assert len(table(app).shown) == 5

    drive(act)


def test_the_cursor_stays_on_its_instance_when_rows_move() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("down", "down")
        assert table(app).cursor == "instance-C"
        await pilot.press("s", "s", "S")
        assert table(app).cursor == "instance-C"
        members = tuple(reversed(prod_eu.instances()))
        source = app.source
        assert isinstance(source, Script)
        source.tell(observation(prod_eu.status(instances=members), NOW_S - 0.1))
        await all_shown(app, pilot)
        assert table(app).cursor == "instance-C"
        left = tuple(item for item in members if item.id != "instance-C")
        source.tell(observation(prod_eu.status(instances=left), NOW_S - 0.05))
        await all_shown(app, pilot)
        assert len(table(app).shown) == 4
        assert table(app).cursor != "instance-C", "a neighbour takes it when its row is gone"
        assert table(app).row is not None

    drive(act)


def test_a_click_on_a_heading_sorts_and_a_second_turns_it() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.click(Table, offset=(6, 1))
        assert (table(app).sort_by, table(app).descending) == (1, False)
        await pilot.click(Table, offset=(5, 1))
        assert (table(app).sort_by, table(app).descending) == (1, True)
        assert table(app).shown[0].key == "instance-E"
        await pilot.click(Table, offset=(6, 3))
        assert table(app).cursor == table(app).shown[0].key or table(app).cursor == table(app).shown[1].key

    drive(act)


def test_a_cell_that_changed_glows_for_a_second() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        first, *others = table(app)._rows
        mark, name, status, *rest = first.cells
        changed = [Row(first.key, (mark, name, status._replace(text="odd"), *rest)), *others]
        table(app).show_rows(changed, NOW_S + 100)
        assert ("instance-A", 2) in table(app)._glowing
        table(app).show_rows(changed, NOW_S + 101.5)
        assert not table(app)._glowing

    drive(act)


def test_space_holds_what_is_shown_and_lets_it_go() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        source = app.source
        assert isinstance(source, Script)
        await pilot.press("space")
        await pilot.pause()
        assert "paused" in shown(app)
        source.tell(observation(prod_eu.all_well(), NOW_S - 0.1))
        await all_shown(app, pilot)
        assert "one instance gone" in shown(app)
        await pilot.press("space")
        await pilot.pause()
        assert "All well" in shown(app)

    drive(act)


def test_a_lost_cluster_is_marked_and_r_asks_again() -> None:
    link = Link(node="n", error="n: refused", answered_s=NOW_S - 134, next_try_s=NOW_S + 4, tried=("n", "m", "o"))
    lost = msgspec.structs.replace(observation(at_s=NOW_S - 134), link=link)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        words = shown(app)
        assert "No node of prod-eu answers (5 tried, last answer 2m 14s ago)." in words
        assert "stale 2m 14s" in words
        assert "instance-C" in words, "what was known stays"
        assert app.screen.has_class("-stale")
        await pilot.press("r")
        assert isinstance(app.source, Script)
        assert app.source.retries == 1

    drive(act, prod_eu.console(lost, history=False))


def test_a_screen_asks_only_for_what_it_shows() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        assert isinstance(app.source, Script)
        assert "locks" in app.source.wanted
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "instances")
        await pilot.pause()
        assert "locks" not in app.source.wanted

    drive(act)


def test_a_command_line_goes_to_a_screen_by_the_beginning_of_its_name() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("colon", *"inst", "enter")
        await until(pilot, lambda: app.current_mode == "instances")
        await pilot.press("colon", *"nowhere", "enter")
        await pilot.pause()
        assert "nowhere" in shown(app)
        assert app.screen.query_one(Prompt).display
        await pilot.press("escape")
        assert not app.screen.query_one(Prompt).display
        await pilot.press("colon", *"quit", "enter")
        assert app._exit

    drive(act)


def test_help_tells_what_is_here_and_every_key_that_works() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help))
        await pilot.pause()
        words = shown(app)
        assert "Is it safe now, who is there" in words
        assert "turn the order" in words
        await pilot.press("q")
        await until(pilot, lambda: not isinstance(app.screen, Help))
        assert not app._exit, "q closes the help, not the console"

    drive(act)


def test_the_palette_finds_a_screen_by_its_words() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+p")
        await pilot.press(*"instanc")
        await until(pilot, lambda: "Go to Instances" in shown(app))
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "instances")

    drive(act)


def found_first(app: Console, words: str) -> bool:
    """Whether the palette proposes this before all else."""
    found = app.screen.query_one(OptionList)
    return found.highlighted == 0 and words in str(found.get_option_at_index(0).prompt)


def test_the_palette_chooses_a_theme_and_a_language(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[str, object]] = []
    monkeypatch.setattr(Console, "_keep", lambda self, key, value: kept.append((key, value)))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        for typed, found in (("theme nord", "Theme: nord"), ("language рус", "Language: Русский")):
            await pilot.press("ctrl+p")
            await until(pilot, lambda: isinstance(app.screen, CommandPalette))
            app.screen.query_one(Input).value = typed
            await until(pilot, partial(found_first, app, found))
            app.screen.query_one(OptionList).action_select()
            await until(pilot, lambda: app.view is app.screen)
        assert app.theme == "nord"
        await until(pilot, lambda: "выход" in shown(app) and language() == "ru")

    try:
        drive(act)
    finally:
        set_language("en")
    assert kept == [("theme", "nord"), ("language", "ru")]


def test_the_mouse_is_left_to_the_terminal_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[str, object]] = []
    monkeypatch.setattr(Console, "_keep", lambda self, key, value: kept.append((key, value)))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("M", "M")
        await pilot.pause()
        assert [notice.message for notice in app._notifications] == [text("mouse.off"), text("mouse.on")]

    drive(act)
    assert kept == [("mouse", False), ("mouse", True)]


def test_equals_copies_the_command_that_shows_the_same() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("equals_sign")
        assert app.clipboard == "iwdc-distributed status --context prod-eu"
        await pilot.press("down", "y")
        assert app.clipboard == "instance-B"

    drive(act)


def test_a_notice_never_hides_what_is_asked() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        app.notify("something else", timeout=2 * DEADLINE_S)
        await until(pilot, lambda: "something else" in shown(app))
        await pilot.press("slash", "(", "(")
        await until(pilot, lambda: "no regular expression from character 2" in shown(app))
        assert "something else" in shown(app)

    for size in SIZES:
        drive(act, size=size, notices=True)


def stands(app: Console, name: str) -> bool:
    """Whether a screen is in front, and its table takes the keys."""
    return app.current_mode == name and isinstance(app.focused, Table)


async def export(app: Console, pilot: Pilot[Any], file: Path) -> None:
    """What the table with the focus shows; the keyboard is with the question where it could not be written."""
    await pilot.press("e")
    await until(pilot, lambda: app.screen.query_one(Prompt).display)
    app.screen.query_one(Prompt).query_one(Input).value = str(file)
    await pilot.press("enter")
    await pilot.pause()


def test_export_writes_what_is_shown_and_overwrites_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("slash", *"degraded", "enter")
        await export(app, pilot, file)
        written = file.read_bytes()
        await export(app, pilot, file)
        assert "exists" in shown(app)
        assert file.read_bytes() == written

    drive(act)
    (row,) = json.loads(file.read_text())
    assert (row["instance"], row["status"]) == ("instance-D", "degraded")
    assert row["note"] == "its clock is off", "the line beneath it says why"
    assert not {"mark", "trend"} & row.keys(), "a drawing is no value"


def test_an_export_has_whole_what_is_short_on_the_screen(tmp_path: Path) -> None:
    newest = prod_eu.events()[-1]

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        for key, name in (("7", "events"), ("4", "proposals"), ("9", "metrics")):
            await pilot.press(key)
            await until(pilot, partial(stands, app, name))
            await export(app, pilot, tmp_path / f"{name}.json")

    drive(act)
    events, proposals, metrics = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("events", "proposals", "metrics")
    )
    row = events[-1]
    assert datetime.fromisoformat(row["time"]).timestamp() * 1000 == newest.timestamp
    assert (row["instance"], row["type"], row["trace"]) == (newest.origin, newest.type, newest.trace_id)
    assert {row["hash"] for row in proposals} == {each.hash for each in prod_eu.proposals()}
    assert all(isinstance(row["value"], int | float) for row in metrics)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_hostile_words_are_exported_as_they_are(tmp_path: Path, kind: str) -> None:
    """A name may hold quotes, commas, line ends, and half a character, which no file can hold."""
    names = [name for name in HOSTILE if name]
    file = tmp_path / f"rows.{kind}"
    events = tuple(Event(f"e{n}", name, n, "LOADED", NOW_MS, n, "", {}) for n, name in enumerate(names))
    told = msgspec.structs.replace(observation(), events=Part(events, NODE, NOW_S, NOW_MS))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("7")
        await until(pilot, partial(stands, app, "events"))
        await export(app, pilot, file)

    drive(act, prod_eu.console(told))
    with file.open(newline="", encoding="utf-8") as written:
        rows = json.load(written) if kind == "json" else list(csv.DictReader(written))
    assert [row["instance"] for row in rows] == [name.replace("\ud800", "?") for name in names]


@pytest.mark.parametrize(("typed", "done"), [("prod-eu", True), ("prod", False), ("PROD-EU", False)])
def test_a_dangerous_act_needs_the_name_typed(typed: str, done: bool) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        answers: list[bool | None] = []
        app.push_screen(Confirm("Step down", "[b]instance-B[/b] hands over.", "prod-eu", "Hand over"), answers.append)
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.pause()
        assert "[b]instance-B[/b] hands over." in shown(app), "words are words"
        await pilot.press(*typed)
        assert app.screen.query_one("#confirm-act", Button).disabled is not done
        await pilot.press("enter", "enter")
        if not done:
            await pilot.press("escape")
        await until(pilot, lambda: answers == [done])

    drive(act)


HOSTILE = [
    "[bold red]markup[/]", "[@click=app.quit]x[/]", "\x1b[2J\x1b[31mred", "a\nb\tc\r", "\u202eabc", "漢字" * 40,
    "e" + "\u0301" * 50, "x" * 10_000, "\ud800", "", "$text-error", "\x9b31m", "👩‍👩‍👧" * 9, "{0} {name}", "%s%n",
]  # fmt: skip


def hostile(words: str) -> Observation:
    """All that is shown on the first screens, in these words."""
    members = (
        instance("instance-A"),
        instance("instance-B", id=words, status=words, reasons=(words, f"drift: {words}"), version=words, url=words),
    )
    known = observation(prod_eu.status(instances=members, current_version=words, cluster=words))
    proposal = msgspec.structs.replace(prod_eu.proposals()[0], version=words, proposer=words, voters=(words,))
    lock = msgspec.structs.replace(prod_eu.locks()[0], resource=words, owner=words)
    event = msgspec.structs.replace(prod_eu.events()[3], origin=words, type=words, payload={words: words})
    assert known.proposals is not None
    assert known.locks is not None
    assert known.events is not None
    return msgspec.structs.replace(
        known, context=words, proposals=msgspec.structs.replace(known.proposals, value=(proposal,)),
        locks=msgspec.structs.replace(known.locks, value=(lock,)),
        events=msgspec.structs.replace(known.events, value=(event,)),
    )  # fmt: skip


def test_hostile_words_are_shown_as_text_and_break_nothing() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        source = app.source
        assert isinstance(source, Script)
        for number, words in enumerate(HOSTILE):
            source.tell(hostile(words))
            await all_shown(app, pilot)
            for key in ("1", "2"):
                await pilot.press(key, "down", "down")
                await pilot.pause()
                screen = shown(app)
                assert all(cells(line) <= 120 for line in screen.split("\n")), number
                assert not any(bad in screen for bad in "\x1b\x9b\r\t\u202e"), number
            assert not app._exit, number

    drive(act, prod_eu.console(hostile(HOSTILE[0]), history=False))


def test_it_paints_before_it_knows_anything() -> None:
    nothing = Script([])
    app = Console(nothing, Observation(context="prod-eu", nodes=("http://a:1",)), prod_eu.FIXED)

    async def act(console: Console, pilot: Pilot[Any]) -> None:
        words = shown(console)
        assert "Connecting to prod-eu" in words
        assert "no data yet" in words
        assert console.screen.query_one(Header).size.height == 1

    drive(act, app)


def test_resizing_again_and_again_survives() -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        for width, height in [(40, 8), (220, 60), (20, 5), (1, 1), (300, 100), (80, 24)]:
            await pilot.resize_terminal(width, height)
        await pilot.pause()
        assert "one instance gone" in shown(app)

    drive(act)
