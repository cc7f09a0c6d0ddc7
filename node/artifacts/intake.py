"""Content from a folder on this machine: a build's output, or a version that IWDC has already laid out.

A folder from elsewhere is copied: each file is read once, hashed and written where it will stay. A folder that is the
version's own (`versions/<version>`) is taken as it stands: hashed, made read-only, and given its manifest.

`<version>/<category>/...` and `<version>/json/<category>/...` are both taken, each with its paths as they are. Links
and devices are refused: a version consists of files.
"""

import hashlib
import heapq
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from node.artifacts.blobs import READ_ONLY, check_blob, hash_file, in_pieces, read_file
from node.artifacts.checks import check_limits, check_tree
from node.artifacts.entries import CATEGORIES, FileEntry, category, type_of
from node.artifacts.errors import BadManifest, BadPath, ContentMissing, TooMuch, typed
from node.artifacts.incoming import Incoming, Lacking
from node.artifacts.layout import META_NAME
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.manifest import Manifest, compose
from node.artifacts.portions import in_threads
from node.artifacts.store import Holding, Store, is_version
from node.artifacts.system import sync_tree, write_durable

Progress = Callable[[int, int, int], None]
"""Is told the files and bytes done so far, and how many bytes there are in all; may be called from any thread."""

_BATCH: Final = 64


class Found(msgspec.Struct, frozen=True, gc=False):
    """One file of a tree, not read yet."""

    path: str
    size: int


def survey(folder: Path, limits: ContentLimits) -> list[Found]:
    """The files below `folder`, sorted by path, none of them read.

    Raises ContentMissing (no folder, or one without a catalogue), BadPath (also for links and devices), TooMuch,
    ContentFault.
    """
    if not folder.is_dir():
        raise ContentMissing(f"{folder}: no such folder; expected one with series, models, lengths, ...")
    with typed(folder):
        found = sorted(_scan(folder, "", limits), key=lambda each: each.path)
    if not found:
        raise ContentMissing(f"{folder}: there is no file in it; expected series, models, lengths, ...")
    check_tree([each.path for each in found])
    if all(category(each.path) is None for each in found):
        raise ContentMissing(f"{folder}: no .json file below {', '.join(CATEGORIES)}; is it the right folder?")
    total = sum(each.size for each in found)
    if total > limits.max_version_bytes:
        raise TooMuch(f"bytes below {folder}", total, "max_version_bytes", limits.max_version_bytes)
    return found


def _scan(folder: Path | str, prefix: str, limits: ContentLimits) -> Iterator[Found]:
    count = 0
    pending = [(str(folder), prefix)]
    while pending:
        place, prefix = pending.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, path + "/"))
                    continue
                if not entry.is_file(follow_symlinks=False):
                    raise BadPath(
                        path, "it is a link or a device, and a version consists of files", "put a file in its place"
                    )
                count += 1
                if count > limits.max_files:
                    raise TooMuch(f"files below {folder}", count, "max_files", limits.max_files)
                yield Found(path, _size(entry, path, limits))


def _size(entry: "os.DirEntry[str]", path: str, limits: ContentLimits) -> int:
    size = entry.stat(follow_symlinks=False).st_size
    if size > limits.max_file_bytes:
        raise TooMuch(f"bytes of {path}", size, "max_file_bytes", limits.max_file_bytes)
    return size


def hash_tree(folder: Path, found: Iterable[Found], progress: Progress | None = None) -> Iterator[FileEntry]:
    """The entries of the files found below `folder`, in their order, hashed in parallel. Raises ContentFault.

    What was found is let go of on the way, for there may be a hundred thousand long paths.
    """
    left = deque(found)
    del found
    tally = Tally(progress, sum(each.size for each in left))

    def hashed(batch: Sequence[Found]) -> list[FileEntry]:
        entries = []
        for each in batch:
            digest, blocks, size = hash_file(f"{folder}/{each.path}", each.size)
            entries.append(FileEntry(each.path, digest, size, type_of(each.path), blocks))
            tally.add(size)
        return entries

    with typed(folder):
        for entries in in_threads("hash", hashed, batches(left)):
            yield from entries


