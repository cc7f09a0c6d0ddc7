"""`doctor` and `debug bundle`: what is concluded from what members say, and that they are all asked."""

import errno
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from iwdc_console.cli import main
from iwdc_console.cli.exits import Exit
from iwdc_console.diagnosis import diagnose
from iwdc_console.evidence import Evidence, LocalConfig, LocalDisk, Look
from iwdc_console.findings import Told, told, verdict
from tests.cli import samples
from tests.cli.fake import running

NAMES = ("instance-A", "instance-B", "instance-C")
DIFFERS = {"key": "rule", "here": "half", "there": "majority"}
URL = "http://10.0.0.1:3000/api/v1"


def status(name: str, **more: Any) -> dict[str, Any]:
    """A member that is well, in a cluster that is."""
    candidates = [{"id": each, "uptimeMs": 1, "status": "healthy"} for each in NAMES]
    return (
        samples.STATUS
        | {
            "id": name,
            "warnings": [],
            "alarms": [],
            "suspect": None,
            "quorum": {"total": 3, "healthy": 3, "required": 2, "sufficient": True},
            "leader": samples.LEADER | {"id": "instance-A", "candidates": candidates},
            "instances": [samples.instance(each) for each in NAMES],
            "at": samples.NOW_MS,
        }
        | more
    )


def seen(*looks: Look, **more: Any) -> Evidence:
    """Evidence: the given looks, and the other members well."""
    given = {look.id: look for look in looks}
    return Evidence([given.get(name) or Look(name, URL, status(name)) for name in NAMES], **more)


def complaints(evidence: Evidence) -> list[Told]:
    return [finding for finding in told(diagnose(evidence)) if finding.level != "ok"]


def one(evidence: Evidence, about: str) -> Told:
    """The only complaint about a part."""
    (found,) = [finding for finding in complaints(evidence) if finding.about == about]
    return found


@pytest.mark.parametrize(("ages_s", "new"), [((2, 600, 600), False), ((2, 2, 2), True), ((None, 3, 2), True)])
def test_a_leader_is_new_where_all_have_just_begun_to_follow_it(ages_s: tuple[int | None, ...], new: bool) -> None:
    """One that was away has just found it, and the leader is no newer for that."""

    def led(name: str, age_s: int | None) -> Look:
        found = status(name)
        elected = None if age_s is None else found["at"] - age_s * 1000
        return Look(name, URL, found | {"leader": found["leader"] | {"electedAt": elected}})

    (found,) = [f for f in told(diagnose(seen(*map(led, NAMES, ages_s)))) if f.about == "leader"]
    assert ("just now" in found.text) is new


@pytest.mark.parametrize("legacy", [False, True])
def test_that_members_of_v1_6_do_not_vote_is_said_where_there_are_some(legacy: bool) -> None:
    old = [samples.instance("old") | {"protocol": "1.6"}] if legacy else []
    candidates = [{"id": NAMES[0], "uptimeMs": 1, "status": "healthy"}]
    candidates += [{"id": each, "uptimeMs": 1, "status": "unreachable"} for each in NAMES[1:]]
    nobody = samples.LEADER | {"id": None, "candidates": candidates}
    looks = [Look(each, URL, None, "connection refused") for each in NAMES[1:]]
    instances = [*(samples.instance(each) for each in NAMES), *old]
    found = one(seen(Look(NAMES[0], URL, status(NAMES[0], leader=nobody, instances=instances)), *looks), "leader")
    assert found.do.startswith("Bring back a voter.")
    assert ("v1.6" in found.do) is legacy


def test_a_cluster_that_is_well_needs_nobody_and_says_what_was_looked_at() -> None:
    found = diagnose(seen(disk=LocalDisk("data", 50 * 1024**3, 100 * 1024**3)))
    assert {finding.level for finding in found} == {"ok"}
    parts = ["network", "members", "config", "quorum", "leader", "clocks", "disk", "proposals"]
    assert [finding.about for finding in found] == parts
    assert verdict(found) == "Nothing needs you."


