"""What differs between two versions that are here, for people to read: objects by category, and the other files."""

import msgspec

from node.artifacts.alignment import differences
from node.artifacts.diffs import compare
from node.artifacts.manifest import Manifest
from node.artifacts.objects import CategoryChanges, Counts, summary
from node.artifacts.store import Holding, Store


class FileChanges(msgspec.Struct, frozen=True):
    """Paths of files that are no catalogue objects."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class Comparison(msgspec.Struct, frozen=True):
    """From one version to another. `summary` counts all objects, `objects` names some of each list at the most."""

    from_: str = msgspec.field(name="from")
    to: str
    summary: dict[str, Counts]
    objects: dict[str, CategoryChanges]
    others: FileChanges


def compare_versions(store: Store, base: Holding, target: Holding, most: int) -> Comparison:
    """At most `most` of each list are given. Raises as `compare`."""
    found = compare(store, base, target)
    shown = {
        name: CategoryChanges(each.added[:most], each.removed[:most], each.changed[:most])
        for name, each in found.items()
    }
    others = _files(store.manifest(base), store.manifest(target), most)
    return Comparison(base.version, target.version, summary(found), shown, others)


def _files(before: Manifest, after: Manifest, most: int) -> FileChanges:
    found = FileChanges([], [], [])
    for old, new in differences(before.others, after.others):
        if old is None and new is not None:
            found.added.append(new.path)
        elif new is None and old is not None:
            found.removed.append(old.path)
        elif new is not None:
            found.changed.append(new.path)
    return FileChanges(found.added[:most], found.removed[:most], found.changed[:most])
