"""Processes that die, stop, lose their disks or find them full (promises 2, 3 and 5; D1, E1, H2, L1)."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.harness import DEADLINE_S, THREE, Instance, cluster

pytestmark = pytest.mark.cluster


def others(name: str) -> list[str]:
    return [other for other in THREE if other != name]


def test_a_killed_leader_takes_no_lock_and_no_proposal_with_it(tmp_path: Path) -> None:
    """kill -9 with a lock held and a proposal in flight; then back with its old disk, then with an empty one."""
    with cluster(tmp_path) as running:
        running.start()
        leader = running.ready()
        first, second = others(leader)
        held = running[first].ask("POST", "locks/catalogue/acquire", {"owner": "build", "ttl": 30})
        assert held.status == 200
        token = held.data["fencingToken"]
        # With one voter stopped and the other slow to answer it is still open when its proposer dies.
        running[first].signal(signal.SIGSTOP)
        running[second].signal(signal.SIGSTOP)
        asked = running[leader].ask("POST", "propose-snapshot", {"version": "2.0.0", "hash": "abc"})
        assert asked.status == 200
        label = asked.data["proposalId"]
        assert running[leader].get(f"proposals/{label}")[0]["state"] == "pending"
        for name in (first, second):
            running[name].signal(signal.SIGCONT)
        running[leader].kill()
        new = running.leader(first, second)
        assert new != leader
        # The lock lives on: nobody else gets it, its holder may renew and gets its own token back.
        refused = running[second].ask("POST", "locks/catalogue/acquire", {"owner": "thief"})
        assert refused.status == 409
        assert refused.data["holder"]["fencingToken"] == token
        renewed = running[first].ask("POST", "locks/catalogue/renew", {"owner": "build", "fencingToken": token})
        assert renewed.status == 200
        other = running[first].ask("POST", "locks/other/acquire", {"owner": "build"})
        assert other.data["fencingToken"] > token
        # Back with its old disk: it does not resume its term, and its proposal comes to a verdict.
        term = running[new].get("leader")["term"]
        running.start(leader)
        running.healthy()
        assert running[leader].get("leader")["term"] >= term
        running.until(
            "a verdict everywhere",
            lambda: {n.get(f"proposals/{label}")[0]["state"] for n in running} == {"accepted"},
        )
        running.settled()
        # Gone again, and its disk with it: it takes everything from the others before it votes (D1).
        journal = running[leader].get("status")["journalId"]
        running[leader].kill()
        running[leader].wipe()
        running.leader(first, second)
        accepted = running[first].ask("POST", "propose-snapshot?wait=10", {"version": "2.1.0", "hash": "abd"})
        assert accepted.data["state"] == "accepted"
        running.start(leader)
        running.healthy()
        back = running[leader].get("status")
        assert back["journalId"] != journal
        running.settled()
        assert running[leader].get("status")["currentVersion"] == "2.1.0"
        assert {lock["resource"]: lock["fencingToken"] for lock in running[leader].get("locks")}["catalogue"] == token
        voted = running[leader].ask("POST", "propose-snapshot?wait=10", {"version": "2.2.0", "hash": "abe"})
        assert voted.data["state"] == "accepted"
        running.until(
            "its vote",
            lambda: leader in running[first].get(f"proposals/{voted.data['proposalId']}")[0]["votes"],
        )


def test_a_stopped_leader_comes_back_as_a_follower(tmp_path: Path) -> None:
    """SIGSTOP for longer than every timeout: its locks are the new leader's; what it then says counts nowhere."""
    with cluster(tmp_path) as running:
        running.start()
        leader = running.ready()
        first, second = others(leader)
        held = running[first].ask("POST", "locks/catalogue/acquire", {"owner": "build"})
        token = held.data["fencingToken"]
        running[leader].signal(signal.SIGSTOP)
        new = running.leader(first, second)
        assert new != leader
        term = running[new].get("leader")["term"]
        # Its lease ends: another may have it, with a higher token.
        taken = running[second].ask("POST", "locks/catalogue/acquire", {"owner": "other", "ttl": 60, "wait": 10})
        assert taken.status == 200, taken
        assert taken.data["fencingToken"] > token
        running[leader].signal(signal.SIGCONT)
        late = running[leader].ask("POST", "locks/catalogue/renew", {"owner": "build", "fencingToken": token})
        assert late.status in (409, 503), late
        running.healthy()
        running.leader()
        assert running[leader].get("leader")["term"] >= term
        late = running[leader].ask("POST", "locks/catalogue/renew", {"owner": "build", "fencingToken": token})
        assert (late.status, late.data["reason"]) == (409, "wrong_token")
        assert (late.data["given"], late.data["current"]) == (token, taken.data["fencingToken"])
        running.settled()


