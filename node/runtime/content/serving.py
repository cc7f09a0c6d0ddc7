"""Giving content to peers, in threads: pieces of files, straight from the disk to the socket.

The length is announced before the first byte is read. Content that has moved since, as it does when it becomes a
version, is looked for again. A file that has gone or shrunk is padded with zeros: the peer finds the wrong hash, names
this node and fetches it elsewhere.
"""

import hashlib
import os
import socket
import threading
import weakref
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from node.artifacts.blobs import read_full
from node.artifacts.changes import few_changes
from node.artifacts.entries import BATCH, FileEntry, read_entries
from node.artifacts.errors import ContentError, ContentMissing, typed
from node.artifacts.manifest import Manifest, lists_of
from node.artifacts.store import Holding, Store
from node.runtime.content.pace import Pace
from node.runtime.content.shapes import MAX_CHANGES_BYTES, MAX_PARTS_BYTES, Part

SMALL_BYTES: Final = 256 * 1024
"""Smaller pieces are gathered; larger ones the system copies from file to socket itself."""
CHUNK_BYTES: Final = 256 * 1024
FILE_BYTES: Final = 4 * 1024 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_PACKS: Final = 32
"""Chunks that are kept: what a few requests of several targets ask for."""
MAX_CHANGES: Final = 2
MAX_LISTINGS: Final = 4

T = TypeVar("T")


class BadParts(Exception):
    """The pieces asked for are not in the content."""


class Listing:
    """The files of a content, of which its manifest is read where it lies and no more than is asked for: whoever gives
    several contents at a time need not have all their manifests in memory, nor read them whole again and again.
    """

    def __init__(self, holding: Holding) -> None:
        """Raises ContentMissing if the manifest is not what was written, OSError."""
        self._descriptor = os.open(holding.manifest_path, _FLAGS)
        weakref.finalize(self, os.close, self._descriptor)
        document = read_full(self._descriptor, os.fstat(self._descriptor).st_size)
        if hashlib.sha256(document).hexdigest() != holding.key:
            raise ContentMissing(f"{holding.manifest_path}: not the manifest that was written; pull the version again")
        self._lists = [entries.starts for entries in lists_of(document)]
        self.count = holding.count

    def span(self, start: int, end: int) -> list[FileEntry]:
        """The entries from one place up to another, both of which must be there."""
        found: list[FileEntry] = []
        for starts in self._lists:
            own = len(starts) - 1
            if start < own and end > 0:
                found += self._read(starts, max(start, 0), min(end, own))
            start, end = start - own, end - own
        return found

    def _read(self, starts: "array[int]", start: int, end: int) -> list[FileEntry]:
        return read_entries((os.pread(self._descriptor, starts[end] - 1 - starts[start], starts[start]),))


Piece = tuple[Part, FileEntry]
"""A part of one file, and the file."""


def pieces_of(listed: Manifest | Listing, parts: Sequence[Part]) -> list[Piece]:
    """The parts, file by file. Raises BadParts."""
    total = sum(length for _, _, length in parts)
    if total > MAX_PARTS_BYTES:
        raise BadParts(f"the parts have {total:,} bytes, at most {MAX_PARTS_BYTES:,} are given at once")
    return [piece for part in parts for piece in _pieces(listed, part)]


def _pieces(listed: Manifest | Listing, part: Part) -> list[Piece]:
    place, offset, left = part
    pieces: list[Piece] = []
    step = 1
    while left or not pieces:
        entries = listed.span(place, min(place + step, listed.count)) if place < listed.count else []
        if not entries or offset > entries[0].size:
            raise BadParts(f"part {list(part)}: not in the content, which has {listed.count:,} files")
        for entry in entries:
            length = min(entry.size - offset, left)
            pieces.append(((place, offset, length), entry))
            place, offset, left = place + 1, 0, left - length
            if not left:
                break
        step = BATCH
    return pieces


def size_of(pieces: Sequence[Piece]) -> int:
    """How many bytes they have."""
    return sum(length for (_, _, length), _ in pieces)


