"""What the system does for us, and what is done where it does not."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.artifacts.system import write_out

DATA = bytes(range(256)) * 1_000


def _written(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        write_out(descriptor, DATA, 5)
        write_out(descriptor, memoryview(DATA)[:7], 5 + len(DATA))
        write_out(descriptor, b"", 0)
    finally:
        os.close(descriptor)
    return path.read_bytes()


def test_all_is_written_at_its_place(tmp_path: Path) -> None:
    assert _written(tmp_path / "file") == bytes(5) + DATA + DATA[:7]


@pytest.mark.parametrize("fault", [OSError(errno.EOPNOTSUPP, "no such flag"), NotImplementedError()], ids=repr)
def test_all_is_written_where_the_system_keeps_it_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def refuse(*_: object) -> int:
        raise fault

    monkeypatch.setattr(os, "pwritev", refuse)
    assert _written(tmp_path / "file") == bytes(5) + DATA + DATA[:7]


def test_what_is_written_in_part_goes_on_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def some(descriptor: int, views: Sequence[memoryview], offset: int, _flags: int) -> int:
        return os.pwrite(descriptor, views[0][:1_000], offset)

    monkeypatch.setattr(os, "pwritev", some)
    assert _written(tmp_path / "file") == bytes(5) + DATA + DATA[:7]


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "pwritev", full)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="no space"):
        _written(tmp_path / "file")
