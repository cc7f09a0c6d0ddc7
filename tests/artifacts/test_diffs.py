"""A diff rebuilds its target byte for byte, from exactly its base, or is refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.artifacts.changes import changes_between, few_changes, rebuild
from node.artifacts.diffs import build_target, make_diff, read_diff, save_diff
from node.artifacts.errors import BadDiff, BadPath, ContentError, ContentMissing, TooMuch, WrongBase
from node.artifacts.intake import entry_of, take_tree
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.manifest import Manifest, compose
from node.artifacts.store import Store
from tests.artifacts.trees import CREATED_AT, NEW, OLD, Tree, found_in, installed, lay, store_at, trees


def diffed(root: Path, old: Tree, new: Tree) -> tuple[Store, bytes]:
    """A store that has 1.0.0 and 1.1.0, and the diff between them."""
    store = store_at(root / "data")
    base = installed(store, root / "old", "1.0.0", old)
    return store, make_diff(store, base, installed(store, root / "new", "1.1.0", new))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(chain=st.lists(trees, min_size=2, max_size=4))
def test_any_chain_of_diffs_gives_the_target(tmp_path_factory: pytest.TempPathFactory, chain: list[Tree]) -> None:
    root = tmp_path_factory.mktemp("chain")
    here, there = store_at(root / "here"), store_at(root / "there")
    versions = [installed(here, root / str(at), f"1.{at}.0", tree) for at, tree in enumerate(chain)]
    installed(there, root / "0", "1.0.0", chain[0])
    for base, target, tree in zip(versions, versions[1:], chain[1:], strict=False):
        data = make_diff(here, base, target)
        assert data == make_diff(here, base, target)
        built = there.install(build_target(there, read_diff(data, there.limits)).key)
        assert built.key == target.key
        assert found_in(built.files) == tree
        assert here.manifest(target) == rebuild(
            here.manifest(base), changes_between(here.manifest(base), here.manifest(target)), here.limits
        )


@pytest.mark.parametrize("path", ["Series/отвод.json", "series/Труба.json", "seo", "series/труба.json/x"])
def test_added_path_that_clashes_with_one_of_the_base_is_refused(path: str) -> None:
    base = manifest_of(OLD)
    entries = sorted([*base.entries, entry_of(path, b"{}")], key=lambda entry: entry.path)
    target = compose("1.1.0", CREATED_AT, entries)
    for changes in (few_changes(base, target), changes_between(base, target)):
        assert changes is not None
        with pytest.raises(BadPath):
            rebuild(base, changes, ContentLimits())


def manifest_of(tree: Tree) -> Manifest:
    return compose("1.0.0", CREATED_AT, [entry_of(path, data) for path, data in sorted(tree.items())])


def test_content_that_became_a_version_meanwhile_is_compared_all_the_same(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    base = installed(store, tmp_path / "old", "1.0.0", OLD)
    held = take_tree(store, lay(tmp_path / "new", NEW), "1.1.0", CREATED_AT)
    store.install(held.key)
    target = store.installed("1.1.0")
    assert target is not None
    assert make_diff(store, base, held) == make_diff(store, base, target)
    anew = store_at(tmp_path / "data")  # which has read no manifest yet
    assert anew.manifest(held) == store.manifest(target)


def test_file_is_iwdcs(tmp_path: Path) -> None:
    _, data = diffed(tmp_path, OLD, NEW)
    document = json.loads(data)
    content = document["meta"].pop("content")
    assert document == {
        "meta": {"fromVersion": "1.0.0", "toVersion": "1.1.0", "generatedAt": CREATED_AT},
        "summary": {
            "series": {"added": 0, "removed": 0, "changed": 0},
            "models": {"added": 1, "removed": 0, "changed": 1},
            "lengths": {"added": 0, "removed": 1, "changed": 0},
        },
        "series": {"added": [], "removed": [], "changed": []},
        "models": {
            "added": [{"slug": "otvod-45", "price": 8}],
            "removed": [],
            "changed": [{"from": {"slug": "otvod-90", "price": 10}, "to": {"slug": "otvod-90", "price": 11}}],
        },
        "lengths": {"added": [], "removed": [{"slug": "2000", "price": 3}], "changed": []},
    }
    assert content["changes"]["removed"] == ["lengths/отвод-90/2000.json"]
    assert len(content["blobs"]) == 5


def test_its_hash_is_that_of_the_file(tmp_path: Path) -> None:
    store, data = diffed(tmp_path, OLD, NEW)
    path = save_diff(store, data)
    assert path == store.layout.diffs / "1.0.0__1.1.0.diff.json"
    assert read_diff(path.read_bytes(), store.limits).hash == hashlib.sha256(data).hexdigest()


def objects(path: str, *values: object) -> Tree:
    return {path: json.dumps(list(values), ensure_ascii=False).encode(), "seo/x": b""}


def summary(data: bytes) -> Any:
    return json.loads(data)["summary"]


@pytest.mark.parametrize(
    ("old", "new", "name", "counts"),
    [
        (
            objects("series/a.json", {"series": "s", "slug": "1"}),
            objects("series/a.json", {"series": "s", "slug": "2"}),
            "series",
            (0, 0, 1),
        ),
        (
            objects("models/a.json", {"model_code": "m"}),
            objects("models/b.json", {"model_code": "m"}),
            "models",
            (0, 0, 0),
        ),
        (
            objects("models/a.json", {"id": 1}, {"id": 2}),
            objects("models/a.json", {"id": 2}, {"id": 3}),
            "models",
            (1, 1, 0),
        ),
        (objects("lengths/a.json", {"no": "key"}), objects("lengths/a.json", {"no": "kez"}), "lengths", (0, 0, 1)),
        (objects("lengths/a.json", {"id": "1"}), {"lengths/a.json": b"not JSON", "seo/x": b""}, "lengths", (0, 1, 0)),
        (
            {"lengths/m1/a.json": b'{"slug":"2000","p":1}', "lengths/m2/a.json": b'{"slug":"2000","p":2}'},
            {"lengths/m1/a.json": b'{"slug":"2000","p":1}', "lengths/m2/a.json": b'{"slug":"2000","p":3}'},
            "lengths",
            (0, 0, 1),
        ),
    ],
)
def test_objects_are_known_by_their_key(
    tmp_path: Path, old: Tree, new: Tree, name: str, counts: tuple[int, int, int]
) -> None:
    _, data = diffed(tmp_path, old, new)
    assert tuple(summary(data)[name].values()) == counts


def test_another_base_is_refused(tmp_path: Path) -> None:
    _, data = diffed(tmp_path / "there", OLD, NEW)
    diff = read_diff(data, ContentLimits())
    store = store_at(tmp_path / "here")
    with pytest.raises(ContentMissing, match=r"base 1\.0\.0 is not here"):
        build_target(store, diff)
    installed(store, tmp_path / "other", "1.0.0", OLD | {"seo/index.json": b"edited"})
    with pytest.raises(WrongBase, match="pull its target whole"):
        build_target(store, diff)
    assert [holding.version for holding in store.holdings()] == ["1.0.0"]


def test_same_base_listed_at_another_time_will_do(tmp_path: Path) -> None:
    _, data = diffed(tmp_path / "there", OLD, NEW)
    store = store_at(tmp_path / "here")
    document = b'{"version":"1.0.0","date":"2026-11-23T10:00:00.000Z","xlsHash":null,"sourcePath":null}'
    folder = lay(tmp_path / "source", OLD | {"meta.json": document})
    take_tree(store, folder, "1.0.0", "2027-01-01T00:00:00.000Z")
    assert found_in(build_target(store, read_diff(data, store.limits)).files) == dict(NEW)


def with_content(data: bytes, change: Any) -> bytes:
    document = json.loads(data)
    change(document["meta"]["content"])
    return json.dumps(document).encode()


def _swap_blob(content: Any) -> None:
    content["blobs"] = {hash_: {"text": "other"} for hash_ in content["blobs"]}


def _escape(content: Any) -> None:
    content["changes"]["entries"][0]["path"] = "../../escape"


def _forge_key(content: Any) -> None:
    content["changes"]["key"] = "0" * 64


def _drop_blobs(content: Any) -> None:
    content["blobs"] = {}


def _remove_more(content: Any) -> None:
    content["changes"]["removed"].append("series/no-such.json")


def _forget_removed(content: Any) -> None:
    content["changes"]["removed"] = []


def _break_base64(content: Any) -> None:
    content["blobs"] = {hash_: {"base64": "!"} for hash_ in content["blobs"]}


@pytest.mark.parametrize(
    "change", [_swap_blob, _escape, _forge_key, _drop_blobs, _remove_more, _forget_removed, _break_base64]
)
def test_content_that_does_not_lead_to_the_target_is_refused(tmp_path: Path, change: Any) -> None:
    _, data = diffed(tmp_path / "there", OLD, NEW)
    store = store_at(tmp_path / "here")
    base = installed(store, tmp_path / "there" / "old", "1.0.0", OLD)
    with pytest.raises(ContentError):
        build_target(store, read_diff(with_content(data, change), store.limits))
    assert store.holdings() == [base]
    assert store.unfinished() == []
    assert not (tmp_path / "escape").exists()


def test_iwdcs_diff_is_for_reading(tmp_path: Path) -> None:
    store, data = diffed(tmp_path, OLD, NEW)
    document = json.loads(data)
    del document["meta"]["content"]
    with pytest.raises(BadDiff, match=r"pull 1\.1\.0 whole"):
        build_target(store, read_diff(json.dumps(document).encode(), store.limits))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"meta":{"fromVersion":"../x","toVersion":"1.0.0","generatedAt":""}}',
        b'{"meta":{"fromVersion":"1.0.0","toVersion":"1","generatedAt":""}}',
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(BadDiff):
        read_diff(data, ContentLimits())


def test_large_files_travel_in_a_diff_up_to_its_limit(tmp_path: Path) -> None:
    big = bytes(range(256)) * (BLOCK_BYTES // 256) + b"end"
    _, data = diffed(tmp_path / "there", OLD, {**OLD, "seo/big.bin": big})
    store = store_at(tmp_path / "here")
    installed(store, tmp_path / "there" / "old", "1.0.0", OLD)
    built = build_target(store, read_diff(data, store.limits))
    assert found_in(built.files)["seo/big.bin"] == big
    small = store_at(tmp_path / "there" / "data", ContentLimits(max_diff_bytes=1_000))
    base, target = small.installed("1.0.0"), small.installed("1.1.0")
    assert base is not None
    assert target is not None
    with pytest.raises(TooMuch, match="max_diff_bytes"):
        make_diff(small, base, target)


def test_rotten_base_does_not_get_into_a_diff(tmp_path: Path) -> None:
    store, _ = diffed(tmp_path, OLD, NEW)
    base, target = store.installed("1.0.0"), store.installed("1.1.0")
    assert base is not None
    assert target is not None
    path = target.files / "models/отвод-45.json"
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(ContentError, match="отвод-45"):
        make_diff(store, base, target)