def test_a_member_that_is_down_is_named_with_what_to_do() -> None:
    found = one(seen(Look("instance-B", URL, None, "connection refused")), "network")
    assert found.level == "bad"
    assert "instance-B does not answer" in found.text
    assert "start it there" in found.do


def test_a_path_between_two_that_both_answer_here_is_named() -> None:
    deaf = [samples.instance(each) for each in NAMES]
    deaf[1] = samples.instance("instance-B", "unreachable", reasons=["no_answer"])
    found = one(seen(Look("instance-A", URL, status("instance-A", instances=deaf))), "network")
    assert found.level == "bad"
    assert "instance-A finds instance-B silent" in found.text
    assert "firewalls" in found.do


def test_a_split_is_two_findings_what_each_side_finds_of_the_other() -> None:
    def view(name: str, unheard: tuple[str, ...]) -> Look:
        reasons = {each: {"status": "unreachable", "reasons": ["no_answer"]} for each in unheard}
        seen_there = [samples.instance(each) | reasons.get(each, {}) for each in NAMES]
        return Look(name, URL, status(name, instances=seen_there))

    apart = seen(view("instance-A", NAMES[1:]), *(view(name, NAMES[:1]) for name in NAMES[1:]))
    said = [finding for finding in complaints(apart) if finding.about == "network"]
    assert [finding.text for finding in said] == [
        "instance-B, instance-C are silent for the heartbeat time-out, as seen from instance-A, although all answer"
        " here (no_answer)",
        "instance-A is silent for the heartbeat time-out, as seen from instance-B, instance-C, although all answer here"
        " (no_answer)",
    ]
    assert "between the hosts of instance-A and those of instance-B, instance-C" in said[0].do


@pytest.mark.parametrize(("rtt_ms", "level"), [(750.0, "ok"), (8_000.0, "warn")])
def test_a_slow_link_is_told_and_is_a_fault_where_leadership_may_be_lost_by_it(rtt_ms: float, level: str) -> None:
    """The lease is 15 s here."""
    far = [samples.instance(each) for each in NAMES]
    far[1] = samples.instance("instance-B", rttMs=rtt_ms)
    led = samples.LEADER | {"id": "instance-A", "leaseMs": 15_000, "candidates": status("x")["leader"]["candidates"]}
    slow = Look("instance-A", URL, status("instance-A", instances=far, leader=led))
    (found,) = [each for each in told(diagnose(seen(slow))) if "round trip" in each.text]
    assert (found.level, found.about) == (level, "network")
    assert f"instance-A ↔ instance-B takes {rtt_ms:.0f} ms" in found.text
    assert bool(found.do) == (level == "warn")


def test_a_member_of_v16_is_judged_by_what_the_others_see_of_it() -> None:
    old = samples.instance("old", "unreachable", protocol="1.6", reasons=["no_answer"])
    views = [Look(name, URL, status(name, instances=[*status(name)["instances"], old])) for name in NAMES]
    found = one(seen(*views), "network")
    assert found.text.startswith("old (v1.6) does not answer instance-A, instance-B, instance-C")
    well = old | {"status": "healthy", "reasons": []}
    views = [Look(name, URL, status(name, instances=[*status(name)["instances"], well])) for name in NAMES]
    assert not complaints(seen(*views))


@pytest.mark.parametrize(("reason", "level"), [("disk_full", "bad"), ("slow_disk", "warn"), ("catching_up", "warn")])
def test_a_member_s_own_complaint_comes_with_what_to_do(reason: str, level: str) -> None:
    found = one(seen(Look("instance-C", URL, status("instance-C", reasons=["cannot_vote", reason]))), "members")
    assert (found.level, reason in found.text, bool(found.do)) == (level, True, True)


