"""The integrity manifest of a version: every file's hash, and the root that a proposal carries.

As IWDC's, `{"version","createdAt","algorithm":"sha256","manifestVersion":"1.0","root","files":[{"path","hash","size",
"type"}]}`, with two additions that its readers pass over:

- `others`: the files that IWDC does not count (its `files` are `.json` below `series`, `models` or `lengths`). They
  belong to the version all the same: listed, moved and verified like the rest, and only left out of the root.
- `blocks` of a file larger than BLOCK_BYTES: the SHA-256 of each block of it.

The root binds `files` alone; the **key**, the SHA-256 of the document's own bytes, binds everything. There is one form
of the bytes (compact JSON, keys in the order above, files sorted by code point); `checks.parse_manifest` takes no
other.

Paths are relative to the version's folder. `type` is the category, the folder that makes a file count; of others it is
the ending of their name.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Final

import msgspec

from node.artifacts.entries import BATCH, Entries, FileEntry, category, encode, path_of, read_entries
from node.artifacts.errors import BadManifest
from node.artifacts.portions import portions

FILES: Final = b',"files":['
OTHERS: Final = b'],"others":['
END: Final = b"]}"
"""The parts of a document. None of them can stand within a text of JSON, where quotes follow backslashes."""


Lists = tuple[Entries, Entries]
"""The files that count for the root, and the others."""


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """What a document begins with."""

    version: str
    created_at: str
    algorithm: str
    manifest_version: str
    root: str

    @property
    def text(self) -> bytes:
        """Its bytes, up to the first entry."""
        return encode(self)[:-1] + FILES


_read_head = msgspec.json.Decoder(Head).decode


@dataclass(frozen=True)
class Manifest:
    """What a version consists of. `document` is its only form in bytes, `key` their SHA-256.

    `files` count for the root, `others` do not. An entry's **place** is its number among all, `files` first.
    `size_bytes` is that of all files.
    """

    version: str
    created_at: str
    root: str
    size_bytes: int
    document: bytes
    key: str
    files: Entries = field(compare=False, repr=False)
    others: Entries = field(compare=False, repr=False)

    @property
    def lists(self) -> Lists:
        """All files of the version, by their places."""
        return self.files, self.others

    @property
    def entries(self) -> Iterator[FileEntry]:
        """The same, one by one."""
        return chain(self.files, self.others)

    @property
    def count(self) -> int:
        """How many files there are in all."""
        return len(self.files) + len(self.others)

    @property
    def has_blocks(self) -> bool:
        """Whether any file has more than one block."""
        return b',"blocks":[' in self.document

    def paths(self) -> Iterator[list[str]]:
        """The path of each, a few hundred at a time."""
        return chain(self.files.paths(), self.others.paths())

    def hashes(self) -> Iterator[list[str]]:
        """The hash of each."""
        return chain(self.files.hashes(), self.others.hashes())

    def sizes(self) -> Iterator[list[int]]:
        """How many bytes each has."""
        return chain(self.files.sizes(), self.others.sizes())

    def entry(self, place: int) -> FileEntry:
        """The entry at a place, which must be there."""
        return self.pick((place,))[0]

    def pick(self, places: Iterable[int]) -> list[FileEntry]:
        """The entries at some places, which must be there."""
        own = len(self.files)
        return read_entries(
            [self.files.text(at, at + 1) if at < own else self.others.text(at - own, at - own + 1) for at in places]
        )

    def span(self, start: int, end: int) -> list[FileEntry]:
        """The entries from one place up to another, both of which must be there."""
        own = len(self.files)
        found = self.files.span(start, min(end, own)) if start < own else []
        if end > own:
            found += self.others.span(max(start - own, 0), end - own)
        return found

    @cached_property
    def tree(self) -> str:
        """A hash of every file's path and bytes, and of nothing else: equal for equal content, whenever it was made."""
        return root_of(heapq.merge(self.files, self.others, key=path_of))


class Root:
    """IWDC's root hash of the files that count, which come sorted by path."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()
        self._separator = ""

    def add(self, lines: Sequence[str]) -> None:
        """The next of them, each as `path:hash`."""
        if lines:
            self._total.update((self._separator + "\n".join(lines)).encode())
            self._separator = "\n"

    def hex(self) -> str:
        """The root of all that have come."""
        return self._total.hexdigest()


def root_of(files: Iterable[FileEntry]) -> str:
    """IWDC's root hash of the files that count, which must be sorted by path."""
    root = Root()
    for portion in portions(files, BATCH):
        root.add(lines_of(portion))
    return root.hex()


def lines_of(entries: Iterable[FileEntry]) -> list[str]:
    """What of entries goes into a root."""
    return [f"{entry.path}:{entry.hash}" for entry in entries]


def compose(version: str, created_at: str, entries: Iterable[FileEntry]) -> Manifest:
    """The manifest of a version that consists of `entries`, unchecked: `checks.check_tree`, `checks.check_limits`.

    They must be sorted by path: those that count among themselves, and the others among themselves.
    """
    size = 0
    encoded = bytearray(), bytearray()
    for portion in portions(entries, BATCH):
        size += sum(entry.size for entry in portion)
        lists: tuple[list[FileEntry], list[FileEntry]] = ([], [])
        for entry in portion:
            lists[category(entry.path) is None].append(entry)
        for found, target in zip(lists, encoded, strict=True):
            if found:
                target.extend((b"," if target else b"") + encode(found)[1:-1])
    return joined(version, created_at, size, *encoded)


def joined(version: str, created_at: str, size_bytes: int, files: bytearray, others: bytearray) -> Manifest:
    """The same, of the bytes of the two lists."""
    unrooted = Head(version, created_at, "sha256", "1.0", "0" * 64)
    draft = b"".join((unrooted.text, files, OTHERS, others, END))
    lists, root = lists_of(draft), Root()
    for lines in lists[0].lines():
        root.add(lines)
    head = msgspec.structs.replace(unrooted, root=root.hex())
    document = head.text + memoryview(draft)[len(head.text) :]
    return written(head, size_bytes, document, (lists[0].within(document), lists[1].within(document)))


def written(head: Head, size_bytes: int, document: bytes, lists: Lists | None = None) -> Manifest:
    """The manifest that a document is. `lists`: its own, if they are known."""
    key = hashlib.sha256(document).hexdigest()
    files, others = lists or lists_of(document)
    return Manifest(head.version, head.created_at, head.root, size_bytes, document, key, files, others)


def lists_of(document: bytes) -> Lists:
    """The two lists of a document."""
    start, middle = document.find(FILES) + len(FILES), document.find(OTHERS)
    return Entries(document, start, middle), Entries(document, middle + len(OTHERS), len(document) - len(END))


def head_of(document: bytes) -> Head:
    """What a document begins with. Raises msgspec.DecodeError, UnicodeDecodeError."""
    end = document.find(FILES)
    return _read_head(document[:end] + b"}" if end >= 0 else document)


def read_manifest(document: bytes) -> Manifest:
    """The manifest of a document that `parse_manifest` has taken before. Raises BadManifest if it cannot be one."""
    try:
        lists = lists_of(document)
        size = sum(sum(sizes) for entries in lists for sizes in entries.sizes())
        return written(head_of(document), size, document, lists)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadManifest(f"the manifest cannot be read: {error}") from error
