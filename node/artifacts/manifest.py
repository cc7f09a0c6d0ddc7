"""The integrity manifest of a version: every file's hash, and the root that a proposal carries.

As IWDC's, `{"version","createdAt","algorithm":"sha256","manifestVersion":"1.0","root","files":[{"path","hash","size",
"type"}]}`, with two additions that its readers pass over:

- `others`: the files that IWDC does not count (its `files` are `.json` below `series`, `models` or `lengths`). They
  belong to the version all the same: listed, moved and verified like the rest, and only left out of the root.
- `blocks` of a file larger than BLOCK_BYTES: the SHA-256 of each block of it.

The root binds `files` alone; the **key**, the SHA-256 of the document's own bytes, binds everything. There is one form
of the bytes (compact JSON, keys in the order above, files sorted by code point); `parse_manifest` takes no other.

Paths are relative to the version's folder. `type` is the category, the folder that makes a file count; of others it is
the ending of their name.

A manifest in memory is its document, and where each entry begins there: entries are read a few hundred at a time, for
as objects they take three times the room, and there may be a hundred thousand.
"""

import hashlib
import heapq
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import msgspec

from node.artifacts.errors import BadManifest, BadPath, TooMuch
from node.artifacts.layout import META_NAME
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.paths import check_paths
from node.artifacts.portions import portions
from node.protocol.versions import BadVersion, parse

CATEGORIES: Final = ("series", "models", "lengths")

_COUNTED = re.compile(r"(?:.*?/)??(series|models|lengths)/.*\.json", re.DOTALL)
_HASH = re.compile(r"[0-9a-f]{64}")
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

# The parts of a document. None of them can stand within a text of JSON, where quotes follow backslashes.
_ENTRY = re.compile(rb'\{"path":"')
_FILES: Final = b',"files":['
_OTHERS: Final = b'],"others":['
_END: Final = b"]}"

BATCH: Final = 512
"""Entries that are read at a time."""


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One file. `hash` is the SHA-256 in hex; `blocks` those of its blocks, none for a file of one block."""

    path: str
    hash: str
    size: int
    type: str
    blocks: tuple[str, ...] = ()


class _Head(msgspec.Struct, rename="camel"):
    version: str
    created_at: str
    algorithm: str
    manifest_version: str
    root: str


_encode = msgspec.json.Encoder().encode
_read_head = msgspec.json.Decoder(_Head).decode
_read_entries = msgspec.json.Decoder(list[FileEntry]).decode


class Entries:
    """One list of a manifest's entries, sorted by path, read from the document as they are asked for."""

    __slots__ = ("_document", "_start", "_starts")

    def __init__(self, document: bytes, start: int, end: int) -> None:
        """The list whose entries lie between two places of a document."""
        self._document = document
        self._start = start
        self._starts = array("Q", (found.start() for found in _ENTRY.finditer(document, start, end)))
        self._starts.append(end + 1)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[FileEntry]:
        for at in range(0, len(self), BATCH):
            yield from self.span(at, min(at + BATCH, len(self)))

    def span(self, start: int, end: int) -> list[FileEntry]:
        """The entries from one place up to another, both of which must be there."""
        return _read_entries(self._bytes(start, end))

    def _bytes(self, start: int, end: int) -> bytes:
        return b"[%b]" % self._document[self._starts[start] : self._starts[end] - 1]

    def text(self, place: int) -> bytes:
        """The bytes of one entry."""
        return self._document[self._starts[place] : self._starts[place + 1] - 1]

    def canonical(self) -> Iterator[FileEntry]:
        """All of them; raises _NotCanonical unless the list has the one form of bytes."""
        if (self._starts[0] if len(self) else self._starts[0] - 1) != self._start:
            raise _NotCanonical
        for at in range(0, len(self), BATCH):
            end = min(at + BATCH, len(self))
            found = self.span(at, end)
            if _encode(found) != self._bytes(at, end):
                raise _NotCanonical
            if end < len(self) and self._document[self._starts[end] - 1] != ord(","):
                raise _NotCanonical
            yield from found


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

    @cached_property
    def files(self) -> Entries:
        """What counts for the root."""
        return Entries(self.document, self.document.find(_FILES) + len(_FILES), self.document.find(_OTHERS))

    @cached_property
    def others(self) -> Entries:
        """What does not."""
        start = self.document.find(_OTHERS) + len(_OTHERS)
        return Entries(self.document, start, len(self.document) - len(_END))

    @property
    def entries(self) -> Iterator[FileEntry]:
        """All files of the version, by their places."""
        yield from self.files
        yield from self.others

    @property
    def count(self) -> int:
        """How many files there are in all."""
        return len(self.files) + len(self.others)

    def entry(self, place: int) -> FileEntry:
        """The entry at a place, which must be there."""
        return self.pick((place,))[0]

    def pick(self, places: Iterable[int]) -> list[FileEntry]:
        """The entries at some places, which must be there."""
        own = len(self.files)
        texts = [self.files.text(at) if at < own else self.others.text(at - own) for at in places]
        return _read_entries(b"[%b]" % b",".join(texts))

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
        return root_of(heapq.merge(self.files, self.others, key=_path))


