"""The readable part of a diff: which catalogue objects came, went or changed, as IWDC's tools read it.

An object is known by its key: `series`, `slug` or `id` in the category `series`, `slug`, `model_code` or `id` in
`models`, `slug` or `id` in `lengths`; the first that is present. A file holds one object or a list of them. Where a key
occurs more than once (lengths of several models share slugs), objects of one file are compared with one another first,
what is left in the order of paths; objects without a key are known by their file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from node.artifacts.entries import CATEGORIES, category

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "series": ("series", "slug", "id"),
    "models": ("slug", "model_code", "id"),
    "lengths": ("slug", "id"),
}

Object = msgspec.Raw
"""An object as compact JSON: as Python's own they take ten times the room."""
Identity = tuple[str, str]
"""Category and key."""


class Changed(msgspec.Struct, frozen=True):
    """One object before and after."""

    before: Object = msgspec.field(name="from")
    after: Object = msgspec.field(name="to")


class CategoryChanges(msgspec.Struct, frozen=True):
    """What happened to the objects of one category."""

    added: list[Object]
    removed: list[Object]
    changed: list[Changed]


class Counts(msgspec.Struct, frozen=True):
    """The numbers of the same."""

    added: int
    removed: int
    changed: int


def compare_objects(
    before: Iterable[tuple[str, bytes]], after: Iterable[tuple[str, bytes]]
) -> dict[str, CategoryChanges]:
    """What leads from the objects in the files `before` to those in `after`, by category. Files are path and bytes.

    A file that is not JSON has no objects.
    """
    found = {name: CategoryChanges([], [], []) for name in CATEGORIES}
    old, new = _by_identity(before), _by_identity(after)
    for identity in sorted(old.keys() | new.keys()):
        changes = found[identity[0]]
        for one, other in _pairs(old.get(identity, {}), new.get(identity, {})):
            if one is None and other is not None:
                changes.added.append(other)
            elif other is None and one is not None:
                changes.removed.append(one)
            elif one is not None and other is not None and not _are_equal(one, other):
                changes.changed.append(Changed(one, other))
    return found


def summary(changes: Mapping[str, CategoryChanges]) -> dict[str, Counts]:
    """How many of each."""
    return {name: Counts(len(each.added), len(each.removed), len(each.changed)) for name, each in changes.items()}


Places = dict[tuple[str, int], Object]
"""Path, and which of the key's objects in that file -> the object."""


def _by_identity(files: Iterable[tuple[str, bytes]]) -> dict[Identity, Places]:
    found: dict[Identity, Places] = {}
    numbers: Counter[tuple[Identity, str]] = Counter()
    for path, data in files:
        name = category(path)
        if name is None:
            continue
        for at, each in enumerate(_objects(data)):
            key = next((str(each[field]) for field in KEYS[name] if each.get(field) is not None), f"/{path}/{at}")
            identity = (name, key)
            found.setdefault(identity, {})[path, numbers[identity, path]] = Object(msgspec.json.encode(each))
            numbers[identity, path] += 1
    return found


def _are_equal(one: Object, other: Object) -> bool:
    """Whatever the order of their keys."""
    return one == other or bool(msgspec.json.decode(one) == msgspec.json.decode(other))


def _objects(data: bytes) -> list[dict[str, object]]:
    try:
        content: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    candidates = content if isinstance(content, list) else [content]
    return [each for each in candidates if isinstance(each, dict)]


def _pairs(old: Places, new: Places) -> Iterator[tuple[Object | None, Object | None]]:
    for place in sorted(old.keys() & new.keys()):
        yield old[place], new[place]
    gone = [old[place] for place in sorted(old.keys() - new.keys())]
    come = [new[place] for place in sorted(new.keys() - old.keys())]
    for at in range(max(len(gone), len(come))):
        yield (gone[at] if at < len(gone) else None), (come[at] if at < len(come) else None)
