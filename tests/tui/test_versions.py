"""The Versions screen: who has which, what differs, and what is asked and told around orders."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Button, DirectoryTree, Input

from iwdc_console.tui import changes, jobs, orders
from iwdc_console.tui.app import Console
from iwdc_console.tui.model import differences, progress, publication, versions
from iwdc_console.tui.model.api import AtInstance, Job, Version
from iwdc_console.tui.model.differences import Field, fields
from iwdc_console.tui.model.draft import Change
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.orders import Kind, Order, Outcome
from iwdc_console.tui.screens.versions import Versions
from iwdc_console.tui.widgets.confirm import Confirm
from iwdc_console.tui.widgets.menu import Menu
from iwdc_console.tui.widgets.picker import Picker
from iwdc_console.tui.widgets.prompt import Prompt
from node.artifacts.intake import entry_of
from node.artifacts.manifest import compose
from node.runtime.content.shapes import Standing
from node.runtime.content.staging import Told
from tests.cli.fake import Asked, FakeNode, Raw, Refuse, running
from tests.tui import prod_eu
from tests.tui.driving import SIZES, Act, drive, shown, until, write
from tests.tui.prod_eu import NODE, Script, moment
from tests.tui.prod_eu_versions import comparison, with_versions


def at_versions(act: Act, size: tuple[int, int] = (120, 40)) -> None:
    async def go(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("0")
        await until(pilot, lambda: isinstance(app.screen, Versions))
        await pilot.pause()
        await act(app, pilot)

    drive(go, prod_eu.console(with_versions()), size)


def told(app: Console) -> str:
    return "\n".join(notice.message for notice in app._notifications)


def words(lines: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


def known(name: str, at: Moment) -> Version:
    found = versions.find(at, name)
    assert found is not None
    return found


# What is said


def test_each_cell_says_by_shape_and_word_how_the_version_stands() -> None:
    rows = {row.key: row for row in versions.rows(moment(with_versions()), "1.4.0")}
    first = len(versions.BEFORE)
    assert [cell.text for cell in rows["1.4.2"].cells[first:]] == [
        "◆ in use", "◆ in use", "◐ 42 %", "✗ corrupt", "? unknown",
    ]  # fmt: skip
    assert [cell.text for cell in rows["1.4.0"].cells[first:]] == [
        "● has", "○ missing", "● has", "◌ waiting", "? unknown",
    ]  # fmt: skip
    assert rows["1.4.1"].cells[first + 3].text == "≠ other"
    assert [rows[name].cells[0].text for name in ("1.5.0", "1.4.2", "1.4.0")] == ["", "▶", "◇"]
    assert "модели/сталь.json" in rows["1.4.2"].note


def test_working_data_that_are_being_made_of_a_version_are_shown_beside_it() -> None:
    known = with_versions()
    assert known.versions is not None
    applying = Version("1.5.0", "current", {"instance-A": AtInstance("has", 100, applying=True)})
    part = msgspec.structs.replace(known.versions, value=(applying,))
    row = versions.rows(moment(msgspec.structs.replace(known, versions=part)), "")[0]
    assert row.cells[len(versions.BEFORE)].text == "◈ applies"


def test_what_an_older_version_lacks_is_no_alarm() -> None:
    rows = {row.key: row for row in versions.rows(moment(with_versions()), "")}
    assert rows["1.4.0"].cells[len(versions.BEFORE) + 1].tone == "text-muted"
    assert rows["1.4.2"].cells[len(versions.BEFORE) + 3].tone == "status-unreachable"


def test_a_version_is_compared_with_the_marked_the_current_or_the_next_older_one() -> None:
    at = moment(with_versions())
    assert versions.other(at, "1.5.0", "") == "1.4.2"
    assert versions.other(at, "1.5.0", "1.4.0") == "1.4.0"
    assert versions.other(at, "1.4.2", "1.4.2") == "1.4.1", "the current one with what was before it"
    assert versions.other(at, "1.4.2", "9.9.9") == "1.4.1", "a mark on a version that is gone is no mark"
    assert versions.other(moment(), "1.4.2", "") == ""


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Field("a", "1", "2")]),
        ({"a": {"имя": "сталь"}}, {"a": {"имя": "медь"}}, [Field("a.имя", '"сталь"', '"медь"')]),
        ({"a": None}, {}, [Field("a", "null", None)]),
        ({}, {"a": [1]}, [Field("a", None, "[1]")]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, [Field("a[1]", "2", "3"), Field("a[2]", None, "4")]),
        ({"a": 1}, {"a": True}, [Field("a", "1", "true")]),
        ({"a": {"b": 1}}, {"a": "b"}, [Field("a", '{"b": 1}', '"b"')]),
    ],
)
def test_objects_are_compared_field_by_field(before: object, after: object, found: list[Field]) -> None:
    assert list(fields(before, after)) == found


def test_what_differs_is_listed_with_its_fields_and_what_is_left_out_is_counted() -> None:
    found = words(differences.lines(moment(with_versions()), "1.4.2", "1.5.0", 0, 100, 40))
    assert found[0] == "1.4.2 → 1.5.0  series +1 −0 ~0  models +0 −0 ~1  lengths +0 −7 ~0  other files +1 −0 ~0"
    assert "  + новая  Новая серия" in found
    assert '      материал: "сталь" → "латунь"' in found
    assert "      sizes[2]: + 1000" in found
    assert '      вес: + {"кг": 12.5}' in found
    assert "  − vento-85-600  Vento 85 × 600 мм" in found
    assert "  5 more are not listed: see iwdc-distributed diff make" in found
    assert found[-1] == "  + seo/карта.xml"
    short = words(differences.lines(moment(with_versions()), "1.4.2", "1.5.0", 0, 100, 5))
    assert len(short) == 5
    assert short[-1] == f"{len(found) - 4} more lines: ]"
    last = words(differences.lines(moment(with_versions()), "1.4.2", "1.5.0", 10_000, 100, 5))
    assert last[1:] == ["  + seo/карта.xml"]


def test_a_comparison_of_other_versions_is_not_shown_for_these() -> None:
    (line,) = words(differences.lines(moment(with_versions()), "1.4.0", "1.5.0", 0, 100, 40))
    assert line == "1.4.0 and 1.5.0 are being compared"
    failed = with_versions(troubles={"comparison": "answered 409"})
    (line,) = words(differences.lines(moment(failed), "1.4.0", "1.5.0", 0, 100, 40))
    assert line == "1.4.0 and 1.5.0 cannot be compared: answered 409. r asks again."
    past = moment(with_versions(), mode="past")
    (line,) = words(differences.lines(past, "1.4.0", "1.5.0", 0, 100, 40))
    assert "are being compared" not in line


def test_a_rollback_says_what_it_makes_void_and_who_must_fetch() -> None:
    at = moment(with_versions())
    said = versions.rollback_follows(at, known("1.4.0", at))
    assert "The 5 instances vote; 3 must accept." in said
    assert "Void from then on: 1.4.1, 1.4.2." in said
    assert "Must fetch it first: instance-B, instance-D, instance-E." in said


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job("1", "storing", "1.5.0", files=3, bytes=2048), ["hashing and storing 1.5.0  3 files, 2.0 KiB"]),
        (
            Job("1", "staging", "1.5.0", total_bytes=100, holders={"instance-A": "100 %", "instance-B": "42 %"}),
            ["bringing 1.5.0 to the voters  ", "instance-A 100 %   instance-B 42 %   "],
        ),
        (Job("1", "failed", "1.5.0", detail="the disk is full"), ["1.5.0: failed.  the disk is full"]),
    ],
)  # fmt: skip
def test_a_job_tells_how_far_it_is_and_what_came_of_it(job: Job, said: list[str]) -> None:
    assert words(progress.lines(job, 100, 4)) == said


def test_who_does_not_answer_is_shown_with_how_long() -> None:
    told = {
        "A": Told(0.0, Standing("k", "1.5.0", "held")),
        "B": Told(12.0),
        "C": Told(0.0),
        "D": Told(9.0, Standing("k", "1.5.0", "fetching", 40, 100)),
        "E": Told(9.0, problem="Connection refused"),
    }
    job = Job("1", "staging", "1.5.0", holders={name: each.words(12.0) for name, each in told.items()})
    assert words(progress.lines(job, 100, 4))[1] == (
        "A 100 %   B asked   C no answer for 12 s   D no answer for 3 s (40 %)   E Connection refused (for 3 s)   "
    )


def test_what_a_check_found_is_told_with_names() -> None:
    found = {"checked": 9, "missing": (), "corrupt": tuple(f"модели/{n}.json" for n in range(5)), "extra": ()}
    job = msgspec.convert(
        {"id": "1", "phase": "failed", "version": "1.4.2", "verified": found, "reason": "damaged", "detail": "5 files"},
        Job,
    )
    assert words(progress.lines(job, 100, 4)) == [
        "1.4.2: failed.  5 files",
        "damaged: модели/0.json, модели/1.json, модели/2.json +2",
    ]


def test_a_refused_comparison_is_never_told_as_no_difference() -> None:
    stored = msgspec.convert({"id": "1", "phase": "done", "version": "1.5.0", "stored": STORED}, Job).stored
    assert stored is not None
    at = moment(with_versions())
    assert "It could not be compared with 1.4.2." in publication.follows(at, stored, None)
    assert "lengths +0 −7 ~0" in publication.follows(at, stored, msgspec.to_builtins(comparison()))


# Jobs of a node

STORED = {"kind": "snapshot", "version": "1.5.0", "hash": "ab12", "content": {"key": "5" * 64, "bytes": 9, "files": 2}}
BEGUN = {"id": "j-1", "phase": "waiting", "version": "1.5.0"}


async def _followed(fake: FakeNode) -> tuple[Outcome, list[str]]:
    phases: list[str] = []
    outcome = await jobs.follow(fake.url, jobs.store("/data/tree", "1.5.0"), lambda job: phases.append(job.phase))
    return outcome, phases


def test_a_job_is_watched_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    steps = iter([BEGUN | {"phase": "storing"}, BEGUN | {"phase": "done", "stored": STORED}])
    routes = {"POST snapshots/store": BEGUN, "GET snapshots/jobs/j-1": lambda asked: next(steps)}
    with running(routes) as fake:
        outcome, phases = asyncio.run(_followed(fake))
    assert outcome.kind == "done"
    assert outcome.data["stored"] == STORED
    assert phases == ["waiting", "storing", "done"]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ({"phase": "failed", "reason": "maybe", "detail": "no verdict came"}, "maybe"),
        ({"phase": "failed", "reason": "not_staged", "detail": "nobody took it"}, "refused"),
        ({"phase": "done", "proposal": {"state": "rejected", "reason": "stale_version"}}, "refused"),
        ({"phase": "done", "proposal": {"state": "accepted"}}, "done"),
        ({"phase": 5}, "maybe"),
    ],
)
def test_the_end_of_a_job_is_told_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], kind: str
) -> None:
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    with running({"POST snapshots/store": BEGUN, "GET snapshots/jobs/j-1": BEGUN | end}) as fake:
        outcome, _ = asyncio.run(_followed(fake))
    assert outcome.kind == kind


def test_a_job_that_the_node_forgot_may_have_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgotten(asked: Asked) -> Any:
        raise Refuse(404, {"reason": "not_here"}, "no such job")

    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    with running({"POST snapshots/store": BEGUN, "GET snapshots/jobs/j-1": forgotten}) as fake:
        outcome, _ = asyncio.run(_followed(fake))
    assert outcome.kind == "maybe"


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        ("accepted", "done", "1.4.1 is accepted; the instances switch to it now."),
        ("rejected", "refused", "Refused: The voters rejected it: stale_base"),
        ("pending", "maybe", "No verdict yet on 1.4.1: see Proposals."),
    ],
)
def test_what_became_of_going_back_is_told_as_what_it_is(state: str, kind: str, said: str) -> None:
    proposal = {"kind": "rollback", "from": "1.4.2", "to": "1.4.1", "state": state, "reason": "stale_base"}
    outcomes = [{"success": True, "status": 200, "data": proposal}]
    with running({"POST distributed/propose": outcomes}) as fake:
        outcome = asyncio.run(orders.give([fake.url], orders.roll_back("1.4.2", "1.4.1", "ab12")))
    assert outcome.kind == kind
    assert said in outcome.words


def test_a_job_that_failed_was_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    end = BEGUN | {"phase": "failed", "reason": "damaged", "detail": "2 files; they are fetched again"}
    with running({"POST snapshots/store": BEGUN, "GET snapshots/jobs/j-1": end}) as fake:
        monkeypatch.setattr(jobs, "POLL_S", 0.01)
        outcome, _ = asyncio.run(_followed(fake))
    assert outcome.words == "1.5.0: failed. 2 files; they are fetched again"


# The next version


MANIFEST = f"GET snapshots/contents/{'5' * 64}/manifest"


def _held(*paths: str) -> dict[str, Any]:
    """A node that holds 1.4.2 with these files."""
    document = compose("1.4.2", "2026-01-01T00:00:00.000Z", [entry_of(path, b"{}") for path in sorted(paths)]).document
    return {"GET snapshots/1.4.2/summary": {"key": "5" * 64}, MANIFEST: Raw(200, document)}


@pytest.mark.parametrize(
    ("routes", "change"),
    [
        pytest.param(_held("series/a.json", "series/b.json"), Change(added=1, removed=1, changed=1), id="held"),
        pytest.param({}, None, id="not held"),
        pytest.param(_held() | {MANIFEST: Raw(200, b"{}")}, None, id="not a manifest"),
    ],
)
def test_what_a_folder_changes_is_said_by_a_node_that_holds_the_version(
    routes: dict[str, Any], change: Change | None
) -> None:
    files = {"series/a.json": "0" * 64, "series/c.json": "1" * 64}
    with running(routes) as fake:
        assert asyncio.run(changes.since([fake.url], "1.4.2", files)) == change


# On the screen


@pytest.mark.parametrize("size", SIZES)
def test_the_matrix_the_version_and_what_differs(size: tuple[int, int]) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        assert isinstance(app.source, Script)
        screen = shown(app)
        for word in ("1.5.0", "▶", "◐ 42 %", "◆ in use", "✗ corrupt", "lengths 375", "snapshot 1.5.0 by instance-A"):
            assert word in screen
        assert app.source.looked_at == ("1.5.0", "")
        await pilot.press("d")
        await until(pilot, lambda: "1.4.2 → 1.5.0" in shown(app))
        assert "+ новая  Новая серия" in shown(app)
        assert app.source.looked_at == ("1.5.0", "1.4.2")
        await pilot.press("G", "b", "g")
        await until(pilot, lambda: isinstance(app.source, Script) and app.source.looked_at == ("1.5.0", "1.4.0"))
        assert "1.4.0 and 1.5.0 are being compared" in shown(app)
        await pilot.press("d")
        await until(pilot, lambda: "lengths 375" in shown(app))

    at_versions(act, size)


class Cluster:
    """Takes orders in the place of a cluster, and begins jobs that end at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends: dict[str, Any]) -> None:
        self.orders = 0
        self.jobs: list[str] = []
        self.kind: Kind = "done"
        self.goes_on = asyncio.Event()
        """While it is not set, a job does not end."""
        self.goes_on.set()
        self._ends = iter(ends)
        monkeypatch.setattr(orders, "give", self._give)
        monkeypatch.setattr(jobs, "follow", self._follow)

    async def _give(self, nodes: Sequence[str], order: Order) -> Outcome:
        self.orders += 1
        return Outcome("done", "1.4.1 is accepted")

    async def _follow(self, node: str, begin: Order, told: Any) -> Outcome:
        self.jobs.append(node)
        end = next(self._ends)
        told(msgspec.convert(BEGUN | {"phase": "storing"}, Job))
        await self.goes_on.wait()
        told(msgspec.convert(end, Job))
        return Outcome(self.kind, str(end.get("detail", "Done.")), end)


