"""The Proposals screen and its forms: what they say, what they refuse, what they send, what came of it."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Button, DirectoryTree, Input, Static

from iwdc_console.client import Client
from iwdc_console.exchange import Answer
from iwdc_console.tui import orders
from iwdc_console.tui.app import Console
from iwdc_console.tui.hashing import Hashing, Stopped
from iwdc_console.tui.model import proposals
from iwdc_console.tui.model.api import Prediction, Proposal, Quorum, Vote
from iwdc_console.tui.model.draft import Change, Draft, change_between, next_version, prediction_lines, problems
from iwdc_console.tui.orders import Order, Outcome
from iwdc_console.tui.screens.propose import Propose
from iwdc_console.tui.widgets.field import Field
from iwdc_console.tui.widgets.picker import Picker
from iwdc_console.tui.widgets.table import Table
from node.artifacts.errors import ContentError
from tests.tui import prod_eu
from tests.tui.driving import SIZES, Act, drive, shown, until, write
from tests.tui.prod_eu import NOW_MS, Script, observation

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HASH = "ab12"
EMPTY_OBJECT = sha256(b"{}").hexdigest()
FORESEEN = {
    "quorum": {"total": 5, "healthy": 4, "required": 3, "sufficient": True},
    "wouldAccept": True,
    "checks": {"quorum": "ok", "version": "ok"},
    "votes": {"instance-A": "accept", "instance-D": "stale_version", "instance-E": "no vote: unreachable"},
}


def words_of(lines: list[list[tuple[str, str]]]) -> str:
    return "\n".join("".join(words for words, _ in line) for line in lines)


@pytest.mark.parametrize(
    ("current", "change", "version"),
    [
        (None, None, "1.0.0"),
        ("1.4.2", None, "1.4.3"),
        ("1.4.2", Change(0, 0, 7), "1.4.3"),
        ("1.4.2", Change(14, 0, 7), "1.5.0"),
        ("1.4.2", Change(14, 1, 0), "2.0.0"),
        ("2.0.0-rc.1", None, "2.0.0"),
        ("20250131-120000", None, "20261123-120000"),
        ("20270101-235959", None, "20270102-000000"),
        ("not a version", None, "1.0.0"),
    ],
)
def test_the_next_version_follows_from_what_changed(current: str | None, change: Change | None, version: str) -> None:
    assert next_version(current, change, NOON) == version


def test_changes_are_counted_by_path_and_hash() -> None:
    assert change_between({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5", "e": "6"}) == Change(2, 1, 1)


@pytest.mark.parametrize(
    ("draft", "wrong"),
    [
        (Draft("snapshot", "1.4.3", HASH), set()),
        (Draft("snapshot", "20250131-120000", HASH), set()),
        (Draft("snapshot", "1.4.2", HASH), {"version"}),
        (Draft("snapshot", "1.4", HASH), {"version"}),
        (Draft("snapshot", "1.4.3", ""), {"hash"}),
        (Draft("snapshot", "1.4.3", "a b"), {"hash"}),
        (Draft("snapshot", "1.4.3", "a" * 257), {"hash"}),
        (Draft("diff", "1.4.3", HASH, "1.4.2"), set()),
        (Draft("diff", "1.4.1", HASH, "1.4.0"), set()),
        (Draft("diff", "1.4.1", HASH, "1.4.1"), {"version"}),
        (Draft("diff", "1.4.1", HASH, ""), {"base", "version"}),
    ],
)
def test_a_draft_is_checked_before_anybody_is_asked(draft: Draft, wrong: set[str]) -> None:
    assert problems(draft, "1.4.2").keys() == wrong


def test_a_dry_run_is_told_check_by_check_and_vote_by_vote() -> None:
    found = msgspec.convert(FORESEEN, Prediction)
    said = words_of(prediction_lines(found))
    assert "✓ Dry run: it would be accepted.   4 healthy, 3 needed" in said
    assert "  ✓ instance-A  accept\n" in said
    assert "  ✗ instance-D  stale_version\n  ✗ instance-E  no vote: unreachable" in said
    many = msgspec.structs.replace(found, votes={f"instance-{n}": "accept" for n in range(9)} | {"instance-X": "bad"})
    assert words_of(prediction_lines(many)).split("\n")[2:] == [
        "  ✗ instance-X  bad", "".join(f"✓ instance-{n}  " for n in range(9)),
    ]  # fmt: skip
    failing = msgspec.structs.replace(found, would_accept=False, checks={"hash": "bad_hash", "new-check": "ok"})
    said = words_of(prediction_lines(failing))
    assert "✗ hash: bad_hash (not its hash, or not in that form)  ✓ new-check" in said


def test_those_under_vote_come_first_and_a_lost_one_is_not_called_accepted() -> None:
    found = observation()
    assert found.proposals is not None
    lost = msgspec.structs.replace(found.proposals.value[1], settled=False)
    part = msgspec.structs.replace(found.proposals, value=(lost, found.proposals.value[2], found.proposals.value[0]))
    rows = proposals.rows(prod_eu.moment(msgspec.structs.replace(found, proposals=part)))
    assert [row.key for row in rows] == ["k3", "k2", "k1"]
    assert [cell.text for cell in rows[0].cells[1:4]] == ["snapshot 1.5.0", "pending", "2/3"]
    assert rows[1].cells[2].text == "lost"


def test_the_board_says_who_voted_what_why_and_when() -> None:
    said = words_of(proposals.board_lines(prod_eu.moment(), "k3", 80, 30))
    assert "snapshot 1.5.0  pending" in said
    assert "2 of 3 needed   11 s left" in said
    for line in (r"✗ instance-D +reject +0.2 s  stale_version", r"· instance-C +waiting", r"○ instance-E +not there"):
        assert re.search(line, said)
    assert "9f2c3e1f00aa" in said
    assert words_of(proposals.board_lines(prod_eu.moment(), "k9", 80, 30)) == "no proposal is chosen"


def tree(folder: Path) -> Path:
    (folder / "series").mkdir(parents=True)
    (folder / "series" / "a.json").write_text("{}")
    (folder / "note.txt").write_text("beside")
    return folder


def test_a_folder_is_hashed_as_iwdc_does_and_a_file_by_its_bytes(tmp_path: Path) -> None:
    found = Hashing(str(tree(tmp_path / "t"))).tree()
    assert found.file_count == 2
    assert list(found.files) == ["series/a.json"]
    assert found.hash == sha256(f"series/a.json:{EMPTY_OBJECT}".encode()).hexdigest()
    file = Hashing(str(tmp_path / "t" / "series" / "a.json")).file()
    assert (file.hash, file.size_bytes) == (EMPTY_OBJECT, 2)


def test_hashing_ends_when_it_is_stopped_and_says_what_is_missing(tmp_path: Path) -> None:
    hashing = Hashing(str(tree(tmp_path / "t")))
    hashing.stop()
    with pytest.raises(Stopped):
        hashing.tree()
    (tmp_path / "t" / "series" / "a.json").unlink()
    with pytest.raises(ContentError, match=r"no \.json file below series, models, lengths"):
        Hashing(str(tmp_path / "t")).tree()
    with pytest.raises(ContentError, match="no such file"):
        Hashing(str(tmp_path / "nothing")).file()


class Cluster:
    """Takes orders in the place of a cluster: each is run against a client that only remembers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], Outcome]) -> None:
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self._answer = answer
        monkeypatch.setattr(orders, "give", self._give)

    @property
    def proposed(self) -> list[tuple[str, dict[str, Any], str | None]]:
        return [one for one in self.asked if one[2]]

    async def _give(self, nodes: Sequence[str], order: Order) -> Outcome:
        order(Remembering(nodes, self.asked))
        return self._answer(self.asked[-1][0])


