"""What a manifest has that another has not: enough to rebuild it, byte for byte, from the other.

A version that changes little differs little, while its manifest lists every file. So a diff, or a node that asks for a
manifest, carries the changes alone. `base` is the manifest they start from: by its key, or by its tree hash, which is
equal for equal content, whoever listed it. `key` is the key of the one they lead to.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from node.artifacts.alignment import differences, seem_unlike
from node.artifacts.checks import Paths, check_limits, check_tree, parse_manifest
from node.artifacts.entries import Entries, FileEntry, category, encode, path_of
from node.artifacts.errors import BadDiff, WrongBase
from node.artifacts.limits import ContentLimits
from node.artifacts.manifest import Manifest, compose, joined

MANY: Final = 10_000
"""Entries that a whole manifest is better for: as objects, and for several askers, they take much memory."""


class Changes(msgspec.Struct, frozen=True, rename="camel"):
    """From a base to the manifest `key`: paths that go, and entries that come or change, each sorted by path."""

    version: str
    created_at: str
    key: str
    base: str
    removed: list[str]
    entries: list[FileEntry]


def few_changes(base: Manifest, target: Manifest) -> Changes | None:
    """What leads from `base`, known by its key, to `target`; None if that is half of the target, or many."""
    if all(map(seem_unlike, base.lists, target.lists)):
        return None
    try:
        return _changes(base, base.key, target, min(target.count // 2, MANY))
    except _TooMany:
        return None


def changes_between(base: Manifest, target: Manifest) -> Changes:
    """What leads from `base`, known by its tree hash, to `target`."""
    return _changes(base, base.tree, target, target.count)


class _TooMany(Exception):
    """More entries than were asked for."""


def _changes(base: Manifest, name: str, target: Manifest, most: int) -> Changes:
    removed: list[str] = []
    entries: list[FileEntry] = []
    for olds, news in zip(base.lists, target.lists, strict=True):
        for old, new in differences(olds, news):
            if new is not None:
                entries.append(new)
                if len(entries) > most:
                    raise _TooMany
            elif old is not None:
                removed.append(old.path)
    return Changes(
        version=target.version,
        created_at=target.created_at,
        key=target.key,
        base=name,
        removed=sorted(removed),
        entries=sorted(entries, key=path_of),
    )


def rebuild(base: Manifest, changes: Changes, limits: ContentLimits) -> Manifest:
    """The manifest that `changes` lead to, checked like one that came whole: what the base has was checked before.

    Raises WrongBase if they start elsewhere, BadDiff if they do not lead where they say, BadManifest, BadPath, TooMuch.
    """
    if changes.base != base.key and changes.base != base.tree:
        raise WrongBase(
            f"the changes to {changes.version} were made from other content than {base.version} has here "
            f"({base.key[:12]}..., expected {changes.base[:12]}...); pull {changes.version} whole"
        )
    fresh = compose(changes.version, changes.created_at, changes.entries)
    parse_manifest(fresh.document, limits)
    splices = [_Splice(*lists) for lists in zip(base.lists, fresh.lists, strict=True)]
    for path in changes.removed:
        if not splices[category(path) is None].remove(path):
            raise BadDiff(f"the changes to {changes.version} remove {path[:200]!r}, which {base.version} does not have")
    size = base.size_bytes + sum(each.grown_bytes for each in splices)
    rebuilt = joined(changes.version, changes.created_at, size, *(each.text() for each in splices))
    if rebuilt.key != changes.key:
        raise BadDiff(
            f"the changes to {changes.version} lead to {rebuilt.key[:12]}..., expected {changes.key[:12]}...; "
            "pull the version whole"
        )
    check_limits(rebuilt, limits)
    if any(each.adds for each in splices):
        check_tree(Paths(rebuilt))
    return rebuilt


class _Splice:
    """A list of entries with some put in, in place of those with their paths, and some taken out."""

    def __init__(self, known: Entries, fresh: Entries) -> None:
        self._known = known
        self._cuts: dict[str, tuple[int, int, bytes]] = {}
        """A path -> where entries go, up to where, and the bytes that come in their place."""
        self.adds = False
        """Whether there are paths that were not there."""
        self.grown_bytes = 0
        for entry in fresh:
            at, there = known.place(entry.path)
            self._cuts[entry.path] = (at, at + there, encode(entry))
            self.adds = self.adds or not there
            self.grown_bytes += entry.size - (known.size(at) if there else 0)

    def remove(self, path: str) -> bool:
        """Take one out; False: it is not there, or another comes in its place."""
        at, there = self._known.place(path)
        if not there or path in self._cuts:
            return False
        self._cuts[path] = (at, at + 1, b"")
        self.grown_bytes -= self._known.size(at)
        return True

    def text(self) -> bytearray:
        """The bytes of what has come of it."""
        return bytearray(b",").join(self._texts())

    def _texts(self) -> Iterator[bytes | memoryview]:
        at = 0
        for _, (start, end, text) in sorted(self._cuts.items()):
            if at < start:
                yield self._known.view(at, start)
            if text:
                yield text
            at = end
        if at < len(self._known):
            yield self._known.view(at, len(self._known))