class Shared(Generic[T]):
    """The last things that were made for targets: several of one version ask for the same at one time.

    They are made by one thread at a time: two that read small files would wait for one another's calls.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[object, ...], T] = OrderedDict()

    def get(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made for a key, until `most` others were; else what `make` gives. Raises what it does."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            return self._made[key]


class Sender:
    """Writes pieces of content to sockets: all that one node gives. Any thread may use it."""

    def __init__(self, pace: Pace, store: Store) -> None:
        self._pace = pace
        self._store = store
        self._packs = Shared[bytes](MAX_PACKS)
        self._listings = Shared[Listing](MAX_LISTINGS)
        self._changes = Shared[bytes | None](MAX_CHANGES)
        self._never = threading.Event()

    def pieces(self, holding: Holding, parts: Sequence[Part]) -> list[Piece]:
        """The parts of a content, file by file. Raises BadParts, ContentMissing, ContentFault."""
        with typed(holding.manifest_path):
            listing = self._listings.get((holding.key,), lambda: self._store.follow(holding, Listing))
            return pieces_of(listing, parts)

    def changes(self, base: Manifest, target: Manifest) -> bytes | None:
        """What leads from one manifest to another, as JSON; None if the whole is better."""

        def make() -> bytes | None:
            found = few_changes(base, target)
            body = b"" if found is None else msgspec.json.encode(found)
            return body if 0 < len(body) <= MAX_CHANGES_BYTES else None

        return self._changes.get((base.key, target.key), make)

    def send(self, holding: Holding, pieces: Sequence[Piece], sock: socket.socket) -> None:
        """Write the pieces. Raises OSError when the peer is gone."""
        small: list[Piece] = []
        gathered = 0
        for piece in pieces:
            (_, offset, length), entry = piece
            if length < SMALL_BYTES:
                small.append(piece)
                gathered += length
            if gathered >= CHUNK_BYTES or length >= SMALL_BYTES:
                self._send_small(holding, small, sock)
                small, gathered = [], 0
            if length >= SMALL_BYTES:
                self._send_large(holding, entry, offset, length, sock)
        self._send_small(holding, small, sock)

    def _send_small(self, holding: Holding, pieces: Sequence[Piece], sock: socket.socket) -> None:
        if not pieces:
            return
        parts = tuple(part for part, _ in pieces)
        data = self._packs.get((holding.key, parts), lambda: self._read_all(holding, pieces))
        self._pace.take(len(data), self._never)
        sock.sendall(data)

    def _send_large(self, holding: Holding, entry: FileEntry, offset: int, length: int, sock: socket.socket) -> None:
        """The file is opened once: it stays the same whatever its name becomes."""
        end = offset + length
        sent = offset
        descriptor = self._open(holding, entry)
        if descriptor is not None:
            with open(descriptor, "rb", buffering=0) as file:
                while sent < end:
                    piece = min(FILE_BYTES, end - sent)
                    self._pace.take(piece, self._never)
                    given = sock.sendfile(file, sent, piece)
                    sent += given
                    if given < piece:
                        break
        while sent < end:
            padding = min(CHUNK_BYTES, end - sent)
            sock.sendall(bytes(padding))
            sent += padding

    def _read_all(self, holding: Holding, pieces: Sequence[Piece]) -> bytes:
        read, prefix = list[bytes](), f"{holding.files}/"
        for (_, offset, length), entry in pieces:
            try:
                descriptor = os.open(prefix + entry.path, _FLAGS)
            except OSError:
                found = self._open(holding, entry)
                if found is None:
                    read.append(bytes(length))
                    continue
                descriptor = found
            try:
                read.append(os.pread(descriptor, length, offset).ljust(length, b"\0"))
            except OSError:
                read.append(bytes(length))
            finally:
                os.close(descriptor)
        return b"".join(read)

    def _open(self, holding: Holding, entry: FileEntry) -> int | None:
        """A file of the content, wherever it lies by now; None: it is gone."""
        try:
            return self._store.follow(holding, lambda lies: os.open(lies.path(entry), _FLAGS))
        except (OSError, ContentError):
            return None
