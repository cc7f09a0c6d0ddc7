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

_FRAMES_AT, _SALT_AT = 4, 8
"""Which numbers in the log's index (`-shm`) are that of the last frame, and the first salt of the log's present round
(https://www.sqlite.org/walformat.html)."""
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
        self.synced()

    @classmethod
    def open(cls, path: Path) -> Self:
        """All of the log is on the disk then; a process that was killed may have left there what it had not synced.

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

    def synced(self) -> None:
        """All that was written is on the disk."""
        self._kept = self._numbers[_SALT_AT], self.frames

    def rewrite(self) -> None:
        """Write once more what was not on the disk when a sync failed. Nobody may read the log meanwhile.

        The system forgets what it could not write, and the next sync would succeed without it. It goes to another place
        on the disk: ext4 does not note that what it had set aside was filled at the second try, and after a loss of
        power there would be nothing. Raises OSError, and `JournalCorrupt` when not even the system's memory has it.
        """
        salt, frames = self._kept
        content = os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)
        if not wal.holds(content, self.frames):
            raise JournalCorrupt(
                self._path,
                f"the disk failed, and the last of the {self.frames} pages of its log cannot be read any more",
            )
        begin = wal.end(content, frames if salt == self._numbers[_SALT_AT] else 0)
        os.ftruncate(self.descriptor, begin)
        while begin < len(content):
            begin += os.pwrite(self.descriptor, content[begin:], begin)

    def close(self) -> None:
        """Let go of the file. Call it after the connections were closed."""
        self._numbers.release()
        self._map.close()
        os.close(self.descriptor)
        os.close(self._index)
