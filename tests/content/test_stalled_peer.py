"""A peer that stands still, as a paused process does, holds nobody up."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from node.artifacts.intake import take_tree
from node.artifacts.store import Holding, Store
from node.protocol.settings import Member
from node.runtime.content import pull
from node.runtime.content.holders import Holders, find_holders
from node.runtime.content.pace import Pace
from node.runtime.content.peer import Peer
from node.runtime.content.pull import Pull, Unserved
from node.runtime.content.serving import pieces_of
from node.runtime.content.work import PACK_BYTES
from tests.artifacts.trees import CREATED_AT, NEW, found_in, lay, store_at
from tests.content.playing import held_by, played, stalled

FOR_EVER_S = 3600.0
DEADLINE_S = 60.0


@contextmanager
def _honest(
    store: Store,
    holding: Holding,
    version: str = "1.0.0",
    before: Callable[[], object] = lambda: None,
    name: str = "honest",
) -> Iterator[Member]:
    """Gives the content, and says that it is this version; `before` it gives files, something is waited for."""
    manifest = store.manifest(holding)

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        if path.endswith("/manifest"):
            return 200, manifest.document
        if not body:
            standing = {"key": holding.key, "version": version, "state": "held"}
            return 200, json.dumps({"success": True, "data": standing}).encode()
        before()
        pieces = pieces_of(manifest, json.loads(body)["parts"])
        return 200, b"".join(Path(holding.path(entry)).read_bytes() for _, entry in pieces)

    with played(name, answer) as member:
        yield member


def _found(members: Sequence[Member], key: str, ask_s: float = FOR_EVER_S) -> Holders:
    return asyncio.run(find_holders(members, key, ask_s))


def test_the_others_give_it_though_one_stands_still(tmp_path: Path) -> None:
    there, here = store_at(tmp_path / "there"), store_at(tmp_path / "here")
    holding = take_tree(there, lay(tmp_path / "source", NEW), "1.0.0", CREATED_AT)
    with stalled() as (still, _), _honest(there, holding) as honest:
        holders = _found([still, honest], holding.key)
        one = Pull(here, holding.key, holders, Pace(None), lambda _peer, _path: None)
        got = one.run(lambda _manifest: None)
    assert found_in(got.files) == dict(NEW)
    assert one.given.keys() == {"honest"}
    assert holders.problems == {"stalled": "stalled: no answer yet"}


def test_what_one_has_begun_to_give_comes_from_another_when_it_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be waited for as long as a peer may take, though another has nothing to do."""
    monkeypatch.setattr(pull, "IDLE_PATIENCE_S", 0.1)
    monkeypatch.setattr(pull, "Peer", partial(Peer, answer_s=FOR_EVER_S))
    there, here = store_at(tmp_path / "there"), store_at(tmp_path / "here")
    packs = {f"series/{number}.json": b"%d" % number * (PACK_BYTES - 100) for number in range(2)}
    holding = take_tree(there, lay(tmp_path / "source", packs), "1.0.0", CREATED_AT)
    begun, over = threading.Event(), threading.Event()

    def stand_still() -> None:
        begun.set()
        over.wait(DEADLINE_S)

    with (
        _honest(there, holding, before=lambda: begun.wait(DEADLINE_S)) as honest,
        _honest(there, holding, before=stand_still, name="still") as still,
    ):
        one = Pull(here, holding.key, held_by(honest, still), Pace(None), lambda _peer, _path: None)
        got = one.run(lambda _manifest: None)
        over.set()
    assert found_in(got.files).keys() == packs.keys()
    assert one.given.keys() == {"honest"}
    assert one.problems["still"].startswith("still: gave nothing for ")


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
    one = Pull(store_at(tmp_path), key, holders, Pace(None), lambda _peer, _path: None)
    with pytest.raises(Unserved, match=r"nobody has it; stalled: no answer within 0\.2 s"):
        one.run(lambda _manifest: None)