def test_a_node_told_to_stop_brings_what_is_under_way_to_its_end(tmp_path: Path) -> None:
    """SIGTERM with a proposal in flight: its votes still come in, its client hears the verdict, then the node ends."""
    with cluster(tmp_path) as running, ThreadPoolExecutor(1) as clients:
        running.start()
        running.ready()
        proposer, *voters = running
        for voter in voters:
            voter.signal(signal.SIGSTOP)
        asked = clients.submit(proposer.ask, "POST", "propose-snapshot?wait=10", {"version": "1.0.0", "hash": "a"})
        running.until("it is open", lambda: proposer.get("status")["openProposals"] == 1)
        proposer.signal(signal.SIGTERM)
        running.until("it listens no more", lambda: refuses(proposer))
        for voter in voters:
            voter.signal(signal.SIGCONT)
        assert asked.result().data["state"] == "accepted"
        assert proposer.process is not None
        assert proposer.process.wait(DEADLINE_S) == 0


def refuses(node: Instance) -> bool:
    """Whether nobody listens at its address."""
    try:
        node.get("quorum")
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.slow
def test_all_killed_at_once(tmp_path: Path) -> None:
    """Every node at once: what was acknowledged is there again, on the disks they had."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        accepted = running["instance-A"].ask("POST", "propose-snapshot?wait=10", {"version": "1.0.0", "hash": "a"})
        assert accepted.data["state"] == "accepted"
        token = running["instance-B"].ask("POST", "locks/r/acquire", {"owner": "o", "ttl": 60}).data["fencingToken"]
        published = running["instance-C"].ask("POST", "events", {"type": "NOTE", "payload": {"n": 1}, "id": "note-1"})
        assert published.status == 200
        before = {node.name: node.get("leader")["term"] for node in running}
        for node in running:
            node.signal(signal.SIGKILL)
        for node in running:
            node.kill()
        running.start()
        running.ready()
        assert running.settled()["currentVersion"] == "1.0.0"
        for node in running:
            assert node.get("leader")["term"] > before[node.name]
            assert [lock["fencingToken"] for lock in node.get("locks")] == [token]
            assert [event["id"] for event in node.get("events?type=NOTE")] == ["note-1"]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    line = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small file system here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        chunk = b"\0" * 4096
        while True:
            try:
                file.write(chunk)
            except OSError:
                return ballast


def test_a_full_disk(tmp_path: Path) -> None:
    """H2: it says `cannot_vote` and counts as unreachable; the others go on; with room again it recovers."""
    with cluster(tmp_path) as running, small_disk(running["instance-B"].data, "16m"):
        running.start()
        running.ready()
        full = running["instance-B"]
        kept = full.ask("POST", "events", {"type": "NOTE", "payload": {}, "id": "before"})
        assert kept.status == 200
        ballast = fill(full.data)
        refused = full.ask("POST", "events", {"type": "NOTE", "payload": {"text": "x" * 100_000}, "id": "during"})
        assert refused.status >= 400, refused
        assert "Traceback" not in refused.body.decode()
        running.until("it says so", lambda: full.get("status")["status"] == "unreachable")
        assert "cannot_vote" in full.get("status")["reasons"]
        well = running["instance-A"]

        def seen() -> bool:
            [view] = [i for i in well.get("instances") if i["id"] == "instance-B"]
            return view["status"] == "unreachable" and "cannot_vote" in view["reasons"]

        running.until("the others see it", seen)
        assert well.get("quorum") == {"total": 3, "healthy": 2, "required": 2, "sufficient": True}
        running.leader("instance-A", "instance-C")
        accepted = well.ask("POST", "propose-snapshot?wait=10", {"version": "1.0.0", "hash": "a"})
        assert accepted.data["state"] == "accepted"
        ballast.unlink()
        running.healthy()
        running.settled()
        assert full.get("status")["currentVersion"] == "1.0.0"
        assert full.ask("POST", "events", {"type": "NOTE", "payload": {}, "id": "after"}).status == 200
        assert {"before", "after"} <= {event["id"] for event in full.get("events?type=NOTE")}
        running.close()