def test_a_recovering_member_says_whom_it_waits_for() -> None:
    alarm = {"code": "recovering_needs", "instances": ["instance-B"], "entries": []}
    waits = status("instance-C", reasons=["cannot_vote", "recovering"], alarms=[alarm])
    found = one(seen(Look("instance-C", URL, waits)), "members")
    assert "waiting for instance-B" in found.text
    recover = "iwdc-distributed node recover"
    assert found.do == f"If a disk is lost for good: {recover} --without instance-B --node {URL}"
    alarm["instances"] = ["instance-A", "instance-B"]
    found = one(seen(Look("instance-C", URL, waits)), "members")
    assert found.do == f"If a disk is lost for good: {recover} --without ID --node {URL}"
    alarm["code"] = "recovering_alike"
    found = one(seen(Look("instance-C", URL, waits)), "members")
    assert found.do.endswith(f": {recover} --without instance-A --without instance-B --node {URL}")


def test_no_quorum_names_who_is_missing() -> None:
    gone = [samples.instance(each, "healthy" if each == "instance-A" else "unreachable") for each in NAMES]
    alone = status(
        "instance-A",
        instances=gone,
        quorum={"total": 3, "healthy": 1, "required": 2, "sufficient": False},
        leader=samples.LEADER | {"id": None, "candidates": [{"id": i["id"], "status": i["status"]} for i in gone]},
    )
    absent = [Look(name, URL, None, "no route to host") for name in NAMES[1:]]
    evidence = seen(Look("instance-A", URL, alone), *absent)
    assert (
        "nobody can decide: 1 of 3 healthy, 2 needed; missing: instance-B, instance-C" in one(evidence, "quorum").text
    )
    assert "1 of 3 voters are there and 2 are needed" in one(evidence, "leader").text
    assert verdict(diagnose(evidence)).startswith("4 things broken")


def test_two_leaders_are_told_with_who_follows_whom() -> None:
    other = status("instance-C", leader=samples.LEADER | {"id": "instance-C"})
    assert "instance-C leads instance-C" in one(seen(Look("instance-C", URL, other)), "leader").text


def test_configurations_that_differ_are_told_with_the_entry() -> None:
    alarm = {"code": "other_configuration", "instances": ["instance-C"], "entries": [DIFFERS]}
    other = Look("instance-C", URL, status("instance-C", configDigest="d2"))
    found = one(seen(Look("instance-A", URL, status("instance-A", alarms=[alarm])), other), "config")
    assert "instance-A, instance-B | instance-C" in found.text
    assert "rule: here half, there majority" in found.text


def test_what_follows_from_another_configuration_is_not_said_again() -> None:
    def alarm(other: str, here: str, there: str) -> dict[str, Any]:
        entries = [{"key": "rule", "here": here, "there": there}]
        return {"code": "other_configuration", "instances": [other], "entries": entries}

    alone = samples.LEADER | {"id": None}
    lacking = {"total": 3, "healthy": 3, "required": 2, "sufficient": False}
    odd = status("instance-C", configDigest="d2", leader=alone, quorum=lacking)
    odd["alarms"] = [alarm("instance-A", "majority", "half"), alarm("instance-B", "majority", "half")]
    others = (Look(name, URL, status(name, alarms=[alarm("instance-C", "half", "majority")])) for name in NAMES[:2])
    (found,) = complaints(seen(*others, Look("instance-C", URL, odd)))
    assert found.about == "config"
    assert found.text.endswith("instance-A, instance-B | instance-C; rule: here half, there majority"), (
        "from most's side"
    )


