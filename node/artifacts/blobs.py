"""One file's bytes on their way to the disk. What stands under its final name was verified before it got there.

Files are written read-only (0444): versions share unchanged ones by hard links, so nobody may edit one in place.

A file of one block is hashed in memory and written in one go. A larger one (`LargeBlob`) gathers in a draft of its own,
block by block in any order and from any number of threads, and its hash runs along as far as there is no gap. Only if
the hash comes out wrong are the blocks hashed one by one, to tell which are bad.
"""

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from node.artifacts.entries import FileEntry, block_count
from node.artifacts.errors import BadBlocks, BadContent, ContentMissing
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.system import write_out

READ_ONLY: Final = 0o444
PIECE_BYTES: Final = 1024**2
"""What is received or read, hashed and written at a time: so much stays in the processor's cache meanwhile."""
Bytes = bytes | bytearray | memoryview
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def check_blob(entry: FileEntry, data: Bytes) -> None:
    """Raises BadContent unless `data` is what `entry` says."""
    found = hashlib.sha256(data).hexdigest()
    if found != entry.hash:
        raise BadContent(entry.path, entry.hash, found)


class NewFiles:
    """Makes files below a folder. One thread at a time; a context manager.

    Those that follow one another in one folder are made from there: the system does not look up the whole path of each.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._place: str | None = None
        self._folder = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def write(self, path: str, data: Bytes) -> None:
        """A new file with `data`. Raises OSError, and leaves nothing then; FileExistsError if it is there."""
        end = path.rfind("/") + 1
        if path[:end] != self._place:
            self._enter(path[:end])
        name = path[end:]
        descriptor = os.open(name, _NEW, READ_ONLY, dir_fd=self._folder)
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
        except BaseException:
            os.unlink(name, dir_fd=self._folder)
            raise
        finally:
            os.close(descriptor)

    def _enter(self, place: str) -> None:
        self._leave()
        self._folder = os.open(self._root / place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._place = place

    def _leave(self) -> None:
        if self._place is not None:
            self._place = None
            os.close(self._folder)


def in_pieces(data: Bytes) -> Iterator[memoryview]:
    """`data`, so much at a time."""
    view = memoryview(data)
    return (view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))


def hash_file(path: Path | str, size: int) -> tuple[str, tuple[str, ...], int]:
    """The hash, the hashes of the blocks (none for a file of one block) and the size of a file. Follows no link.

    `size` is what it is thought to have; a file that has it costs one read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if size <= BLOCK_BYTES:
            data = os.read(descriptor, size + 1)
            if len(data) == size:
                return hashlib.sha256(data).hexdigest(), (), size
        return _hash_blocks(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path | str, size: int) -> str:
    """The hash of a file alone, of which `size` is what it is thought to have. Follows no link. Raises OSError."""
    if size <= BLOCK_BYTES:
        return hash_file(path, size)[0]
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_blocks(descriptor: int) -> tuple[str, tuple[str, ...], int]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    total, blocks, size = hashlib.sha256(), [], 0
    while block := read_full(descriptor, BLOCK_BYTES):
        total.update(block)
        blocks.append(hashlib.sha256(block).hexdigest())
        size += len(block)
    return total.hexdigest(), tuple(blocks) if size > BLOCK_BYTES else (), size


def read_full(descriptor: int, most: int) -> bytes:
    """The next `most` bytes, fewer only at the end of the file."""
    data = os.read(descriptor, most)
    while data and len(data) < most:
        more = os.read(descriptor, most - len(data))
        if not more:
            break
        data += more
    return data


def read_file(path: str) -> bytes:
    """The bytes of a file that is no link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return read_full(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


class LargeBlob:
    """A file of more than one block in the making. `draft` may hold what an earlier process left there."""

    def __init__(self, entry: FileEntry, draft: Path) -> None:
        self.entry = entry
        self._draft = draft
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._here: set[int] = set()
        self._hashed = 0
        """Blocks that the running hash covers."""
        self._total = hashlib.sha256()
        self._find()

    def missing(self) -> list[int]:
        """The blocks that are not here yet, in order."""
        with self._lock:
            return [block for block in range(len(self.entry.blocks)) if block not in self._here]

    def length(self, block: int) -> int:
        """How many bytes a block has."""
        return min(BLOCK_BYTES, self.entry.size - block * BLOCK_BYTES)

    def write(self, block: int, pieces: Iterable[Bytes]) -> None:
        """Take one block, of any thread, in pieces; each is done with when the next is asked for.

        Raises BadContent for a wrong length, OSError, and what `pieces` raises; the block is missing then.
        """
        if not 0 <= block < len(self.entry.blocks):
            raise BadContent(self.entry.path, f"one of {len(self.entry.blocks)} blocks", f"block {block}")
        start, length, taken = block * BLOCK_BYTES, self.length(block), 0
        with self._lock:
            total = self._total.copy() if block == self._hashed else None
        for piece in pieces:
            if taken + len(piece) > length:
                raise BadContent(self.entry.path, f"a block of {length} bytes", f"{taken + len(piece)} bytes")
            write_out(self._descriptor, piece, start + taken)
            if total is not None:
                total.update(piece)
            taken += len(piece)
        if taken < length:
            raise BadContent(self.entry.path, f"a block of {length} bytes", f"{taken} bytes")
        with self._lock:
            self._here.add(block)
            if total is not None:
                self._total, self._hashed = total, block + 1
            self._catch_up()

    def _catch_up(self) -> None:
        while self._hashed in self._here:
            self._total.update(self._read(self._hashed))
            self._hashed += 1

    def finish(self, path: Path) -> None:
        """Give the verified file its name.

        Raises ContentMissing if blocks lack, BadBlocks after it has dropped those that are wrong, BadContent if
        the manifest contradicts itself: its blocks are here, and they are not the file.
        """
        if missing := self.missing():
            raise ContentMissing(f"{self.entry.path}: {len(missing)} blocks are missing, the first is {missing[0]}")
        found = self._total.hexdigest()
        if found != self.entry.hash:
            if bad := self._verify(range(len(self.entry.blocks))):
                raise BadBlocks(self.entry.path, bad)
            raise BadContent(self.entry.path, self.entry.hash, found)
        os.ftruncate(self._descriptor, self.entry.size)
        os.fchmod(self._descriptor, READ_ONLY)
        self._draft.rename(path)
        self.close()

    def close(self) -> None:
        """Let go of the draft; what is in it stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _find(self) -> None:
        """Take up what is in the draft already: whole blocks that have their hash."""
        size = os.fstat(self._descriptor).st_size
        self._here.update(range(min(block_count(size), len(self.entry.blocks))))
        self._verify(sorted(self._here))

    def _verify(self, blocks: Iterable[int]) -> list[int]:
        """Drop those of `blocks` that are wrong, and say which; the running hash starts again."""
        bad = [each for each in blocks if hashlib.sha256(self._read(each)).hexdigest() != self.entry.blocks[each]]
        with self._lock:
            self._here.difference_update(bad)
            self._total, self._hashed = hashlib.sha256(), 0
            self._catch_up()
        return bad

    def _read(self, block: int) -> bytes:
        return os.pread(self._descriptor, self.length(block), block * BLOCK_BYTES)
