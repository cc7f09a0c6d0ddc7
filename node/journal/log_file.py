"""The write-ahead log as a file: how long it is, and how its content comes onto the disk.

SQLite writes it and syncs its header (`synchronous = NORMAL`); that a commit is on the disk is the journal's affair, so
that whoever commits may wait for it without a thread. It takes the one `fdatasync` that `synchronous = FULL` takes.
"""

import mmap
import os
from pathlib import Path
from typing import Self

from node.journal import wal
from node.journal.errors import JournalCorrupt, unsynced

_FRAMES_AT = 4
"""Which number in the log's index (`-shm`) is that of the last frame (https://www.sqlite.org/walformat.html)."""
_sync = getattr(os, "fdatasync", os.fsync)


class LogFile:
    """The log of the database at `path`, which a connection of this process has opened.

    `close` it only after all such connections: SQLite's locks on the index are the process's (POSIX), and closing any
    descriptor of it drops them.
    """

    def __init__(self, path: Path, descriptor: int, index: int) -> None:
        self.descriptor = descriptor
        self._path = path
        self._map = mmap.mmap(index, mmap.PAGESIZE, prot=mmap.PROT_READ)
        self._numbers = memoryview(self._map).cast("I")
        self._index = index

    @classmethod
    def open(cls, path: Path) -> Self:
        """All of the log is on the disk then: a process that was killed may have left there what it had not synced.

        Raises `JournalFull` or `JournalFault`.
        """
        opened: list[int] = []
        try:
            opened.append(os.open(wal.path_of(path), os.O_RDWR))
            opened.append(os.open(path.with_name(path.name + "-shm"), os.O_RDONLY))
            _sync(opened[0])
        except OSError as error:
            for descriptor in opened:
                os.close(descriptor)
            raise unsynced(path, error) from error
        return cls(path, *opened)

    @property
    def frames(self) -> int:
        """Pages in the log, those that a checkpoint has put back included: 0 for a log that has just been made."""
        return self._numbers[_FRAMES_AT]

    def sync(self) -> None:
        """Return when all that was written is on the disk. Raises OSError."""
        _sync(self.descriptor)

    def rewrite(self) -> None:
        """Write what is in the log once more, after a sync of it failed.

        The system forgets what it could not write, and the next sync would succeed without it. Raises OSError, and
        `JournalCorrupt` when not even the system's memory has it any more.
        """
        frames = self.frames
        content = os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)
        if not wal.holds(content, frames):
            raise JournalCorrupt(
                self._path, f"the disk failed, and the last of the {frames} pages of its log cannot be read any more"
            )
        written = 0
        while written < len(content):
            written += os.pwrite(self.descriptor, content[written:], written)

    def close(self) -> None:
        """Let go of the file. Call it after the connections were closed."""
        self._numbers.release()
        self._map.close()
        os.close(self.descriptor)
        os.close(self._index)
