"""The files that a manifest lists, read from its document as they are asked for.

In memory a list is the document's bytes, and where each entry begins there: entries are read a few hundred at a time,
for as objects they take three times the room, and there may be a hundred thousand. There is one form of the bytes, so
two entries are equal if their bytes are, and what only needs a path or a hash reads nothing else.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from node.artifacts.limits import BLOCK_BYTES

CATEGORIES: Final = ("series", "models", "lengths")
BATCH: Final = 512
"""Entries that are read at a time."""

_COUNTED = re.compile(r"(?:.*?/)??(series|models|lengths)/.*", re.DOTALL)
_ENTRY = re.compile(rb'\{"path":"')
"""How an entry begins. It cannot stand within a text of JSON, where quotes follow backslashes."""


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One file. `hash` is the SHA-256 in hex; `blocks` those of its blocks, none for a file of one block."""

    path: str
    hash: str
    size: int
    type: str
    blocks: tuple[str, ...] = ()


class _Path(msgspec.Struct, gc=False):
    path: str


class _Hash(msgspec.Struct, gc=False):
    hash: str


class _Size(msgspec.Struct, gc=False):
    size: int


class _Line(msgspec.Struct, gc=False):
    path: str
    hash: str


encode = msgspec.json.Encoder().encode
_read_entry = msgspec.json.Decoder(FileEntry).decode
_read_entries = msgspec.json.Decoder(list[FileEntry]).decode
_read_paths = msgspec.json.Decoder(list[_Path]).decode
_read_hashes = msgspec.json.Decoder(list[_Hash]).decode
_read_sizes = msgspec.json.Decoder(list[_Size]).decode
_read_lines = msgspec.json.Decoder(list[_Line]).decode


def read_entries(texts: Sequence[bytes | bytearray]) -> list[FileEntry]:
    """The entries that these are the bytes of. Raises msgspec.DecodeError."""
    return _read_entries(b"[%b]" % b",".join(texts))


class NotCanonical(Exception):
    """The bytes are not those that this program would have written."""


class Entries:
    """A list of entries, sorted by path. Raises msgspec.DecodeError where its bytes are none."""

    __slots__ = ("_document", "_start", "_starts")

    def __init__(self, document: bytes | bytearray, start: int, end: int) -> None:
        """The list whose entries lie between two places of a document."""
        self._document = document
        self._start = start
        self._starts = array("Q", (found.start() for found in _ENTRY.finditer(document, start, end)))
        self._starts.append(end + 1)

    def within(self, document: bytes) -> "Entries":
        """The same list of another document, which has the same bytes where this one lies."""
        found = object.__new__(Entries)
        found._document, found._start, found._starts = document, self._start, self._starts
        return found

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[FileEntry]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[FileEntry]]:
        """All entries, a few hundred at a time."""
        return map(_read_entries, self._lists())

    def paths(self) -> Iterator[list[str]]:
        """The path of each."""
        return ([each.path for each in _read_paths(text)] for text in self._lists())

    def hashes(self) -> Iterator[list[str]]:
        """The hash of each."""
        return ([each.hash for each in _read_hashes(text)] for text in self._lists())

    def sizes(self) -> Iterator[list[int]]:
        """How many bytes each has."""
        return ([each.size for each in _read_sizes(text)] for text in self._lists())

    def lines(self) -> Iterator[list[str]]:
        """Path and hash of each, as they go into a root."""
        return ([f"{each.path}:{each.hash}" for each in _read_lines(text)] for text in self._lists())

    def span(self, start: int, end: int) -> list[FileEntry]:
        """The entries from one place up to another, both of which must be there."""
        return read_entries((self.text(start, end),))

    @property
    def starts(self) -> "array[int]":
        """Where each begins in the document, a comma after the one before, and where another would."""
        return self._starts

    def text(self, start: int, end: int) -> bytes | bytearray:
        """The bytes of the same, with commas between them."""
        return self._document[self._starts[start] : self._starts[end] - 1]

    def view(self, start: int, end: int) -> memoryview:
        """The same where they are."""
        return memoryview(self._document)[self._starts[start] : self._starts[end] - 1]

    def size(self, place: int) -> int:
        """How many bytes the file of one entry has."""
        return _read_entry(self.text(place, place + 1)).size

    def place(self, path: str) -> tuple[int, bool]:
        """Where a path stands, or would stand, and whether it does."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._path(middle) < path:
                low = middle + 1
            else:
                high = middle
        return low, low < len(self) and self._path(low) == path

    def _path(self, place: int) -> str:
        return _read_entry(self.text(place, place + 1)).path

    def _lists(self) -> Iterator[bytes]:
        for at in range(0, len(self), BATCH):
            yield b"".join((b"[", self.view(at, min(at + BATCH, len(self))), b"]"))

    def canonical(self) -> Iterator[list[FileEntry]]:
        """`batches`; raises NotCanonical unless the list has the one form of bytes."""
        if (self._starts[0] if len(self) else self._starts[0] - 1) != self._start:
            raise NotCanonical
        end = 0
        for text in self._lists():
            found = _read_entries(text)
            if encode(found) != text:
                raise NotCanonical
            end += len(found)
            if end < len(self) and self._document[self._starts[end] - 1] != ord(","):
                raise NotCanonical
            yield found


def folder_of(path: str) -> str:
    """The folder that a file stands in, with a final `/`; empty for the version's own."""
    return path[: path.rfind("/") + 1]


def ending(path: str) -> str:
    """What follows the last dot of a file's name."""
    return path.rpartition("/")[2].rpartition(".")[2]


def category(path: str) -> str | None:
    """The category that makes a file count for the root, None if it does not."""
    return category_below(folder_of(path)) if path.endswith(".json") else None


@lru_cache(maxsize=1_024)
def category_below(folder: str) -> str | None:
    """The category of the files `.json` in a folder."""
    found = _COUNTED.fullmatch(folder)
    return found[1] if found else None


def type_of(path: str) -> str:
    """The `type` of a file's entry."""
    return category(path) or ending(path)


def block_count(size: int) -> int:
    """How many blocks a file of `size` bytes has."""
    return -(-size // BLOCK_BYTES)


def path_of(entry: FileEntry) -> str:
    """To sort by."""
    return entry.path