def test_a_file_that_is_not_what_runs_is_found_before_the_next_restart_finds_it() -> None:
    entries = {"cluster": "prod-eu", "rule": "majority", "strategy": "last-write-wins"}
    entries |= {f"instance {name}": f"{samples.instance(name)['url']} protocol 2" for name in NAMES}
    found = one(seen(config=LocalConfig("node.toml", entries)), "config")
    assert found.text == "node.toml is not what runs: rule: file majority, running half"
    assert not complaints(seen(config=LocalConfig("node.toml", entries | {"rule": "half"})))
    broken = one(seen(config=LocalConfig("node.toml", {}, ("node.toml line 3: timing.lock_ttl: ...",))), "config")
    assert broken.text.startswith("a restart here would fail: node.toml line 3")


def test_a_clock_is_told_apart_from_this_machine_s_own() -> None:
    suspect = seen(Look("instance-A", URL, status("instance-A", suspect="instance-B")))
    assert one(suspect, "clocks").text == "the clock of instance-B is suspect"
    ours = [Look(name, URL, status(name), clock_ms=-90_000.0) for name in NAMES]
    assert one(seen(*ours), "clocks").text == "the clock here is +90.0 s off all members'"


def test_a_disk_that_is_nearly_full_is_told_in_time() -> None:
    assert one(seen(disk=LocalDisk("data/a", 200 * 1024**2, 10 * 1024**3)), "disk").level == "warn"


def test_an_open_proposal_names_the_absent_voter() -> None:
    late = samples.proposal("expired")
    found = one(seen(proposals=[samples.proposal(), late]), "proposals")
    assert found.level == "bad"
    assert found.text.endswith("is past its deadline and waits for the vote of instance-C")
    many = seen(proposals=[samples.proposal("pending")] * 7)
    assert complaints(many)[-1].text == "2 more proposals are open"


def test_an_open_conflict_needs_a_person() -> None:
    found = one(seen(conflicts=samples.CONFLICTS), "conflicts")
    assert "conflicts resolve 'version 1.2.0'" in found.do


def _current(**instances: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"version": "1.3.0", "state": "stored", "instances": {"instance-A": {"state": "missing"}}},
        {"version": "1.2.0", "state": "current", "instances": instances},
    ]