class Remembering(Client):
    def __init__(self, nodes: Sequence[str], asked: list[tuple[str, dict[str, Any], str | None]]) -> None:
        super().__init__(nodes)
        self._asked = asked

    def get(self, path: str, **query: object) -> Answer:
        return Answer({"key": "c1"}, "", "", 0.0)

    def text(self, path: str) -> Answer:
        self._asked.append((path, {}, None))
        return Answer("", "", "", 0.0)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        self._asked.append((path, dict(body), more.get("idempotency_key")))
        return Answer({}, "", "", 0.0)

    def try_out(self, path: str, body: Any) -> Answer:
        return self.post(path, body)


def willing(path: str) -> Outcome:
    if "dryRun" in path:
        return Outcome("done", "", FORESEEN)
    return Outcome("done", "", {"proposalId": "new"}) if "propose" in path else Outcome("refused", "not here")


def at_form(key: str, act: Act, size: tuple[int, int] = (120, 40), app: Console | None = None) -> None:
    async def go(console: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("4")
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: isinstance(console.screen, Propose))
        await pilot.pause()
        await act(console, pilot)

    drive(go, app, size)


async def paste_hash(app: Console, pilot: Pilot[Any]) -> None:
    """Into the next field, as people do: nobody types it."""
    await pilot.press("tab")
    write(app, f"\x1b[200~{HASH}\x1b[201~")
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
def test_the_form_fits_every_terminal(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, willing)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await paste_hash(app, pilot)
        await until(pilot, lambda: "it would be accepted" in shown(app))
        for words in ("Propose a diff", "1.4.3", "the current version is 1.4.2", "stale_version", "Propose to prod-eu"):
            assert words in shown(app)

    at_form("d", act, size)


