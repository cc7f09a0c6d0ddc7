"""A version on its way here: what is there, what is missing, and the step in which it is whole.

Its files are written where they will stay, in a folder that nobody takes for a version. `finish` flushes everything to
the disk at once and then renames the folder: content is held from that moment on, and survives a loss of power. Before
it, whatever a crash leaves is looked at again by `Incoming.open`: a file counts as there only if its hash is right.
"""

import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from node.artifacts.blobs import READ_ONLY, Bytes, LargeBlob, check_blob, hash_file, write_file
from node.artifacts.errors import ContentError, ContentMissing, fault, typed
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.manifest import FileEntry, Manifest
from node.artifacts.system import check_space, move, remove_tree, sync_tree

MANIFEST_NAME: Final = "manifest.json"
FILES_NAME: Final = "files"
PARTIAL_NAME: Final = "partial"
_DISK_BLOCK: Final = 4_096


class Incoming:
    """Content in the making, below `folder`. Any thread may `put`; one at a time may do the rest."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.files = folder / FILES_NAME
        self._prefix = f"{self.files}/"
        self._lock = threading.Lock()
        self._missing: dict[str, list[FileEntry]] = {}
        for entry in manifest.entries:
            self._missing.setdefault(entry.hash, []).append(entry)

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, spare: tuple[Manifest, Path] | None = None) -> Self:
        """Start, or go on where an earlier process stopped.

        `spare`: what the files below a folder that is given away are. Raises NoSpace, ContentFault.
        """
        found = cls(folder, manifest)
        with typed(folder):
            known = found.files.exists()
            if not known and spare is not None:
                found._adopt(*spare)
            for place in sorted(places(manifest)):
                (found.files / place).mkdir(parents=True, exist_ok=True)
            (folder / PARTIAL_NAME).mkdir(exist_ok=True)
            (folder / MANIFEST_NAME).write_bytes(manifest.document)
            if known:
                found._resume()
        return found

    def _resume(self) -> None:
        """Keep what is whole, remove the rest."""
        for entries in list(self._missing.values()):
            whole = [entry for entry in entries if self._is_whole(entry)]
            if whole:
                self._spread([*whole, *(entry for entry in entries if entry not in whole)])

    def _is_whole(self, entry: FileEntry) -> bool:
        path = self._path(entry)
        if not os.path.lexists(path):
            return False
        if os.stat(path, follow_symlinks=False).st_size == entry.size and hash_file(path, entry.size)[0] == entry.hash:
            return True
        os.unlink(path)
        return False

    def _adopt(self, base: Manifest, files: Path) -> None:
        """Begin from a folder that has the files of `base`, all of them, and is given away."""
        old = {entry.path: entry.hash for entry in base.entries}
        same = {entry.path for entry in self.manifest.entries if old.get(entry.path) == entry.hash}
        self._remove(files, old.keys() - same)
        self.folder.mkdir(parents=True, exist_ok=True)
        os.rename(files, self.files)
        for entries in list(self._missing.values()):
            whole = [entry for entry in entries if entry.path in same]
            if whole:
                self._spread([*whole, *(entry for entry in entries if entry.path not in same)])

    def _remove(self, files: Path, paths: Iterable[str]) -> None:
        """Remove what is not in the manifest, and the folders that it does not need."""
        needed = {"", *(each for place in places(self.manifest) for each in _with_parents(place))}
        for path in paths:
            os.unlink(files / path)
        touched = {each for path in paths for each in _with_parents(path.rpartition("/")[0])}
        for folder in sorted(touched - needed, reverse=True):
            os.rmdir(files / folder)

    def check_space(self, reserve_bytes: int) -> None:
        """Raises NoSpace, with what is missing, if the rest would not fit on the disk."""
        with typed(self.folder):
            check_space(self.folder, self._wanted_bytes(), reserve_bytes)

    def _wanted_bytes(self) -> int:
        sizes = (entry.size for entry in self.missing())
        whole = sum(-(-size // _DISK_BLOCK) * _DISK_BLOCK for size in sizes)
        drafts = (self.folder / PARTIAL_NAME).iterdir()
        return max(0, whole - sum(draft.stat().st_blocks * 512 for draft in drafts))

    def missing(self) -> list[FileEntry]:
        """What has to be fetched, each content once, in the order of the manifest."""
        with self._lock:
            return [entries[0] for entries in self._missing.values()]

    @property
    def missing_bytes(self) -> int:
        """How many bytes have to be fetched; a large file counts whole until its last block is here."""
        return sum(entry.size for entry in self.missing())

    def reuse(self, base: Manifest, files: Path) -> int:
        """Link what a version that is here (`base`, its files below `files`) has of this one; returns how many.

        A file with another size than it had is passed over. One that rotted in place is not found here: `verify` finds
        it, and no content is applied without being hashed once more.
        """
        with self._lock:
            wanted = self._missing.keys() & {entry.hash for entry in base.entries}
        if not wanted:
            return 0
        with typed(self.folder):
            return sum(self._link(f"{files}/{entry.path}", entry) for entry in base.entries if entry.hash in wanted)

    def _link(self, source: str, entry: FileEntry) -> bool:
        wanted = self._missing.get(entry.hash)
        if wanted is None:
            return False
        try:
            if not is_unchanged(source, entry):
                return False
            os.link(source, self._path(wanted[0]), follow_symlinks=False)
        except OSError:
            return False
        self._spread(wanted)
        return True

    def put(self, hash_: str, data: Bytes) -> None:
        """Take one content of one block. What is here already is passed over.

        Raises BadContent if it is something else, NoSpace, ContentFault. Nothing of it stays then.
        """
        wanted = self._missing.get(hash_)
        if wanted is None:
            return
        check_blob(wanted[0], data)
        try:
            write_file(self._path(wanted[0]), data)
            self._spread(wanted)
        except FileExistsError:
            return  # another thread was given the same, and is faster
        except OSError as error:
            raise self._fault(error) from error

    def put_all(self, contents: Iterable[tuple[str, Bytes]]) -> None:
        """`put` of each."""
        for hash_, data in contents:
            self.put(hash_, data)

    def large(self, hash_: str) -> LargeBlob:
        """The draft of a file of more than one block, for `finish_large`. Raises ContentMissing, ContentFault."""
        wanted = self._missing.get(hash_)
        if wanted is None or wanted[0].size <= BLOCK_BYTES:
            raise ContentMissing(f"{hash_}: no large file of version {self.manifest.version} that is missing")
        with typed(self.folder):
            return LargeBlob(wanted[0], self.folder / PARTIAL_NAME / hash_)

    def finish_large(self, blob: LargeBlob) -> None:
        """Take a large file whose blocks are all here. Raises as `LargeBlob.finish`."""
        with typed(self.folder):
            blob.finish(Path(self._path(blob.entry)))
            self._spread(self._missing[blob.entry.hash])

    def write(self, blob: LargeBlob, block: int, data: Bytes) -> None:
        """Take one block of a large file. Raises BadContent for a wrong length, NoSpace, ContentFault."""
        try:
            blob.write(block, data)
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> ContentError:
        """What a failed write means, with what is missing on a full disk."""
        return fault(self.folder, error, self._wanted_bytes())

    def _spread(self, entries: list[FileEntry]) -> None:
        """The first of `entries` is here: link the others, which have the same bytes, and count them all."""
        for entry in entries[1:]:
            path = self._path(entry)
            if not os.path.lexists(path):
                link_or_copy(self._path(entries[0]), path)
        with self._lock:
            self._missing.pop(entries[0].hash, None)

    def _path(self, entry: FileEntry) -> str:
        return self._prefix + entry.path

    def finish(self, target: Path) -> None:
        """Make it durable and move it to `target`. Raises ContentMissing if something lacks, NoSpace, ContentFault."""
        if self._missing:
            raise ContentMissing(
                f"version {self.manifest.version}: {len(self._missing):,} files with {self.missing_bytes:,} bytes are "
                "not here yet"
            )
        with typed(self.folder):
            here = sum(len(names) for _, _, names in os.walk(self.files))
            if here != self.manifest.count:
                raise ContentMissing(
                    f"{self.files}: there are {here:,} files, expected {self.manifest.count:,}; something else has "
                    "changed the folder, and all of it will be looked at again"
                )
            remove_tree(self.folder / PARTIAL_NAME)
            sync_tree(self.folder)
            move(self.folder, target)


def places(manifest: Manifest) -> set[str]:
    """The folders that files of a version stand in."""
    return {entry.path.rpartition("/")[0] for entry in manifest.entries}


def _with_parents(place: str) -> Iterator[str]:
    while place:
        yield place
        place = place.rpartition("/")[0]


def is_unchanged(path: str, entry: FileEntry) -> bool:
    """Whether a file of a version still has its size, and nobody has made it writable. Raises OSError."""
    found = os.stat(path, follow_symlinks=False)
    return found.st_size == entry.size and not found.st_mode & 0o222


def link_or_copy(source: str, target: str) -> None:
    """A second name for a read-only file, or a copy where it has too many names already."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
        os.chmod(target, READ_ONLY)
