"""Disks that are lost, rolled back, or used twice (D1, D2)."""

import shlex
import shutil
import signal
from pathlib import Path

import pytest

from tests.cluster.harness import THREE, cli, cluster

pytestmark = pytest.mark.cluster


@pytest.mark.slow
def test_a_disk_that_was_rolled_back_is_found_out(tmp_path: Path) -> None:
    """An old image restored: a new journal id, what the others hold, and only then votes."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        node, other, _ = running
        node.stop()
        image = tmp_path / "image"
        shutil.copytree(node.data, image)
        running.start(node.name)
        running.healthy()
        journal = node.get("status")["journalId"]
        for number in range(3):
            answer = node.ask("POST", "propose-snapshot?wait=10", {"version": f"1.{number}.0", "hash": "a"})
            assert answer.data["state"] == "accepted"
        running.settled()
        node.kill()
        node.wipe()
        shutil.copytree(image, node.data)
        running.start(node.name)
        running.until("a new journal", lambda: node.get("status")["journalId"] != journal)
        running.healthy()
        assert running.settled()["currentVersion"] == "1.2.0"
        answer = node.ask("POST", "propose-snapshot?wait=10", {"version": "1.3.0", "hash": "a"})
        assert answer.data["state"] == "accepted"
        assert other.get("status")["openConflicts"] == 0


def test_two_lost_disks_need_an_operators_word(tmp_path: Path) -> None:
    """Nobody can tell what both had promised: the node waits, says for whom, and `node recover` lets it go on."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        first, second, third = running
        answer = first.ask("POST", "propose-snapshot?wait=10", {"version": "1.0.0", "hash": "a"})
        assert answer.data["state"] == "accepted"
        running.settled()
        first.kill()
        first.wipe()
        second.kill()
        running.start(first.name)
        line = f"iwdc-distributed node recover --without {second.name} --node {first.url}"
        running.until("it says for whom, and what to do", lambda: f"`{line}`" in first.get("status")["verdict"])
        assert first.get("status")["status"] == "unreachable"
        told = cli("doctor", "-o", "plain", node=third.url)
        assert f"{line}\n" in told.out, told
        refused = first.ask("POST", "propose-snapshot", {"version": "2.0.0", "hash": "a"})
        assert refused.json["success"] is False
        done = cli(*shlex.split(line)[1:], "--yes")
        assert done.code == 0, done
        running.healthy(2, (first.name, third.name))
        running.leader(first.name, third.name)
        assert first.get("status")["currentVersion"] == "1.0.0"
        answer = first.ask("POST", "propose-snapshot?wait=10", {"version": "2.0.0", "hash": "a"})
        assert answer.data["state"] == "accepted"
        # The named one must start empty.
        second.wipe()
        running.start(second.name)
        running.ready()
        running.settled()


def test_two_nodes_with_one_id(tmp_path: Path) -> None:
    """A second disk under the name of a node that is still heard is not let in, and the first goes on (D2)."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        double = running["instance-C"]
        real_port, real_data, real_process = double.port, double.data, double.process
        double.data = tmp_path / "double"
        double.port = running.port()
        running.start(double.name)
        running.until("it says why", lambda: "RECOVERY_REFUSED" in double.log.read_text())
        assert "two nodes with one id" in double.log.read_text()
        assert running["instance-A"].ask("POST", "locks/r/acquire", {"owner": "o"}).status == 200
        double.kill()
        double.port, double.data, double.process = real_port, real_data, real_process
        running.ready()
        running.settled()


@pytest.mark.slow
def test_killed_while_it_recovers(tmp_path: Path) -> None:
    """kill -9 in the middle of taking over what the others hold: the next start goes on from there."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        lost, other, third = running
        payload = {"text": "x" * 2_000}
        for number in range(150):
            assert other.ask("POST", "events", {"type": "NOTE", "payload": payload, "id": f"n{number}"}).status == 200
        lost.kill()
        lost.wipe()
        third.signal(signal.SIGSTOP)
        running.start(lost.name)
        running.until("it has begun", lambda: lost.get("status")["events"] > 0)
        lost.kill()
        third.signal(signal.SIGCONT)
        running.start(lost.name)
        running.ready()
        running.settled()
        assert len(lost.get("events?type=NOTE&limit=1000")) == 150
        verified = cli("journal", "verify", str(lost.data))
        assert verified.code == 0, verified
        assert sorted(node.name for node in running) == sorted(THREE)
