"""A peer that stands still, as a paused process does, holds nobody up."""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.artifacts.intake import take_tree
from node.artifacts.store import Holding, Store
from node.protocol.settings import Member
from node.runtime.content.holders import Holders, find_holders
from node.runtime.content.pace import Pace
from node.runtime.content.pull import Pull, Unserved
from node.runtime.content.serving import pieces_of
from tests.artifacts.trees import CREATED_AT, NEW, found_in, lay, store_at
from tests.content.playing import played, stalled

FOR_EVER_S = 3600.0


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


def _found(members: Sequence[Member], key: str, ask_s: float = FOR_EVER_S) -> Holders:
    return asyncio.run(find_holders(members, key, ask_s))


def test_the_others_give_it_though_one_stands_still(tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(tmp_path / "here")
    holding = take_tree(there, lay(tmp_path / "source", NEW), "1.0.0", CREATED_AT)
    with stalled() as (still, _), _honest(there, holding) as honest:
        holders = _found([still, honest], holding.key)
        pull = Pull(here, holding.key, holders, Pace(None), lambda _peer, _path: None)
        got = pull.run(lambda _manifest: None)
    assert found_in(got.files) == dict(NEW)
    assert pull.given.keys() == {"honest"}
    assert holders.problems == {"stalled": "stalled: no answer yet"}


def test_one_that_names_no_version_is_named(tmp_path: Path) -> None:
    there = store_at(tmp_path / "there")
    holding = take_tree(there, lay(tmp_path / "source", NEW), "1.0.0", CREATED_AT)
    with _honest(there, holding, "../1") as peer:
        holders = _found([peer], holding.key)
    assert holders == ({}, {"honest": "honest: says that it is version '../1', which is none"})


def test_one_that_stands_still_alone_is_named(tmp_path: Path) -> None:
    key = hashlib.sha256(b"wanted").hexdigest()
    with stalled() as (still, _):
        holders = _found([still], key, ask_s=0.2)
    pull = Pull(store_at(tmp_path), key, holders, Pace(None), lambda _peer, _path: None)
    with pytest.raises(Unserved, match=r"nobody has it; stalled: no answer within 0\.2 s"):
        pull.run(lambda _manifest: None)