def test_nothing_is_sent_before_the_draft_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, willing)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+s")
        app.screen.query_one("#version", Field).value = "1.4.2"
        await paste_hash(app, pilot)
        await until(pilot, lambda: "expected a version after 1.4.2" in shown(app))
        assert app.screen.query_one("#send", Button).disabled
        await pilot.press("ctrl+s")
        assert cluster.asked == []
        await pilot.press("escape")
        assert not isinstance(app.screen, Propose)

    at_form("p", act)


def test_a_proposal_is_tried_sent_once_and_followed_to_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, willing)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await paste_hash(app, pilot)
        await until(pilot, lambda: "it would be accepted" in shown(app))
        await pilot.press("enter")
        assert isinstance(app.focused, Button)
        assert cluster.proposed == []
        await pilot.press("enter")
        await until(pilot, lambda: "Proposed as new" in shown(app))
        [(path, body, key)] = cluster.proposed
        assert (path, body) == ("distributed/propose-snapshot", {"version": "1.4.3", "hash": HASH})
        assert key
        known, source = observation(), app.source
        assert known.proposals is not None
        assert isinstance(source, Script)
        made = Proposal(
            key="n1", id="new", kind="snapshot", version="1.4.3", state="accepted", required=3, created_at=NOW_MS,
            voters=prod_eu.NAMES, votes=dict.fromkeys(prod_eu.NAMES[:3], Vote("accept", None, NOW_MS + 9)),
        )  # fmt: skip
        part = msgspec.structs.replace(known.proposals, value=(*known.proposals.value, made))
        source.tell(msgspec.structs.replace(known, proposals=part))
        await until(pilot, lambda: "snapshot 1.4.3  accepted" in shown(app))
        await pilot.press("ctrl+s")  # a button takes no second press within 0.2 s, so that two in haste are one
        await until(pilot, lambda: not isinstance(app.screen, Propose))
        await until(pilot, lambda: app.screen.query_one(Table).cursor == "n1")

    at_form("p", act)


def test_enter_pressed_twice_does_not_leave_the_form_before_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, lambda path: willing(path) if "dryRun" in path else Outcome("refused", "too late"))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        answers, give = asyncio.Event(), orders.give

        async def slow(nodes: Sequence[str], order: Order) -> Outcome:
            await answers.wait()
            return await give(nodes, order)

        await paste_hash(app, pilot)
        await until(pilot, lambda: "it would be accepted" in shown(app))
        monkeypatch.setattr(orders, "give", slow)
        write(app, "\r\r\r")
        await until(pilot, lambda: "Asking the cluster" in shown(app))
        await pilot.pause()
        assert isinstance(app.screen, Propose), "it is still to be told what became of it"
        answers.set()
        await until(pilot, lambda: "too late" in shown(app))
        assert app.focused is app.screen.query_one("#send"), "to try again"

    at_form("p", act)


def test_what_was_sent_from_a_field_is_closed_with_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, willing)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        form = app.screen
        await paste_hash(app, pilot)
        await until(pilot, lambda: "it would be accepted" in shown(app))
        assert isinstance(app.focused, Input)
        write(app, "\x13")
        await until(pilot, lambda: "Proposed as new" in shown(app))
        assert app.focused is form.query_one("#send"), "the field that had it is gone"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not form)

    at_form("p", act)


def test_an_unknown_outcome_is_called_that_and_asking_again_is_the_same_proposal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(path: str) -> Outcome:
        return willing(path) if "dryRun" in path else Outcome("maybe", "Unknown: it may have happened.")

    cluster = Cluster(monkeypatch, silent)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await paste_hash(app, pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "it may have happened" in shown(app) and "Asking again is safe" in shown(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(cluster.proposed) == 2)
        assert cluster.proposed[0] == cluster.proposed[1]
        await until(pilot, lambda: not app.screen.query_one("#send", Button).disabled)
        await pilot.press("0", "ctrl+s")
        await until(pilot, lambda: len(cluster.proposed) == 3)
        assert cluster.proposed[2][2] != cluster.proposed[0][2]

    at_form("p", act)


def test_a_dry_run_that_answers_late_does_not_hide_what_became_of_the_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(path: str) -> Outcome:
        return willing(path) if "dryRun" in path else Outcome("maybe", "Unknown: it may have happened.")

    cluster, late, answered = Cluster(monkeypatch, silent), asyncio.Event(), asyncio.Event()

    async def give(nodes: Sequence[str], order: Order) -> Outcome:
        outcome = await cluster._give(nodes, order)
        if outcome.kind == "done":
            try:
                await late.wait()
            finally:
                answered.set()
        return outcome

    monkeypatch.setattr(orders, "give", give)

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await paste_hash(app, pilot)
        await until(pilot, lambda: any("dryRun" in path for path, _, _ in cluster.asked))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "it may have happened" in shown(app))
        late.set()
        await until(pilot, answered.is_set)
        await pilot.pause()
        assert "it may have happened" in shown(app)

    at_form("p", act)


