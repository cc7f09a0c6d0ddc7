"""Damaged files: what opens is exactly what was acknowledged (or, where only the tail is gone, a prefix of it that
peers recognise as rolled back, D1); everything else is refused with a message, and left as it was found."""

import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.journal import Journal, JournalCorrupt, JournalFormat
from node.protocol.records import ControlReplaced, ControlState, FloorReached, Identity, Record, Vote
from tests.journal.samples import appended, event, floor, listing, lock_entries

COMMITS: list[list[Record]] = [
    [Identity("ja", True), Vote(3, "instance-A")],
    [*appended(range(1, 40)), *appended(range(1, 5), "jb")],
    [ControlReplaced(3, 9, ControlState()), *lock_entries(10, 12)],
    [FloorReached(floor({"jb": 2}, current="1.0.0"))],
    appended(range(40, 60), padding=3_000),
    appended([60]),
]


class Disk:
    """Files as a crash left them, and what they held after each commit."""

    def __init__(self, directory: Path, states: list[dict[str, object]]) -> None:
        self.directory = directory
        self.states = states


def laid_out(directory: Path, into: Path, *, closed: bool) -> Disk:
    """A journal with `COMMITS`: closed in good order, or as it lies when the process is killed."""
    states = []
    with Journal.open(directory / "journal.sqlite") as journal:
        for commit in COMMITS:
            journal.commit(commit)
            states.append(listing(journal.load()))
        if not closed:
            copy(directory, into)
    if closed:
        copy(directory, into)
    return Disk(into, states)


