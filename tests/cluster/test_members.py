"""Members that come and go, one at a time, under load (M2, M3), each by editing `instances.json` and restarting."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.cluster.harness import LOOK_S, THREE, Cluster, cli, cluster

pytestmark = pytest.mark.cluster
FOURTH = "instance-D"


class Load:
    """A client that proposes one version after another, wherever a node answers, and notes what it was told."""

    def __init__(self, running: Cluster) -> None:
        self._running = running
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="load")
        self.accepted: list[str] = []
        """Ids of the proposals it was told are accepted."""
        self.outcomes: Counter[str] = Counter()

    def _work(self) -> None:
        for number in itertools.count(1):
            for node in self._running.running():
                if self._end.is_set():
                    return
                version = f"1.0.{number}"
                try:
                    answer = node.ask("POST", "propose-snapshot?wait=1", {"version": version, "hash": "abc"})
                    outcome = str(answer.data.get("state") or answer.data.get("reason"))
                except (OSError, HTTPException):
                    outcome = "no answer"
                self.outcomes[outcome] += 1
                if outcome == "accepted":
                    self.accepted.append(answer.data["proposalId"])
                    break
                self._end.wait(LOOK_S)

    def more(self, count: int = 3) -> None:
        """Wait until some more were accepted: the cluster works."""
        goal = len(self.accepted) + count
        self._running.until(f"{count} more accepted", lambda: len(self.accepted) >= goal)

    @contextmanager
    def at_work(self) -> Iterator["Load"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()


def settled_members(running: Cluster) -> None:
    """Wait until no node sees another run another list, and all noted it (M3)."""
    running.ready()
    running.until(
        "one list everywhere",
        lambda: (
            len({node.get("status")["configDigest"] for node in running}) == 1
            and all(b"MEMBERS_SETTLED" in node.log.read_bytes().rpartition(b" started ")[2] for node in running)
        ),
    )


def test_added_and_removed_one_at_a_time_under_load(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        with Load(running).at_work() as load:
            load.more()
            fourth = running.add(FOURTH)
            for name in THREE:
                running.restart(name)
            running.start(FOURTH)
            settled_members(running)
            load.more()
            assert fourth.get("quorum") == {"total": 4, "healthy": 4, "required": 2, "sufficient": True}
            running.remove("instance-A").stop()
            for name in ("instance-B", "instance-C", FOURTH):
                running.restart(name)
            settled_members(running)
            load.more()
            assert fourth.get("quorum")["total"] == 3
        running.settled()
        for proposal_id in load.accepted:
            known = fourth.get(f"proposals/{proposal_id}")
            assert any(each["state"] == "accepted" and each["settled"] for each in known), (proposal_id, known)
        assert fourth.get("status")["openConflicts"] == 0


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    """M3: the message names both, the exit code says that it failed; `--force-members` overrides and says the risk."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        settled_members(running)
        node = running["instance-A"]
        node.stop()
        for name in (FOURTH, "instance-E"):
            running.add(name)
        run = [
            "node", "run", "--id", node.name, "--listen", f"127.0.0.1:{node.port}",
            "--data-dir", str(node.data), "--instances", str(running.instances),
        ]  # fmt: skip
        refused = cli(*run)
        assert refused.code == 1
        for words in ("instances.json changes 2 members at once", "+instance-D", "+instance-E", "one at a time",
                      "--force-members"):  # fmt: skip
            assert words in refused.err
        assert "Traceback" not in refused.err
        # Back to one: fine. Then the next before all run the last: refused.
        running.remove("instance-E")
        running.start(node.name)
        node.stop()
        running.add("instance-E")
        early = cli(*run)
        assert early.code == 1
        assert "before all members were seen running the last change" in early.err
        running.start(node.name, more=("--force-members",))
        assert "may decide" in node.log.read_text()


def test_who_is_alone_with_a_list_says_so(tmp_path: Path) -> None:
    """M2, H2: votes pass between equal lists only, so `sufficient` counts nobody else; the difference is named."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        running.add(FOURTH)
        running.restart("instance-A")
        alone, other = running["instance-A"], running["instance-B"]
        running.until("they hear it", lambda: alone.get("quorum")["healthy"] == 3)
        assert alone.get("quorum") == {"total": 4, "healthy": 3, "required": 2, "sufficient": False}
        assert "instance-B, instance-C run another configuration" in alone.get("status")["verdict"]
        answer = alone.ask("POST", "propose-snapshot", {"version": "1.0.0", "hash": "a"})
        assert (answer.json["success"], answer.data["reason"]) == (False, "insufficient_quorum")
        running.until("the mismatch is named", lambda: "instance-D" in str(other.get("status")["warnings"]))
        answer = other.ask("POST", "propose-snapshot?wait=10", {"version": "1.0.0", "hash": "a"})
        assert answer.data["state"] == "accepted"
        assert sorted(answer.data["votes"]) == ["instance-B", "instance-C"]
