"""What the system does for us: one atomic exchange of two names, one flush of a file system, durable small files.

After `sync_tree` everything written below a folder is on the disk. `syncfs` does it in one call whatever the number of
files; where there is none, every file and folder is flushed on its own.
"""

import ctypes
import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node.artifacts.errors import NoSpace

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_SYNC_FILE_RANGE_WRITE: Final = 2
_RWF_DONTCACHE: Final = 0x80
"""Of `pwritev2`, Linux 6.14: the disk begins at once, and what is on it leaves the cache."""
_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 1024**2
_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOTSUP})

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str) -> Callable[..., int] | None:
    found: Callable[..., int] | None = getattr(_libc, name, None)
    return found


_renameat2 = _call("renameat2")
_syncfs = _call("syncfs")
_sync_file_range = _call("sync_file_range")
_mallopt = _call("mallopt")


def give_back_memory() -> None:
    """Let the system have large pieces of memory back as soon as they are free, where it is glibc that hands them out:
    after the first manifest of many megabytes it would keep room for more of them. For the whole process.
    """
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step. False: the file system cannot, nothing changed. Raises OSError for anything else."""
    if _renameat2 is None:
        return False
    if _renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(one))


def sync_tree(folder: Path) -> None:
    """Return once all that was written below `folder` would survive a loss of power."""
    if _syncfs is None:
        for place, _, names in os.walk(folder):
            for name in names:
                _sync(os.path.join(place, name), os.O_RDONLY | os.O_NOFOLLOW)
            sync_folder(Path(place))
        return
    begin_sync(folder)


def begin_sync(folder: Path) -> None:
    """The same where one call does it, and nothing where that takes one for each file."""
    if _syncfs is None:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def write_out(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of `data` into a file, and let the disk begin with it while more comes: less is left to `sync_tree`.

    Where the system can, it keeps nothing of it in memory once it is on the disk. Raises OSError.
    """
    view = memoryview(data)
    while view:
        written = _write_uncached(descriptor, view, offset)
        if written is None:
            written = os.pwrite(descriptor, view, offset)
            if _sync_file_range is not None:
                start, length = ctypes.c_int64(offset), ctypes.c_int64(written)
                _sync_file_range(descriptor, start, length, _SYNC_FILE_RANGE_WRITE)
        view, offset = view[written:], offset + written


def _write_uncached(descriptor: int, view: memoryview, offset: int) -> int | None:
    """How many bytes were written; None: the system, or this file system, cannot."""
    if sys.platform != "linux":
        return None
    try:
        return os.pwritev(descriptor, [view], offset, _RWF_DONTCACHE)
    except NotImplementedError:
        return None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path | str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents, each durable in the folder above it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def write_durable(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: readers see the old file or the new one, also after a loss of power."""
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename on one file system, durable in both folders."""
    make_folder(target.parent)
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_tree(folder: Path) -> None:
    """Remove `folder` and all below it; one that is gone is no error."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def has_space(folder: Path, wanted_bytes: int, files: int, reserve_bytes: int) -> bool:
    """Whether the file system of `folder` has `wanted_bytes` beyond `reserve_bytes`, and room for so many more files.

    Raises OSError.
    """
    return max(_missing_space(folder, wanted_bytes, files, reserve_bytes)) <= 0


def check_space(folder: Path, wanted_bytes: int, files: int, reserve_bytes: int) -> None:
    """Raises NoSpace, with what is missing, where `has_space` is false."""
    missing_bytes, missing_files = _missing_space(folder, wanted_bytes, files, reserve_bytes)
    if missing_bytes > 0 or missing_files > 0:
        raise NoSpace(folder, max(0, missing_bytes), max(0, missing_files))


def _missing_space(folder: Path, wanted_bytes: int, files: int, reserve_bytes: int) -> tuple[int, int]:
    """Bytes and files. A file system that makes room for files as they come tells of none."""
    found = os.statvfs(folder)
    missing_files = files - found.f_favail if found.f_files else 0
    return wanted_bytes + reserve_bytes - found.f_bavail * found.f_frsize, missing_files
