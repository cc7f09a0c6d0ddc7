"""When content is tried for again, and what the cluster is told of who gives wrong bytes."""

import asyncio
import json
from pathlib import Path

import pytest

from node.artifacts.intake import take_tree
from node.artifacts.store import Holding, Store
from node.config import Content
from node.protocol.effects import Called, Effect, Input, Observe, Reply, Tick, Wanted
from node.protocol.peer import INSTANCE_STATUS
from node.protocol.requests import Answer, Publish, Published, Refusal
from node.protocol.settings import Member
from node.protocol.shapes import ContentRef
from node.runtime.content import keeper as keepers
from node.runtime.content.keeper import Keeper
from node.runtime.content.pace import Pace
from node.runtime.content.pull import MAX_BAD, Pull
from node.runtime.content.service import ContentService
from node.runtime.driver import Engine
from tests.artifacts.trees import CREATED_AT, found_in, lay, store_at
from tests.content.playing import held_by, played
from tests.content.test_lying_peer import changed, honest, lying
from tests.runtime.scripted import MemoryJournal, engine, settings, until

MANY = {f"series/{number:03}.json": b"%d" % number for number in range(100)}
TOLD = Published("id", "jA", 1)
HEALTHY = Observe(INSTANCE_STATUS, "info", "t", 0.0, {"instance": "B", "status": "healthy"})


def held(root: Path) -> tuple[Store, Holding]:
    """Content of many files, somewhere else."""
    store = store_at(root / "there")
    return store, take_tree(store, lay(root / "source", MANY), "1.0.0", CREATED_AT)


def wanted(store: Store, holding: Holding) -> Wanted:
    """How it is asked for."""
    manifest = store.manifest(holding)
    content = ContentRef(holding.key, manifest.size_bytes, len(MANY))
    return Wanted("snapshot", "1.0.0", None, manifest.root, content, "trace")


def keeper_of(root: Path, member: Member, answers: list[Answer]) -> tuple[Engine, Keeper, list[Publish]]:
    """A node that has one peer. Its core answers what is published with these in turn, the last again and again."""
    published: list[Publish] = []

    def script(input: Input) -> list[Effect]:
        match input:
            case Called(call, Publish() as asked):
                published.append(asked)
                return [Reply(call, answers.pop(0) if len(answers) > 1 else answers[0], 0)]
            case Tick():
                return [HEALTHY]
        return []

    node, _ = engine(script, MemoryJournal(), settings("A", (member.id, member.url)))
    return node, ContentService(node, Content(root / "here")).keeper, published


def test_a_peer_that_is_healthy_again_is_asked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "FIRST_RETRY_S", 600.0)
    store, holding = held(tmp_path)
    truth, has = honest(store, holding), list[bool]()

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        lacking = {"success": True, "data": {"key": holding.key, "version": "", "state": "missing"}}
        return truth(path, body) if has else (200, json.dumps(lacking).encode())

    async def story(member: Member) -> Holding | None:
        node, keeper, _ = keeper_of(tmp_path, member, [TOLD])
        await node.start()
        await keeper.start()
        keeper.fetch([wanted(store, holding)])
        await until(lambda: keeper.under_way()[0].state == "waiting", "first try that finds nothing")
        has.append(True)
        node.step(Tick())
        await until(lambda: keeper.store.find(holding.key) is not None, "second try")
        await keeper.stop()
        await node.stop()
        return keeper.store.find(holding.key)

    with played("B", answer) as member:
        got = asyncio.run(story(member))
    assert got is not None
    assert found_in(got.files) == MANY


def test_the_cluster_is_told_who_gave_wrong_bytes_once_it_can_be(tmp_path: Path) -> None:
    store, holding = held(tmp_path)

    async def story(member: Member) -> list[Publish]:
        node, keeper, published = keeper_of(tmp_path, member, [Refusal("cannot_vote", ""), TOLD])
        await node.start()
        await keeper.start()
        keeper.fetch([wanted(store, holding)])
        await until(lambda: len(published) == 2, "second word")
        await keeper.stop()
        await node.stop()
        return published

    with played("B", lying(honest(store, holding), parts=changed)) as member:
        published = asyncio.run(story(member))
    assert {(each.type, each.payload["peer"]) for each in published} == {("CONTENT_CORRUPT", "B")}


def test_of_a_pack_of_wrong_files_no_more_are_told_than_count(tmp_path: Path) -> None:
    named = list[str]()
    store, holding = held(tmp_path)
    with played("liar", lying(honest(store, holding), parts=changed)) as liar:
        here = store_at(tmp_path / "here")
        pull = Pull(here, holding.key, held_by(liar), Pace(None), lambda peer, _: named.append(peer))
        with pytest.raises(Exception, match="gave wrong bytes"):
            pull.run(lambda _manifest: None)
    assert named == ["liar"] * MAX_BAD