def test_going_back_is_for_an_accepted_version_and_asks_for_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        refusal = "Choose an accepted version other than the current one (1.4.2)"
        for refused in (1, 2):
            await pilot.press("R")
            await pilot.pause()
            assert told(app).count(refusal) == refused
            await pilot.press("down")
        assert not isinstance(app.screen, Confirm)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Go back from 1.4.2 to 1.4.1?" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Versions))
        assert cluster.orders == 0
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press(*"prod-eu", "enter", "enter")
        await until(pilot, lambda: "1.4.1 is accepted" in told(app))
        assert cluster.orders == 1

    at_versions(act)


def test_a_check_is_made_where_and_as_far_as_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    verified = {"checked": 41, "missing": [], "corrupt": [], "extra": []}
    cluster = Cluster(monkeypatch, BEGUN | {"phase": "done", "verified": verified})

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("down", "V")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        assert "instance-B: 10 % of the files" in shown(app)
        assert "instance-D" not in app.screen.query_one("OptionList").get_option_at_index(3).prompt.plain  # type: ignore[attr-defined]
        await pilot.press("down", "down", "down", "enter")
        await until(pilot, lambda: "41 files read, all as they were." in shown(app))
        assert cluster.jobs == ["http://10.0.0.2:3000"]

    at_versions(act)


