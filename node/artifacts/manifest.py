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
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import msgspec

from node.artifacts.errors import BadManifest, BadPath, TooMuch
from node.artifacts.layout import META_NAME
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.paths import check_paths
from node.protocol.versions import BadVersion, parse

CATEGORIES: Final = ("series", "models", "lengths")

_COUNTED = re.compile(r"(?:.*?/)??(series|models|lengths)/.*\.json", re.DOTALL)
_HASH = re.compile(r"[0-9a-f]{64}")
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One file. `hash` is the SHA-256 in hex; `blocks` those of its blocks, none for a file of one block."""

    path: str
    hash: str
    size: int
    type: str
    blocks: tuple[str, ...] = ()


class _Document(msgspec.Struct, rename="camel"):
    version: str
    created_at: str
    algorithm: str
    manifest_version: str
    root: str
    files: list[FileEntry]
    others: list[FileEntry]


@dataclass(frozen=True)
class Manifest:
    """What a version consists of. `document` is its only form in bytes, `key` their SHA-256."""

    version: str
    created_at: str
    root: str
    files: tuple[FileEntry, ...]
    others: tuple[FileEntry, ...]
    document: bytes
    key: str

    @property
    def entries(self) -> Iterator[FileEntry]:
        """All files of the version: those that count first."""
        yield from self.files
        yield from self.others

    @property
    def count(self) -> int:
        """How many files there are in all."""
        return len(self.files) + len(self.others)

    def entry(self, index: int) -> FileEntry:
        """The entry at a place among all. Raises IndexError."""
        own = len(self.files)
        return self.files[index] if index < own else self.others[index - own]

    @cached_property
    def size_bytes(self) -> int:
        """The bytes of all files."""
        return sum(entry.size for entry in self.entries)

    @cached_property
    def tree(self) -> str:
        """A hash of every file's path and bytes, and of nothing else: equal for equal content, whenever it was made."""
        return root_of(sorted(self.entries, key=_path))


def category(path: str) -> str | None:
    """The category that makes a file count for the root, None if it does not."""
    found = _COUNTED.fullmatch(path)
    return found[1] if found else None


def type_of(path: str) -> str:
    """The `type` of a file's entry."""
    return category(path) or _ending(path)


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2]


def root_of(files: Iterable[FileEntry]) -> str:
    """IWDC's root hash of the files that count, which must be sorted by path."""
    total = hashlib.sha256()
    total.update("\n".join(f"{entry.path}:{entry.hash}" for entry in files).encode())
    return total.hexdigest()


def compose(version: str, created_at: str, entries: Iterable[FileEntry]) -> Manifest:
    """The manifest of a version that consists of `entries`, unchecked: `check_tree`, `check_limits`."""
    files: list[FileEntry] = []
    others: list[FileEntry] = []
    for entry in sorted(entries, key=_path):
        (others if category(entry.path) is None else files).append(entry)
    found = _Document(version, created_at, "sha256", "1.0", root_of(files), files, others)
    return _manifest(found, msgspec.json.encode(found))


def parse_manifest(document: bytes, limits: ContentLimits) -> Manifest:
    """Read a manifest and check all that can be told without the files.

    Raises BadManifest, BadPath, TooMuch.
    """
    if len(document) > limits.max_manifest_bytes:
        raise TooMuch("bytes of the manifest", len(document), "max_manifest_bytes", limits.max_manifest_bytes)
    try:
        found = msgspec.json.decode(document, type=_Document)
        canonical = msgspec.json.encode(found) == document
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadManifest(f"the manifest cannot be read: {error}; expected one made by this program") from error
    if not canonical:
        raise BadManifest("the manifest is not in its one form of bytes; expected one made by this program")
    manifest = _manifest(found, document)
    check_limits(manifest, limits)
    _check(found)
    return manifest


def check_limits(manifest: Manifest, limits: ContentLimits) -> None:
    """Raises TooMuch if the version has more or larger files than `limits` take."""
    named = f"version {manifest.version}"
    if manifest.count > limits.max_files:
        raise TooMuch(f"files of {named}", manifest.count, "max_files", limits.max_files)
    for entry in manifest.entries:
        if entry.size > limits.max_file_bytes:
            raise TooMuch(f"bytes of {entry.path}", entry.size, "max_file_bytes", limits.max_file_bytes)
    if manifest.size_bytes > limits.max_version_bytes:
        raise TooMuch(f"bytes of {named}", manifest.size_bytes, "max_version_bytes", limits.max_version_bytes)
    if len(manifest.document) > limits.max_manifest_bytes:
        raise TooMuch(
            f"bytes of the manifest of {named}", len(manifest.document), "max_manifest_bytes", limits.max_manifest_bytes
        )


def _check(found: _Document) -> None:
    try:
        parse(found.version)
    except BadVersion as error:
        raise BadManifest(f"the manifest's version is {error}") from error
    if found.algorithm != "sha256" or found.manifest_version != "1.0":
        raise BadManifest(
            f"a manifest {found.manifest_version[:20]!r} by {found.algorithm[:20]!r}; expected '1.0' by 'sha256'"
        )
    if _CREATED.fullmatch(found.created_at) is None:
        raise BadManifest(f"createdAt {found.created_at[:40]!r}; expected ISO 8601 in UTC with ms")
    for entries, counted in ((found.files, True), (found.others, False)):
        for entry in entries:
            _check_entry(entry, counted)
        if any(one.path >= other.path for one, other in pairwise(entries)):
            raise BadManifest("the files are not sorted by path, or one is listed twice")
    check_tree([entry.path for entry in (*found.files, *found.others)])
    if found.root != root_of(found.files):
        raise BadManifest(f"the root is {found.root[:64]!r}, but that of the listed files is {root_of(found.files)}")


def check_tree(paths: Sequence[str]) -> None:
    """Raises BadPath unless `paths` can be one version: fit for a manifest, and all below `json/` or none."""
    check_paths(paths)
    if any(path.startswith("json/") for path in paths):
        for path in paths:
            if not path.startswith("json/") and path != META_NAME:
                raise BadPath(path, f"it stands beside json/, where a version has {META_NAME} and nothing else")


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


def _manifest(found: _Document, document: bytes) -> Manifest:
    key = hashlib.sha256(document).hexdigest()
    return Manifest(found.version, found.created_at, found.root, tuple(found.files), tuple(found.others), document, key)


def _path(entry: FileEntry) -> str:
    return entry.path
