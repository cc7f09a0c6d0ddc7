"""The manifest is IWDC's, its one form is bound by its key, and no document that lies is taken."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.artifacts.checks import parse_manifest
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadManifest, BadPath, ContentError, TooMuch
from node.artifacts.intake import entry_of
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.manifest import Manifest, compose, read_manifest
from tests.artifacts.trees import CREATED_AT, NEW, OLD, Tree, trees

LIMITS = ContentLimits()


def manifest_of(tree: Tree, version: str = "1.0.0") -> Manifest:
    return compose(version, CREATED_AT, [entry_of(path, data) for path, data in sorted(tree.items())])


def iwdc_root(tree: Tree) -> str:
    """The root as the facts about IWDC tell it, told once more."""
    counted = [
        path
        for path in tree
        if path.endswith(".json") and any(f"/{c}/" in f"/{path}" for c in ("series", "models", "lengths"))
    ]
    lines = [f"{path}:{hashlib.sha256(tree[path]).hexdigest()}" for path in sorted(counted)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_document_is_iwdcs_with_the_rest_beside() -> None:
    tree = {"series/a.json": b"{}", "seo/x.json": b"[]"}
    empty, array = hashlib.sha256(b"{}").hexdigest(), hashlib.sha256(b"[]").hexdigest()
    assert json.loads(manifest_of(tree).document) == {
        "version": "1.0.0",
        "createdAt": CREATED_AT,
        "algorithm": "sha256",
        "manifestVersion": "1.0",
        "root": hashlib.sha256(f"series/a.json:{empty}".encode()).hexdigest(),
        "files": [{"path": "series/a.json", "hash": empty, "size": 2, "type": "series"}],
        "others": [{"path": "seo/x.json", "hash": array, "size": 2, "type": "json"}],
    }


def test_without_files_that_count_the_root_is_of_nothing() -> None:
    assert manifest_of({"seo/x.json": b""}).root == hashlib.sha256(b"").hexdigest()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees)
def test_any_tree_has_iwdcs_root_and_one_form(tree: Tree) -> None:
    manifest = manifest_of(tree)
    assert manifest.root == iwdc_root(tree)
    again = parse_manifest(manifest.document, LIMITS)
    assert again == manifest
    assert {entry.path for entry in again.entries} == set(tree)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees, trees)
def test_tree_hash_tells_content_and_not_when_it_was_listed(one: Tree, other: Tree) -> None:
    later = compose("2.0.0", "2027-01-01T00:00:00.000Z", [entry_of(path, data) for path, data in sorted(one.items())])
    assert later.tree == manifest_of(one).tree
    assert (manifest_of(one).tree == manifest_of(other).tree) == (one == other)


def tampered(**changes: Any) -> bytes:
    document = json.loads(manifest_of(OLD).document)
    return json.dumps(document | changes, ensure_ascii=False, separators=(",", ":")).encode()


def changed_file(**changes: Any) -> bytes:
    document = json.loads(manifest_of(OLD).document)
    document["files"][0] |= changes
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def test_untouched_form_is_what_the_others_start_from() -> None:
    assert tampered() == manifest_of(OLD).document


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b"\xff",
        manifest_of(OLD).document + b" ",
        tampered(extra=1),
        tampered(version="../1"),
        tampered(version="1"),
        tampered(algorithm="md5"),
        tampered(manifestVersion="2.0"),
        tampered(createdAt="yesterday"),
        tampered(root="0" * 64),
        tampered(files=[]),
        tampered(files=json.loads(manifest_of(OLD).document)["files"][::-1]),
        tampered(others=json.loads(manifest_of(OLD).document)["files"]),
        changed_file(size=-1),
        changed_file(size="1"),
        changed_file(hash="x" * 64),
        changed_file(hash="A" * 64),
        changed_file(type="models"),
        changed_file(size=BLOCK_BYTES + 1),
        changed_file(blocks=["0" * 64]),
        changed_file(path="../lengths/x.json"),
        changed_file(path="/lengths/x.json"),
        changed_file(path="lengths/nul.json"),
    ],
    ids=range(25),
)
def test_document_that_lies_is_refused(document: bytes) -> None:
    with pytest.raises((BadManifest, BadPath)):
        parse_manifest(document, LIMITS)


@given(st.binary(max_size=200))
def test_garbage_is_refused(document: bytes) -> None:
    with pytest.raises(ContentError):
        parse_manifest(document, LIMITS)


@given(st.data())
def test_one_changed_byte_is_another_key_or_refused(data: st.DataObject) -> None:
    document = bytearray(manifest_of(NEW).document)
    at = data.draw(st.integers(0, len(document) - 1))
    document[at] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_manifest(bytes(document), LIMITS)
    except ContentError:
        return
    assert found.key != manifest_of(NEW).key


def test_limits_are_named() -> None:
    document = manifest_of(OLD).document
    for limits, key in (
        (ContentLimits(max_files=3), "max_files"),
        (ContentLimits(max_file_bytes=20), "max_file_bytes"),
        (ContentLimits(max_version_bytes=60), "max_version_bytes"),
        (ContentLimits(max_manifest_bytes=100), "max_manifest_bytes"),
    ):
        with pytest.raises(TooMuch, match=key) as refused:
            parse_manifest(document, limits)
        assert refused.value.key == key


def test_one_layout_per_version() -> None:
    parse_manifest(manifest_of({"json/series/a.json": b"{}", "meta.json": b"{}"}).document, LIMITS)
    with pytest.raises(BadPath, match="beside json/"):
        parse_manifest(manifest_of({"json/series/a.json": b"{}", "series/a.json": b"{}"}).document, LIMITS)


def test_large_file_has_blocks() -> None:
    size = 2 * BLOCK_BYTES + 1
    entry = FileEntry("seo/big", "0" * 64, size, "big", ("1" * 64, "2" * 64, "3" * 64))
    assert parse_manifest(compose("1.0.0", CREATED_AT, [entry]).document, LIMITS).entry(0) == entry
    with pytest.raises(BadManifest, match="expected 3 blocks"):
        parse_manifest(
            compose("1.0.0", CREATED_AT, [FileEntry("seo/big", "0" * 64, size, "big", ("1" * 64,))]).document, LIMITS
        )


LONG: Tree = {f"{category}/изделие-{n}.json": b"%d" % n for n in range(900) for category in ("models", "seo")}


def test_a_long_manifest_is_read_in_portions_and_is_the_same() -> None:
    manifest = manifest_of(LONG)
    assert (len(manifest.files), len(manifest.others), manifest.count) == (900, 900, 1_800)
    assert manifest.root == iwdc_root(LONG)
    again = parse_manifest(manifest.document, LIMITS)
    assert again == manifest == read_manifest(manifest.document)
    entries = list(again.entries)
    assert [entry.path for entry in entries] == sorted(LONG)
    assert again.span(890, 910) == entries[890:910]
    assert again.span(0, 1_800) == entries
    assert again.pick((1_799, 0, 899, 900)) == [entries[1_799], entries[0], entries[899], entries[900]]
    assert again.size_bytes == sum(map(len, LONG.values()))


@pytest.mark.parametrize("place", [1, 512, 899, 901, 1_412])
def test_another_form_is_refused_wherever_it_is(place: int) -> None:
    manifest = manifest_of(LONG)
    entry = manifest.entry(place).path.encode()
    at = manifest.document.index(b'{"path":"%b"' % entry)
    for before, after in ((at, at), (at - 1, at), (at + 1, at + 1)):
        document = manifest.document[:before] + b" " + manifest.document[after:]
        with pytest.raises(BadManifest):
            parse_manifest(document, LIMITS)