def test_a_chosen_folder_is_hashed_and_one_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Cluster(monkeypatch, willing)
    tree(tmp_path / "t")

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        path = app.screen.query_one("#path", Field)
        path.value = str(tmp_path / "none")
        note = app.screen.query_one("#path .field--note", Static)
        await until(pilot, lambda: "no such folder" in str(note.content))
        path.value = str(tmp_path)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        folders = app.screen.query_one(DirectoryTree)
        await until(pilot, lambda: len(folders.root.children) == 1)
        await pilot.press("down")
        await until(pilot, lambda: folders.cursor_line == 1)
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Propose))
        expected = Hashing(str(tmp_path / "t")).tree().hash
        await until(pilot, lambda: app.screen.query_one("#hash Input", Input).value == expected)
        await until(pilot, lambda: "2 files, 8 B" in str(note.content))

    at_form("p", act)


@pytest.mark.parametrize(("key", "none"), [("p", "такой папки нет"), ("d", "такого файла нет")])
def test_what_keeps_a_path_from_being_hashed_is_said_in_ones_language(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, none: str
) -> None:
    Cluster(monkeypatch, willing)
    (tmp_path / "empty").mkdir()

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        note = app.screen.query_one("#path .field--note", Static)
        path = app.screen.query_one("#path", Field)
        path.value = str(tmp_path / "nowhere")
        await until(pilot, lambda: none in str(note.content))
        if key == "p":
            path.value = str(tmp_path / "empty")
            await until(pilot, lambda: "содержания здесь нет или оно неполно" in str(note.content))

    at_form(key, act, app=prod_eu.console(language="ru"))


def test_a_hash_is_sent_for_the_folder_it_is_of_or_for_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster = Cluster(monkeypatch, willing)
    tree(tmp_path / "t")

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        path, hash_ = app.screen.query_one("#path", Field), app.screen.query_one("#hash", Field)
        note, send = app.screen.query_one("#path .field--note", Static), app.screen.query_one("#send", Button)
        path.value = str(tmp_path / "t")
        await until(pilot, lambda: not send.disabled)
        path.value = str(tmp_path / "none")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "no such folder" in str(note.content))
        assert hash_.value == "", "it was another folder's"
        hash_.value = HASH
        await pilot.press("ctrl+s")
        assert send.disabled, "a hash and a folder that is not there"
        path.value = ""
        await until(pilot, lambda: not send.disabled)
        assert hash_.value == HASH, "a hash that was typed stays"
        assert cluster.proposed == []
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(cluster.proposed))
        assert [body["hash"] for _, body, _ in cluster.proposed] == [HASH]

    at_form("p", act)


def test_a_read_only_console_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Console, "notify", lambda app, words, **more: said.append(words))

    async def act(app: Console, pilot: Pilot[Any]) -> None:
        app.read_only = True
        await pilot.press("4")
        await pilot.pause()
        await pilot.press("p")
        await until(pilot, lambda: said == ["This console only looks: it was started with --read-only."])
        assert not isinstance(app.screen, Propose)

    drive(act)


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_shows_the_vote_and_leads_to_its_trace(size: tuple[int, int]) -> None:
    async def act(app: Console, pilot: Pilot[Any]) -> None:
        await pilot.press("4")
        await pilot.pause()
        for words in ("snapshot 1.5.0", "diff 1.4.1 → 1.4.2", "2 of 3 needed", "stale_version"):
            assert words in shown(app)
        await pilot.press("T")
        await until(pilot, lambda: app.current_mode == "traces")
        assert isinstance(app.source, Script)
        await until(pilot, lambda: isinstance(app.source, Script) and app.source.trace == "7f3a")

    drive(act, None, size)


def test_quorum_of_a_prediction_may_be_missing() -> None:
    assert msgspec.convert({}, Prediction).quorum == Quorum()
