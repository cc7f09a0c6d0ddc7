"""The seed's three calls and three commands against real clusters of one, three, four and five (seed 3.3, 4, 10.1)."""

import json
import re
from pathlib import Path

import pytest

from tests.cluster.harness import Cluster, cli, cluster

pytestmark = pytest.mark.cluster
REQUIRED = {("half", 1): 1, ("half", 3): 2, ("half", 4): 2, ("half", 5): 3, ("majority", 4): 3}


def names(count: int) -> list[str]:
    return [f"instance-{letter}" for letter in "ABCDE"[:count]]


def expected_quorum(total: int, rule: str = "half") -> dict[str, object]:
    return {"total": total, "healthy": total, "required": REQUIRED[rule, total], "sufficient": True}


def check_calls(running: Cluster, quorum: dict[str, object]) -> None:
    """As existing clients compare it: the seed's fields, in the seed's order, and nothing else."""
    first, *_, last = [*running, *running]
    answer = first.ask("GET", "quorum")
    assert answer.status == 200
    assert json.dumps(answer.data) == json.dumps(quorum)
    assert answer.json["success"] is True
    assert answer.headers["x-trace-id"] == answer.json["meta"]["traceId"]
    snapshot = last.ask("POST", "propose-snapshot", {"version": "1.1.0", "hash": "abc123", "signature": "def456"})
    assert list(snapshot.data) == ["proposalId", "quorum"]
    assert re.fullmatch(r"snapshot-1\.1\.0-\d{13}", snapshot.data["proposalId"])
    assert json.dumps(snapshot.data["quorum"]) == json.dumps(quorum)
    running.until("1.1.0 everywhere", lambda: all(n.get("status")["currentVersion"] == "1.1.0" for n in running))
    diff = first.ask("POST", "propose-diff", {"from": "1.1.0", "to": "1.2.0", "hash": "abc123"})
    assert re.fullmatch(r"diff-1\.1\.0-1\.2\.0-\d{13}", diff.data["proposalId"])
    running.until("1.2.0 everywhere", lambda: all(n.get("status")["currentVersion"] == "1.2.0" for n in running))


def check_commands(running: Cluster, quorum: dict[str, object]) -> None:
    """The three lines of the seed's chapter 10, and what scripts rely on."""
    url = running["instance-A"].url
    shown = cli("quorum", node=url)
    assert shown.code == 0
    assert f"{quorum['healthy']} of {quorum['total']} healthy, {quorum['required']} needed" in shown.out
    assert json.loads(cli("quorum", "-o", "json", node=url).out) == quorum
    done = cli("propose-snapshot", "--version=1.3.0", "--hash=abc123", node=url)
    assert (done.code, "snapshot 1.3.0 accepted" in done.out) == (0, True), done
    done = cli("propose-diff", "--from=1.3.0", "--to=1.4.0", "--hash=def456", node=url)
    assert (done.code, "accepted" in done.out) == (0, True), done
    stale = cli("propose-snapshot", "--version=1.0.0", "--hash=abc123", node=url)
    assert (stale.code, "stale_version" in stale.out) == (6, True), stale
    assert running.settled()["currentVersion"] == "1.4.0"


@pytest.mark.parametrize("count", [1, 3, pytest.param(4, marks=pytest.mark.slow), 5])
def test_the_seed_s_calls_and_commands(tmp_path: Path, count: int) -> None:
    with cluster(tmp_path, names(count)) as running:
        running.start()
        running.ready()
        check_calls(running, expected_quorum(count))
        check_commands(running, expected_quorum(count))
        for node in running:
            assert node.stop() == 0
            assert " stopped" in node.lines(1), "and nobody shouts"


def test_without_a_quorum_they_say_so_as_v16_did(tmp_path: Path) -> None:
    """Seed 3.2: `SKIPPED_QUORUM` is published, the answer is 200 with success false, the exit code 5."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        for name in ("instance-B", "instance-C"):
            running[name].kill()
        last = running["instance-A"]
        running.until("no quorum", lambda: not last.get("quorum")["sufficient"])
        answer = last.ask("POST", "propose-snapshot", {"version": "9.0.0", "hash": "abc"})
        assert answer.status == 200
        assert answer.json["success"] is False
        quorum = {"total": 3, "healthy": 1, "required": 2, "sufficient": False}
        assert answer.data == {"reason": "insufficient_quorum", "quorum": quorum}
        verdict = "No quorum: 1 of 3 are healthy and 2 are needed; instance-B, instance-C are unreachable."
        assert last.get("status")["verdict"] == verdict
        last.kill()
        running.start(last.name)
        running.until("also of those it never heard", lambda: last.get("status")["verdict"] == verdict)
        done = cli("propose-diff", "--from=9.0.0", "--to=9.1.0", "--hash=abc", node=last.url)
        assert done.code == 5
        assert "Traceback" not in done.err
        running.until("both are told", lambda: len(last.get("events?type=SKIPPED_QUORUM")) == 2)
        assert last.get("proposals") == []
        locked = cli("lock", "acquire", "catalogue", node=last.url)
        assert locked.code == 5, locked
