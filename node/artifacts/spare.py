"""A version's files under a second set of names, made ahead of time: the next version begins from them.

A version that changes little shares nearly all its files with the last one, and to give each of them a name in a new
folder takes longer than to fetch what is new. So it is done while nothing waits for it. Nothing depends on it: a
process trusts only the spare that it made itself.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.artifacts.incoming import is_unchanged, make_places, places
from node.artifacts.manifest import Manifest
from node.artifacts.system import remove_tree


@dataclass(frozen=True, slots=True)
class Spare:
    """All files of the content `key`, linked below `files`."""

    key: str
    files: Path


def make_spare(manifest: Manifest, source: Path, files: Path) -> Spare | None:
    """Link the files of a version below `source`; None, and nothing is left, where that does not work."""
    try:
        make_places(files, places(manifest))
        for entry in manifest.entries:
            path = f"{source}/{entry.path}"
            if not is_unchanged(path, entry):
                break
            os.link(path, f"{files}/{entry.path}", follow_symlinks=False)
        else:
            return Spare(manifest.key, files)
    except OSError:  # a full disk, a file with too many names, a version that is dropped meanwhile
        pass
    with suppress(OSError):
        remove_tree(files)
    return None
