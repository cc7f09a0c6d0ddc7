"""The versions that are here, looked at whole: which are complete, what has rotted, which may go."""

import os
import random
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from node.artifacts.blobs import hash_file
from node.artifacts.errors import typed
from node.artifacts.intake import WORKERS, Progress, Tally
from node.artifacts.manifest import FileEntry
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


def _has_size(path: str, size: int) -> bool:
    try:
        return os.stat(path, follow_symlinks=False).st_size == size
    except FileNotFoundError:
        return False


def verify(store: Store, holding: Holding, sample: float = 1.0, progress: Progress | None = None) -> Verified:
    """Read and hash the files of a holding: all of them, or a random part `sample` (0 to 1], at least one.

    That every file is there with its size is looked at whatever the sample. Raises ContentMissing, ContentFault.
    """
    entries = list(store.manifest(holding).entries)
    with typed(holding.files):
        missing = [each.path for each in entries if not _has_size(holding.path(each), each.size)]
        lacking = set(missing)
        present = [each for each in entries if each.path not in lacking]
        chosen = present
        if sample < 1 and present:
            chosen = random.sample(present, max(1, round(sample * len(present))))
        corrupt = corrupt_files(holding, chosen, progress)
        known = {each.path for each in entries}
        extra = sorted(path for path in _files_below(holding) if path not in known)
    return Verified(len(chosen), tuple(missing), tuple(sorted(corrupt)), tuple(extra))


def corrupt_files(holding: Holding, entries: Sequence[FileEntry], progress: Progress | None = None) -> list[str]:
    """The paths of those files whose bytes are not what they were."""
    tally = Tally(progress)

    def wrong(batch: Sequence[FileEntry]) -> list[str]:
        found = []
        for entry in batch:
            if hash_file(holding.path(entry), entry.size)[0] != entry.hash:
                found.append(entry.path)
            tally.add(entry.size)
        return found

    with ThreadPoolExecutor(WORKERS, "verify") as pool:
        portions = [entries[at : at + _BATCH] for at in range(0, len(entries), _BATCH)]
        return [path for found in pool.map(wrong, portions) for path in found]


def _files_below(holding: Holding) -> list[str]:
    return [
        os.path.relpath(os.path.join(place, name), holding.files)
        for place, _, names in os.walk(holding.files)
        for name in names
    ]


def set_aside_corrupt(store: Store, holding: Holding, found: Verified) -> None:
    """Make a damaged version fetchable again: its sound files go back to `store/incoming`, the others are dropped.

    `Store.begin` with the same manifest then asks for what lacks alone. Raises ContentFault.
    """
    with typed(holding.files):
        for path in found.corrupt:
            os.unlink(os.path.join(holding.files, path))
        store.reopen(holding)


def prunable(store: Store, keep: int, needed: Collection[str]) -> list[Holding]:
    """What `prune` would drop: all but the newest `keep` versions, those in `needed`, and what is held for them.

    `needed` are versions: the current one, targets of a rollback. Folders without a manifest of ours are never touched.
    """
    everything = store.holdings()
    newest = sorted({each.version for each in everything if each.installed}, key=parse, reverse=True)
    stay = {*newest[:keep], *needed}
    return [each for each in everything if each.version not in stay and (each.installed or _is_past(each, newest))]


def _is_past(holding: Holding, newest: Sequence[str]) -> bool:
    """Held content of a version newer than all installed ones may still be voted on."""
    return bool(newest) and parse(holding.version) <= parse(newest[0])


def prune(store: Store, keep: int, needed: Collection[str]) -> list[Holding]:
    """Drop what `prunable` names, and say what it was. Raises ContentFault."""
    doomed = prunable(store, keep, needed)
    for holding in doomed:
        store.drop(holding)
    return doomed
