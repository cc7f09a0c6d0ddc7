"""Content comes in whole or not at all, is shared between versions, and goes with the last version that has it."""

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadBlocks, BadContent, BadManifest, BadPath, ContentMissing, NoSpace, TooMuch
from node.artifacts.incoming import Begun, Incoming
from node.artifacts.intake import inspect, take_tree
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.manifest import Manifest, compose
from node.artifacts.store import Holding, Store
from tests.artifacts.trees import CREATED_AT, NEW, OLD, Tree, found_in, installed, lay, store_at, trees


def moved(holding: Holding, source: Store, target: Store) -> Holding:
    """Bring content from one store to another as a transfer does: by hash, what is missing alone."""
    incoming = target.begin(source.manifest(holding).document)
    assert incoming.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in incoming.missing()) == []
    return target.finish(incoming)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(tree=trees)
def test_any_tree_arrives_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    root = tmp_path_factory.mktemp("any")
    here, there = store_at(root / "here"), store_at(root / "there")
    holding = installed(here, root / "source", "1.0.0", tree)
    assert found_in(holding.files) == tree
    arrived = there.install(moved(holding, here, there).key)
    assert arrived.key == holding.key
    assert found_in(arrived.files) == found_in(holding.files)
    assert (arrived.files / "meta.json").read_bytes() == (holding.files / "meta.json").read_bytes()


