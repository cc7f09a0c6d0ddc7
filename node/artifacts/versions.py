"""The versions that are here, looked at whole: which are complete, what has rotted, which may go."""

import os
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from node.artifacts.blobs import digest
from node.artifacts.entries import FileEntry
from node.artifacts.errors import typed
from node.artifacts.intake import Progress, Tally
from node.artifacts.portions import in_threads, portions
from node.artifacts.store import Holding, Store
from node.protocol.versions import parse

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found: `checked` files were read; the lists name paths. `extra`: files that no manifest names."""

    checked: int
    missing: tuple[str, ...]
    corrupt: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether all is as the manifest says. A file too many is no harm: it is neither moved nor applied."""
        return not self.missing and not self.corrupt


def verify(store: Store, holding: Holding, sample: float = 1.0, progress: Progress | None = None) -> Verified:
    """Read and hash the files of a holding: all of them, or a random part `sample` (0 to 1], at least one.

    That every file is there with its size is looked at whatever the sample. What becomes a version meanwhile is looked
    at where it lies then. Raises ContentMissing, ContentFault.
    """
    with typed(holding.files):
        found = _look(store, holding, sample, progress)
        moved = None if found.sound else store.find(holding.key)
        if moved is not None and moved.files != holding.files:
            found = _look(store, moved, sample, progress)
    return found


def _look(store: Store, holding: Holding, sample: float, progress: Progress | None) -> Verified:
    manifest, tally = store.manifest(holding), Tally(progress, round(holding.size_bytes * sample))
    places = range(manifest.count)
    chosen = places if sample >= 1 else set(random.sample(places, max(1, round(sample * len(places)))))

    def look(portion: Sequence[tuple[int, FileEntry]]) -> tuple[int, list[str], list[str]]:
        read, missing, corrupt = 0, list[str](), list[str]()
        for place, entry in portion:
            try:
                if os.stat(holding.path(entry), follow_symlinks=False).st_size != entry.size:
                    missing.append(entry.path)
                elif place in chosen:
                    if digest(holding.path(entry), entry.size) != entry.hash:
                        corrupt.append(entry.path)
                    read += 1
                    tally.add(entry.size)
            except FileNotFoundError:
                missing.append(entry.path)
        return read, missing, corrupt

    looked = list(in_threads("verify", look, portions(enumerate(manifest.entries), _BATCH)))
    known = {hash(entry.path) for entry in manifest.entries}
    return Verified(
        sum(read for read, _, _ in looked),
        tuple(sorted(path for _, missing, _ in looked for path in missing)),
        tuple(sorted(path for _, _, corrupt in looked for path in corrupt)),
        tuple(sorted(path for path in _files_below(holding) if hash(path) not in known)),
    )


def _files_below(holding: Holding) -> Iterator[str]:
    start = len(str(holding.files)) + 1
    for place, _, names in os.walk(holding.files):
        for name in names:
            yield os.path.join(place, name)[start:]


def set_aside_corrupt(store: Store, holding: Holding, found: Verified) -> None:
    """Make a damaged version fetchable again: its sound files go back to `store/incoming`, the others are dropped.

    `Store.begin` with the same manifest then asks for what lacks alone. Raises ContentFault.
    """
    with typed(holding.files):
        lies = store.find(holding.key) or holding
        for path in found.corrupt:
            os.unlink(os.path.join(lies.files, path))
        store.reopen(lies)


def prunable(store: Store, keep: int, needed: Collection[str], void: Collection[str] = ()) -> list[Holding]:
    """What `prune` would drop: all but the newest `keep` versions, those in `needed`, and what is held for them.

    `needed` are versions: the current one, targets of a rollback; `void` those that nobody can go to any more: they go
    first. Folders without a manifest of ours are never touched.
    """
    everything = store.holdings()
    newest = sorted({each.version for each in everything if each.installed}, key=parse, reverse=True)
    stay = {*sorted(newest, key=lambda version: version in void)[:keep], *needed}
    return [each for each in everything if each.version not in stay and (each.installed or _is_past(each, newest))]


def _is_past(holding: Holding, newest: Sequence[str]) -> bool:
    """Held content of a version newer than all installed ones may still be voted on."""
    return bool(newest) and parse(holding.version) <= parse(newest[0])


def prune(store: Store, keep: int, needed: Collection[str], void: Collection[str] = ()) -> list[Holding]:
    """Drop what `prunable` names, and say what it was. Raises ContentFault."""
    doomed = prunable(store, keep, needed, void)
    for holding in doomed:
        store.drop(holding)
    return doomed