def _of_content(instances: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    found = told(diagnose(seen(versions=_current(**instances))))
    return [(each.level, each.text) for each in found if each.about == "content"]


def test_content_that_all_have_is_said_in_one_line() -> None:
    builder = {"state": "has", "problem": "written by its own pipeline", "reason": "builder_keeps"}
    held = {"instance-A": {"state": "has"}, "instance-B": {"state": "unknown"}, "instance-C": builder}
    assert _of_content(held) == [("ok", "who answers has the content of 1.2.0, which is current")]


@pytest.mark.parametrize(
    ("at", "level", "says", "do"),
    [
        ({"state": "waiting", "problem": "12 bytes are missing", "reason": "no_space"}, "bad", "12 bytes", "prune"),
        ({"state": "bad", "problem": "the root is another", "reason": "unfit"}, "bad", "the root is another", ""),
        ({"state": "has", "problem": "check: refused", "reason": "vetoed"}, "bad", "check: refused", "snapshot pull"),
        ({"state": "missing"}, "warn", "does not have", "snapshot pull 1.2.0 --node"),
        ({"state": "unlisted"}, "warn", "does not have", "snapshot pull 1.2.0 --node"),
    ],
)
def test_who_lacks_the_current_version_is_told_why(at: dict[str, Any], level: str, says: str, do: str) -> None:
    held = {"instance-A": {"state": "has"}, "instance-B": at}
    found = one(seen(versions=_current(**held)), "content")
    assert found.level == level
    assert says in found.text
    assert "instance-B" in found.text
    assert (do in found.do) if do else not found.do


def test_content_on_its_way_is_no_complaint() -> None:
    held: dict[str, dict[str, Any]] = {
        "instance-A": {"state": "has"},
        "instance-B": {"state": "fetching", "percent": 40},
    }
    assert _of_content(held) == [("ok", "instance-B fetches 1.2.0: 40 %")]


def cluster_of_two(node_url: str, other_url: str) -> dict[str, Any]:
    """Answers of a node whose cluster has a member that is gone."""
    members = [
        samples.instance("old", url="http://127.0.0.1:1/api/v1", protocol="1.6"),
        samples.instance("instance-A", url=f"{node_url}/api/v1"),
        samples.instance("instance-B", url=f"{other_url}/api/v1"),
        samples.instance("instance-C", url="http://127.0.0.1:1/api/v1"),
    ]
    return samples.READS | {
        "GET distributed/instances": members,
        "GET distributed/status": status("instance-A"),
        "GET distributed/proposals": [samples.proposal("expired")],
        "GET distributed/conflicts": [],
    }


def test_doctor_asks_every_member_and_prints_fit_for_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    with running({}) as node, running({"GET distributed/status": status("instance-B")}) as other:
        node.routes.update(cluster_of_two(node.url, other.url))
        assert main.run(["doctor", "--node", node.url]) == Exit.DONE
        out = capsys.readouterr().out
        assert other.requests("GET distributed/status")
        assert "old does not answer" not in out
        assert "instance-C does not answer at http://127.0.0.1:1: connection refused" in " ".join(out.split())
        assert max(map(len, out.splitlines())) <= 80
        assert main.run(["doctor", "--node", node.url, "--json"]) == Exit.DONE
        document = json.loads(capsys.readouterr().out)
        assert document["findings"][0]["about"] == "network"
        assert main.run(["doctor", "--node", node.url, "-o", "plain"]) == Exit.DONE
        assert capsys.readouterr().out.splitlines()[0].split("\t")[:2] == ["bad", "network"]


def test_doctor_without_any_node_tells_it_and_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(["doctor", "--node", "http://127.0.0.1:1"]) == Exit.UNREACHABLE
    assert "http://127.0.0.1:1 does not answer: connection refused" in capsys.readouterr().out


def test_a_bundle_holds_what_each_member_says_and_names_who_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with running({}) as node, running({"GET distributed/status": status("instance-B")}) as other:
        node.routes.update(cluster_of_two(node.url, other.url))
        assert main.run(["debug", "bundle", "all.tar.gz", "--node", node.url]) == Exit.DONE
    out, err = capsys.readouterr()
    assert out == "all.tar.gz\n"
    assert "instance-C is not in it: connection refused" in err
    with tarfile.open(tmp_path / "all.tar.gz") as archive:
        names = archive.getnames()
        doctor = archive.extractfile("iwdc-bundle/doctor.json")
        assert doctor is not None
        assert json.load(doctor)["findings"][0]["about"] == "network"
    assert "iwdc-bundle/instance-A/proposals.json" in names
    assert "iwdc-bundle/instance-B/status.json" in names
    assert "iwdc-bundle/instance-B/locks.missing.txt" in names


def test_a_bundle_takes_the_place_of_files_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A device or a folder stays what it is; who runs it may be root."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("linked.tar.gz").symlink_to("kept.tar.gz")
    with running({}) as node:
        node.routes.update(cluster_of_two(node.url, node.url))
        for name in ("pipe", "."):
            assert main.run(["debug", "bundle", name, "--node", node.url]) == Exit.FAILED
            assert f"{name} is there and no file" in capsys.readouterr().err
        assert main.run(["debug", "bundle", "linked.tar.gz", "--node", node.url]) == Exit.DONE
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert tarfile.is_tarfile("kept.tar.gz")
    assert Path("linked.tar.gz").is_symlink()


def test_a_bundle_is_written_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    earlier = tmp_path / "all.tar.gz"
    earlier.write_text("an earlier one")

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with running({}) as node:
        node.routes.update(cluster_of_two(node.url, node.url))
        monkeypatch.setattr("tarfile.TarFile.addfile", full)
        assert main.run(["debug", "bundle", "all.tar.gz", "--node", node.url]) == Exit.FAILED
    assert "all.tar.gz: No space left on device; expected a file that can be written" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an earlier one"]
