"""Formats of the file (F1): an older one is migrated at the start and read from outside; a newer one is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.journal import Journal, JournalCorrupt, JournalFormat, offline, schema
from node.journal.rows import control_row, event_row, state_row
from node.protocol.records import FloorReached, Identity, Vote
from node.protocol.settings import Limits
from tests.journal.samples import appended, event, floor, listing, lock_entries

NEWEST = len(schema.STEPS)
FORMAT_1 = (
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "BEGIN IMMEDIATE",
    "CREATE TABLE journals (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
    "CREATE TABLE events (pos INTEGER PRIMARY KEY, journal INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " twin INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE UNIQUE INDEX events_of_journal ON events (journal, seq)",
    "CREATE TABLE control (number INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, crc INTEGER NOT NULL,"
    " body BLOB NOT NULL)",
    "CREATE TABLE state (key TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",
    "PRAGMA application_id = 0x49574443",
    "PRAGMA user_version = 1",
)
EVENTS = [event(seq, journal) for seq in range(1, 601) for journal in ("ja", "jb")]
"""In the file of format 1, whose floor covers 100 of ja, and of which 50 are deleted."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A journal of format 1, as the node that wrote it left it."""
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in FORMAT_1:
            conn.execute(statement)
        conn.executemany("INSERT INTO journals (number, id) VALUES (?, ?)", [(1, "ja"), (2, "jb")])
        conn.executemany(
            "INSERT INTO events (pos, journal, seq, twin, crc, body) VALUES (?, ?, ?, ?, ?, ?)",
            [event_row(pos, 1 if e.journal == "ja" else 2, e, 0) for pos, e in enumerate(EVENTS, 1)],
        )
        conn.execute("DELETE FROM events WHERE journal = 1 AND seq <= 50")
        conn.executemany(
            "INSERT INTO control (number, stamp, crc, body) VALUES (?, ?, ?, ?)",
            [control_row(entry.index, entry.stamp, entry.entry) for entry in lock_entries(1, 4)],
        )
        conn.executemany(
            "INSERT OR REPLACE INTO state (key, crc, body) VALUES (?, ?, ?)",
            [state_row(r) for r in (Vote(3, "B"), Identity("ja", True), FloorReached(floor({"ja": 100})))],
        )
        conn.execute("COMMIT")
    return path


def format_of(path: Path) -> int:
    with closing(schema.connect_reader(path)) as conn:
        return schema.format_of(conn, path)


def test_a_journal_of_format_1_goes_on(old: Path) -> None:
    above = [e for e in EVENTS if e.journal == "jb" or e.seq > 100]
    for _ in range(2):
        with Journal.open(old) as journal:
            durable = journal.load()
            assert list(durable.events) == above
            assert (durable.hard, durable.index, durable.identity) == (Vote(3, "B"), 4, Identity("ja", True))
            assert journal.vector == {"ja": 600, "jb": 600}
            assert journal.read({"ja": 598}, 10, 1 << 20) == ([event(599), event(600)], False)
        assert format_of(old) == NEWEST
    with Journal.open(old) as journal:
        more = [event(seq, journal) for seq in (601, 602) for journal in ("ja", "jb")]
        journal.commit([*appended([601]), *appended([601], "jb"), *appended([602]), *appended([602], "jb")])
        assert list(journal.load().events) == [*above, *more]
    report = offline.verify(old)
    assert (report.problems, report.format, report.events) == ((), NEWEST, len(above) + len(more))


def test_a_journal_of_format_1_is_read_from_outside_and_left_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    report = offline.verify(old)
    assert (report.problems, report.format, report.events) == ((), 1, len(EVENTS) - 50)
    exported = list(offline.export(old))
    assert len(exported) == len(EVENTS) - 100
    replayed = offline.replay(old, "last-write-wins", Limits())
    assert old.read_bytes() == before
    with Journal.open(old):
        pass
    assert list(offline.export(old)) == exported
    assert offline.replay(old, "last-write-wins", Limits()) == replayed


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal.open(path).close()
    conn = sqlite3.connect(path)
    conn.execute(f"PRAGMA user_version = {NEWEST + 1}")
    conn.close()
    before = path.read_bytes()
    with pytest.raises(JournalFormat, match=f"format {NEWEST + 1} is newer than {NEWEST}"):
        Journal.open(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.commit([*appended(range(1, 40)), *appended(range(1, 5), "jb")])
        before = listing(journal.load())

    def step(conn: sqlite3.Connection) -> None:
        conn.execute("CREATE TABLE planted (x)")

    def failing(conn: sqlite3.Connection) -> None:
        step(conn)
        raise sqlite3.OperationalError("planted failure")

    steps = schema.STEPS
    monkeypatch.setattr(schema, "STEPS", (*steps, failing))
    with pytest.raises(JournalCorrupt, match="planted failure"):
        Journal.open(path)
    monkeypatch.setattr(schema, "STEPS", (*steps, step))
    for _ in range(2):
        with Journal.open(path) as journal:
            assert listing(journal.load()) == before
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA user_version").fetchone() == (NEWEST + 1,)
    assert conn.execute("SELECT count(*) FROM planted").fetchone() == (0,)
    conn.close()
    monkeypatch.setattr(schema, "STEPS", steps)
    with pytest.raises(JournalFormat, match=f"format {NEWEST + 1} is newer than {NEWEST}"):
        Journal.open(path)
