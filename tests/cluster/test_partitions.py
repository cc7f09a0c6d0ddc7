"""Links that fail: one direction of one, and the two halves of four nodes (promises 1, 2 and 4; H1, P4, S1)."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness import Cluster, cli, networked

pytestmark = pytest.mark.cluster
FOUR = ("instance-A", "instance-B", "instance-C", "instance-D")
LEFT, RIGHT = FOUR[:2], FOUR[2:]


def test_one_direction_of_one_link(tmp_path: Path) -> None:
    """It is named as `one_way`, moves no leader, loses no quorum, and is forgotten when it is mended."""
    with networked(tmp_path) as (running, network):
        running.start()
        leader = running.ready()
        deaf, mute = (name for name in running.nodes if name != leader)
        term = running[leader].get("leader")["term"]
        network.cut(mute, deaf)

        def view(of: str, at: str) -> dict[str, Any]:
            [found] = [each for each in running[at].get("instances") if each["id"] == of]
            return dict(found)

        # Who hears nothing knows no better than "no answer"; who is heard and gets no answers knows which way it is.
        running.until("silence is seen", lambda: view(mute, deaf)["status"] == "unreachable")
        running.until("one way is seen", lambda: "one_way" in view(deaf, mute)["reasons"])
        running.until("others see no fault", lambda: view(mute, leader)["status"] == "healthy")
        for at in (mute, deaf, leader):
            version = {mute: "1.0.0", deaf: "1.1.0", leader: "1.2.0"}[at]
            answer = running[at].ask("POST", "propose-snapshot?wait=10", {"version": version, "hash": "abc"})
            assert answer.data["state"] == "accepted"
            lock = running[at].ask("POST", f"locks/{at}/acquire", {"owner": at})
            assert lock.status == 200, lock
        running.settled()
        assert running[leader].get("leader")["term"] == term, "one lame link must not cost a leader"
        network.heal()
        running.healthy()
        running.until("no reasons left", lambda: not any(view(mute, at)["reasons"] for at in (leader, deaf)))
        assert running[leader].get("leader")["term"] == term
        running.settled()


def test_a_leader_that_hears_nobody_grants_nothing(tmp_path: Path) -> None:
    """E5: what it sends still arrives, but no answers come back, so nothing it does counts."""
    with networked(tmp_path) as (running, network):
        running.start()
        leader = running.ready()
        rest = [name for name in running.nodes if name != leader]
        for name in rest:
            network.cut(name, leader)
        answer = running[leader].ask("POST", "locks/catalogue/acquire", {"owner": "build"})
        assert answer.status in (503, 504), answer
        running.until("it stops serving", lambda: running[leader].get("leader")["leaseRemainingMs"] == 0)
        network.split([leader], rest)
        new = running.leader(*rest)
        assert new != leader
        granted = running[new].ask("POST", "locks/catalogue/acquire", {"owner": "other", "ttl": 60, "wait": 10})
        assert granted.status == 200, granted
        network.heal()
        running.healthy()
        running.leader()
        held = running[leader].ask("POST", "locks/catalogue/acquire", {"owner": "build"})
        assert held.status == 409, held
        assert held.data["holder"]["owner"] == "other"


def propose(running: Cluster, at: str, hash: str, version: str = "2.0.0") -> dict[str, Any]:
    answer = running[at].ask("POST", "propose-snapshot?wait=8", {"version": version, "hash": hash})
    assert answer.status in (200, 409), answer
    return dict(answer.data)


@pytest.mark.parametrize(
    "strategy",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("last-write-wins", "leader-wins")),
        "reject-inconsistent",
    ],
)
def test_both_halves_of_four_accept_and_one_wins(tmp_path: Path, strategy: str) -> None:
    """Promise 4 under `half`: after healing one winner everywhere, the loser listed; by hand where so configured."""
    with networked(tmp_path, FOUR, f"conflicts.strategy={strategy}") as (running, network):
        running.start()
        former = running.ready()
        assert any("both sides" in warning for warning in running["instance-A"].get("status")["warnings"])
        here, there = (LEFT, RIGHT) if former in LEFT else (RIGHT, LEFT)
        network.split(LEFT, RIGHT)
        first = propose(running, former, "aaa")
        running.healthy(2)
        for name in FOUR:
            quorum = running[name].get("quorum")
            assert quorum == {"total": 4, "healthy": 2, "required": 2, "sufficient": True}
        # Nobody has a strict majority: no leader on either side, no locks.
        running.until("no leader", lambda: all(n.get("leader")["leaseRemainingMs"] == 0 for n in running))
        second = propose(running, there[1], "bbb")
        assert (first["state"], second["state"]) == ("accepted", "accepted")
        running.until("its verdict", lambda: running[here[0]].get("status")["currentVersion"] == "2.0.0")
        refused = running[there[0]].ask("POST", "locks/catalogue/acquire", {"owner": "o"})
        assert (refused.status, refused.data["reason"]) == (503, "no_leader")
        network.heal()
        running.ready()
        status = running.settled()
        url = running["instance-A"].url
        if strategy == "reject-inconsistent":
            assert status["currentVersion"] is None
            [conflict] = running["instance-B"].get("conflicts")
            assert conflict["open"] is True
            assert conflict["winner"] is None
            assert {each["hash"] for each in conflict["candidates"]} == {"aaa", "bbb"}
            assert status["openConflicts"] == 1
            shown = cli("conflicts", node=url)
            assert (shown.code, conflict["slot"] in shown.out) == (0, True), shown
            done = cli("conflicts", "resolve", conflict["slot"], first["key"], node=url)
            assert done.code == 0, done
            running.until("2.0.0", lambda: all(n.get("status")["currentHash"] == "aaa" for n in running))
            winner = first["key"]
        else:
            # The first was proposed by who still led, the second by nobody's leader, and later.
            winner = second["key"] if strategy == "last-write-wins" else first["key"]
        running.settled()
        for node in running:
            [conflict] = node.get("conflicts")
            assert (conflict["winner"], conflict["open"], conflict["strategy"]) == (winner, False, strategy)
            hashes = {each["key"]: (each["hash"], each["settled"]) for each in conflict["candidates"]}
            assert hashes.keys() == {first["key"], second["key"]}
            assert {key: settled for key, (_, settled) in hashes.items()} == {k: k == winner for k in hashes}
            assert node.get("status")["currentHash"] == hashes[winner][0]
            assert node.get("status")["openConflicts"] == 0
        # And the next version builds on it.
        assert propose(running, "instance-D", "ccc", "2.1.0")["state"] == "accepted"


def test_halves_of_four_under_majority_accept_nothing(tmp_path: Path) -> None:
    """Promise 4 under `majority`: both sides stop, and go on together."""
    with networked(tmp_path, FOUR, "quorum.rule=majority") as (running, network):
        running.start()
        running.ready()
        network.split(LEFT, RIGHT)
        running.healthy(2)
        for name in ("instance-A", "instance-D"):
            answer = running[name].ask("POST", "propose-snapshot", {"version": "2.0.0", "hash": name})
            assert answer.json["success"] is False
            quorum = {"total": 4, "healthy": 2, "required": 3, "sufficient": False}
            assert answer.data == {"reason": "insufficient_quorum", "quorum": quorum}
        network.heal()
        running.ready()
        assert propose(running, "instance-A", "aaa")["state"] == "accepted"
        running.settled()
        assert running["instance-D"].get("conflicts") == []
