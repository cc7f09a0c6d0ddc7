"""A version on its way here: what is there, what is missing, and the step in which it is whole.

Its files are written where they will stay, in a folder that nobody takes for a version. `finish` flushes everything to
the disk at once and then renames the folder: content is held from that moment on, and survives a loss of power. Before
it, whatever a crash leaves is looked at again by `Incoming.open`: a file counts as there only if its hash is right.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Self

from node.artifacts.alignment import Same, aligned, seem_unlike
from node.artifacts.blobs import READ_ONLY, Bytes, LargeBlob, NewFiles, check_blob, digest
from node.artifacts.entries import BATCH, FileEntry, folder_of
from node.artifacts.errors import ContentError, ContentMissing, fault, typed
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.manifest import Manifest
from node.artifacts.system import check_space, has_space, move, remove_tree, sync_tree

MANIFEST_NAME: Final = "manifest.json"
FILES_NAME: Final = "files"
PARTIAL_NAME: Final = "partial"
_DISK_BLOCK: Final = 4_096

Lacking = tuple[int, FileEntry]
"""A content that has to come: its place in the manifest, and its entry."""


class Incoming:
    """Content in the making, below `folder`. Any thread may `put`; one at a time may do the rest.

    Files are known by their places in the manifest. Those with the same bytes are one content: it is asked for once, at
    the first of their places.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.files = folder / FILES_NAME
        self._prefix = f"{self.files}/"
        self._writing = threading.Lock()
        self._lacking = bytearray(b"\1") * manifest.count
        """A 1 at each place whose content has to come."""
        self._again = False
        """Whether it was begun before, perhaps as a version that was found damaged: what is linked is read first."""
        self._twins: dict[int, list[int]] = {}
        """A place -> all that have the same content and had to come with it, if there are others."""
        self._wanted: dict[int, int] = {}
        """The numbers of the hashes that had to come -> their first places, for the first `reuse`."""

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, begun: "Begun | None" = None) -> Self:
        """Start, from a folder that is given away if there is one, or go on where an earlier process stopped.

        Raises NoSpace, ContentFault.
        """
        found = cls(folder, manifest)
        with typed(folder):
            found._again = known = found.files.exists()
            if not known and begun is not None:
                found._adopt(begun)
            else:
                make_places(found.files, places(manifest))
            found._find_twins()
            (folder / PARTIAL_NAME).mkdir(parents=True, exist_ok=True)
            (folder / MANIFEST_NAME).write_bytes(manifest.document)
            if known:
                found._resume()
        return found

    def _resume(self) -> None:
        """Keep what is whole, remove the rest."""
        for place in [place for place, entry in enumerate(self.manifest.entries) if self._is_whole(entry)]:
            self._spread(place)

    def _is_whole(self, entry: FileEntry) -> bool:
        path = self._path(entry)
        if not os.path.lexists(path):
            return False
        if os.stat(path, follow_symlinks=False).st_size == entry.size and digest(path, entry.size) == entry.hash:
            return True
        os.unlink(path)
        return False

    def _adopt(self, begun: "Begun") -> None:
        for path in begun.gone:
            os.unlink(begun.files / path)
        for above in sorted({each for path in begun.gone for each in _parents(path)}, reverse=True):
            with suppress(OSError):  # something else is in it
                os.rmdir(begun.files / above)
        self.folder.mkdir(parents=True, exist_ok=True)
        os.rename(begun.files, self.files)
        make_places(self.files, begun.places)
        self._lacking = begun.fresh

    def _find_twins(self) -> None:
        """Among what has to come."""
        self._wanted = {hash(found): place for place, found in self._missing_hashes()}
        if len(self._wanted) == self.lacking:
            return
        self._wanted.clear()
        for place, found in self._missing_hashes():
            known = self._wanted.setdefault(hash(found), place)
            if known != place and self.manifest.entry(known).hash == found:
                self._twins[place] = twins = self._twins.setdefault(known, [known])
                twins.append(place)
        for place, twins in self._twins.items():
            self._lacking[place] = place == twins[0]

    def check_space(self, reserve_bytes: int) -> None:
        """Raises NoSpace, with what is missing, if the rest would not fit on the disk.

        The blocks of each file are counted only where that decides it.
        """
        with typed(self.folder):
            most = self.missing_bytes + self.lacking * _DISK_BLOCK
            if not has_space(self.folder, most, self.lacking, reserve_bytes):
                check_space(self.folder, self._wanted_bytes(), self.lacking, reserve_bytes)

    def _wanted_bytes(self) -> int:
        whole = sum(-(-size // _DISK_BLOCK) * _DISK_BLOCK for size in self._missing_sizes())
        drafts = (self.folder / PARTIAL_NAME).iterdir()
        return max(0, whole - sum(draft.stat().st_blocks * 512 for draft in drafts))

    @property
    def whole(self) -> bool:
        """Whether nothing has to be fetched any more."""
        return 1 not in self._lacking

    @property
    def lacking(self) -> int:
        """How many contents have to be fetched."""
        return self._lacking.count(1)

    def missing(self) -> Iterator[Lacking]:
        """What has to be fetched, each content once, in the order of the manifest; as it is when its turn comes."""
        start = self._lacking.find(1)
        while start >= 0:
            end = self._lacking.find(0, start, start + BATCH)
            end = end if end >= 0 else min(start + BATCH, len(self._lacking))
            yield from enumerate(self.manifest.span(start, end), start)
            start = self._lacking.find(1, end)

    @property
    def missing_bytes(self) -> int:
        """How many bytes have to be fetched; a large file counts whole until its last block is here."""
        return sum(self._missing_sizes()) if 0 in self._lacking else self.manifest.size_bytes

    def _missing_sizes(self) -> Iterator[int]:
        if 0 not in self._lacking:
            return chain.from_iterable(self.manifest.sizes())
        return (entry.size for _, entry in self.missing())

    def _missing_hashes(self) -> Iterator[tuple[int, str]]:
        if 0 not in self._lacking:
            return enumerate(chain.from_iterable(self.manifest.hashes()))
        return ((place, entry.hash) for place, entry in self.missing())

    def reuse(self, bases: Iterable[tuple[Manifest, Path]]) -> int:
        """Link what versions that are here (manifests, and where the files lie) have of this one; returns how many.

        A file with another size than it had is passed over. One that rotted in place is found here only by content that
        was begun before, for versions share files, and so their damage: else `verify` finds it, and no content is
        applied without being hashed once more.
        """
        wanted = self._wanted or {hash(found): place for place, found in self._missing_hashes()}
        self._wanted = {}
        linked = 0
        with typed(self.folder):
            for base, files in bases:
                if self.whole:
                    break
                for entry in _with_hashes(base, wanted):
                    place = wanted[hash(entry.hash)]
                    if self._lacking[place]:
                        linked += self._link(f"{files}/{entry.path}", entry, place)
        return linked

    def _link(self, source: str, known: FileEntry, place: int) -> bool:
        entry = self.manifest.entry(place)
        try:
            if entry.hash != known.hash or not is_unchanged(source, known):
                return False
            if self._again and digest(source, entry.size) != entry.hash:
                return False
            os.link(source, self._path(entry), follow_symlinks=False)
        except OSError:
            return False
        self._spread(place)
        return True

    def put(self, lacking: Lacking, data: Bytes) -> None:
        """Take one content of one block. Raises BadContent if it is something else, and as `put_all`."""
        if self.put_all(((lacking, data),)):
            check_blob(lacking[1], data)

    def put_all(self, contents: Iterable[tuple[Lacking, Bytes]]) -> list[Lacking]:
        """Take contents of one block each; what is here already is passed over. Those that are something else are
        returned: nothing of them stays. Raises NoSpace, ContentFault.

        One thread at a time: small files are made by the system, and two threads would wait for one another's calls.
        """
        bad = []
        with self._writing, NewFiles(self.files) as files:
            for lacking, data in contents:
                place, entry = lacking
                if not self._lacking[place]:
                    continue
                if hashlib.sha256(data).hexdigest() != entry.hash:
                    bad.append(lacking)
                    continue
                try:
                    files.write(entry.path, data)
                except FileExistsError:
                    continue  # it came twice
                except OSError as error:
                    error.filename = self._path(entry)
                    raise self._fault(error) from error
                if place in self._twins:
                    self._spread(place)
                self._lacking[place] = 0
        return bad

    def large(self, lacking: Lacking) -> LargeBlob:
        """The draft of a file of more than one block, for `finish_large`. Raises ContentMissing, ContentFault."""
        place, entry = lacking
        if not self._lacking[place] or entry.size <= BLOCK_BYTES:
            raise ContentMissing(f"{entry.path}: no large file of version {self.manifest.version} that is missing")
        with typed(self.folder):
            return LargeBlob(entry, self.folder / PARTIAL_NAME / entry.hash)

    def finish_large(self, place: int, blob: LargeBlob) -> None:
        """Take a large file whose blocks are all here. Raises as `LargeBlob.finish`."""
        with typed(self.folder):
            blob.finish(Path(self._path(blob.entry)))
            self._spread(place)

    def write(self, blob: LargeBlob, block: int, pieces: Iterable[Bytes]) -> None:
        """Take one block of a large file. Raises as `LargeBlob.write`, with NoSpace and ContentFault for OSError."""
        try:
            blob.write(block, pieces)
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> ContentError:
        """What a failed write means, with what is missing on a full disk."""
        return fault(self.folder, error, self._wanted_bytes())

    def _spread(self, place: int) -> None:
        """The file of a place is here: link those that have the same bytes, and count the content as come."""
        twins = self._twins.get(place)
        if twins is not None:
            self._link_twins(place, twins)
            place = twins[0]
        self._lacking[place] = 0

    def _link_twins(self, place: int, twins: Iterable[int]) -> None:
        source = self._path(self.manifest.entry(place))
        for each in twins:
            path = self._path(self.manifest.entry(each))
            if not os.path.lexists(path):
                link_or_copy(source, path)

    def _path(self, entry: FileEntry) -> str:
        return self._prefix + entry.path

    def finish(self, target: Path) -> None:
        """Make it durable and move it to `target`. Raises ContentMissing if something lacks, NoSpace, ContentFault."""
        if not self.whole:
            raise ContentMissing(
                f"version {self.manifest.version}: {self.lacking:,} files with {self.missing_bytes:,} bytes are "
                "not here yet"
            )
        with typed(self.folder):
            here = count_files(os.fsencode(self.files))
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
    return {folder for paths in manifest.paths() for folder in map(folder_of, paths)}


def make_places(files: Path, wanted: Iterable[str]) -> None:
    """Make folders below `files`, where they are not there."""
    for place in sorted(wanted):
        (files / place).mkdir(parents=True, exist_ok=True)


def _parents(path: str) -> Iterator[str]:
    while place := path.rpartition("/")[0]:
        yield place
        path = place


@dataclass(frozen=True, slots=True)
class Begun:
    """A folder that is given away: it has the files of another version, and most of them are wanted.

    `fresh`: a 1 at each place of the new manifest whose file is not there; `places`: the folders of these; `gone`:
    paths that are no longer wanted.
    """

    files: Path
    fresh: bytearray
    gone: list[str]
    places: set[str]


def beginning(base: Manifest, manifest: Manifest, files: Path) -> Begun | None:
    """What a folder with the files of `base` is to the version of `manifest`; None if half of it would be removed."""
    if all(map(seem_unlike, base.lists, manifest.lists)):
        return None
    fresh, gone, wanted, most = bytearray(), list[str](), set[str](), base.count // 2
    for olds, news in zip(base.lists, manifest.lists, strict=True):
        for each in aligned(olds, news):
            if isinstance(each, Same):
                fresh += bytes(each.length)
                continue
            old, new = each
            if new is not None:
                fresh.append(1)
                wanted.add(folder_of(new.path))
            if old is not None:
                gone.append(old.path)
                if len(gone) > most:
                    return None
    return Begun(files, fresh, gone, wanted)


def _with_hashes(base: Manifest, wanted: Mapping[int, int]) -> Iterator[FileEntry]:
    """The entries of a manifest whose hashes have these numbers."""
    at, numbers = 0, frozenset(wanted)
    for hashes in base.hashes():
        if not numbers.isdisjoint(map(hash, hashes)):
            yield from (entry for entry in base.span(at, at + len(hashes)) if hash(entry.hash) in wanted)
        at += len(hashes)


def count_files(folder: bytes) -> int:
    """How many files lie below a folder."""
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            found += count_files(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return found


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
