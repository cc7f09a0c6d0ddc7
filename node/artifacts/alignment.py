"""Two lists of entries side by side.

Versions that follow one another differ little. So runs of entries are compared by their bytes, in ever longer steps
while they are equal, and an entry is made an object only where they are not.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from node.artifacts.entries import BATCH, Entries, FileEntry, read_entries

SAMPLE: Final = 64
"""Entries that are looked for before two lists are compared."""

Difference = tuple[FileEntry | None, FileEntry | None]
"""The entries of one path in the two lists, which differ; None where a list has none."""


class Same(NamedTuple):
    """So many equal entries, from these places on."""

    one: int
    other: int
    length: int


def aligned(one: Entries, other: Entries) -> Iterator[Same | Difference]:
    """All of two lists, in the order of their paths."""
    at_one = at_other = 0
    step, window = 1, 1
    while at_one < len(one) and at_other < len(other):
        count = min(step, len(one) - at_one, len(other) - at_other)
        if one.text(at_one, at_one + count) == other.text(at_other, at_other + count):
            yield Same(at_one, at_other, count)
            at_one, at_other = at_one + count, at_other + count
            step, window = min(2 * count, BATCH), 1
        elif count > 1:
            step = count // 2
        else:
            olds = one.span(at_one, min(at_one + window, len(one)))
            news = other.span(at_other, min(at_other + window, len(other)))
            read_one, read_other, found = _unlike(olds, news)
            yield from found
            at_one, at_other = at_one + read_one, at_other + read_other
            window = min(2 * window, BATCH)
    for at in range(at_one, len(one), BATCH):
        yield from ((entry, None) for entry in one.span(at, min(at + BATCH, len(one))))
    for at in range(at_other, len(other), BATCH):
        yield from ((None, entry) for entry in other.span(at, min(at + BATCH, len(other))))


def _unlike(olds: list[FileEntry], news: list[FileEntry]) -> tuple[int, int, list[Difference]]:
    """What differs before two equal entries, or before either list ends; and how many entries of each that are."""
    old = new = 0
    found: list[Difference] = []
    while old < len(olds) and new < len(news) and olds[old] != news[new]:
        one, other = olds[old], news[new]
        if one.path == other.path:
            found.append((one, other))
        else:
            found.append((one, None) if one.path < other.path else (None, other))
        old += one.path <= other.path
        new += other.path <= one.path
    return old, new, found


def differences(one: Entries, other: Entries) -> Iterator[Difference]:
    """What differs."""
    return (each for each in aligned(one, other) if not isinstance(each, Same))


def seem_unlike(one: Entries, other: Entries) -> bool:
    """Whether `one` has none of some entries of `other`, evenly spread over it, or of all if they are few."""
    step = max(1, len(other) // SAMPLE)
    return not any(_has(one, other.text(at, at + 1)) for at in range(0, len(other), step))


def _has(entries: Entries, text: bytes | bytearray) -> bool:
    [entry] = read_entries((text,))
    place, there = entries.place(entry.path)
    return there and entries.text(place, place + 1) == text
