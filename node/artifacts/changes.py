"""What a manifest has that another has not: enough to rebuild it, byte for byte, from the other.

A version that changes little differs little, while its manifest lists every file. So a diff, or a node that asks for a
manifest, carries the changes alone. `base` is the tree hash of the manifest they start from (equal for equal content,
whoever listed it), `key` the key of the one they lead to.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

from node.artifacts.errors import BadDiff, WrongBase
from node.artifacts.manifest import FileEntry, Manifest, category, compose, matched


class Changes(msgspec.Struct, frozen=True, rename="camel"):
    """From a base to the manifest `key`: paths that go, and entries that come or change, each sorted by path."""

    version: str
    created_at: str
    key: str
    base: str
    removed: list[str]
    entries: list[FileEntry]


def few_changes(base: Manifest, target: Manifest) -> Changes | None:
    """What leads from `base` to `target`; None if that is more than half of the target."""
    left = target.count // 2
    for old, new in matched(base, target):
        left -= new is not None and new != old
        if left < 0:
            return None
    return changes_between(base, target)


def changes_between(base: Manifest, target: Manifest) -> Changes:
    """What leads from `base` to `target`."""
    removed: list[str] = []
    entries: list[FileEntry] = []
    for old, new in matched(base, target):
        if new is None and old is not None:
            removed.append(old.path)
        elif new is not None and new != old:
            entries.append(new)
    return Changes(
        version=target.version,
        created_at=target.created_at,
        key=target.key,
        base=base.tree,
        removed=sorted(removed),
        entries=sorted(entries, key=_path),
    )


def rebuild(base: Manifest, changes: Changes) -> Manifest:
    """The manifest that `changes` lead to.

    Raises WrongBase if they start elsewhere, BadDiff if they do not lead where they say. What they lead to is not
    checked: `parse_manifest` of its document, or `Store.begin`, tells whether it may be.
    """
    if base.tree != changes.base:
        raise WrongBase(
            f"the changes to {changes.version} were made from other content than {base.version} has here "
            f"({base.tree[:12]}..., expected {changes.base[:12]}...); pull {changes.version} whole"
        )
    gone, come = set(changes.removed), {entry.path: entry for entry in changes.entries}

    def merged(known: Iterable[FileEntry], counted: bool) -> Iterator[FileEntry]:
        fresh = [entry for entry in come.values() if (category(entry.path) is not None) == counted]
        return heapq.merge(kept(known), fresh, key=_path)

    def kept(known: Iterable[FileEntry]) -> Iterator[FileEntry]:
        for entry in known:
            if entry.path in gone:
                gone.discard(entry.path)
            elif entry.path not in come:
                yield entry

    entries = chain(merged(base.files, True), merged(base.others, False))
    rebuilt = compose(changes.version, changes.created_at, entries)
    if gone:
        path = min(gone)[:200]
        raise BadDiff(f"the changes to {changes.version} remove {path!r}, which {base.version} does not have")
    if rebuilt.key != changes.key:
        raise BadDiff(
            f"the changes to {changes.version} lead to {rebuilt.key[:12]}..., expected {changes.key[:12]}...; "
            "pull the version whole"
        )
    return rebuilt


def _path(entry: FileEntry) -> str:
    return entry.path
