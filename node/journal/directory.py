"""The data directory: who runs on it (`node.lock`), and whose it is (`instance.json`)."""

import fcntl
import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from node.journal.errors import DirectoryFault, DirectoryInUse

LOCK_NAME = "node.lock"
INSTANCE_NAME = "instance.json"
JOURNAL_NAME = "journal.sqlite"


class DirectoryLock:
    """Holds `data_dir/node.lock` for this process; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, data_dir: Path) -> Self:
        """Lock the directory, making it if it is missing.

        Raises `DirectoryInUse` naming the holder's process id, `DirectoryFault` if the directory cannot be used.
        """
        make_directory(data_dir)
        path = data_dir / LOCK_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DirectoryFault(f"{path}: {error.strerror}; expected a file this user may write") from error
        while not _locked(descriptor, fcntl.LOCK_EX):
            # Who only looks whether a node runs (`is_held`) shares the lock for that moment.
            if not _locked(descriptor, fcntl.LOCK_SH):
                pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                os.close(descriptor)
                raise DirectoryInUse(data_dir, int(pid) if pid.isdecimal() else None)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            now_ns = time.time_ns()
            os.utime(descriptor, ns=(now_ns, now_ns))  # the file system's own clock ticks in milliseconds
        except OSError as error:
            os.close(descriptor)
            raise DirectoryFault(f"{path}: {error.strerror}; expected room for a process id") from error
        return cls(descriptor)

    def release(self) -> None:
        """Let go. The file stays: removing it could free a lock that another process has just taken."""
        os.close(self._descriptor)


def is_held(data_dir: Path) -> bool:
    """Whether a process runs on the directory. Changes nothing there. Raises `DirectoryFault` if it cannot be told."""
    path = data_dir / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DirectoryFault(f"{path}: {error.strerror}; expected a file this user may read") from error
    try:
        return not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def last_start(data_dir: Path) -> int:
    """A number that every process which takes the directory changes; 0 where none ever did."""
    try:
        return (data_dir / LOCK_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _locked(descriptor: int, kind: int) -> bool:
    """Take a lock if it is to be had at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_directory(path: Path) -> None:
    """Make `path` and its parents, each durable in the directory above it. Raises `DirectoryFault`."""
    try:
        missing = [p for p in (path, *path.parents) if not p.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for made in missing:
            sync_directory(made.parent)
    except OSError as error:
        raise DirectoryFault(f"{path}: {error.strerror}; expected a directory this user may write") from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def instance_id(data_dir: Path) -> str:
    """The id in `data_dir/instance.json`, which is made with a new UUID if it is missing.

    Raises `DirectoryFault` if the file cannot be read or holds no id.
    """
    path = data_dir / INSTANCE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        made = str(uuid.uuid4())
        _write_instance(path, made)
        return made
    except OSError as error:
        raise DirectoryFault(f"{path}: {error.strerror}; expected a file this user may read") from error
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DirectoryFault(f'{path}: not JSON ({error}); expected {{"instanceId": ...}}') from error
    found = document.get("instanceId") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found:
        raise DirectoryFault(f"{path}: no instanceId; expected a non-empty string, or no file to get a new id")
    return found


def claim(data_dir: Path, id_: str) -> None:
    """Note on its first start whose directory this is: two instances must never write one journal's numbers (V1).

    Raises `DirectoryFault` if it is another instance's.
    """
    path = data_dir / INSTANCE_NAME
    if not path.exists():
        _write_instance(path, id_)
    owner = instance_id(data_dir)
    if owner != id_:
        raise DirectoryFault(f"{path}: this is the data directory of {owner}; expected one of {id_}'s own")


def _write_instance(path: Path, id_: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = json.dumps({"instanceId": id_, "createdAt": now, "updatedAt": now}, indent=2) + "\n"
    make_directory(path.parent)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with draft.open("x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise DirectoryFault(f"{path}: {error.strerror}; expected a directory this user may write") from error
