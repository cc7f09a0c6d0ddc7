"""What a manifest has that another has not: enough to rebuild it, byte for byte, from the other.

A version that changes little differs little, while its manifest lists every file. So a diff, or a node that asks for a
manifest, carries the changes alone. `base` is the tree hash of the manifest they start from (equal for equal content,
whoever listed it), `key` the key of the one they lead to.
"""

import msgspec

from node.artifacts.errors import BadDiff, WrongBase
from node.artifacts.manifest import FileEntry, Manifest, compose


class Changes(msgspec.Struct, frozen=True, rename="camel"):
    """From a base to the manifest `key`: paths that go, and entries that come or change, each sorted by path."""

    version: str
    created_at: str
    key: str
    base: str
    removed: list[str]
    entries: list[FileEntry]


def changes_between(base: Manifest, target: Manifest) -> Changes:
    """What leads from `base` to `target`."""
    old = {entry.path: entry for entry in base.entries}
    new = {entry.path: entry for entry in target.entries}
    return Changes(
        version=target.version,
        created_at=target.created_at,
        key=target.key,
        base=base.tree,
        removed=sorted(old.keys() - new.keys()),
        entries=[new[path] for path in sorted(new) if old.get(path) != new[path]],
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
    entries = {entry.path: entry for entry in base.entries}
    for path in changes.removed:
        if entries.pop(path, None) is None:
            raise BadDiff(f"the changes to {changes.version} remove {path[:200]!r}, which {base.version} does not have")
    entries |= {entry.path: entry for entry in changes.entries}
    rebuilt = compose(changes.version, changes.created_at, entries.values())
    if rebuilt.key != changes.key:
        raise BadDiff(
            f"the changes to {changes.version} lead to {rebuilt.key[:12]}..., expected {changes.key[:12]}...; "
            "pull the version whole"
        )
    return rebuilt
