"""Files as they get their names: whole, read-only, or not at all."""

import errno
import os
from pathlib import Path

import pytest

from node.artifacts.blobs import NewFiles
from tests.artifacts.trees import found_in

TREE = {"a.json": b"1", "series/труба.json": b"2", "series/б.json": b"3", "lengths/м/к.json": b"", "z": b"4" * 5_000}


def folders(root: Path) -> Path:
    for place in ("series", "lengths/м"):
        (root / place).mkdir(parents=True)
    return root


def test_files_of_several_folders_by_turns(tmp_path: Path) -> None:
    with NewFiles(folders(tmp_path)) as files:
        for path, data in TREE.items():
            files.write(path, memoryview(data))
    assert found_in(tmp_path) == TREE
    assert {(tmp_path / path).stat().st_mode & 0o777 for path in TREE} == {0o444}


def test_what_is_written_in_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1_000]))
    with NewFiles(folders(tmp_path)) as files:
        files.write("series/a.json", TREE["z"])
    assert (tmp_path / "series/a.json").read_bytes() == TREE["z"]


def test_nothing_stays_of_what_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", refuse)
    with NewFiles(folders(tmp_path)) as files, pytest.raises(OSError, match="full"):
        files.write("series/a.json", b"1")
    assert found_in(tmp_path) == {}


def test_what_is_there_stays_and_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = folders(tmp_path / "root")
    (root / "series/a.json").write_bytes(b"first")
    (root / "series/b.json").symlink_to(outside / "b")
    (root / "seo").symlink_to(outside)
    with NewFiles(root) as files:
        for path in ("series/a.json", "series/b.json"):
            with pytest.raises(FileExistsError):
                files.write(path, b"second")
        with pytest.raises(NotADirectoryError):
            files.write("seo/c.txt", b"second")
        files.write("series/c.json", b"after")
    assert (root / "series/a.json").read_bytes() == b"first"
    assert list(outside.iterdir()) == []
    assert (root / "series/c.json").read_bytes() == b"after"
