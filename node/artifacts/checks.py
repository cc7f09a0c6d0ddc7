"""Whether a document may be a manifest: all that can be told without the files.

Whoever sends one may lie: about the form of its bytes, the order and number of its files, their types, the root, and
with paths that lead out of the folder or mean two things (`paths`). Entries are looked at a few hundred at a time, and
one by one only where something about them is unusual.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from operator import lt

import msgspec

from node.artifacts.entries import (
    Entries,
    FileEntry,
    NotCanonical,
    block_count,
    category,
    category_below,
    ending,
    folder_of,
    type_of,
)
from node.artifacts.errors import BadManifest, BadPath, TooMuch
from node.artifacts.layout import META_NAME
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.manifest import END, Head, Lists, Manifest, Root, head_of, lines_of, lists_of, written
from node.artifacts.paths import SeenPaths, check_paths
from node.protocol.versions import BadVersion, parse

_HASH = re.compile(r"[0-9a-f]{64}")
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def parse_manifest(document: bytes, limits: ContentLimits) -> Manifest:
    """Read a manifest and check all that can be told without the files.

    Raises BadManifest, BadPath, TooMuch.
    """
    if len(document) > limits.max_manifest_bytes:
        raise TooMuch("bytes of the manifest", len(document), "max_manifest_bytes", limits.max_manifest_bytes)
    try:
        head = head_of(document)
        if not document.startswith(head.text) or not document.endswith(END):
            raise NotCanonical
        lists = lists_of(document)
        _check_count(head.version, lists, limits)
        root, size, seen = Root(), 0, SeenPaths()
        for listed, counted in zip(lists, (True, False), strict=True):
            for entries in _checked(listed, counted, seen):
                size += sum(entry.size for entry in entries)
                if counted:
                    root.add(lines_of(entries))
    except NotCanonical:
        raise BadManifest("the manifest is not in its one form of bytes; expected one made by this program") from None
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadManifest(f"the manifest cannot be read: {error}; expected one made by this program") from error
    _check_head(head, root.hex())
    manifest = written(head, size, document, lists)
    check_limits(manifest, limits)
    seen.end(Paths(manifest))
    _check_layout(seen.outermost, Paths(manifest))
    return manifest


class Paths:
    """The paths of a manifest, as often as they are asked for."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._manifest.paths())


def check_limits(manifest: Manifest, limits: ContentLimits) -> None:
    """Raises TooMuch if the version has more or larger files than `limits` take."""
    _check_count(manifest.version, manifest.lists, limits)
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


def check_tree(paths: Iterable[str]) -> None:
    """Raises BadPath unless `paths` can be one version: fit for a manifest, and all below `json/` or none.

    They are gone through more than once.
    """
    _check_layout(check_paths(paths), paths)


def _check_layout(outermost: Collection[str], paths: Iterable[str]) -> None:
    if "json" in outermost:
        for path in paths:
            if not path.startswith("json/") and path != META_NAME:
                raise BadPath(path, f"it stands beside json/, where a version has {META_NAME} and nothing else")


def _check_count(version: str, lists: Lists, limits: ContentLimits) -> None:
    count = sum(map(len, lists))
    if count > limits.max_files:
        raise TooMuch(f"files of version {version[:100]}", count, "max_files", limits.max_files)


def _checked(listed: Entries, counted: bool, seen: SeenPaths) -> Iterator[list[FileEntry]]:
    """One list, looked at entry by entry. Raises NotCanonical, BadManifest, BadPath."""
    last: str | None = None
    for entries in listed.canonical():
        paths = [entry.path for entry in entries]
        before = paths[:1] if last is None else [last, paths[0]]
        if not all(map(lt, before, before[1:])) or not all(map(lt, paths, islice(paths, 1, None))):
            raise BadManifest("the files are not sorted by path, or one is listed twice")
        last = paths[-1]
        folders = set(map(folder_of, paths))
        if not _are_usual(entries, paths, folders, counted):
            for entry in entries:
                _check_entry(entry, counted)
        seen.add(paths, folders)
        yield entries


def _are_usual(entries: list[FileEntry], paths: list[str], folders: set[str], counted: bool) -> bool:
    """Whether all have one block and one category, and `_check_entry` would take them."""
    below = set(map(category_below, folders))
    types = [entry.type for entry in entries]
    hashes = [entry.hash for entry in entries]
    return (
        (below == set(types) and len(below) == 1 and all(path.endswith(".json") for path in paths))
        if counted
        else (below == {None} and list(map(ending, paths)) == types)
    ) and (
        set(map(len, hashes)) == {64}
        and not "".join(hashes).encode().translate(None, b"0123456789abcdef")
        and all(0 <= entry.size <= BLOCK_BYTES and not entry.blocks for entry in entries)
    )


def _check_entry(entry: FileEntry, counted: bool) -> None:
    if (category(entry.path) is not None) != counted or entry.type != type_of(entry.path):
        raise BadManifest(f"{entry.path[:200]!r} stands in the wrong list, or its type {entry.type[:50]!r} is wrong")
    blocks = block_count(entry.size) if entry.size > BLOCK_BYTES else 0
    if entry.size < 0 or len(entry.blocks) != blocks:
        raise BadManifest(
            f"{entry.path!r}: {len(entry.blocks)} blocks and {entry.size} bytes; expected {blocks} blocks"
        )
    if _HASH.fullmatch(entry.hash) is None or not all(map(_HASH.fullmatch, entry.blocks)):
        raise BadManifest(f"{entry.path!r}: expected SHA-256 as 64 lower-case hex digits")


def _check_head(head: Head, root: str) -> None:
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
