"""Hashing a folder or a file for a proposal: in a thread, with progress, to be stopped at the next file."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from node.artifacts.entries import category
from node.artifacts.errors import ContentMissing, typed
from node.artifacts.intake import hash_tree, survey
from node.artifacts.limits import ContentLimits
from node.artifacts.manifest import root_of

CHUNK_BYTES = 1024 * 1024


class Stopped(Exception):
    """It was stopped before it was done."""


class Hashed(NamedTuple):
    """`hash` is what a proposal carries; `files` maps each counted path to its hash, empty for a single file."""

    hash: str
    file_count: int
    size_bytes: int
    files: dict[str, str]


class Hashing:
    """One run. `done_files` and `done_bytes` may be read from any thread while it lasts."""

    def __init__(self, path: str) -> None:
        self.path = Path(path).expanduser()
        self.done_files = 0
        self.done_bytes = 0
        self._stopped = False

    def stop(self) -> None:
        """End it soon, from any thread."""
        self._stopped = True

    def tree(self) -> Hashed:
        """IWDC's root of a folder. Raises ContentError, Stopped."""
        entries = list(hash_tree(self.path, survey(self.path, ContentLimits()), self._progress))
        counted = [entry for entry in entries if category(entry.path) is not None]
        files = {entry.path: entry.hash for entry in counted}
        return Hashed(root_of(counted), len(entries), sum(entry.size for entry in entries), files)

    def file(self) -> Hashed:
        """The SHA-256 of a file's bytes. Raises ContentError, Stopped."""
        if not self.path.is_file():
            raise ContentMissing(f"{self.path}: no such file")
        total = hashlib.sha256()
        with typed(self.path), self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                total.update(chunk)
                self._progress(1, self.done_bytes + len(chunk), 0)
        return Hashed(total.hexdigest(), 1, self.done_bytes, {})

    def _progress(self, files: int, size_bytes: int, _total_bytes: int) -> None:
        if self._stopped:
            raise Stopped
        self.done_files, self.done_bytes = files, size_bytes
