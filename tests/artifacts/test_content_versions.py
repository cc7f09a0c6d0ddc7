"""Versions are listed as they are, checked as asked, and dropped by rule."""

from pathlib import Path

import pytest

from node.artifacts.intake import take_tree
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.versions import prunable, prune, set_aside_corrupt, verify
from tests.artifacts.trees import CREATED_AT, NEW, OLD, found_in, installed, lay, store_at


def test_a_folder_without_a_manifest_of_ours_is_no_content(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    whole = installed(store, tmp_path / "old", "1.10.0", OLD)
    lay(store.layout.version("20260101-120000"), OLD)
    lay(store.layout.versions / "notes", {"readme.txt": b"no version"})
    assert store.versions() == ["20260101-120000", "1.10.0"]
    assert store.unlisted() == ["20260101-120000"]
    [found] = store.holdings()
    assert (found.key, found.count) == (whole.key, len(OLD) + 1)
    assert (
        found.size_bytes == sum(map(len, found_in(whole.files).values())) + (whole.files / "meta.json").stat().st_size
    )


def spoil(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    path.chmod(0o444)  # as a disk does it: nothing but the bytes is another


def test_verify_names_what_is_wrong(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = installed(store, tmp_path / "new", "1.0.0", NEW)
    done: list[tuple[int, int, int]] = []
    assert verify(store, holding, progress=lambda *told: done.append(told)).sound
    size = store.manifest(holding).size_bytes
    assert done[-1] == (len(NEW) + 1, size, size)
    spoil(holding.files / "seo/logo.bin")
    (holding.files / "seo/index.json").unlink()
    lay(holding.files, {"seo/extra.json": b"{}"})
    found = verify(store, holding)
    assert not found.sound
    assert (found.corrupt, found.missing, found.extra) == (("seo/logo.bin",), ("seo/index.json",), ("seo/extra.json",))


def test_sample_reads_a_part(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    tree = {f"series/{number}.json": str(number).encode() for number in range(99)}
    holding = installed(store, tmp_path / "source", "1.0.0", tree)
    assert verify(store, holding, sample=0.1).checked == 10
    assert verify(store, holding, sample=0.0001).checked == 1


def test_what_becomes_a_version_meanwhile_is_looked_at_where_it_lies_then(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    tree = {f"series/{number}.json": str(number).encode() for number in range(999)}
    held = take_tree(store, lay(tmp_path / "source", tree), "1.0.0", CREATED_AT)

    def read(files: int, _bytes: int, _total_bytes: int) -> None:
        if files == 1:
            store.install(held.key)

    found = verify(store, held, progress=read)
    assert not held.files.exists()
    assert (found.sound, found.checked, found.missing) == (True, 1_000, ())


def test_damaged_version_is_mended_by_what_lacks_alone(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = installed(store, tmp_path / "new", "1.0.0", NEW)
    document = store.manifest(holding).document
    spoil(holding.files / "seo/logo.bin")
    (holding.files / "seo/index.json").unlink()
    set_aside_corrupt(store, holding, verify(store, holding))
    assert store.find(holding.key) is None
    incoming = store.begin(document)
    assert {entry.path for _, entry in incoming.missing()} == {"seo/logo.bin", "seo/index.json"}
    assert incoming.put_all((each, NEW[each[1].path]) for each in incoming.missing()) == []
    assert found_in(store.install(store.finish(incoming).key).files) == dict(NEW)


@pytest.mark.parametrize("size", [100, BLOCK_BYTES + 5], ids=["small", "large"])
def test_damage_that_versions_share_is_not_mended_with_itself(tmp_path: Path, size: int) -> None:
    store = store_at(tmp_path / "data")
    shared = {"seo/logo.bin": bytes(size)}
    older = installed(store, tmp_path / "old", "1.0.0", OLD | shared)
    newer = installed(store, tmp_path / "new", "1.1.0", NEW | shared)
    document = store.manifest(newer).document
    spoil(newer.files / "seo/logo.bin")
    assert (older.files / "seo/logo.bin").samefile(newer.files / "seo/logo.bin")
    set_aside_corrupt(store, newer, verify(store, newer))
    incoming = store.begin(document)
    assert [entry.path for _, entry in incoming.missing()] == ["seo/logo.bin"]
    lacking = next(incoming.missing())
    if size > BLOCK_BYTES:
        blob = incoming.large(lacking)
        for block in blob.missing():
            incoming.write(blob, block, [bytes(blob.length(block))])
        incoming.finish_large(lacking[0], blob)
    else:
        incoming.put(lacking, bytes(size))
    mended = store.install(store.finish(incoming).key)
    assert verify(store, mended).sound

    document = store.manifest(older).document
    set_aside_corrupt(store, older, verify(store, older))
    assert store.begin(document).whole  # what is sound in the other version is taken from there


def test_prune_drops_what_cannot_be_gone_to_before_what_can(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    for number in range(5):
        installed(store, tmp_path / str(number), f"1.{number}.0", OLD | {"seo/number": str(number).encode()})
    void = {"1.2.0", "1.3.0"}
    assert [each.version for each in prunable(store, 3, {"1.4.0"}, void)] == ["1.3.0", "1.2.0"]
    assert [each.version for each in prunable(store, 4, {"1.4.0"}, void)] == ["1.2.0"]
    assert [each.version for each in prunable(store, 1, {"1.4.0"}, void)] == ["1.3.0", "1.2.0", "1.1.0", "1.0.0"]


def test_prune_keeps_the_newest_and_what_is_needed(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    for number in range(6):
        installed(store, tmp_path / str(number), f"1.{number}.0", OLD | {"seo/number": str(number).encode()})
    loser = take_tree(store, lay(tmp_path / "loser", NEW), "1.1.0", CREATED_AT)
    coming = take_tree(store, lay(tmp_path / "coming", NEW), "2.0.0", CREATED_AT)
    lay(store.layout.version("0.1.0"), OLD)
    doomed = prunable(store, keep=2, needed={"1.0.0"})
    assert [each.version for each in doomed] == ["1.3.0", "1.2.0", "1.1.0", "1.1.0"]
    assert loser.key in {each.key for each in doomed}
    assert len(store.holdings()) == 8
    assert prune(store, keep=2, needed={"1.0.0"}) == doomed
    assert store.versions() == ["1.5.0", "1.4.0", "1.0.0", "0.1.0"]
    assert store.find(coming.key) is not None
    for holding in store.holdings():
        assert verify(store, holding).sound
    assert not store.layout.manifest("1.3.0").exists()
