"""Giving content: it may move while it is given, and what is gone does not keep the answer from its length."""

import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.artifacts.errors import ContentMissing
from node.artifacts.intake import take_tree
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.manifest import Manifest
from node.artifacts.store import Holding
from node.runtime.content.pace import Pace
from node.runtime.content.serving import BadParts, Sender, Shared, pieces_of
from node.runtime.content.shapes import Part
from tests.artifacts.trees import CREATED_AT, lay, store_at

WAIT_S = 30.0
TREE = {"series/труба.json": b'{"series":"1"}', "models/big.bin": b"\x07" * (BLOCK_BYTES + 1)}


def _given(sender: Sender, holding: Holding, manifest: Manifest) -> bytes:
    parts: list[Part] = [(at, 0, entry.size) for at, entry in enumerate(manifest.entries)]
    size = manifest.size_bytes
    ours, theirs = socket.socketpair()
    with ours, theirs:
        giving = threading.Thread(target=sender.send, args=(holding, pieces_of(manifest, parts), ours))
        giving.start()
        data = b""
        while len(data) < size:
            data += theirs.recv(size - len(data))
        giving.join()
    return data


def test_content_that_becomes_a_version_is_given_whole_from_where_it_lies_then(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = take_tree(store, lay(tmp_path / "source", TREE), "1.0.0", CREATED_AT)
    manifest = store.manifest(holding)
    expected = b"".join(Path(holding.path(entry)).read_bytes() for entry in manifest.entries)
    store.install(holding.key)
    assert not holding.files.exists()
    assert _given(Sender(Pace(None), store), holding, manifest) == expected


def test_what_is_gone_is_padded(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = take_tree(store, lay(tmp_path / "source", TREE), "1.0.0", CREATED_AT)
    manifest = store.manifest(holding)
    shutil.rmtree(holding.files)
    assert _given(Sender(Pace(None), store), holding, manifest) == bytes(manifest.size_bytes)


def test_what_several_targets_ask_for_at_one_time_is_made_once() -> None:
    made, begun, go_on = list[str](), threading.Event(), threading.Event()
    shared = Shared[str](1)

    def make() -> str:
        made.append("one")
        begun.set()
        assert go_on.wait(WAIT_S)
        return "one"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.get, ("key",), make)
        assert begun.wait(WAIT_S)
        second = pool.submit(shared.get, ("key",), make)
        go_on.set()
        assert (first.result(), second.result()) == ("one", "one")
    assert made == ["one"]
    assert shared.get(("other",), lambda: "other") == "other"
    assert shared.get(("key",), make) == "one"
    assert made == ["one", "one"], "it was kept longer than was asked for"


def test_pieces_are_found_where_the_manifest_lies(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    tree = TREE | {"seo/a.txt": b"1", "seo/b.txt": b"", "series/z.json": b"{}"}
    holding = take_tree(store, lay(tmp_path / "source", tree), "1.0.0", CREATED_AT)
    manifest, sender = store.manifest(holding), Sender(Pace(None), store)
    store.install(holding.key)  # the manifest lies elsewhere by now
    for place in range(manifest.count):
        for last in range(place, manifest.count):
            length = sum(entry.size for entry in manifest.span(place, last + 1))
            parts: list[Part] = [(place, 0, length)]
            assert sender.pieces(holding, parts) == pieces_of(manifest, parts)
    with pytest.raises(BadParts):
        sender.pieces(holding, [(manifest.count, 0, 1)])


def test_a_manifest_that_has_rotted_gives_no_pieces(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = take_tree(store, lay(tmp_path / "source", TREE), "1.0.0", CREATED_AT)
    holding.manifest_path.write_bytes(holding.manifest_path.read_bytes().replace(b"series", b"seriez"))
    with pytest.raises(ContentMissing, match="not the manifest that was written"):
        Sender(Pace(None), store).pieces(holding, [(0, 0, 1)])
