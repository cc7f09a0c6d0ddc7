"""Damage in the middle of the write-ahead log, which SQLite by itself takes for the log's end.

SQLite reads frames up to the first whose checksum fails and forgets the rest. After a crash that is right: the last
transaction was torn and nobody was told that it is on the disk. But a transaction is written only after the one before
it was synced. So if behind the end that SQLite found there is a finished transaction *with a frame that follows on it*,
something acknowledged was damaged, and going on would lose it silently.

Layout: https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html
"""

import struct
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

from node.journal.errors import JournalCorrupt
from node.journal.schema import connect_reader

_HEADER = struct.Struct(">8I")
"""Magic, version, page size, checkpoint number, two salts, two checksums."""
_FRAME = struct.Struct(">6I")
"""Page number, pages of the file after a commit (0: not a commit), two salts, two checksums."""
_MAGIC = 0x377F0682
"""The lowest bit says in which byte order the checksums count."""
_MAX_FRAME = struct.Struct("=I")
_MAX_FRAME_AT = 16
"""Where the log's index (`-shm`) keeps the last valid frame."""

_Sums = tuple[int, int]


class _Frame(NamedTuple):
    number: int
    commits: bool
    sums: _Sums
    content: bytes
    """What the checksums cover: the first eight bytes of the frame's header, and the page."""


def path_of(path: Path) -> Path:
    """The write-ahead log of a database file."""
    return path.with_name(path.name + "-wal")


def has_content(path: Path) -> bool:
    """Whether there is anything in the log of `path`."""
    log = path_of(path)
    return log.exists() and log.stat().st_size > 0


def holds(content: bytes, frames: int) -> bool:
    """Whether a log begins with so many valid frames."""
    if not frames:
        return True
    head = content[: _HEADER.size]
    if len(head) < _HEADER.size:
        return False
    magic, _, page_size, _, salt_1, salt_2, *found = _HEADER.unpack(head)
    order = _byte_order(magic)
    sums = _sums(head[:24], (0, 0), order)
    if list(sums) != found:
        return False
    for number, frame in enumerate(_frames(BytesIO(content), page_size, 0, (salt_1, salt_2)), start=1):
        sums = _sums(frame.content, sums, order)
        if frame.number != number or frame.sums != sums:
            return False
        if number == frames:
            return True
    return False


def end(content: bytes, frames: int) -> int:
    """Where a log's frame of that number ends; 0 for none, as the header is of the round too."""
    return _HEADER.size + frames * (_FRAME.size + _HEADER.unpack_from(content)[2]) if frames else 0


def check(path: Path) -> None:
    """Compare the log of `path` with what SQLite makes of it. No connection to it may be open in this process.

    For the locks on the log's index are the process's (POSIX): closing the index after a look at it drops all of them,
    SQLite's too. Whoever opens the file next would then take itself for the first and cut the index off, which kills a
    running node (SIGBUS).

    Raises `JournalCorrupt` if acknowledged content is damaged.
    """
    log = path_of(path)
    if not log.exists():
        return
    with log.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return
        magic, _, page_size, _, *_ = fields = _HEADER.unpack(head)
        order = _byte_order(magic)
        if magic | 1 != _MAGIC | 1 or _sums(head[:24], (0, 0), order) != fields[6:]:
            raise JournalCorrupt(path, f"the header of its log {log.name} is damaged")
        valid = _valid_frames(path)
        frames = _frames(file, page_size, valid, fields[4:6])
        for frame, following in pairwise(frames):
            adjoining = frame.commits and following.number == frame.number + 1
            if adjoining and _sums(following.content, frame.sums, order) == following.sums:
                raise JournalCorrupt(
                    path,
                    f"its log {log.name} is damaged at frame {valid + 1}: what was committed up to frame "
                    f"{frame.number} cannot be read",
                )


def _valid_frames(path: Path) -> int:
    with closing(connect_reader(path)) as conn:
        conn.execute("PRAGMA page_count").fetchone()  # SQLite makes the index at the first read
        with path.with_name(path.name + "-shm").open("rb") as index:
            index.seek(_MAX_FRAME_AT)
            found: int = _MAX_FRAME.unpack(index.read(_MAX_FRAME.size))[0]
    return found


def _frames(file: IO[bytes], page_size: int, after: int, salts: tuple[int, ...]) -> Iterator[_Frame]:
    """Frames beyond number `after` of the log's present round; those of earlier rounds carry other salts."""
    number = after
    file.seek(_HEADER.size + after * (_FRAME.size + page_size))
    while len(data := file.read(_FRAME.size + page_size)) == _FRAME.size + page_size:
        number += 1
        _, pages, salt_1, salt_2, sum_1, sum_2 = _FRAME.unpack_from(data)
        if (salt_1, salt_2) == salts:
            yield _Frame(number, pages > 0, (sum_1, sum_2), data[:8] + data[_FRAME.size :])


def _byte_order(magic: int) -> str:
    return "big" if magic & 1 else "little"


def _sums(data: bytes, start: _Sums, order: str) -> _Sums:
    words = struct.unpack(f"{'>' if order == 'big' else '<'}{len(data) // 4}I", data)
    first, second = start
    for i in range(0, len(words), 2):
        first = (first + words[i] + second) & 0xFFFFFFFF
        second = (second + words[i + 1] + first) & 0xFFFFFFFF
    return first, second
