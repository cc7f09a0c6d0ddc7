"""What content is here: versions, content that is held for none of them, and content on its way.

Content is known by its **key**, the SHA-256 of its manifest document. It comes in by `begin` or `intake.take_tree`, is
then **held** (`store/held/<key>`), and becomes a version (`versions/<version>`) by `install`, once it is accepted. Two
contents may claim one version: the one installed last is the version, and the other is held again, so that nothing
accepted gets lost with a conflict. Each step is one rename, so whatever a crash leaves is one state or the other.

Unchanged files are one file on the disk, whatever the number of versions that have it: a blob lives in the versions
that have it, and goes with the last of them.
"""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from node.artifacts.blobs import read_file
from node.artifacts.checks import parse_manifest
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadManifest, BadPath, ContentError, ContentMissing, TooMuch, typed
from node.artifacts.incoming import FILES_NAME, MANIFEST_NAME, Begun, Incoming, beginning
from node.artifacts.layout import Layout
from node.artifacts.limits import ContentLimits
from node.artifacts.manifest import Manifest, read_manifest
from node.artifacts.spare import Spare, make_spare
from node.artifacts.system import make_folder, move, remove_tree, write_durable
from node.protocol.versions import BadVersion, parse

MAX_DOCUMENTS_BYTES: Final = 16 * 1024**2
"""Of all manifests that are kept in memory. The one used last is kept, however long."""
MAX_BASES: Final = 2
"""Versions that are searched for files of a new one."""

Signature = tuple[int, int, int]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Holding:
    """Whole content that is here: its files lie below `files`. `installed`: it is the version; else it is held.

    `root`, `count` (of files) and `size_bytes` are its manifest's.
    """

    key: str
    version: str
    root: str
    count: int
    size_bytes: int
    files: Path
    manifest_path: Path
    installed: bool

    def path(self, entry: FileEntry) -> str:
        """Where a file of it lies."""
        return f"{self.files}/{entry.path}"