def test_publishing_stores_first_then_tells_and_asks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "каталог").mkdir()
    monkeypatch.chdir(tmp_path)
    done = BEGUN | {"phase": "done"}
    cluster = Cluster(monkeypatch, done | {"stored": STORED}, done | {"proposal": {"state": "accepted"}})

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        tree = app.screen.query_one(DirectoryTree)
        await until(pilot, lambda: len(tree.root.children) == 1)
        assert "Which folder to publish?" in shown(app)
        await pilot.press("down")
        await until(pilot, lambda: "каталог" in shown(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, Picker))
        prompt = app.screen.query_one(Prompt)
        await until(pilot, lambda: prompt.display)
        version = prompt.query_one(Input)
        assert version.value == "1.4.3"
        await pilot.press("backspace", "1")
        await until(pilot, lambda: "the current version is 1.4.2" in shown(app))
        await pilot.press("enter")
        assert prompt.display
        assert cluster.jobs == []
        version.value = "1.5.0"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Publish 1.5.0?" in shown(app)
        assert "It could not be compared with 1.4.2." in " ".join(shown(app).split())
        assert cluster.jobs == [NODE]
        await pilot.press(*"prod-eu", "enter", "enter")
        await until(pilot, lambda: "the vote on 1.5.0: accepted" in shown(app))
        assert cluster.jobs == [NODE, NODE]

    at_versions(act)


