"""What can go wrong with a journal. Every message says what and where, and what to do next.

JournalError
  JournalFull        the disk is full: free space, the same commit may then be repeated
  JournalFault       the disk refused a read or a write: the same call may be repeated
    JournalBusy      another process holds the file for a moment
  JournalCorrupt     what is on the disk is not what was written
  JournalFormat      written by a newer program (F1)
  JournalTaken       a node was started on it while it was looked at from outside: look again
  JournalClosed      used after it was closed
  JournalOrder       our own mistake: records that cannot follow what is stored
  DirectoryInUse     another process holds the directory
  DirectoryFault     the directory or its `instance.json` cannot be used
"""

import errno
import shlex
import sqlite3
from pathlib import Path

import msgspec


class JournalError(Exception):
    """Anything that keeps a journal from doing its work."""


class JournalFull(JournalError):
    """There is no room left. Nothing was changed; the same commit may be repeated once there is."""


class JournalFault(JournalError):
    """The disk failed. Nothing was changed; the same call may be repeated."""


class JournalBusy(JournalFault):
    """Another process writes to the file, or puts its log back. Nothing was changed; the same call may be repeated."""


class JournalCorrupt(JournalError):
    """The file holds something else than was written to it, or less."""

    def __init__(self, path: Path, damage: str) -> None:
        directory = shlex.quote(str(path.parent.absolute()))  # pasted where the node was not started, perhaps
        super().__init__(
            f"{path}: {damage}. Keep a copy of {directory}, see all damage with "
            f"`iwdc-distributed journal verify {directory}`, then give this instance a new journal with "
            f"`iwdc-distributed node recover --data-dir {directory}`"
        )
        self.path = path
        self.damage = damage


class JournalFormat(JournalError):
    """The journal has a newer format than this program knows (F1)."""


class JournalTaken(JournalError):
    """A journal at rest was read, and a node began to write to it meanwhile: what was read may be of two moments."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: a node was started on it while it was read. Nothing is wrong with it; do it again")


class JournalOrder(JournalError):
    """A record does not follow what is stored: events and control entries are contiguous (V1, L1)."""


class JournalClosed(JournalError):
    """The journal was closed; whatever still asks it comes too late."""


class DirectoryInUse(JournalError):
    """Another process runs on the directory. `pid` is None where it could not be read."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{data_dir}: in use by {who}; one node runs on a data directory. Stop it or use another one")
        self.pid = pid


class DirectoryFault(JournalError):
    """The data directory, or a file in it, cannot be read, written or understood."""


class Damaged(Exception):
    """A row is not what was written; the message names the row. Leaves the package as `JournalCorrupt`."""


_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT})
"""The last two: our statements are fixed, so if a table or a row is not as they expect, the file has changed."""
_PRIMARY = 0xFF
"""SQLite's extended result codes carry the primary one in the low byte."""


class Typed:
    """Turns what SQLite and the rows of the journal at `path` complain about within it into the errors above."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if isinstance(error, sqlite3.Error):
            raise _translated(self._path, error) from error
        if isinstance(error, (Damaged, msgspec.DecodeError, UnicodeDecodeError)):
            raise JournalCorrupt(self._path, str(error)) from error


def unsynced(path: Path, error: OSError) -> JournalError:
    """What it means that a sync failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path, str(error))
    return _fault(path, str(error))


def _translated(path: Path, error: sqlite3.Error) -> JournalError:
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if code == sqlite3.SQLITE_FULL:
        return _full(path, name)
    if code == sqlite3.SQLITE_BUSY:
        return JournalBusy(f"{path}: {error} ({name}). Another program holds it; it goes on once that one has ended")
    undecodable = code == 0 and isinstance(error, sqlite3.OperationalError)
    if code in _DAMAGED or undecodable:
        return JournalCorrupt(path, f"{error} ({name})")
    return _fault(path, f"{error} ({name})")


def _full(path: Path, why: str) -> JournalFull:
    return JournalFull(f"{path}: no room left on the disk ({why}). Free space; writing goes on by itself")


def _fault(path: Path, why: str) -> JournalFault:
    return JournalFault(f"{path}: {why}. Check the disk and its mount; writing goes on once it works")
