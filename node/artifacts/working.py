"""The working data: a real copy of one version, since its readers, or a pipeline, may write there.

A path of the version is the same path in the working data, without a leading `json/`; the snapshot's own `meta.json`
stays in the version.
"""

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from node.artifacts.blobs import read_full
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadContent
from node.artifacts.layout import META_NAME
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.manifest import Manifest
from node.artifacts.portions import in_threads, portions
from node.artifacts.store import Holding

_BATCH: Final = 64


def working_files(manifest: Manifest) -> Iterator[tuple[FileEntry, str]]:
    """The files that the working data consist of, each with its path there."""
    for entry in manifest.entries:
        if entry.path != META_NAME:
            yield entry, entry.path.removeprefix("json/")


class Interrupted(Exception):
    """The node stops: the switch is begun again when it runs."""


def lay_out(holding: Holding, manifest: Manifest, tree: Path, stop: threading.Event) -> None:
    """Copy a version to `tree`, hashing every byte on its way.

    Raises Interrupted soon after `stop` is set, BadContent if a file of the version is not what its manifest says,
    OSError.
    """
    for place in sorted({path.rpartition("/")[0] for _, path in working_files(manifest)}):
        (tree / place).mkdir(parents=True, exist_ok=True)

    def copied(batch: Sequence[tuple[FileEntry, str]]) -> None:
        for entry, path in batch:
            copy_verified(holding.path(entry), os.path.join(tree, path), entry, stop)

    for _ in in_threads("apply", copied, portions(working_files(manifest), _BATCH)):
        continue


def copy_verified(source: str, target: str, entry: FileEntry, stop: threading.Event) -> None:
    """Copy one file. Raises BadContent if its bytes are not those of `entry`, Interrupted, OSError."""
    digest = hashlib.sha256()
    reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            while data := read_full(reader, min(BLOCK_BYTES, entry.size + 1)):
                if stop.is_set():
                    raise Interrupted
                digest.update(data)
                written = os.write(writer, data)
                while written < len(data):
                    written += os.write(writer, memoryview(data)[written:])
        finally:
            os.close(writer)
    finally:
        os.close(reader)
    if digest.hexdigest() != entry.hash:
        raise BadContent(source, entry.hash, digest.hexdigest())
