"""A disk that loses its power: an ext4 of its own in a file, stopped in one moment by the system itself.

`EXT4_IOC_SHUTDOWN` stops the file system where it is. What was not written to the disk by then is gone, as with the
power; mounted again, the journal is read as after it. With `LOG` what the journal holds in memory still gets to the
disk, and the files' bytes do not: names without content, the worst that a real loss leaves.
"""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE_BYTES = 16 * 1024**2
NO_LOG, LOG = 2, 1
_SHUTDOWN = 0x8004587D


def _run(*line: str) -> None:
    done = subprocess.run(line, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be made in a file here: {' '.join(line[:3])}: {done.stderr.decode().strip()}")


class Disk:
    """A file system in a file. Each is mounted once: the system may keep the last mount of a file for a while."""

    def __init__(self, image: Path) -> None:
        self.image = image
        self.place = image.with_suffix(".mounted")

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Where its files are, for as long as the block runs."""
        self.place.mkdir()
        _run("mount", "-o", "loop", str(self.image), str(self.place))
        try:
            yield self.place
        finally:
            subprocess.run(["umount", str(self.place)], check=True)
            self.place.rmdir()

    def copy(self, name: str) -> "Disk":
        """Another disk, with what has been written to this one so far."""
        return Disk(Path(shutil.copyfile(self.image, self.image.with_name(f"{name}.img"))))

    def lose_power(self, how: int) -> None:
        """Now. The process that calls it is gone as well."""
        stop(self.place, how)
        os.kill(os.getpid(), signal.SIGKILL)


def new_disk(image: Path) -> Disk:
    """An empty one; the test is skipped where none can be made."""
    if shutil.which("mkfs.ext4") is None or os.geteuid() != 0:
        pytest.skip("a disk in a file needs mkfs.ext4 and root")
    with image.open("wb") as file:
        file.truncate(SIZE_BYTES)
    _run("mkfs.ext4", "-q", "-F", "-b", "1024", "-N", "4096", "-J", "size=2", str(image))
    return Disk(image)


def stop(place: Path, how: int) -> None:
    """Stop the file system that is mounted at a place."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", how))
    finally:
        os.close(descriptor)
