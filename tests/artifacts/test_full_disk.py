"""A disk that is really full: what is missing is told, nothing half-written is seen, and it goes on with more room."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.artifacts.apply import Applier
from node.artifacts.errors import NoSpace
from node.artifacts.intake import take_tree
from node.artifacts.limits import BLOCK_BYTES, Hooks
from tests.artifacts.trees import CREATED_AT, NEW, OLD, found_in, installed, lay, store_at

SIZE_BYTES = 8 * 1024**2
INODES = 400
AT_MS = 1_800_000_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB, for 400 files and folders."""
    place = tmp_path / "disk"
    place.mkdir()
    options = f"size={SIZE_BYTES},nr_inodes={INODES}"
    line = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    mounted = subprocess.run(line, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def ballast(disk: Path, free_bytes: int) -> Path:
    """Fill the disk, but for `free_bytes`."""
    path = disk / "ballast"
    with path.open("wb") as file:
        left = SIZE_BYTES - free_bytes - 512 * 1024
        file.write(bytes(left))
    return path


def test_told_before_it_starts(small_disk: Path, tmp_path: Path) -> None:
    store = store_at(small_disk / "data")
    source = lay(tmp_path / "source", {f"series/{n}.json": bytes([n]) * 100_000 for n in range(100)})
    with pytest.raises(NoSpace) as refused:
        take_tree(store, source, "1.0.0", CREATED_AT)
    assert 1_000_000 < refused.value.missing_bytes < 4_000_000
    assert store.holdings() == []
    assert found_in(store.layout.incoming / store.unfinished()[0] / "files") == {}


def test_full_in_the_middle(small_disk: Path, tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(small_disk / "data")
    tree = {f"series/{n}.json": bytes([n]) * 100_000 for n in range(40)}
    holding = installed(there, tmp_path / "source", "1.0.0", tree)
    incoming = here.begin(there.manifest(holding).document)
    weight = ballast(small_disk, free_bytes=1_000_000)
    with pytest.raises(NoSpace) as refused:
        incoming.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in incoming.missing())
    assert refused.value.missing_bytes > 1_000_000
    assert here.holdings() == []
    for path, data in found_in(incoming.files).items():
        assert tree[path] == data, "what is there is whole"
    weight.unlink()
    again = here.begin(there.manifest(holding).document)
    assert 0 < again.lacking < 41
    again.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in again.missing())
    assert found_in(here.finish(again).files) == tree


def test_full_in_a_large_file(small_disk: Path, tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(small_disk / "data")
    big = bytes(range(256)) * (BLOCK_BYTES // 256) + b"end"
    holding = installed(there, tmp_path / "source", "1.0.0", {"series/a.json": b"{}", "seo/big.bin": big})
    incoming = here.begin(there.manifest(holding).document)
    weight = ballast(small_disk, free_bytes=2_000_000)
    place, entry = next(each for each in incoming.missing() if each[1].blocks)
    blob = incoming.large((place, entry))
    with pytest.raises(NoSpace):
        incoming.write(blob, 0, [big[:BLOCK_BYTES]])
    assert blob.missing() == [0, 1]
    weight.unlink()
    incoming.write(blob, 0, [big[:BLOCK_BYTES]])
    incoming.write(blob, 1, [big[BLOCK_BYTES:]])
    incoming.finish_large(place, blob)
    assert (incoming.files / "seo/big.bin").read_bytes() == big


def test_switch_leaves_the_working_data_alone(small_disk: Path, tmp_path: Path) -> None:
    store = store_at(small_disk / "data")
    old = installed(store, tmp_path / "old", "1.0.0", OLD)
    new = installed(store, tmp_path / "new", "1.1.0", NEW | {"seo/big.bin": b"x" * 2_000_000})
    ours = Applier(store, "replica", Hooks())
    ours.apply(old, AT_MS)
    weight = ballast(small_disk, free_bytes=2_500_000)
    with pytest.raises(NoSpace, match="bytes are missing"):
        ours.apply(new, AT_MS)
    assert found_in(store.layout.working) == dict(OLD)
    assert list(store.layout.trees.iterdir()) == []
    weight.unlink()
    assert ours.apply(new, AT_MS) is not None


def test_no_room_for_more_files_is_told_before_it_starts(small_disk: Path, tmp_path: Path) -> None:
    store = store_at(small_disk / "data")
    source = lay(tmp_path / "source", {f"series/{number}.json": b"%d" % number for number in range(1_000)})
    with pytest.raises(NoSpace, match=r"no room for [67]\d\d more files \(inodes\)") as refused:
        take_tree(store, source, "1.0.0", CREATED_AT)
    assert (refused.value.missing_bytes, store.holdings()) == (0, [])


def test_no_room_for_more_files_in_the_middle(small_disk: Path, tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(small_disk / "data")
    tree = {f"series/{number}.json": b"%d" % number for number in range(300)}
    holding = installed(there, tmp_path / "source", "1.0.0", tree)
    incoming = here.begin(there.manifest(holding).document)
    weight = small_disk / "weight"
    weight.mkdir()
    for number in range(100):
        (weight / str(number)).touch()
    with pytest.raises(NoSpace, match=r"no room for 1 more files \(inodes\)"):
        incoming.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in incoming.missing())
    shutil.rmtree(weight)
    again = here.begin(there.manifest(holding).document)
    assert 0 < again.lacking < 300
    again.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in again.missing())
    assert found_in(here.finish(again).files) == tree
