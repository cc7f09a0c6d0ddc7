"""The file: its tables, its format (F1), and how a connection to it is set up.

    events    one row per event; `pos` is the order of arrival, `journal` a short number for the journal id
    journals  those numbers
    control   entries of the control log since its checkpoint
    state     everything of which only the latest counts: vote, identity, floor, control checkpoint, ...

Formats are steps: step i brings a file of format i to i + 1, and an empty file has format 0. So making a journal and
migrating an older one are the same walk, in one transaction.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from node.journal.batch import STATEMENTS
from node.journal.errors import JournalCorrupt, JournalFormat

APPLICATION_ID = 0x49574443
"""Marks the file as ours ("IWDC"), for `file` and for us."""

CHECKPOINT_PAGES = 1_000
"""The write-ahead log goes back into the file at this many pages (4 MiB): more makes each time longer."""

BUSY_S = 5.0
"""How long a connection waits for a lock of another one; only checkpoints and recovery after a crash take one."""


def _create(conn: sqlite3.Connection) -> None:
    conn.execute("CREATE TABLE journals (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)")
    conn.execute(
        "CREATE TABLE events (pos INTEGER PRIMARY KEY, journal INTEGER NOT NULL, seq INTEGER NOT NULL,"
        " twin INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL)"
    )
    conn.execute("CREATE UNIQUE INDEX events_of_journal ON events (journal, seq)")
    conn.execute(
        "CREATE TABLE control (number INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, crc INTEGER NOT NULL,"
        " body BLOB NOT NULL)"
    )
    conn.execute("CREATE TABLE state (key TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID")
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _drop_index(conn: sqlite3.Connection) -> None:
    """It doubled the pages of a commit; where events lie is kept in memory instead (see `tip`)."""
    conn.execute("DROP INDEX events_of_journal")


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create, _drop_index)
"""One per format, so their number is the journal's newest format. It is no other's: peers never see the file."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes. A commit on it is on the disk once its log was synced (`log_file`)."""
    conn = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    if conn.execute("PRAGMA page_count").fetchone()[0] == 0:
        conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
    conn.execute("PRAGMA journal_mode = WAL").fetchall()
    conn.execute("PRAGMA synchronous = NORMAL")
    conn.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    return conn


def connect_reader(path: Path, *, at_rest: bool = False) -> sqlite3.Connection:
    """A connection that cannot write, on an existing file, also while a node writes to it.

    `at_rest`: nobody writes and there is no log beside it; then nothing is put beside it either, which may be a disk
    that allows no writing.
    """
    uri = f"{path.absolute().as_uri()}?{'immutable=1' if at_rest else 'mode=ro'}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def format_of(conn: sqlite3.Connection, path: Path) -> int:
    """The file's format; 0 for an empty file.

    Raises `JournalFormat` if it is newer than ours (F1), `JournalCorrupt` if the file is not a journal.
    """
    pages: int = conn.execute("PRAGMA page_count").fetchone()[0]
    if pages == 0 and path.stat().st_size > 0:
        raise JournalCorrupt(path, "cut off within its first page")
    application: int = conn.execute("PRAGMA application_id").fetchone()[0]
    found: int = conn.execute("PRAGMA user_version").fetchone()[0]
    tables: int = conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application == found == tables == 0:
        return 0
    if application != APPLICATION_ID or found < 1:
        raise JournalCorrupt(path, f"not a journal (application id {application:#x}, expected {APPLICATION_ID:#x})")
    if found > len(STEPS):
        raise JournalFormat(
            f"{path}: journal format {found} is newer than {len(STEPS)}, the newest this program knows. "
            "Run the program version that wrote it, or a later one"
        )
    # A table that is described otherwise reads as if it were empty, and SQLite's own check finds nothing wrong with it.
    for name, kept, expected in _differences(conn, found):
        raise JournalCorrupt(path, f"{name} is laid out as {kept!r}, expected {expected!r} in format {found}")
    return found


def _differences(conn: sqlite3.Connection, format: int) -> Iterator[tuple[str, str | None, str | None]]:
    """What is not laid out as in a journal of this format: name, as it is, as it should be."""
    with closing(sqlite3.connect(":memory:")) as model:
        for step in STEPS[:format]:
            step(model)
        kept, expected = _layout(conn), _layout(model)
    for name in sorted(kept.keys() | expected.keys(), key=repr):  # a damaged name need not even be text
        if kept.get(name) != expected.get(name):
            yield name, kept.get(name), expected.get(name)


def _layout(conn: sqlite3.Connection) -> dict[str, str]:
    return {
        name: f"{type} of {table}: {sql}"
        for type, name, table, sql in conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    }


def migrate(conn: sqlite3.Connection, path: Path) -> bool:
    """Bring the file to our format in one transaction. True if it was changed. Raises as `format_of`."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        found = format_of(conn, path)
        for step in STEPS[found:]:
            step(conn)
        if found < len(STEPS):
            conn.execute(f"PRAGMA user_version = {len(STEPS)}")
        conn.execute("COMMIT")
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
    return found < len(STEPS)
