"""What is handed out to the threads of a pull: runs of blocks, what comes back, what an older version has."""

import hashlib
import os
from pathlib import Path

import pytest

from node.artifacts.entries import FileEntry
from node.artifacts.incoming import Incoming
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.manifest import Manifest, compose
from node.runtime.content.work import RUN_BLOCKS, Pack, Run, Unit, Work

CREATED = "2026-01-01T00:00:00.000Z"
LENGTHS = (BLOCK_BYTES, BLOCK_BYTES, 100)


def _blocks(*seeds: int) -> list[bytes]:
    return [bytes([seed]) * length for seed, length in zip(seeds, LENGTHS, strict=True)]


def _large(blocks: list[bytes]) -> FileEntry:
    whole = b"".join(blocks)
    hashes = tuple(hashlib.sha256(block).hexdigest() for block in blocks)
    return FileEntry("models/large.bin", hashlib.sha256(whole).hexdigest(), len(whole), "bin", hashes)


def _manifest(*entries: FileEntry) -> Manifest:
    return compose("1.0.0", CREATED, entries)


def test_blocks_of_an_older_version_are_not_fetched(tmp_path: Path) -> None:
    old, new = _blocks(1, 2, 3), _blocks(1, 9, 3)
    older = tmp_path / "older.bin"
    older.write_bytes(b"".join(old))
    incoming = Incoming.open(tmp_path / "incoming", _manifest(_large(new)))
    work = Work(incoming, {"models/large.bin": (str(older), _large(old))}, lambda _peer, _path: None)
    unit = work.take("peer")
    assert isinstance(unit, Run)
    assert list(unit.blocks) == [1]
    incoming.write(unit.large.blob, 1, [new[1]])
    work.done(unit, "peer", [])
    assert work.take("peer") is None
    assert incoming.whole
    assert (incoming.files / "models/large.bin").read_bytes() == b"".join(new)


def test_a_rotten_block_of_an_older_version_is_fetched_and_no_peer_is_named(tmp_path: Path) -> None:
    old, named = _blocks(1, 2, 3), list[tuple[str, str]]()
    older = tmp_path / "older.bin"
    older.write_bytes(b"".join(_blocks(1, 7, 3)))
    incoming = Incoming.open(tmp_path / "incoming", _manifest(_large(old)))
    older_ones = {"models/large.bin": (str(older), _large(old))}
    work = Work(incoming, older_ones, lambda peer, path: named.append((peer, path)))
    unit = work.take("peer")
    assert isinstance(unit, Run)
    assert not unit.blocks  # all of it is to be copied
    work.done(unit, "peer")
    again = work.take("peer")
    assert isinstance(again, Run)
    assert list(again.blocks) == [1]
    incoming.write(again.large.blob, 1, [old[1]])
    work.done(again, "peer")
    assert incoming.whole
    assert (incoming.files / "models/large.bin").read_bytes() == b"".join(old)
    assert named == []


def test_what_need_not_be_fetched_is_counted(tmp_path: Path) -> None:
    old, new, found = _blocks(1, 2, 3), _blocks(9, 8, 3), list[int]()
    older = tmp_path / "older.bin"
    older.write_bytes(b"".join(old))
    incoming = Incoming.open(tmp_path / "incoming", _manifest(_large(new)))
    draft = incoming.large(next(incoming.missing()))
    incoming.write(draft, 0, [new[0]])
    draft.close()
    before = Incoming.open(tmp_path / "incoming", _manifest(_large(new)))
    older_ones = {"models/large.bin": (str(older), _large(old))}
    work = Work(before, older_ones, lambda _peer, _path: None, found.append)
    unit = work.take("peer")
    assert isinstance(unit, Run)
    assert ([*unit.blocks], found) == ([1], [LENGTHS[0]])
    before.write(unit.large.blob, 1, [new[1]])
    work.done(unit, "peer")
    assert found == [LENGTHS[0], LENGTHS[2]]


