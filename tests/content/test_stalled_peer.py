"""A peer that stands still, as a paused process does, holds a pull up for as long as it may and no longer."""

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from node.artifacts.intake import take_tree
from node.artifacts.store import Holding, Store
from node.protocol.settings import Member
from node.runtime.content.pace import Pace
from node.runtime.content.pull import Pull, Unserved
from node.runtime.content.serving import pieces_of
from tests.artifacts.trees import CREATED_AT, NEW, found_in, lay, store_at
from tests.content.playing import played

ASK_S = 0.2


@contextmanager
def _stalled() -> Iterator[Member]:
    """Takes connections as the system does for a stopped process, and never reads or answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Member("stalled", f"http://127.0.0.1:{server.getsockname()[1]}/api/v1")


@contextmanager
def _honest(store: Store, holding: Holding, version: str = "1.0.0") -> Iterator[Member]:
    """Gives the content, and says that it is this version."""
    manifest = store.manifest(holding)

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        if path.endswith("/manifest"):
            return 200, manifest.document
        if not body:
            standing = {"key": holding.key, "version": version, "state": "held"}
            return 200, json.dumps({"success": True, "data": standing}).encode()
        pieces = pieces_of(manifest, json.loads(body)["parts"])
        return 200, b"".join(Path(holding.path(entry)).read_bytes() for _, entry in pieces)

    with played("honest", answer) as member:
        yield member


def test_the_others_give_it_though_one_stands_still(tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(tmp_path / "here")
    holding = take_tree(there, lay(tmp_path / "source", NEW), "1.0.0", CREATED_AT)
    with _stalled() as stalled, _honest(there, holding) as honest:
        while (got := here.find(holding.key)) is None:
            pull = Pull(here, holding.key, [stalled, honest], Pace(None), lambda _peer, _path: None, ask_s=ASK_S)
            with suppress(Unserved):  # on a busy machine the honest one may be late as well
                pull.run(lambda _manifest: None)
    assert found_in(got.files) == dict(NEW)
    assert pull.given.keys() == {"honest"}


def test_one_that_names_no_version_is_named(tmp_path: Path) -> None:
    there = store_at(tmp_path / "there")
    holding = take_tree(there, lay(tmp_path / "source", NEW), "1.0.0", CREATED_AT)
    with _honest(there, holding, "../1") as peer:
        pull = Pull(store_at(tmp_path / "here"), holding.key, [peer], Pace(None), lambda _peer, _path: None)
        with pytest.raises(Unserved, match=r"honest: says that it is version '\.\./1', which is none"):
            pull.run(lambda _manifest: None)


def test_one_that_stands_still_alone_is_named(tmp_path: Path) -> None:
    key = hashlib.sha256(b"wanted").hexdigest()
    with _stalled() as stalled:
        pull = Pull(store_at(tmp_path), key, [stalled], Pace(None), lambda _peer, _path: None, ask_s=ASK_S)
        with pytest.raises(Unserved, match="nobody has it; stalled: timed out"):
            pull.run(lambda _manifest: None)
