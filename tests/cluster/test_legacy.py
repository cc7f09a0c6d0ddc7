"""Living beside instances that still run v1.6 (M4, P7): they count, never vote, and are replaced one by one (M3)."""

from pathlib import Path

import pytest

from tests.cluster.harness import cli, cluster
from tests.cluster.legacy import LegacyInstance

pytestmark = pytest.mark.cluster
NEW = ("instance-A", "instance-B", "instance-C")
OLD = "instance-old"


def test_a_v16_instance_beside_three_of_ours(tmp_path: Path) -> None:
    with cluster(tmp_path, (*NEW, OLD)) as running:
        place = running[OLD]
        running.entries[OLD]["protocol"] = "1.6"
        running.entries[OLD]["url"] = f"{place.url}/distributed/sync"
        running.write()
        running.start(*NEW)
        first, second, _ = (running[name] for name in NEW)
        # Not there yet: it counts in the total, and three voters decide without it.
        running.leader(*NEW)
        running.until("no answer", lambda: all(node.get("quorum")["healthy"] == 3 for node in (first, second)))
        assert first.get("quorum") == {"total": 4, "healthy": 3, "required": 2, "sufficient": True}
        with LegacyInstance(OLD, place.port) as old:
            running.healthy(4, NEW)
            assert {"instanceId", "timestamp", "uptime", "status"} == old.told["heartbeat"][0].keys()
            assert old.beat(first).status == 200
            # What is proposed here is told to it once, as it would tell it, and decided by the voters alone.
            answer = first.ask("POST", "propose-snapshot?wait=10", {"version": "1.1.0", "hash": "abc123"})
            assert answer.data["state"] == "accepted"
            assert OLD not in answer.data["votes"]
            [proposal] = first.get(f"proposals/{answer.data['proposalId']}")
            assert (proposal["required"], sorted(proposal["voters"])) == (2, sorted(NEW))
            running.until("it is told", lambda: old.told.get("propose-snapshot"))
            assert old.told["propose-snapshot"][0]["version"] == "1.1.0"
            # It sends the same to everybody, without an id or a proposer: it is the same proposal (P7).
            # One of them may hear of it after the verdict, and before that would make it another one.
            running.until("all know it", lambda: all(running[name].get("proposals") for name in NEW))
            for name in NEW:
                again = running[name].ask("POST", "propose-snapshot", {"version": "1.1.0", "hash": "abc123"})
                assert again.data["proposalId"] == answer.data["proposalId"]
            assert len(first.get("proposals")) == 1
            # Its events come in by either way, once, untouched, and reach everybody.
            pushed = old.event("DATA_DIFF_GENERATED", {"from": "1.0.0", "series": ["Ж"]})
            pulled = old.event("PLUGIN_INSTALLED", {})
            old.journal += [pushed, pulled]
            for node in (first, second):
                assert old.sync(node, pushed).data == {"received": 1}

            def known() -> bool:
                lists = [running[name].get("events?limit=1000") for name in NEW]
                return all({pushed["id"], pulled["id"]} <= {event["id"] for event in events} for events in lists)

            running.until("its events are everywhere", known)
            for name in NEW:
                [seen] = [e for e in running[name].get("events?limit=1000") if e["id"] == pushed["id"]]
                assert (seen["type"], seen["payload"]) == (pushed["type"], pushed["payload"])
            running.until("ours reach it", lambda: any(b["events"] for b in old.told.get("sync", [])))
            # What it expects of malformed calls.
            missing = first.ask("POST", "propose-snapshot", {"version": "1.2.0"})
            assert (missing.status, missing.json["error"]) == (400, "Missing required fields: hash")
            broken = first.ask("POST", "propose-snapshot", b"{")
            assert (broken.status, broken.json["error"]) == (400, "Invalid JSON")
            assert len(old.told["propose-snapshot"]) == 1
            assert "theirs" not in str(first.get("proposals"))
        running.until("gone", lambda: first.get("quorum")["healthy"] == 3)
        running.settled(*NEW)


def test_a_v16_member_is_replaced_under_its_name_and_two_at_once_are_not(tmp_path: Path) -> None:
    """Removing the mark makes a voter: it is a change of one member, and two such at once are refused (M3)."""
    with cluster(tmp_path, (*NEW[:2], OLD, "instance-older")) as running:
        for name in (OLD, "instance-older"):
            running.entries[name]["protocol"] = "1.6"
        running.write()
        running.start(*NEW[:2])
        running.leader(*NEW[:2])
        node = running["instance-A"]
        running.until("settled", lambda: "MEMBERS_SETTLED" in node.log.read_text())
        node.stop()
        for name in (OLD, "instance-older"):
            del running.entries[name]["protocol"]
        running.write()
        run = ["node", "run", "--id", node.name, "--listen", f"127.0.0.1:{node.port}", "--data-dir", str(node.data)]
        refused = cli(*run, "--instances", str(running.instances))
        assert refused.code == 1
        assert "changes 2 members at once (instance-old to protocol 2, instance-older to protocol 2)" in refused.err
        running.entries["instance-older"]["protocol"] = "1.6"
        running.write()
        running.start(node.name)
        running.restart("instance-B")
        running.start(OLD)
        running.healthy(3, (node.name, "instance-B", OLD))
        running.leader(node.name, "instance-B", OLD)
        answer = running[OLD].ask("POST", "propose-snapshot?wait=10", {"version": "1.0.0", "hash": "a"})
        assert answer.data["state"] == "accepted"
        assert OLD in answer.data["votes"]
