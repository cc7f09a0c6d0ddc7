"""Content between real processes: published, killed half-way, served wrong, rolled back, pushed by a build (S2, P3)."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness import API, THREE, Cluster, Instance, NotSaid, cli, cluster, request
from tests.content.catalogue_trees import bytes_below, write_catalogue

FILES = 3_000


def _ask(node: Instance, method: str, path: str, body: Any = None) -> Any:
    answer = request(node.port, method, f"{API}/{path}", body)
    if answer.status != 200:
        raise NotSaid(f"{node.name}: {path}: {answer}")
    return answer.data


def _root(node: Instance) -> Path:
    return node.data / "content"


def _here(node: Instance) -> Any:
    return _ask(node, "GET", "snapshots/here")


def _stands(node: Instance) -> set[str]:
    return {each["version"] for each in _here(node)["held"] if each["installed"]}


def _applied(made: Cluster, version: str, *names: str) -> None:
    nodes = [made[name] for name in names] or made.running()

    def all_applied() -> bool:
        return all((_here(node)["applied"] or {}).get("version") == version for node in nodes)

    made.until(f"{version} is applied", all_applied)


def _publish(node: Instance, tree: Path, version: str) -> Any:
    said = cli("snapshot", "publish", str(tree), "--version", version, "-o", "json", node=node.url)
    assert said.code == 0, said
    return json.loads(said.out)


def _begin_to_publish(made: Cluster, node: Instance, tree: Path, version: str) -> None:
    """Without the program's own start and end, so that what is under way can be watched from its beginning on."""
    job = _ask(node, "POST", "snapshots/store", {"path": str(tree), "version": version})
    stored = made.until(f"{version} is stored", lambda: _ask(node, "GET", f"snapshots/jobs/{job['id']}").get("stored"))
    _ask(node, "POST", "snapshots/publish", stored)


def _listed(node: Instance) -> Any:
    """How it is with the newest version at every instance; none while one takes too long to answer."""
    instances = _ask(node, "GET", "snapshots")[0]["instances"]
    return None if any(each["state"] == "unknown" for each in instances.values()) else instances


def _events(node: Instance, type_: str) -> list[Any]:
    found: list[Any] = node.get(f"events?type={type_}")
    return found


def test_a_version_that_is_being_applied_is_shown_as_that(tmp_path: Path) -> None:
    """Its hook checks it for as long as it likes: the working data are the former ones until then."""
    checked = tmp_path / "checked"
    hook = f"sh -c 'until [ -e {checked} ]; do sleep 0.05; done'"
    with cluster(tmp_path / "cluster", THREE, f"content.before_apply={hook}", "content.hook_timeout=600") as made:
        made.start()
        made.ready()
        asked = made["instance-A"]
        _begin_to_publish(made, asked, write_catalogue(tmp_path / "tree", 3), "1.0.0")

        def applying() -> bool:
            at = _listed(asked)
            return (
                at is not None
                and all(each == at["instance-A"] for each in at.values())
                and (at["instance-A"] == {"state": "has", "percent": 100, "applying": True})
            )

        made.until("all apply it", applying)
        table = cli("snapshot", "list", node=asked.url).out
        assert table.count("applying *") == 3, table
        plain = cli("snapshot", "list", "-o", "plain", node=asked.url).out
        assert [line.split("\t")[5] for line in plain.splitlines()] == ["applying"] * 3
        checked.touch()
        _applied(made, "1.0.0")
        listed = made.until("all are asked", lambda: _listed(asked))
        assert set(map(str, listed.values())) == {str({"state": "has", "percent": 100, "applied": True})}