class Store:
    """The content below one data folder. Any thread may use it; one process at a time."""

    def __init__(self, layout: Layout, limits: ContentLimits) -> None:
        self.layout = layout
        self.limits = limits
        self._lock = threading.RLock()
        self._manifests: OrderedDict[str, Manifest] = OrderedDict()
        self._known: dict[Path, tuple[Signature, Holding]] = {}
        """What a manifest says, told again without reading it while its file has not changed."""
        self._spare: Spare | None = None
        self._receiving: set[str] = set()

    def recover(self) -> None:
        """Remove what a crash left half-way between two states. Call before anything else. Raises ContentFault."""
        with typed(self.layout.root), self._lock:
            for folder in (self.layout.incoming, self.layout.held, self.layout.versions, self.layout.manifests):
                make_folder(folder)
            remove_tree(self.layout.spare)
            for folder in self.layout.incoming.iterdir():
                if folder.name.startswith("."):
                    remove_tree(folder)
            for folder in self.layout.held.iterdir():
                if not (folder / FILES_NAME).is_dir() or not (folder / MANIFEST_NAME).is_file():
                    remove_tree(folder)

    # What is here

    def holdings(self) -> list[Holding]:
        """Everything whole: installed versions from the newest, then held content by key."""
        with typed(self.layout.root), self._lock:
            installed = [self.installed(version) for version in self.versions()]
            held = [self._held(folder) for folder in sorted(self.layout.held.iterdir())]
        return [each for each in (*installed, *held) if each is not None]

    def versions(self) -> list[str]:
        """The versions that have a folder, whole or not, from the newest. Other folders are no versions."""
        with typed(self.layout.versions):
            names = [each.name for each in os.scandir(self.layout.versions) if each.is_dir(follow_symlinks=False)]
        return sorted(filter(is_version, names), key=parse, reverse=True)

    def installed(self, version: str) -> Holding | None:
        """The content that stands for a version here; None: no folder, or one that has no manifest of ours."""
        files, manifest_path = self.layout.version(version), self.layout.manifest(version)
        with typed(files), self._lock:
            if not files.is_dir():
                return None
            found = self._identified(manifest_path, files)
        return None if found is None or found.version != version else replace(found, installed=True)

    def unlisted(self) -> list[str]:
        """The versions that have a folder and no manifest of ours: IWDC laid them out, or a manifest was lost."""
        return [version for version in self.versions() if self.installed(version) is None]

    def find(self, key: str) -> Holding | None:
        """The content with this key, None if it is not here or not whole yet."""
        with typed(self.layout.root), self._lock:
            if is_key(key) and (held := self._held(self.layout.held / key)) is not None:
                return held
            for version in self.versions():
                holding = self.installed(version)
                if holding is not None and holding.key == key:
                    return holding
        return None

    def follow(self, holding: Holding, use: Callable[[Holding], R]) -> R:
        """Use files of content that may become a version meanwhile: what has moved is looked for again.

        Raises what `use` raises: FileNotFoundError if the content is gone, or the file from it.
        """
        try:
            return use(holding)
        except FileNotFoundError:
            if (moved := self.find(holding.key)) is None:
                raise
            return use(moved)

    def read(self, holding: Holding, entry: FileEntry) -> bytes:
        """The bytes of a file, not verified. Raises ContentFault."""
        with typed(holding.files):
            return self.follow(holding, lambda lies: read_file(lies.path(entry)))

    def _held(self, folder: Path) -> Holding | None:
        if not (folder / FILES_NAME).is_dir():
            return None
        found = self._identified(folder / MANIFEST_NAME, folder / FILES_NAME)
        return None if found is None or found.key != folder.name else found

    def _identified(self, path: Path, files: Path) -> Holding | None:
        """The content with the manifest at `path`; the manifest is looked at again only if its file has changed."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            self._known.pop(path, None)
            return None
        known = self._known.get(path)
        if known is not None and known[0] == _signature(stat):
            return known[1]
        document = path.read_bytes()
        manifest = self._manifests.get(hashlib.sha256(document).hexdigest())
        if manifest is None:
            try:
                manifest = parse_manifest(document, self.limits)
            except ContentError:
                return None
            self._remember(manifest)
        return self._note(path, stat, _holding(manifest, files, path))

    def _note(self, path: Path, stat: os.stat_result, holding: Holding) -> Holding:
        """The manifest at `path` is the holding's: it need not be read to be known."""
        self._known[path] = (_signature(stat), holding)
        return holding

    def manifest(self, holding: Holding) -> Manifest:
        """What a holding consists of. Raises ContentMissing if its manifest is gone or damaged, ContentFault."""
        with self._lock:  # several that want it at one time share it
            if (known := self._manifests.get(holding.key)) is not None:
                self._manifests.move_to_end(holding.key)
                return known
            with typed(holding.manifest_path):
                document = self.follow(holding, lambda lies: lies.manifest_path.read_bytes())
            if hashlib.sha256(document).hexdigest() != holding.key:
                raise ContentMissing(
                    f"{holding.manifest_path}: not the manifest that was written; pull the version again"
                )
            manifest = read_manifest(document)
            self._remember(manifest)
            return manifest

    def _remember(self, manifest: Manifest) -> None:
        with self._lock:
            self._manifests[manifest.key] = manifest
            self._manifests.move_to_end(manifest.key)
            kept = sum(len(each.document) for each in self._manifests.values())
            while kept > MAX_DOCUMENTS_BYTES and len(self._manifests) > 1:
                _, dropped = self._manifests.popitem(last=False)
                kept -= len(dropped.document)

    # What comes in

    def begin(self, document: bytes) -> Incoming:
        """Start to take the content of a manifest, or go on; what other versions have of it is linked at once.

        Raises BadManifest, BadPath, TooMuch, NoSpace (with what is missing), ContentFault.
        """
        return self.start(parse_manifest(document, self.limits))

    def start(self, manifest: Manifest) -> Incoming:
        """The same, of a manifest that was checked."""
        self._remember(manifest)
        bases = self.bases(manifest.version)
        incoming = Incoming.open(self.layout.incoming / manifest.key, manifest, self._take_spare(manifest, bases))
        incoming.reuse((self.manifest(base), base.files) for base in bases)
        incoming.check_space(self.limits.reserve_bytes)
        return incoming

    @contextmanager
    def receiving(self, manifest: Manifest) -> Iterator[Incoming]:
        """`start`, and nobody takes it for content that was given up until it is left. Raises as `start`."""
        self._receiving.add(manifest.key)
        try:
            yield self.start(manifest)
        finally:
            self._receiving.discard(manifest.key)

    def prepare(self) -> None:
        """Make ready what the next version is likely to begin from: for when nothing waits. Raises ContentFault."""
        with self._lock, typed(self.layout.root):
            base = next((each for each in self.holdings() if each.installed), None)
            if base is None or (self._spare is not None and self._spare.key == base.key):
                return
            self._drop_spare()
        files = self.layout.spare / base.key
        spare = make_spare(self.manifest(base), base.files, files)
        with self._lock, typed(self.layout.root):
            if spare is not None and self.find(base.key) is None:  # it was dropped, or found damaged, meanwhile
                remove_tree(files)
            else:
                self._spare = spare

    def _take_spare(self, manifest: Manifest, bases: Sequence[Holding]) -> Begun | None:
        """The spare, given away, if it is of one of `bases` and has more of `manifest` than would have to be removed.

        It goes to where nobody removes it.
        """
        with self._lock, typed(self.layout.root):
            spare = self._spare
            base = next((each for each in bases if spare is not None and each.key == spare.key), None)
            if spare is None or base is None:
                return None
            files = self.layout.incoming / f".spare-{spare.key}"
            begun = beginning(self.manifest(base), manifest, files)
            if begun is None:
                return None
            self._spare = None
            remove_tree(files)
            spare.files.rename(files)
        return begun

    def _drop_spare(self) -> None:
        self._spare = None
        remove_tree(self.layout.spare)

    def bases(self, version: str) -> list[Holding]:
        """The holdings that are likely to share files with `version`: the nearest older one first, then newer ones."""
        order = parse(version)
        everything = sorted(self.holdings(), key=lambda each: (parse(each.version), each.installed), reverse=True)
        older = [each for each in everything if parse(each.version) <= order]
        newer = [each for each in everything if parse(each.version) > order]
        return [*older, *reversed(newer)][:MAX_BASES]

    def unfinished(self) -> list[str]:
        """The keys of content that came in part, and that this process is not receiving now."""
        with typed(self.layout.incoming):
            return sorted({*filter(is_key, os.listdir(self.layout.incoming))} - self._receiving)

    def begun(self, key: str) -> Manifest | None:
        """The manifest of content that came in part; None if it cannot be read. Raises ContentFault."""
        path = self.layout.incoming / key / MANIFEST_NAME
        try:
            with typed(path):
                return parse_manifest(path.read_bytes(), self.limits) if path.is_file() else None
        except (BadManifest, BadPath, TooMuch):
            return None

    def finish(self, incoming: Incoming) -> Holding:
        """Hold content that has come in whole: durable from now on. Raises ContentMissing, NoSpace, ContentFault."""
        manifest = incoming.manifest
        folder = self.layout.held / manifest.key
        with self._lock:
            if (known := self.find(manifest.key)) is not None:
                self.abandon(manifest.key)
                return known
            incoming.finish(folder)
            self._remember(manifest)
            path = folder / MANIFEST_NAME
            with typed(folder):
                return self._note(path, path.stat(), _holding(manifest, folder / FILES_NAME, path))

    def abandon(self, key: str) -> None:
        """Drop content on its way. Raises ContentFault."""
        with typed(self.layout.incoming):
            remove_tree(self.layout.incoming / key)

    # What stands for a version

    def install(self, key: str) -> Holding:
        """Let held content stand for its version; what stood for it before is held again. May be repeated.

        Raises ContentMissing if the content is not held, ContentFault.
        """
        with self._lock:
            holding = self.find(key)
            if holding is None:
                raise ContentMissing(f"content {key} is not held here; pull its version first")
            if holding.installed:
                return holding
            with typed(holding.files):
                self._stand_back(holding.version)
                target, manifest_path = self.layout.version(holding.version), self.layout.manifest(holding.version)
                write_durable(manifest_path, holding.manifest_path.read_bytes())
                move(holding.files, target)
                remove_tree(holding.files.parent)
                installed = replace(holding, files=target, manifest_path=manifest_path)
                self._note(manifest_path, manifest_path.stat(), installed)
            return replace(installed, installed=True)

    def _stand_back(self, version: str) -> None:
        """Hold what stands for a version; a folder that has no manifest of ours is set aside under the same name."""
        files = self.layout.version(version)
        if not files.exists():
            return
        standing = self.installed(version)
        if standing is None:
            move(files, unused(files.with_name(f"{version}.replaced")))
            return
        folder = self.layout.held / standing.key
        remove_tree(folder)
        write_durable(folder / MANIFEST_NAME, standing.manifest_path.read_bytes())
        move(files, folder / FILES_NAME)

    def reopen(self, holding: Holding) -> None:
        """Let a holding be content on its way again, so that what lacks can be fetched. Raises ContentFault."""
        with typed(holding.files), self._lock:
            self._drop_spare()  # it may have the files that are damaged
            folder = self.layout.incoming / holding.key
            remove_tree(folder)
            write_durable(folder / MANIFEST_NAME, holding.manifest_path.read_bytes())
            move(holding.files, folder / FILES_NAME)
            if not holding.installed:
                remove_tree(holding.files.parent)

    def drop(self, holding: Holding) -> None:
        """Remove content. Its files go unless another version has them. Raises ContentFault."""
        with typed(holding.files), self._lock:
            if self._spare is not None and self._spare.key == holding.key:
                self._drop_spare()
            doomed = self.layout.incoming / f".dropped-{holding.key}"
            remove_tree(doomed)
            if holding.installed:
                move(holding.files, doomed)
                holding.manifest_path.unlink(missing_ok=True)
            else:
                move(holding.files.parent, doomed)
            remove_tree(doomed)


def _holding(manifest: Manifest, files: Path, path: Path) -> Holding:
    """Held content with this manifest, which lies at `path`."""
    size = (manifest.count, manifest.size_bytes)
    return Holding(manifest.key, manifest.version, manifest.root, *size, files, path, False)


def _signature(stat: os.stat_result) -> Signature:
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def is_key(text: str) -> bool:
    """Whether `text` could be the key of content: 64 lower-case hex digits."""
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def is_version(text: str) -> bool:
    """Whether `text` names a version."""
    try:
        parse(text)
    except BadVersion:
        return False
    return True


def unused(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, ... that is free."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found