class Paths:
    """The paths of a manifest, sorted, as often as they are asked for."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __iter__(self) -> Iterator[str]:
        return (entry.path for entry in heapq.merge(self._manifest.files, self._manifest.others, key=_path))


def category(path: str) -> str | None:
    """The category that makes a file count for the root, None if it does not."""
    outermost, slash, _ = path.partition("/")
    if slash and outermost in CATEGORIES and path.endswith(".json"):
        return outermost
    found = _COUNTED.fullmatch(path)
    return found[1] if found else None


def type_of(path: str) -> str:
    """The `type` of a file's entry."""
    return category(path) or _ending(path)


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2]


class _Root:
    """IWDC's root hash of the files that count, which come sorted by path."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()
        self._separator = ""

    def add(self, files: Sequence[FileEntry]) -> None:
        """The next of them."""
        lines = "\n".join([f"{entry.path}:{entry.hash}" for entry in files])
        if files:
            self._total.update((self._separator + lines).encode())
            self._separator = "\n"

    def hex(self) -> str:
        """The root of all that have come."""
        return self._total.hexdigest()


def root_of(files: Iterable[FileEntry]) -> str:
    """IWDC's root hash of the files that count, which must be sorted by path."""
    root = _Root()
    for portion in portions(files, BATCH):
        root.add(portion)
    return root.hex()


def compose(version: str, created_at: str, entries: Iterable[FileEntry]) -> Manifest:
    """The manifest of a version that consists of `entries`, unchecked: `check_tree`, `check_limits`.

    They must be sorted by path: those that count among themselves, and the others among themselves.
    """
    root, size = _Root(), 0
    encoded: tuple[list[bytes], list[bytes]] = ([], [])
    for portion in portions(entries, BATCH):
        size += sum(entry.size for entry in portion)
        lists: tuple[list[FileEntry], list[FileEntry]] = ([], [])
        for entry in portion:
            lists[category(entry.path) is None].append(entry)
        root.add(lists[0])
        for found, target in zip(lists, encoded, strict=True):
            if found:
                target.append(_encode(found)[1:-1])
    head = _Head(version, created_at, "sha256", "1.0", root.hex())
    files, others = map(b",".join, encoded)
    return _manifest(head, size, b"".join((_encode(head)[:-1], _FILES, files, _OTHERS, others, _END)))


def read_manifest(document: bytes) -> Manifest:
    """The manifest of a document that `parse_manifest` has taken before. Raises BadManifest if it cannot be one."""
    try:
        found = _manifest(_head_of(document), 0, document)
        return replace(found, size_bytes=sum(entry.size for entry in found.entries))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadManifest(f"the manifest cannot be read: {error}") from error


def parse_manifest(document: bytes, limits: ContentLimits) -> Manifest:
    """Read a manifest and check all that can be told without the files.

    Raises BadManifest, BadPath, TooMuch.
    """
    if len(document) > limits.max_manifest_bytes:
        raise TooMuch("bytes of the manifest", len(document), "max_manifest_bytes", limits.max_manifest_bytes)
    try:
        head = _head_of(document)
        if not document.startswith(_encode(head)[:-1] + _FILES) or not document.endswith(_END):
            raise _NotCanonical
        manifest = _manifest(head, 0, document)
        _check_count(manifest, limits)
        reading = _Reading()
        root = root_of(reading.checked(manifest.files, True))
        for _ in reading.checked(manifest.others, False):
            continue
    except _NotCanonical:
        raise BadManifest("the manifest is not in its one form of bytes; expected one made by this program") from None
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadManifest(f"the manifest cannot be read: {error}; expected one made by this program") from error
    _check_head(head, root)
    manifest = replace(manifest, size_bytes=reading.size_bytes)
    check_limits(manifest, limits)
    check_tree(Paths(manifest))
    return manifest


def _head_of(document: bytes) -> _Head:
    end = document.find(_FILES)
    return _read_head(document[:end] + b"}" if end >= 0 else document)


class _NotCanonical(Exception):
    """The bytes are not those that this program would have written."""


class _Reading:
    """Goes through a document once, entry by entry, and looks at each."""

    def __init__(self) -> None:
        self.size_bytes = 0

    def checked(self, entries: Entries, counted: bool) -> Iterator[FileEntry]:
        """One list. Raises _NotCanonical, BadManifest."""
        last: str | None = None
        for entry in entries.canonical():
            _check_entry(entry, counted)
            if last is not None and entry.path <= last:
                raise BadManifest("the files are not sorted by path, or one is listed twice")
            last = entry.path
            self.size_bytes += entry.size
            yield entry