def test_thousands_of_files_land_byte_equal_everywhere_and_go_back(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as made:
        made.start()
        made.ready()
        tree = write_catalogue(tmp_path / "tree", FILES)
        first = bytes_below(tree)
        proposal = _publish(made["instance-A"], tree, "1.0.0")
        assert proposal["state"] == "accepted"
        assert proposal["content"]["files"] == FILES + 2
        write_catalogue(tree, FILES, changed=30)
        _publish(made["instance-B"], tree, "1.1.0")
        _applied(made, "1.1.0")
        for node in made:
            assert bytes_below(_root(node) / "json") == bytes_below(tree)
        whole = sum(map(len, first.values()))

        def moved() -> dict[str, int]:
            told = _events(made["instance-A"], "CONTENT_FETCHED")
            return {e["origin"]: e["payload"]["bytes"] for e in told if e["payload"]["version"] == "1.1.0"}

        made.until("both tell what they fetched", lambda: moved().keys() == {"instance-A", "instance-C"})
        assert max(moved().values()) < 0.03 * whole

        made.until("both stand everywhere", lambda: all(_stands(node) >= {"1.0.0", "1.1.0"} for node in made))
        said = cli("snapshot", "rollback", "1.0.0", "--yes", node=made["instance-C"].url)
        assert said.code == 0, said
        _applied(made, "1.0.0")
        for node in made:
            assert bytes_below(_root(node) / "json") == first


def test_a_puller_killed_half_way_goes_on_where_it_was(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as made:
        slow = made["instance-B"]
        slow.sets = ["content.bandwidth_bytes_per_s=200000"]
        made.start()
        made.ready()
        tree = write_catalogue(tmp_path / "tree", FILES)
        whole = sum(map(len, bytes_below(tree).values()))
        _begin_to_publish(made, made["instance-A"], tree, "1.0.0")

        def half_way() -> bool:
            return any(each.get("doneBytes", 0) > whole // 2 for each in _here(slow)["underWay"])

        made.until("a part is there", half_way)
        slow.kill()
        assert not (_root(slow) / "json").exists()
        slow.sets = []
        made.start("instance-B")
        _applied(made, "1.0.0")
        assert bytes_below(_root(slow) / "json") == bytes_below(tree)

        def fetched() -> Any:
            return [e for e in _events(made["instance-A"], "CONTENT_FETCHED") if e["origin"] == "instance-B"]

        [event] = made.until("B tells what it fetched", fetched)
        assert 0 < event["payload"]["bytes"] < 0.8 * whole


def test_a_peer_that_gives_wrong_bytes_is_named_and_gone_round(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as made:
        made.start()
        made.ready()
        assert made["instance-C"].stop() == 0
        tree = write_catalogue(tmp_path / "tree", 600)
        _publish(made["instance-A"], tree, "1.0.0")
        _applied(made, "1.0.0", "instance-A", "instance-B")
        for path in (_root(made["instance-B"]) / "versions" / "1.0.0").rglob("*.json"):
            os.chmod(path, 0o644)
            path.write_bytes(path.read_bytes()[::-1])
        # With the other one paused it is B that is asked first.
        made["instance-A"].signal(signal.SIGSTOP)
        made.start("instance-C")
        made.until("the peer is named", lambda: _events(made["instance-C"], "CONTENT_CORRUPT"))
        made["instance-A"].signal(signal.SIGCONT)
        _applied(made, "1.0.0", "instance-C")
        assert bytes_below(_root(made["instance-C"]) / "json") == bytes_below(tree)
        named = made.until("the others learn it", lambda: _events(made["instance-A"], "CONTENT_CORRUPT"))
        assert {(event["origin"], event["payload"]["peer"]) for event in named} == {("instance-C", "instance-B")}


def test_one_that_stands_still_holds_up_neither_a_version_nor_who_stops(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as made:
        made.start()
        made.ready()
        first, still = made["instance-A"], made["instance-C"]
        tree = write_catalogue(tmp_path / "tree", 300)
        still.signal(signal.SIGSTOP)
        try:
            assert _publish(first, tree, "1.0.0")["state"] == "accepted"
            _applied(made, "1.0.0", "instance-A", "instance-B")
            made["instance-B"].kill()
            write_catalogue(tree, 300, changed=3)
            _begin_to_publish(made, first, tree, "1.1.0")  # which waits for who is gone
            assert first.stop() == 0
        finally:
            still.signal(signal.SIGCONT)
        made.start("instance-A", "instance-B")
        made.ready()
        assert _publish(first, tree, "1.1.0")["state"] == "accepted"
        _applied(made, "1.1.0")
        assert bytes_below(_root(still) / "json") == bytes_below(tree)


def test_a_build_that_says_what_it_made_has_it_published(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as made:
        made.start()
        made.ready()
        node = made["instance-A"]
        tree = write_catalogue(_root(node) / "versions" / "1.0.0", 50)
        said = cli("publish", "SNAPSHOT_CREATED", '{"version": "1.0.0"}', node=node.url)
        assert said.code == 0, said
        _applied(made, "1.0.0")
        for each in made:
            assert bytes_below(_root(each) / "json") == bytes_below(tree)


def test_a_published_diff_leads_to_the_same_bytes(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as made:
        made.start()
        made.ready()
        node = made["instance-A"]
        tree = write_catalogue(tmp_path / "tree", 300)
        _publish(node, tree, "1.0.0")
        _applied(made, "1.0.0")
        write_catalogue(tree, 300, changed=10)
        job = _ask(node, "POST", "snapshots/store", {"path": str(tree), "version": "1.1.0"})
        made.until("1.1.0 is stored", lambda: _ask(node, "GET", f"snapshots/jobs/{job['id']}")["phase"] == "done")
        said = cli("diff", "publish", "1.0.0", "1.1.0", "-o", "json", node=node.url)
        assert said.code == 0, said
        assert json.loads(said.out)["kind"] == "diff"
        _applied(made, "1.1.0")
        for each in made:
            assert bytes_below(_root(each) / "json") == bytes_below(tree)
            if each is not node:
                assert (_root(each) / "diffs" / "1.0.0__1.1.0.diff.json").is_file()


@contextmanager
def _small_disk(place: Path, megabytes: int) -> Iterator[None]:
    place.mkdir(parents=True)
    line = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(line, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted only by root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_transfer_and_says_what_is_missing(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "small", 4), cluster(tmp_path / "cluster") as made:
        small = made["instance-B"]
        small.sets = [f"content.root={tmp_path / 'small' / 'data'}", "content.reserve_bytes=65536"]
        made.start()
        made.ready()
        tree = write_catalogue(tmp_path / "tree", FILES)
        _publish(made["instance-A"], tree, "1.0.0")
        _applied(made, "1.0.0", "instance-A", "instance-C")

        def told() -> Any:
            return [
                each["problem"] for each in _here(small)["underWay"] if "bytes are missing" in each.get("problem", "")
            ]

        made.until("what is missing is said", told)
        assert _here(small)["applied"] is None
        assert small.get("status")["status"] == "healthy"
        listed = made.until("the others answer A", lambda: _listed(made["instance-A"]))
        assert listed["instance-B"]["state"] in ("waiting", "fetching")
        assert listed["instance-C"] == {"state": "has", "percent": 100, "applied": True}


def test_what_keeps_a_version_from_being_applied_is_shown_and_told_once(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "small", 3), cluster(tmp_path / "cluster") as made:
        small = made["instance-B"]
        small.sets = [f"content.root={tmp_path / 'small' / 'data'}", "content.reserve_bytes=1000000"]
        made.start()
        made.ready()
        _publish(made["instance-A"], write_catalogue(tmp_path / "tree", 300), "1.0.0")
        _applied(made, "1.0.0", "instance-A", "instance-C")
        problems: set[str] = set()

        def tried_again() -> bool:
            problems.add(_here(small)["problem"] or "")
            return len(problems - {""}) > 1

        made.until("it was tried again", tried_again)
        assert all("bytes are missing" in each for each in problems - {""})
        listed = made.until("the others answer A", lambda: _listed(made["instance-A"]))["instance-B"]
        assert listed["state"] == "has"
        assert "bytes are missing" in listed["problem"]
        [event] = made.until("the cluster is told", lambda: _events(made["instance-A"], "CONTENT_NOT_APPLIED"))
        assert event["origin"] == "instance-B"