def copy(source: Path, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    for old in into.iterdir():
        old.unlink()
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        if (source / name).exists():
            shutil.copy(source / name, into / name)
    return into


def opened(directory: Path) -> dict[str, object]:
    with Journal.open(directory / "journal.sqlite") as journal:
        return listing(journal.load())


def outcome(directory: Path, changed: Path) -> dict[str, object] | None:
    """What the journal holds, or None if it was refused, with its damage untouched."""
    before = changed.read_bytes()
    try:
        return opened(directory)
    except (JournalCorrupt, JournalFormat) as error:
        message = str(error)
    quoted = re.escape(shlex.quote(str(directory)))
    told = f"`iwdc-distributed journal verify {quoted}`.*`iwdc-distributed node recover --data-dir {quoted}`"
    assert re.search(f"{told}|is newer than", message)
    assert changed.read_bytes() == before
    return None


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    root = tmp_path_factory.mktemp("closed")
    return laid_out(root / "live", root / "kept", closed=True)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    root = tmp_path_factory.mktemp("killed")
    return laid_out(root / "live", root / "kept", closed=False)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def flip(path: Path, share: float, bit: int) -> int:
    content = bytearray(path.read_bytes())
    offset = int(share * len(content))
    content[offset] ^= 1 << bit
    path.write_bytes(content)
    return offset


def test_what_was_kept_opens(closed: Disk, killed: Disk, scratch: Path) -> None:
    for disk in (closed, killed):
        assert opened(copy(disk.directory, scratch)) == disk.states[-1]


@settings(max_examples=150, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_file(closed: Disk, scratch: Path, share: float, bit: int) -> None:
    path = copy(closed.directory, scratch) / "journal.sqlite"
    flip(path, share, bit)
    assert outcome(scratch, path) in (None, closed.states[-1])


def test_a_table_that_is_described_otherwise(closed: Disk, scratch: Path) -> None:
    """SQLite finds nothing wrong with it, and it reads as empty."""
    path = copy(closed.directory, scratch) / "journal.sqlite"
    content = path.read_bytes()
    places = [found.start() for found in re.finditer(b"PRIMARY", content)]
    assert len(places) == 4
    for at in places:
        path.write_bytes(content[:at] + b"QRIMARY" + content[at + 7 :])
        assert outcome(scratch, path) is None


def test_a_table_whose_name_is_no_text(closed: Disk, scratch: Path) -> None:
    path = copy(closed.directory, scratch) / "journal.sqlite"
    content = path.read_bytes()
    text, blob = b"\x07\x17\x1b\x1b", b"\x07\x17\x1a\x1b"
    assert content.count(text) == 1
    path.write_bytes(content.replace(text, blob))
    assert outcome(scratch, path) is None


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short(closed: Disk, scratch: Path, share: float) -> None:
    path = copy(closed.directory, scratch) / "journal.sqlite"
    with path.open("r+b") as file:
        file.truncate(1 + int(share * (path.stat().st_size - 1)))
    assert outcome(scratch, path) is None


@settings(max_examples=100, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_log(killed: Disk, scratch: Path, share: float, bit: int) -> None:
    """Only the last transaction may be taken for torn: nothing on the disk tells the two apart."""
    path = copy(killed.directory, scratch) / "journal.sqlite-wal"
    flip(path, share, bit)
    assert outcome(scratch, path) in (None, killed.states[-1], killed.states[-2])


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_log_cut_short_is_a_prefix(killed: Disk, scratch: Path, share: float) -> None:
    path = copy(killed.directory, scratch) / "journal.sqlite-wal"
    with path.open("r+b") as file:
        file.truncate(int(share * path.stat().st_size))
    found = outcome(scratch, path)
    assert found is None or found in killed.states or found["identity"] is None


def test_a_log_without_its_file(killed: Disk, scratch: Path) -> None:
    path = copy(killed.directory, scratch) / "journal.sqlite"
    for spoil in (lambda: path.write_bytes(b""), path.unlink):
        spoil()
        with pytest.raises(JournalCorrupt, match="gone or empty, and its log is not"):
            opened(scratch)


def test_a_flip_in_the_middle_of_the_log_is_told_from_a_torn_tail(killed: Disk, scratch: Path) -> None:
    path = copy(killed.directory, scratch) / "journal.sqlite-wal"
    flip(path, 0.5, 0)
    with pytest.raises(JournalCorrupt, match="damaged at frame"):
        opened(scratch)
    path = copy(killed.directory, scratch) / "journal.sqlite-wal"
    flip(path, 4 / path.stat().st_size, 0)
    with pytest.raises(JournalCorrupt, match="header of its log"):
        opened(scratch)


@pytest.fixture
def edited(closed: Disk, scratch: Path) -> Iterator[sqlite3.Connection]:
    copy(closed.directory, scratch)
    conn = sqlite3.connect(scratch / "journal.sqlite", isolation_level=None)
    yield conn
    conn.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE events SET body = zeroblob(20) WHERE pos = 7", "event row 7 .* checksum"),
        ("UPDATE events SET body = 'text' WHERE pos = 7", "event row 7 .* checksum"),
        ("UPDATE events SET twin = 1 WHERE pos = 7", "event row 7 .* checksum"),
        ("UPDATE events SET twin = 'x' WHERE pos = 7", "event row 7 .* checksum"),
        ("UPDATE events SET seq = 1000 WHERE pos = 7", "event row 7 is filed as number 1000"),
        ("UPDATE journals SET id = 'jq' WHERE id = 'ja'", "event row 1 is filed as number 1 of journal jq"),
        ("DELETE FROM journals WHERE id = 'ja'", "event row 1 is filed as number 1 of journal None"),
        ("DELETE FROM events WHERE pos = 7", "journal ja: event 8 follows 6"),
        ("DELETE FROM events WHERE journal = 1 AND seq < 5", "journal ja: event 5 follows 0"),
        ("DELETE FROM control WHERE number = 12", "control entry 13 follows 11"),
        ("UPDATE control SET stamp = 4 WHERE number = 12", "control entry 12: its checksum"),
        ("UPDATE state SET crc = crc + 1 WHERE key = 'vote'", "state 'vote': its checksum"),
        ("UPDATE state SET key = 'votes' WHERE key = 'vote'", "state 'votes': its checksum"),
        ("PRAGMA application_id = 7", "not a journal"),
        ("PRAGMA user_version = 0", "not a journal"),
    ],
)
def test_damage_is_named(edited: sqlite3.Connection, scratch: Path, statement: str, message: str) -> None:
    edited.execute(statement)
    edited.close()
    with pytest.raises(JournalCorrupt, match=message):
        opened(scratch)


def test_damage_under_a_running_node_is_not_served(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.commit(appended(range(1, 10)))
        other = sqlite3.connect(path)
        other.execute("UPDATE events SET body = zeroblob(9) WHERE pos = 5")
        other.commit()
        other.close()
        with pytest.raises(JournalCorrupt, match="event row 5"):
            journal.read({"ja": 0}, 100, 1 << 20)
        with pytest.raises(JournalCorrupt, match="event row 5"):
            journal.list(limit=100)
        with pytest.raises(JournalCorrupt, match="event row 5"):
            list(journal.load().events)
        assert journal.read({"ja": 5}, 2, 1 << 20) == ([event(6), event(7)], True)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database at all, but long enough to be one" * 50)
    with pytest.raises(JournalCorrupt, match="not a database"):
        Journal.open(path)