def test_what_is_typed_while_the_folder_is_stored_goes_to_the_question_and_to_nothing_behind_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = BEGUN | {"phase": "done"}
    cluster = Cluster(monkeypatch, done | {"stored": STORED}, done | {"proposal": {"state": "accepted"}})
    cluster.goes_on.clear()

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        write(app, "P\x13" + "\x7f" * 5 + "1.5.0\r" + "prod-eu\r")
        await until(pilot, lambda: bool(cluster.jobs))
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        name, publish = app.screen.query_one(Input), app.screen.query_one("#confirm-act", Button)
        await until(pilot, lambda: name.value == "prod-eu")
        assert "hashing and storing 1.5.0" in shown(app)
        assert publish.disabled, "what will happen is not known yet"
        cluster.goes_on.set()
        await until(pilot, lambda: not publish.disabled)
        await until(pilot, lambda: "It could not be compared with 1.4.2." in " ".join(shown(app).split()))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "the vote on 1.5.0: accepted" in shown(app))
        assert cluster.jobs == [NODE, NODE]

    at_versions(act)


def test_a_folder_that_cannot_be_stored_is_told_in_the_question(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = Cluster(monkeypatch, BEGUN | {"phase": "failed", "reason": "no_space", "detail": "9 bytes are missing"})
    cluster.kind = "refused"

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        write(app, "P\x13" + "\x7f" * 5 + "1.5.0\r" + "prod-eu")
        await until(pilot, lambda: isinstance(app.screen, Confirm) and "9 bytes are missing" in shown(app))
        assert app.screen.query_one("#confirm-act", Button).disabled
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Versions))
        assert cluster.jobs == [NODE]

    at_versions(act)