class Tally:
    """Adds up what several threads have done, for a progress callback."""

    def __init__(self, progress: Progress | None, total_bytes: int) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self._files = 0
        self._bytes = 0

    def add(self, size: int) -> None:
        """One more file of `size` bytes is done."""
        self._files += 1
        self._bytes += size
        if self._progress is not None:
            self._progress(self._files, self._bytes, self._total_bytes)


def batches(left: deque[Found]) -> Iterator[Sequence[Found]]:
    """Portions for a thread, taken from what is left: many small files, or a large one."""
    while left:
        batch, size = [left.popleft()], 0
        while left and len(batch) < _BATCH and (size := size + batch[-1].size) < BLOCK_BYTES:
            batch.append(left.popleft())
        yield batch


def inspect(
    folder: Path, version: str, created_at: str, limits: ContentLimits, progress: Progress | None = None
) -> Manifest:
    """The manifest of the version that `take_tree` would make of `folder`; changes nothing.

    A folder without a `meta.json` gets one. Raises as `survey`, BadManifest if it says that it is another version.
    """
    check_meta(folder, version)
    manifest = _compose(folder, version, created_at, hash_tree(folder, survey(folder, limits), progress))
    check_limits(manifest, limits)
    return manifest


def _compose(folder: Path, version: str, created_at: str, entries: Iterable[FileEntry]) -> Manifest:
    """The manifest of the files below a folder, with a `meta.json` made for them if there is none."""
    made = [] if (folder / META_NAME).exists() else [entry_of(META_NAME, meta_document(version, created_at))]
    return compose(version, created_at, heapq.merge(entries, made, key=lambda entry: entry.path))


def take_tree(store: Store, folder: Path, version: str, created_at: str, progress: Progress | None = None) -> Holding:
    """Take the files below `folder` as the content of `version`; durable when it returns. Repeating it is harmless.

    `created_at` is ISO 8601 in UTC with ms. Raises as `survey`, BadManifest, NoSpace, and BadContent for a file that
    changes meanwhile.
    """
    check_meta(folder, version)
    if folder.resolve() == store.layout.version(version).resolve():
        return _take_in_place(store, version, created_at, progress)
    manifest = inspect(folder, version, created_at, store.limits, progress)
    if (known := _taken(store, folder, manifest)) is not None:
        return known
    with store.receiving(_begun(store, folder, manifest) or manifest) as incoming:
        _copy(incoming, folder)
        return store.finish(incoming)


def _taken(store: Store, folder: Path, manifest: Manifest) -> Holding | None:
    """What an earlier call made of the same files."""
    for holding in store.holdings():
        if holding.version == manifest.version and _again(folder, manifest, store.manifest(holding)) is not None:
            return holding
    return None


def _begun(store: Store, folder: Path, manifest: Manifest) -> Manifest | None:
    """What an earlier call began to make of the same files, or was found damaged since."""
    begun = (known for known in map(store.begun, store.unfinished()) if known is not None)
    return next(filter(None, (_again(folder, manifest, known) for known in begun)), None)


def _again(folder: Path, manifest: Manifest, known: Manifest) -> Manifest | None:
    """The manifest of the same files taken at the time of `known`, if it is `known`.

    Where a `meta.json` is made for them, the time is all that differs.
    """
    if known.version != manifest.version:
        return None
    made = not (folder / META_NAME).exists()
    entries = (entry for entry in manifest.entries if not (made and entry.path == META_NAME))
    found = _compose(folder, known.version, known.created_at, entries)
    return found if found.key == known.key else None


