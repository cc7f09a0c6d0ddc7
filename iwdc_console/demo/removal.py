"""Removing a folder of many small files: one after another waits for the disk at each, which takes seconds in all."""

import contextlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AT_ONCE = 8


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be done; blocks until it is."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, _, names in os.walk(folder):
            for name in names:
                pool.submit(_unlink, os.path.join(place, name))
    shutil.rmtree(folder, ignore_errors=True)


def _unlink(file: str) -> None:
    with contextlib.suppress(OSError):  # who else removes it may have been first
        os.unlink(file)