def test_who_gives_up_while_the_folder_is_stored_publishes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = Cluster(monkeypatch, BEGUN | {"phase": "done", "stored": STORED})
    cluster.goes_on.clear()

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        write(app, "P\x13" + "\x7f" * 5 + "1.5.0\r")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Versions))
        cluster.goes_on.set()
        await until(pilot, lambda: "1.5.0: done" in shown(app))
        await pilot.pause()
        assert isinstance(app.screen, Versions)
        assert cluster.jobs == [NODE]

    at_versions(act)


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [
        pytest.param([], "1.5.0", id="a file came"),
        pytest.param(["end", "7"], "1.4.37", id="what a person typed stays"),
    ],
)
def test_the_next_version_follows_from_what_the_folder_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: list[str], suggested: str
) -> None:
    """It is filled in at once, as if little had changed, and once more when the folder was read."""
    told, asked = asyncio.Event(), list[tuple[str, list[str]]]()
    offered: list[str] = []

    async def since(nodes: Sequence[str], version: str, files: Mapping[str, str]) -> Change:
        asked.append((version, sorted(files)))
        await told.wait()
        return Change(added=1, removed=0, changed=0)

    def offer(prompt: Prompt, start: str) -> None:
        offer_(prompt, start)
        offered.append(start)

    offer_ = Prompt.offer
    monkeypatch.setattr(Prompt, "offer", offer)
    monkeypatch.setattr(changes, "since", since)
    folder = tmp_path / "catalogue"
    (folder / "series").mkdir(parents=True)
    (folder / "series" / "one.json").write_text("{}")
    monkeypatch.chdir(folder)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(asked))
        version = app.screen.query_one(Prompt).query_one(Input)
        assert version.value == "1.4.3"
        await pilot.press(*typed)
        told.set()
        await until(pilot, lambda: bool(offered))
        assert (version.value, offered) == (suggested, ["1.5.0"])
        assert asked == [("1.4.2", ["series/one.json"])]

    at_versions(act)


@pytest.mark.parametrize("key", ["P", "V", "R"])
def test_a_console_that_only_looks_changes_nothing(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    cluster = Cluster(monkeypatch)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        app.read_only = True
        await pilot.press("G", key)
        await until(pilot, lambda: "was started with --read-only" in told(app))
        assert isinstance(app.screen, Versions)
        assert (cluster.orders, cluster.jobs) == (0, [])

    at_versions(act)