def check_limits(manifest: Manifest, limits: ContentLimits) -> None:
    """Raises TooMuch if the version has more or larger files than `limits` take."""
    _check_count(manifest, limits)
    named = f"version {manifest.version}"
    if manifest.size_bytes > limits.max_file_bytes:
        for entry in manifest.entries:
            if entry.size > limits.max_file_bytes:
                raise TooMuch(f"bytes of {entry.path}", entry.size, "max_file_bytes", limits.max_file_bytes)
    if manifest.size_bytes > limits.max_version_bytes:
        raise TooMuch(f"bytes of {named}", manifest.size_bytes, "max_version_bytes", limits.max_version_bytes)
    if len(manifest.document) > limits.max_manifest_bytes:
        raise TooMuch(
            f"bytes of the manifest of {named}", len(manifest.document), "max_manifest_bytes", limits.max_manifest_bytes
        )


def _check_count(manifest: Manifest, limits: ContentLimits) -> None:
    if manifest.count > limits.max_files:
        raise TooMuch(f"files of version {manifest.version[:100]}", manifest.count, "max_files", limits.max_files)


def _check_head(head: _Head, root: str) -> None:
    try:
        parse(head.version)
    except BadVersion as error:
        raise BadManifest(f"the manifest's version is {error}") from error
    if head.algorithm != "sha256" or head.manifest_version != "1.0":
        raise BadManifest(
            f"a manifest {head.manifest_version[:20]!r} by {head.algorithm[:20]!r}; expected '1.0' by 'sha256'"
        )
    if _CREATED.fullmatch(head.created_at) is None:
        raise BadManifest(f"createdAt {head.created_at[:40]!r}; expected ISO 8601 in UTC with ms")
    if head.root != root:
        raise BadManifest(f"the root is {head.root[:64]!r}, but that of the listed files is {root}")


def check_tree(paths: Iterable[str]) -> None:
    """Raises BadPath unless `paths` can be one version: fit for a manifest, and all below `json/` or none.

    They are gone through more than once.
    """
    noted = _Noted(paths)
    check_paths(noted)
    if noted.below_json:
        for path in paths:
            if not path.startswith("json/") and path != META_NAME:
                raise BadPath(path, f"it stands beside json/, where a version has {META_NAME} and nothing else")


class _Noted:
    """Paths, of which it is noted on the way whether any is below `json/`."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = paths
        self.below_json = False

    def __iter__(self) -> Iterator[str]:
        for path in self._paths:
            if path.startswith("json/"):
                self.below_json = True
            yield path


def _check_entry(entry: FileEntry, counted: bool) -> None:
    found = category(entry.path)
    if (found is not None) != counted or entry.type != (found or _ending(entry.path)):
        raise BadManifest(f"{entry.path[:200]!r} stands in the wrong list, or its type {entry.type[:50]!r} is wrong")
    blocks = block_count(entry.size) if entry.size > BLOCK_BYTES else 0
    if entry.size < 0 or len(entry.blocks) != blocks:
        raise BadManifest(
            f"{entry.path!r}: {len(entry.blocks)} blocks and {entry.size} bytes; expected {blocks} blocks"
        )
    if _HASH.fullmatch(entry.hash) is None or not all(map(_HASH.fullmatch, entry.blocks)):
        raise BadManifest(f"{entry.path!r}: expected SHA-256 as 64 lower-case hex digits")


def block_count(size: int) -> int:
    """How many blocks a file of `size` bytes has."""
    return -(-size // BLOCK_BYTES)


def matched(old: Manifest, new: Manifest) -> Iterator[tuple[FileEntry | None, FileEntry | None]]:
    """The entries of two manifests side by side by path, None where one has none: in the order of their places."""
    for olds, news in ((old.files, new.files), (old.others, new.others)):
        yield from side_by_side(olds, news)


def side_by_side(one: Entries, other: Entries) -> Iterator[tuple[FileEntry | None, FileEntry | None]]:
    """The same of two lists."""
    olds, news = iter(one), iter(other)
    old, new = next(olds, None), next(news, None)
    while old is not None and new is not None:
        if old.path == new.path:
            yield old, new
            old, new = next(olds, None), next(news, None)
        elif old.path < new.path:
            yield old, None
            old = next(olds, None)
        else:
            yield None, new
            new = next(news, None)
    while old is not None:
        yield old, None
        old = next(olds, None)
    while new is not None:
        yield None, new
        new = next(news, None)


def _manifest(head: _Head, size_bytes: int, document: bytes) -> Manifest:
    key = hashlib.sha256(document).hexdigest()
    return Manifest(head.version, head.created_at, head.root, size_bytes, document, key)


def _path(entry: FileEntry) -> str:
    return entry.path
