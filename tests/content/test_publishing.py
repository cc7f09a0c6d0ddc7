"""Three real nodes in one process: a folder becomes a version that all of them hold and have applied."""

import asyncio
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import pytest

from node import Node
from node.artifacts.intake import take_tree
from node.embedded import Refused
from node.protocol.effects import Wanted
from node.protocol.requests import ProposalAnswer, Propose
from node.protocol.shapes import ContentRef
from node.runtime.content.overview import overview
from tests.artifacts.trees import CREATED_AT
from tests.content.catalogue_trees import bytes_below, write_catalogue
from tests.runtime.scripted import until
from tests.runtime.test_three_nodes import cluster


async def _applied(nodes: list[Node], version: str) -> None:
    def all_applied() -> bool:
        found = [node.content.keeper.switching.applied for node in nodes]
        return all(each is not None and each.version == version for each in found)

    await until(all_applied, f"{version} applied everywhere")


def _working(node: Node) -> dict[str, bytes]:
    return bytes_below(node.config.content.root / "json")


def _logged(node: Node) -> str:
    log = node.config.observability.log_file
    return "" if log is None else log.read_text()


def _refusal(url: str) -> str:
    """Why a read is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=30)
    return str(msgspec.json.decode(refused.value.read())["data"]["reason"])


def test_published_content_is_held_and_applied_everywhere(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            tree = write_catalogue(tmp_path / "tree", 300)
            proposal = await nodes[0].publish_snapshot(tree, "1.0.0")
            assert proposal.state == "accepted"
            assert proposal.content is not None
            await _applied(nodes, "1.0.0")
            for node in nodes:
                assert _working(node) == bytes_below(tree)

            write_catalogue(tree, 300, changed=3)
            await nodes[1].publish_snapshot(tree, "1.1.0")
            await _applied(nodes, "1.1.0")
            for node in nodes:
                assert _working(node) == bytes_below(tree)

    asyncio.run(story())


def test_what_a_rollback_made_void_is_shown_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            tree, hashes = tmp_path / "tree", dict[str, str]()
            for changed, version in enumerate(("1.0.0", "1.1.0", "1.2.0")):
                proposal = await nodes[0].publish_snapshot(write_catalogue(tree, 5, changed=changed), version)
                hashes[version] = proposal.hash
                await _applied(nodes, version)
            back = Propose("rollback", "1.0.0", hashes["1.0.0"], "1.2.0", wait_s=30.0)
            answer = await nodes[1].engine.call(back, 60.0)
            assert isinstance(answer, ProposalAnswer)
            await _applied(nodes, "1.0.0")
            write_catalogue(tree, 5, changed=1)
            with pytest.raises(Refused, match=r"1\.1\.0 was rolled back .* greater than 1\.2\.0") as refused:
                await nodes[0].publish_snapshot(tree, "1.1.0")
            assert refused.value.reason == "void"
            write_catalogue(tree, 5, changed=4)
            await nodes[0].publish_snapshot(tree, "1.3.0")
            await _applied(nodes, "1.3.0")
            for node in nodes:
                shown = {each.version: each.state for each in await overview(node.engine, node.content)}
                assert shown == {"1.3.0": "current", "1.2.0": "void", "1.1.0": "void", "1.0.0": "accepted"}
            assert await nodes[0].content.keeper.prune(3, dry_run=True) == ["1.1.0"], "what can be gone to stays"

    asyncio.run(story())


def test_what_nobody_would_vote_for_is_not_sent(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            tree = write_catalogue(tmp_path / "tree", 5)
            await nodes[0].publish_snapshot(tree, "2.0.0")
            write_catalogue(tree, 5, changed=1)
            with pytest.raises(Refused) as refused:
                await nodes[0].publish_snapshot(tree, "1.0.0")
            assert refused.value.reason == "would_be_rejected"

    asyncio.run(story())


def test_refused_content_is_fetched_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            keeper = nodes[0].content.keeper
            folder = write_catalogue(tmp_path / "tree", 5)
            held = await keeper.run(lambda: take_tree(keeper.store, folder, "1.0.0", CREATED_AT))
            content = ContentRef(held.key, held.size_bytes, held.count)
            lie = Wanted("snapshot", "1.0.0", None, "0" * 64, content, "")
            asked = nodes[1].content.keeper

            def refused() -> bool:
                standing = asked.stage(lie)
                return standing is not None and standing.state == "bad"

            await until(refused, "the content is not what was said")
            for _ in range(3):
                assert refused()
            truth = msgspec.structs.replace(lie, hash=held.root)

            def here() -> bool:
                asked.stage(truth)
                return asked.store.find(held.key) is not None

            await until(here, "what is true of it is taken")

    asyncio.run(story())


def test_a_build_whose_version_is_not_published_reads_why_in_the_log(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            await nodes[0].publish_snapshot(write_catalogue(tmp_path / "tree", 5), "2.0.0")
            write_catalogue(nodes[0].config.content.root / "versions" / "1.0.0", 5, changed=1)
            await nodes[0].publish("SNAPSHOT_CREATED", {"version": "1.0.0"})

            def told() -> bool:
                said = _logged(nodes[0])
                return "content_job_failed" in said and "would_be_rejected" in said

            await until(told, "the log says why")

    asyncio.run(story())


def test_a_diff_of_iwdc_s_own_making_leads_to_the_version_that_lies_beside_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            await nodes[0].publish_snapshot(write_catalogue(tmp_path / "tree", 5), "1.0.0")
            layout = nodes[0].content.keeper.store.layout
            tree = write_catalogue(layout.version("1.1.0"), 5, changed=2)
            diff = layout.diff("1.0.0", "1.1.0")
            diff.parent.mkdir()
            diff.write_text(
                '{"meta": {"fromVersion": "1.0.0", "toVersion": "1.1.0", "generatedAt": ""}, "summary": {}}'
            )
            expected = bytes_below(tree)
            await nodes[0].publish("DIFF_CREATED", {"from": "1.0.0", "to": "1.1.0"})
            await _applied(nodes, "1.1.0")
            for node in nodes:
                assert _working(node) == expected
                assert node.status().current_version == "1.1.0"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("event", "payload", "place"),
    [
        ("SNAPSHOT_CREATED", {"version": "1.0.0"}, "versions/1.0.0"),
        ("DIFF_CREATED", {"from": "1.0.0", "to": "1.1.0"}, "diffs/1.0.0__1.1.0.diff.json"),
    ],
)
def test_a_build_that_names_what_does_not_lie_here_reads_where_it_was_looked_for(
    tmp_path: Path, event: str, payload: dict[str, str], place: str
) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            await nodes[0].publish(event, payload)
            looked = str(nodes[0].config.content.root / place)
            await until(lambda: looked in _logged(nodes[0]), "the log says where")

    asyncio.run(story())


def test_a_store_that_is_gone_is_told_as_what_it_is(tmp_path: Path) -> None:
    """Not as an internal error, with a stack trace in the log."""

    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            shutil.rmtree(nodes[0].content.keeper.store.layout.root)
            for what in ("snapshots", "snapshots/here"):
                assert (await asyncio.to_thread(_refusal, f"{nodes[0].url}/api/v1/{what}")) == "content_fault"

    asyncio.run(story())


def test_how_far_storing_is_can_be_seen(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            tree = write_catalogue(tmp_path / "tree", 300)
            job = nodes[0].content.publisher.store(tree, "1.0.0")
            ended = await nodes[0].content.publisher.end_of(job.id)
            size = sum(map(len, bytes_below(tree).values()))
            assert (ended.phase, ended.files, ended.bytes, ended.total_bytes) == ("done", 302 - 1, size, size)

    asyncio.run(story())
