"""A journal looked at from outside: sound or damaged, at rest or under a running node; and the commands for it."""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from iwdc_console.cli.main import run
from node.journal import DirectoryFault, Journal, JournalCorrupt, offline, schema, wal
from node.journal.errors import JournalTaken
from node.protocol.events import SNAPSHOT_PROPOSAL, VOTES, Event
from node.protocol.records import Appended, Floor, FloorReached, Identity, Record, Vote
from node.protocol.settings import Limits
from node.protocol.state import Fold
from tests.journal.samples import appended, event, floor, lock_entries


def proposal(seq: int, version: str) -> Event:
    """A snapshot of `version` that its proposer alone may accept, and does."""
    payload = {
        "kind": "snapshot", "version": version, "hash": f"hash of {version}", "label": f"snapshot-{version}-1",
        "voters": ["instance-A"], "required": 1, "deadlineHlc": 1 << 60, "digest": "d", "leaderTerm": 0,
        "vote": "accept",
    }  # fmt: skip
    at = 1_700_000_000_000 + seq
    return Event(f"ja:{seq}", "instance-A", "ja", seq, SNAPSHOT_PROPOSAL, at, at << 16, "t", payload)


RECORDS: list[Record] = [
    Identity("ja", True),
    Vote(4, "instance-A"),
    Appended(proposal(1, "1.0.0")),
    Appended(event(2, type=VOTES)),
    Appended(proposal(3, "1.1.0")),
    *appended([1, 2], "jb"),
    *lock_entries(1, 4, stamp=4),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


@pytest.fixture
def running(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as journal:
        journal.commit(RECORDS)
        yield journal


@pytest.fixture
def resting(path: Path) -> Path:
    with Journal.open(path) as journal:
        journal.commit(RECORDS)
    return path


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def test_verify_at_rest_leaves_nothing_behind(resting: Path) -> None:
    before = names(resting)
    report = offline.verify(resting)
    assert report.problems == ()
    assert (report.live, report.format, report.journal, report.term) == (False, len(schema.STEPS), "ja", 4)
    assert (report.control, report.locks, report.events) == ((4, 4), 3, 5)
    assert report.extents == (offline.Extent("ja", 1, 3, 0), offline.Extent("jb", 1, 2, 0))
    assert names(resting) == before


def test_verify_beside_a_running_node(running: Journal) -> None:
    report = offline.verify(running.path)
    assert (report.problems, report.live, report.events) == ((), True, 5)
    running.commit([FloorReached(floor({"ja": 1})), *appended([3], "jb")])
    report = offline.verify(running.path)
    assert (report.problems, report.events) == ((), 6)
    assert report.extents == (offline.Extent("ja", 1, 3, 1), offline.Extent("jb", 1, 3, 0))


def test_verify_lists_every_damage(resting: Path) -> None:
    conn = sqlite3.connect(resting)
    conn.execute("UPDATE events SET body = zeroblob(9) WHERE pos IN (1, 4)")
    conn.commit()
    conn.close()
    report = offline.verify(resting)
    assert [problem.partition(":")[0] for problem in report.problems] == [
        "event row 1 (journal ja, number 1)",
        "journal ja",
        "event row 4 (journal jb, number 1)",
        "journal jb",
    ]
    with pytest.raises(JournalCorrupt, match="event row 1"):
        list(offline.export(resting))


def test_verify_of_a_damaged_state_still_reports(resting: Path) -> None:
    conn = sqlite3.connect(resting)
    conn.execute("UPDATE state SET crc = 1")
    conn.commit()
    conn.close()
    report = offline.verify(resting)
    assert len(report.problems) == 1
    assert "checksum" in report.problems[0]


def test_there_must_be_a_journal(path: Path) -> None:
    for look in (offline.verify, lambda path: list(offline.export(path))):
        with pytest.raises(DirectoryFault, match="no journal; expected the data directory"):
            look(path)


def test_export_has_the_apis_names(resting: Path) -> None:
    exported = list(offline.export(resting))
    assert len(exported) == 5
    first = event(1, "jb")
    assert exported[3] == {
        "journal": "jb", "id": "jb:1", "origin": "instance-A", "seq": 1, "type": first.type,
        "timestamp": first.timestamp_ms, "hlc": first.hlc, "traceId": "t0", "payload": first.payload,
    }  # fmt: skip


def folded(events: list[Event]) -> Fold:
    fold = Fold("last-write-wins", Limits())
    for found in events:
        fold.apply(found)
    return fold


def test_replay_rebuilds_the_state(resting: Path) -> None:
    """The same events give the same state, also from behind a floor (S3)."""
    whole = folded([proposal(1, "1.0.0"), proposal(3, "1.1.0")])
    assert whole.current == ("1.1.0", "hash of 1.1.0")
    replayed = offline.replay(resting, "last-write-wins", Limits())
    assert replayed == offline.Replay(whole.digest(), "1.1.0", "hash of 1.1.0", 5, 0)
    part = folded([proposal(1, "1.0.0")])
    reached = Floor({"ja": 2}, part.checkpoint({"ja": 2}))
    with Journal.open(resting) as journal:
        journal.commit([FloorReached(reached)])
    again = offline.replay(resting, "last-write-wins", Limits())
    assert (again.version, again.hash, again.events, again.floor_events) == ("1.1.0", "hash of 1.1.0", 3, 2)


# The commands.


def test_verify_command(resting: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["journal", "verify", str(resting.parent), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["sound"] is True
    assert document["journals"][0] == {"journal": "ja", "first": 1, "last": 3, "floor": 0}
    assert run(["journal", "verify", str(resting)]) == 0
    assert "sound" in capsys.readouterr().out
    conn = sqlite3.connect(resting)
    conn.execute("UPDATE events SET crc = 0 WHERE pos = 1")
    conn.commit()
    conn.close()
    assert run(["journal", "verify", str(resting.parent), "-o", "plain"]) == 1
    captured = capsys.readouterr()
    assert "sound\tfalse" in captured.out
    assert "event row 1" in captured.err
    assert f"iwdc-distributed node recover --data-dir {resting.parent}\n" in captured.err
    assert run(["journal", "verify", str(resting.parent / "elsewhere")]) == 1
    assert "no journal" in capsys.readouterr().err
    monkeypatch.chdir(resting.parent)
    assert run(["journal", "verify"]) == 1
    assert "Say whose journal is meant, --id ID, or where it is" in capsys.readouterr().err


def test_a_damaged_copy_needs_no_recovery(resting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was told to do would set the good journal beside it aside."""
    copy = resting.with_name("aside-20260101-000000-journal.sqlite")
    copy.write_bytes(resting.read_bytes())
    conn = sqlite3.connect(copy)
    conn.execute("UPDATE events SET crc = 0 WHERE pos = 1")
    conn.commit()
    conn.close()
    assert run(["journal", "verify", str(copy)]) == 1
    assert "event row 1" in (said := capsys.readouterr().err)
    assert "recover" not in said
    copy.write_text("no database")
    for command in ("verify", "export", "replay"):
        assert run(["journal", command, str(copy)]) == 1
        assert f"{copy}: " in (said := capsys.readouterr().err)
        assert "recover" not in said


def test_export_command(resting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "export", str(resting.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == list(offline.export(resting))


@pytest.fixture
def status() -> Iterator[tuple[str, dict[str, object]]]:
    """A node's status over HTTP: its URL, and the data it answers with."""
    data: dict[str, object] = {"strategy": "last-write-wins"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"success": True, "data": data}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", data
        server.shutdown()
        thread.join()


def test_replay_command(
    running: Journal, status: tuple[str, dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, data = status
    directory = str(running.path.parent)
    digest = offline.replay(running.path, "last-write-wins", Limits()).digest
    assert run(["journal", "replay", directory, "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone == {
        "digest": digest, "version": "1.1.0", "hash": "hash of 1.1.0", "events": 5, "floorEvents": 0
    }  # fmt: skip
    data["stateDigest"] = digest
    assert run(["journal", "replay", directory, "--node", url, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == alone | {"liveDigest": digest, "equal": True}
    assert "Equal" in captured.err
    data["stateDigest"] = "another"
    assert run(["journal", "replay", directory, "--node", url]) == 1
    captured = capsys.readouterr()
    assert "another state" in captured.err


def test_a_node_that_starts_during_a_look_is_no_damage(resting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of a journal at rest is read as a file: under a node that has just started, it moves."""
    running = ExitStack()

    def check_late(path: Path) -> None:
        running.enter_context(Journal.open(path)).commit(appended([4], "ja"))
        raise JournalCorrupt(path, "frame 1 of the log is torn")

    late = SimpleNamespace(check=check_late, has_content=wal.has_content, path_of=wal.path_of)
    monkeypatch.setattr(offline, "wal", late)
    with running:
        report = offline.verify(resting)
    assert (report.live, report.problems, report.extents[0].last) == (True, (), 4)


def test_an_export_that_a_node_s_start_cut_through_says_so(resting: Path) -> None:
    lines = offline.export(resting)
    next(lines)
    with Journal.open(resting), pytest.raises(JournalTaken, match="do it again"):
        list(lines)