def test_versions_share_what_did_not_change(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    old = installed(store, tmp_path / "old", "1.0.0", OLD)
    new = take_tree(store, lay(tmp_path / "new", NEW), "1.1.0", CREATED_AT)
    same = "series/труба.json"
    assert (old.files / same).samefile(new.files / same)
    assert (old.files / same).stat().st_mode & 0o777 == 0o444
    store.drop(old)
    assert found_in(new.files) == dict(NEW)
    assert store.find(old.key) is None


def test_of_long_manifests_the_one_used_last_alone_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(tmp_path / "data")
    one = take_tree(store, lay(tmp_path / "one", OLD), "1.0.0", CREATED_AT)
    other = take_tree(store, lay(tmp_path / "other", NEW), "1.1.0", CREATED_AT)
    kept = store.manifest(one)
    assert store.manifest(other) is store.manifest(other)
    assert store.manifest(one) is kept
    monkeypatch.setattr("node.artifacts.store.MAX_DOCUMENTS_BYTES", len(kept.document))
    long = take_tree(store, lay(tmp_path / "long", NEW), "1.2.0", CREATED_AT)
    assert store.manifest(long) is store.manifest(long)
    assert store.manifest(one) is not kept
    assert store.manifest(one) == kept


def test_only_what_lacks_is_asked_for(tmp_path: Path) -> None:
    here, there = store_at(tmp_path / "here"), store_at(tmp_path / "there")
    old = installed(here, tmp_path / "old", "1.0.0", OLD)
    there.install(moved(old, here, there).key)
    new = take_tree(here, lay(tmp_path / "new", NEW), "1.1.0", CREATED_AT)
    incoming = there.begin(here.manifest(new).document)
    assert {entry.path for _, entry in incoming.missing()} == {*(NEW.keys() - {"series/труба.json"}), "meta.json"}


def test_what_is_being_received_is_not_given_up(tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(tmp_path / "here")
    manifest = there.manifest(installed(there, tmp_path / "old", "1.0.0", OLD))
    with here.receiving(manifest) as incoming:
        assert not incoming.whole
        assert here.unfinished() == []
    assert here.unfinished() == [manifest.key]


def test_what_was_removed_behind_our_back_is_asked_for_again(tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(tmp_path / "here")
    holding = installed(there, tmp_path / "new", "1.0.0", NEW)
    document = there.manifest(holding).document
    incoming = here.begin(document)
    incoming.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in incoming.missing())
    (incoming.files / "seo/logo.bin").unlink()
    with pytest.raises(ContentMissing, match="looked at again"):
        here.finish(incoming)
    assert here.holdings() == []
    again = here.begin(document)
    assert [entry.path for _, entry in again.missing()] == ["seo/logo.bin"]


def test_one_content_under_many_names_is_asked_for_once(tmp_path: Path) -> None:
    here, there = store_at(tmp_path / "here"), store_at(tmp_path / "there")
    tree = {f"series/{number}.json": b"{}" for number in range(50)}
    holding = installed(here, tmp_path / "source", "1.0.0", tree)
    incoming = there.begin(here.manifest(holding).document)
    assert len(list(incoming.missing())) == incoming.lacking == 2
    assert found_in(moved(holding, here, there).files) == tree


def test_wrong_bytes_leave_nothing(tmp_path: Path) -> None:
    here, there = store_at(tmp_path / "here"), store_at(tmp_path / "there")
    holding = installed(here, tmp_path / "source", "1.0.0", OLD)
    incoming = there.begin(here.manifest(holding).document)
    lacking = next(incoming.missing())
    with pytest.raises(BadContent, match="fetched again"):
        incoming.put(lacking, b"something else")
    assert incoming.put_all([(lacking, b"something else")]) == [lacking]
    assert lacking in incoming.missing()
    assert found_in(incoming.files) == {}
    with pytest.raises(ContentMissing, match="not here yet"):
        there.finish(incoming)
    assert there.holdings() == []


def test_goes_on_where_a_crash_stopped_it(tmp_path: Path) -> None:
    here, there = store_at(tmp_path / "here"), store_at(tmp_path / "there")
    holding = installed(here, tmp_path / "source", "1.0.0", NEW)
    document = here.manifest(holding).document
    incoming = there.begin(document)
    first, second, *rest = incoming.missing()
    incoming.put(first, Path(holding.path(first[1])).read_bytes())
    Path(incoming.files, second[1].path).write_bytes(b"half-wri")
    again = store_at(tmp_path / "there")
    assert again.unfinished() == [holding.key]
    incoming = again.begin(document)
    assert list(incoming.missing()) == [second, *rest]
    assert found_in(moved(holding, here, again).files) == dict(NEW)
    assert again.unfinished() == []


def test_two_contents_of_one_version_stand_back_for_each_other(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    one = take_tree(store, lay(tmp_path / "one", OLD), "1.0.0", CREATED_AT)
    other = take_tree(store, lay(tmp_path / "other", NEW), "1.0.0", CREATED_AT)
    for winner, loser, tree in ((one, other, OLD), (other, one, NEW), (one, other, OLD)):
        standing = store.install(winner.key)
        assert found_in(store.layout.version("1.0.0")) == dict(tree)
        assert store.installed("1.0.0") == standing
        held = store.find(loser.key)
        assert held is not None
        assert not held.installed
    assert store.install(one.key).installed
    with pytest.raises(ContentMissing, match="pull its version"):
        store.install("0" * 64)


def test_the_same_folder_taken_later_is_the_same_content(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    source = lay(tmp_path / "source", OLD)
    first = take_tree(store, source, "1.0.0", CREATED_AT)
    assert take_tree(store, source, "1.0.0", "2026-12-01T00:00:00.000Z") == first
    installed_ = store.install(first.key)
    assert take_tree(store, source, "1.0.0", "2026-12-02T00:00:00.000Z") == installed_
    assert take_tree(store, lay(tmp_path / "other", NEW), "1.0.0", CREATED_AT).key != first.key
    assert len(store.holdings()) == 2


@pytest.mark.parametrize("version", ["../1.0.0", "", "1.0.0+build", "latest"])
def test_a_folder_is_taken_for_versions_alone(tmp_path: Path, version: str) -> None:
    with pytest.raises(BadManifest, match="neither like"):
        take_tree(store_at(tmp_path / "data"), lay(tmp_path / "source", OLD), version, CREATED_AT)


def test_content_is_known_by_its_key_alone(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    take_tree(store, lay(tmp_path / "source", OLD), "1.0.0", CREATED_AT)
    for key in ("", "..", "../held", "0" * 63, "Z" * 64):
        assert store.find(key) is None


def large(size: int) -> tuple[bytes, FileEntry]:
    data = random.Random(size).randbytes(size)
    blocks = [data[at : at + BLOCK_BYTES] for at in range(0, size, BLOCK_BYTES)]
    hashes = tuple(hashlib.sha256(block).hexdigest() for block in blocks)
    return data, FileEntry("seo/big.bin", hashlib.sha256(data).hexdigest(), size, "bin", hashes)


def block(data: bytes, number: int) -> bytes:
    return data[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]


def test_large_file_comes_in_any_order_and_survives_a_restart(tmp_path: Path) -> None:
    data, entry = large(3 * BLOCK_BYTES + 5)
    document = compose("1.0.0", CREATED_AT, [entry]).document
    store = store_at(tmp_path)
    incoming = store.begin(document)
    blob = incoming.large(next(incoming.missing()))
    for number in (3, 1):
        incoming.write(blob, number, [block(data, number)])
    blob.close()
    store = store_at(tmp_path)
    incoming = store.begin(document)
    blob = incoming.large(next(incoming.missing()))
    assert blob.missing() == [0, 2]
    with pytest.raises(ContentMissing, match="2 blocks"):
        incoming.finish_large(0, blob)
    for number in (2, 0):
        incoming.write(blob, number, [block(data, number)])
    incoming.finish_large(0, blob)
    holding = store.finish(incoming)
    assert Path(holding.path(entry)).read_bytes() == data


def test_bad_blocks_are_named_and_only_they_are_fetched_again(tmp_path: Path) -> None:
    data, entry = large(4 * BLOCK_BYTES)
    store = store_at(tmp_path)
    incoming = store.begin(compose("1.0.0", CREATED_AT, [entry]).document)
    blob = incoming.large(next(incoming.missing()))
    for number in range(4):
        incoming.write(blob, number, [block(data, number) if number % 2 else bytes(BLOCK_BYTES)])
    with pytest.raises(BadBlocks) as refused:
        incoming.finish_large(0, blob)
    assert refused.value.blocks == (0, 2)
    assert blob.missing() == [0, 2]
    with pytest.raises(BadContent, match="5 bytes"):
        incoming.write(blob, 0, [b"short"])
    for number in (0, 2):
        incoming.write(blob, number, [block(data, number)])
    incoming.finish_large(0, blob)
    assert Path(store.finish(incoming).path(entry)).read_bytes() == data


def test_block_that_stops_half_way_is_missing_and_comes_from_elsewhere(tmp_path: Path) -> None:
    data, entry = large(2 * BLOCK_BYTES)
    store = store_at(tmp_path)
    incoming = store.begin(compose("1.0.0", CREATED_AT, [entry]).document)
    blob = incoming.large(next(incoming.missing()))

    def failing() -> Iterator[bytes]:
        yield bytes(1000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        blob.write(0, failing())
    with pytest.raises(BadContent, match="expected a block of"):
        incoming.write(blob, 0, [block(data, 0), b"more"])
    assert blob.missing() == [0, 1]
    for number in range(2):
        whole = block(data, number)
        incoming.write(blob, number, [whole[:1], whole[1:5000], whole[5000:]])
    incoming.finish_large(0, blob)
    assert Path(store.finish(incoming).path(entry)).read_bytes() == data


def test_manifest_that_contradicts_itself_is_not_the_peers_fault(tmp_path: Path) -> None:
    data, entry = large(2 * BLOCK_BYTES)
    lying = FileEntry(entry.path, "0" * 64, entry.size, entry.type, entry.blocks)
    incoming = store_at(tmp_path).begin(compose("1.0.0", CREATED_AT, [lying]).document)
    blob = incoming.large(next(incoming.missing()))
    for number in range(2):
        incoming.write(blob, number, [block(data, number)])
    with pytest.raises(BadContent):
        incoming.finish_large(0, blob)
    blob.close()


def test_large_file_is_taken_from_a_folder(tmp_path: Path) -> None:
    data, entry = large(2 * BLOCK_BYTES + 1)
    store = store_at(tmp_path / "data")
    holding = take_tree(store, lay(tmp_path / "source", OLD | {entry.path: data}), "1.0.0", CREATED_AT)
    assert entry in list(store.manifest(holding).entries)
    assert Path(holding.path(entry)).read_bytes() == data


def test_a_folder_that_was_taken_half_way_is_the_same_content_when_it_is_taken_again(tmp_path: Path) -> None:
    store, source = store_at(tmp_path / "data"), lay(tmp_path / "source", OLD)
    begun = store.begin(inspect(source, "1.0.0", CREATED_AT, store.limits).document)
    begun.put(next(begun.missing()), OLD[next(begun.missing())[1].path])
    store = store_at(tmp_path / "data")
    later = "2026-12-24T10:00:00.000Z"
    other = take_tree(store, lay(tmp_path / "other", NEW), "1.0.0", later)
    assert other.key != begun.manifest.key
    assert take_tree(store, source, "1.0.0", later).key == begun.manifest.key
    assert store.unfinished() == []


def test_full_disk_is_told_before_anything_moves(tmp_path: Path) -> None:
    store = store_at(tmp_path, ContentLimits(reserve_bytes=10**15))
    document = compose("1.0.0", CREATED_AT, [FileEntry("seo/x", "0" * 64, 5_000, "x")]).document
    with pytest.raises(NoSpace, match="bytes are missing") as refused:
        store.begin(document)
    assert refused.value.missing_bytes > 10**14


def test_both_of_iwdcs_layouts_are_taken_where_they_lie(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    meta = b'{"version":"%s","date":"2026-01-01T00:00:00.000Z","xlsHash":null,"sourcePath":null}'
    for version, prefix in (("1.0.0", ""), ("20260101-120000", "json/")):
        tree = {prefix + path: data for path, data in OLD.items()}
        folder = lay(store.layout.version(version), tree | {"meta.json": meta % version.encode()})
        inode = (folder / f"{prefix}seo/index.json").stat().st_ino
        holding = take_tree(store, folder, version, CREATED_AT)
        assert holding.installed
        assert found_in(holding.files) == tree
        assert (folder / f"{prefix}seo/index.json").stat().st_ino == inode
        assert take_tree(store, folder, version, "2027-01-01T00:00:00.000Z") == holding
    assert store.versions() == ["20260101-120000", "1.0.0"]


def test_iwdcs_own_manifest_must_agree(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    folder = lay(store.layout.version("1.0.0"), OLD)
    ours = inspect(folder, "1.0.0", CREATED_AT, store.limits)
    theirs = ours.document.replace(b'"others"', b'"note"')
    store.layout.manifest("1.0.0").write_bytes(theirs)
    assert store.installed("1.0.0") is None
    (folder / "models/отвод-90.json").write_bytes(b"edited")
    with pytest.raises(BadManifest, match="отвод-90"):
        take_tree(store, folder, "1.0.0", CREATED_AT)
    lay(folder, OLD)
    assert store.manifest(take_tree(store, folder, "1.0.0", CREATED_AT)).root == ours.root


def test_folder_without_our_manifest_steps_aside(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    lay(store.layout.version("1.0.0"), {"series/a.json": b"theirs"})
    holding = take_tree(store, lay(tmp_path / "source", OLD), "1.0.0", CREATED_AT)
    store.install(holding.key)
    assert found_in(store.layout.version("1.0.0")) == dict(OLD)
    assert found_in(store.layout.versions / "1.0.0.replaced") == {"series/a.json": b"theirs"}


def test_links_devices_and_wrong_folders_are_refused(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    folder = lay(tmp_path / "source", OLD)
    (folder / "series/link.json").symlink_to("/etc/passwd")
    with pytest.raises(BadPath, match="link or a device"):
        take_tree(store, folder, "1.0.0", CREATED_AT)
    (folder / "series/link.json").unlink()
    os.mkfifo(folder / "series/pipe.json")
    with pytest.raises(BadPath, match="link or a device"):
        take_tree(store, folder, "1.0.0", CREATED_AT)
    (folder / "series/pipe.json").unlink()
    (folder / "meta.json").write_bytes(b'{"version":"9.9.9"}')
    with pytest.raises(BadManifest, match=r"9\.9\.9"):
        take_tree(store, folder, "1.0.0", CREATED_AT)
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "empty"):
        with pytest.raises(ContentMissing, match="expected"):
            take_tree(store, tmp_path / name, "1.0.0", CREATED_AT)
    with pytest.raises(ContentMissing, match=r"no \.json file below series, models, lengths; is it the right folder\?"):
        take_tree(store, lay(tmp_path / "docs", {"index.md": b"#", "seo/a.json": b"{}"}), "1.0.0", CREATED_AT)
    assert store.holdings() == []


def test_limits_hold_for_folders(tmp_path: Path) -> None:
    folder = lay(tmp_path / "source", OLD)
    for limits in (ContentLimits(max_files=3), ContentLimits(max_file_bytes=20), ContentLimits(max_version_bytes=60)):
        with pytest.raises(TooMuch):
            inspect(folder, "1.0.0", CREATED_AT, limits)


def test_thousands_of_cyrillic_files(tmp_path: Path) -> None:
    tree = {
        f"lengths/модель-{number % 40}/длина-{number}.json": f'{{"slug":"длина-{number}","мм":{number}}}'.encode()
        for number in range(3_000)
    }
    here, there = store_at(tmp_path / "here"), store_at(tmp_path / "there")
    holding = installed(here, tmp_path / "source", "20261123-030000", tree)
    assert found_in(moved(holding, here, there).files) == tree


def spare_of(store: Store) -> Path:
    store.prepare()
    [files] = store.layout.spare.iterdir()
    return files


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(old=trees, new=trees)
def test_any_version_may_begin_from_the_spare_of_any_other(
    tmp_path_factory: pytest.TempPathFactory, old: Tree, new: Tree
) -> None:
    place = tmp_path_factory.mktemp("spare")
    there, here = store_at(place / "there"), store_at(place / "here")
    installed(here, place / "old", "1.0.0", old)
    spare = spare_of(here)
    assert found_in(spare) == dict(old)
    holding = installed(there, place / "new", "1.1.0", new)
    incoming = here.begin(there.manifest(holding).document)
    same = sum(new.get(path) == data for path, data in old.items())
    assert spare.exists() == (2 * same < len(old) + 1), "a spare is of use where most of it is the same"
    incoming.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in incoming.missing())
    here.install(here.finish(incoming).key)
    assert found_in(here.layout.version("1.1.0")) == dict(new)
    assert found_in(here.layout.version("1.0.0")) == dict(old)
    folders = {path for path in here.layout.version("1.1.0").rglob("*") if path.is_dir()}
    assert all(any(each.iterdir()) for each in folders), "no folder is left empty"


def test_spare_is_of_the_newest_and_goes_with_what_it_was_made_of(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    installed(store, tmp_path / "old", "1.0.0", OLD)
    first = spare_of(store)
    assert spare_of(store) == first
    changed = {**OLD, "seo/index.json": b"{}"}
    newest = installed(store, tmp_path / "new", "1.1.0", changed)
    assert not first.exists(), "1.1.0 has begun from it"
    second = spare_of(store)
    assert found_in(second) == changed
    store.reopen(newest)
    assert not second.exists(), "it may have what is damaged"
    assert found_in(spare_of(store)) == dict(OLD)
    store.drop(next(each for each in store.holdings() if each.version == "1.0.0"))
    assert not store.layout.spare.exists()
    store.prepare()
    assert not store.layout.spare.exists()


def test_spare_that_was_given_away_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, store = store_at(tmp_path / "there"), store_at(tmp_path / "data")
    installed(store, tmp_path / "old", "1.0.0", OLD)
    store.prepare()
    changed = {**OLD, "seo/index.json": b"{}"}
    holding = installed(there, tmp_path / "new", "1.1.0", changed)
    begin = Incoming.open

    def begun_late(folder: Path, manifest: Manifest, begun: Begun | None) -> Incoming:
        store.prepare()
        return begin(folder, manifest, begun)

    monkeypatch.setattr(Incoming, "open", begun_late)
    incoming = store.begin(there.manifest(holding).document)
    incoming.put_all((each, Path(holding.path(each[1])).read_bytes()) for each in incoming.missing())
    assert found_in(store.finish(incoming).files) == changed
    assert found_in(spare_of(store)) == dict(OLD), "what was made meanwhile is another one"


def test_what_was_edited_or_left_by_another_process_is_no_spare(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = installed(store, tmp_path / "old", "1.0.0", OLD)
    left = spare_of(store)
    again = store_at(tmp_path / "data")
    assert not left.exists()
    (holding.files / "seo/index.json").chmod(0o644)
    again.prepare()
    assert not list(store.layout.spare.iterdir())