def _copy(incoming: Incoming, folder: Path) -> None:
    manifest = incoming.manifest

    def data(entry: FileEntry) -> bytes:
        path = folder / entry.path
        if entry.path == META_NAME and not path.exists():
            return meta_document(manifest.version, manifest.created_at)
        return read_file(str(path))

    def copied(lacking: Lacking) -> None:
        _copy_large(incoming, lacking, os.path.join(folder, lacking[1].path))

    with typed(folder):
        small = ((lacking, data(lacking[1])) for lacking in incoming.missing() if not lacking[1].blocks)
        for _, entry in incoming.put_all(small):
            check_blob(entry, data(entry))
            raise ContentMissing(f"{entry.path}: it changed while it was copied; publish it again")
        for _ in in_threads("copy", copied, incoming.missing()):
            continue


def _copy_large(incoming: Incoming, lacking: Lacking, path: str) -> None:
    blob = incoming.large(lacking)
    try:
        with open(path, "rb") as file:
            for block in blob.missing():
                file.seek(block * BLOCK_BYTES)
                incoming.write(blob, block, in_pieces(file.read(BLOCK_BYTES)))
        incoming.finish_large(lacking[0], blob)
    finally:
        blob.close()


def _take_in_place(store: Store, version: str, created_at: str, progress: Progress | None) -> Holding:
    """Give the folder of a version its manifest. One that has a manifest of ours already is left as it is."""
    if (known := store.installed(version)) is not None:
        return known
    folder = store.layout.version(version)
    if not (folder / META_NAME).exists():
        with typed(folder):
            write_durable(folder / META_NAME, meta_document(version, created_at))
    manifest = inspect(folder, version, created_at, store.limits, progress)
    _check_against(store.layout.manifest(version), manifest)
    with typed(folder):
        for entry in manifest.entries:
            path = os.path.join(folder, entry.path)
            if stat.S_IMODE(os.stat(path).st_mode) != READ_ONLY:
                os.chmod(path, READ_ONLY)
        sync_tree(folder)
        write_durable(store.layout.manifest(version), manifest.document)
    found = store.installed(version)
    if found is None:
        raise ContentMissing(f"{folder}: the version vanished while it was taken")
    return found


class _Listed(msgspec.Struct):
    path: str
    hash: str


class _Foreign(msgspec.Struct):
    files: list[_Listed]


def _check_against(path: Path, manifest: Manifest) -> None:
    """IWDC's own manifest of a version, where there is one, must agree with what is found."""
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=_Foreign).files
    except FileNotFoundError:
        return
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"{path}: cannot be read ({error}); mend or remove it") from error
    found = {entry.path: entry.hash for entry in manifest.files}
    wrong = sorted(found.items() ^ {each.path: each.hash for each in listed}.items())
    if wrong:
        raise BadManifest(
            f"{path}: {len(wrong):,} of its entries are not what lies in the version, the first is {wrong[0][0]!r}; "
            "restore the files, or remove the manifest to take the version as it is"
        )


def check_meta(folder: Path, version: str) -> None:
    """Raises BadManifest if `version` is none, or `folder` has a `meta.json` that cannot be read or names another."""
    if not is_version(version):
        raise BadManifest(f"version {version[:100]!r} is neither like 1.2.0 nor like 20250131-120000")
    path = folder / META_NAME
    try:
        meta = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"{path}: cannot be read ({error}); expected JSON with the version") from error
    named = meta.get("version") if isinstance(meta, dict) else None
    if named != version:
        raise BadManifest(f"{path}: it says version {named!r}, expected {version!r}")


def meta_document(version: str, created_at: str) -> bytes:
    """The `meta.json` of a version that was published without one."""
    return msgspec.json.encode({"version": version, "date": created_at, "xlsHash": None, "sourcePath": None})


def entry_of(path: str, data: bytes) -> FileEntry:
    """The entry of a file of one block."""
    return FileEntry(path, hashlib.sha256(data).hexdigest(), len(data), type_of(path))