@pytest.mark.parametrize("left", [None, BLOCK_BYTES + 5], ids=["gone", "cut off"])
def test_what_cannot_be_read_of_an_older_version_is_fetched(tmp_path: Path, left: int | None) -> None:
    old, new = _blocks(1, 2, 3), _blocks(9, 2, 3)
    older = tmp_path / "older.bin"
    if left is not None:
        older.write_bytes(b"".join(old)[:left])
    incoming = Incoming.open(tmp_path / "incoming", _manifest(_large(new)))
    work = Work(incoming, {"models/large.bin": (str(older), _large(old))}, lambda _peer, _path: None)
    fetched, unit = list[int](), work.take("peer")
    while isinstance(unit, Run):
        for block in unit.blocks:
            incoming.write(unit.large.blob, block, [new[block]])
        fetched += unit.blocks
        work.done(unit, "peer")
        unit = work.take("peer", unit)
    assert fetched == [0, 1, 2]
    assert (incoming.files / "models/large.bin").read_bytes() == b"".join(new)


def test_a_wrong_block_goes_back_and_its_peer_is_named_and_shunned(tmp_path: Path) -> None:
    blocks, named = _blocks(1, 2, 3), list[tuple[str, str]]()
    incoming = Incoming.open(tmp_path / "incoming", _manifest(_large(blocks)))
    work = Work(incoming, {}, lambda peer, path: named.append((peer, path)))
    unit = work.take("liar")
    assert isinstance(unit, Run)
    for block in unit.blocks:
        incoming.write(unit.large.blob, block, [os.urandom(len(blocks[1])) if block == 1 else blocks[block]])
    work.done(unit, "liar", [])
    assert named == [("liar", "models/large.bin")]
    assert work.take("liar") is None
    again = work.take("honest")
    assert isinstance(again, Run)
    assert list(again.blocks) == [1]
    incoming.write(again.large.blob, 1, [blocks[1]])
    work.done(again, "honest", [])
    assert incoming.whole


def test_a_thread_stays_with_a_large_file_and_then_helps_with_another(tmp_path: Path) -> None:
    size = (RUN_BLOCKS + 1) * BLOCK_BYTES
    entries = [
        FileEntry(f"models/{name}.bin", name * 64, size, "bin", (name * 64,) * (RUN_BLOCKS + 1)) for name in "abc"
    ]
    incoming = Incoming.open(tmp_path / "incoming", _manifest(*entries))
    work = Work(incoming, {}, lambda _peer, _path: None)
    one, other = work.take("peer"), work.take("peer")
    assert [_told(one), _told(other)] == [("models/a.bin", 0), ("models/b.bin", 0)]
    one = work.take("peer", one)
    assert _told(one) == ("models/a.bin", RUN_BLOCKS)
    one = work.take("peer", one)
    assert _told(one) == ("models/c.bin", 0)
    assert {_told(work.take("peer")) for _ in range(2)} == {("models/b.bin", RUN_BLOCKS), ("models/c.bin", RUN_BLOCKS)}
    work.end()


def _told(unit: Unit | None) -> tuple[str, int]:
    assert isinstance(unit, Run)
    return unit.large.blob.entry.path, unit.blocks[0]


def test_small_files_are_packed_and_a_failed_peers_pack_goes_to_another(tmp_path: Path) -> None:
    entries = [FileEntry(f"seo/{at}.txt", hashlib.sha256(b"%d" % at).hexdigest(), 1, "txt") for at in range(5)]
    incoming = Incoming.open(tmp_path / "incoming", _manifest(*entries))
    work = Work(incoming, {}, lambda _peer, _path: None)
    pack = work.take("one")
    assert isinstance(pack, Pack)
    assert len(pack.files) == 5
    work.back(pack)
    again = work.take("two")
    assert isinstance(again, Pack)
    assert again.files == pack.files
    work.end()
    assert work.take("two") is None
