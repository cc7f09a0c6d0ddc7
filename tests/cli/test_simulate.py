"""`simulate` as people meet it: its words, its JSON, its exit codes."""

import json
from pathlib import Path

import pytest

from iwdc_console.cli.main import run

MEMBERS = [{"id": f"node-{n}", "url": f"http://host{n}:3000/api/v1/distributed/sync"} for n in (1, 2, 3)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no configuration is."""
    monkeypatch.chdir(tmp_path)


def instances() -> str:
    Path("instances.json").write_text(json.dumps(MEMBERS))
    return "instances.json"


def test_what_if_with_our_own_instances(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["simulate", "--what-if", "kill node-3; wait 20s; heal", "--instances", instances(), "-o", "json"]
    assert run(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["members"] == ["node-1", "node-2", "node-3"]
    assert [each["leader"] for each in told["leaders"]] == ["node-3", "node-2"]
    assert {"atMs": 0, "who": ["you"], "what": "kill node-3"} in told["timeline"]
    assert told["broken"] is None
    assert told["recoveredMs"] < 5_000
    assert told["requestsDone"] > 10


def test_our_own_timings_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    """A leader that is only cut off is replaced after `heartbeat_timeout`, whatever that is."""
    Path("node.toml").write_text("[timing]\nheartbeat_interval = 0.5\nheartbeat_timeout = 2\n")
    away = {}
    for extra in ([], ["--config", "node.toml"]):
        line = ["simulate", "--what-if", "split node-1 node-2 | node-3; wait 60s", "--instances", instances(), "--json"]
        assert run([*line, *extra]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["leaders"][1]["leader"] != "node-3"
        away[len(extra)] = told["leaders"][1]["fromMs"]
    assert away[2] < away[0] / 3


def test_a_node_that_others_can_reach_is_simulated_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """It was refused without `--insecure`, which only a node that listens can be given."""
    Path("node.toml").write_text('[node]\nid = "node-1"\nlisten = "0.0.0.0:3000"\n')
    line = ["simulate", "--what-if", "wait 1s", "--instances", instances(), "--config", "node.toml", "--json"]
    assert run(line) == 0
    assert json.loads(capsys.readouterr().out)["leaders"]


def test_the_table_tells_what_clients_felt(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--what-if", "kill A B; wait 20s; heal"]) == 0
    shown = capsys.readouterr()
    assert "C: no quorum" not in shown.out, "who and what are columns"
    assert "no quorum, 1 of 3 healthy and 2 needed" in shown.out
    assert "insufficient_quorum" in shown.out
    assert "Without quorum: C for 20." in shown.out.replace("\n", " ")
    assert "three instances A, B and C" in shown.err


def test_what_one_asks_for_oneself_is_answered_in_the_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    """Under the load as well, of which only trouble is told: it was done, and nothing said what came of it."""
    asked = "lock shelf by me via A; show leader; until a leader on B; step down C; wait 1s; show leader on B"
    assert run(["simulate", "--what-if", asked, "--json"]) == 0
    told = [(each["who"], each["what"]) for each in json.loads(capsys.readouterr().out)["timeline"]]
    assert told[0] == (["you"], "lock shelf by me via A")
    assert told[1][0] == ["client"]
    assert told[1][1].startswith("lock shelf for me via A: granted with token 2")
    assert told[2:4] == [(["you"], "show leader"), (["you"], "A, B, C: C leads, term 1")]
    assert told[4:6] == [(["you"], "until a leader on B"), (["you"], "after 0.1 s")]
    assert (["client"], "step down via C: handing over to B") in told
    assert told[-1] == (["you"], "B: B leads, term 2")


def test_plain_lines_have_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--what-if", "kill A", "-o", "plain"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "0\tyou\tkill A"


def test_a_cluster_that_does_not_recover_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--what-if", "kill A B", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recoveredMs"] is None
    assert told["waitsFor"] == "C sees 1 of 3 healthy, 2 are needed"


def test_what_waits_for_a_person_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """It said that A does not reach C and B, which is what follows from it."""
    assert run(["simulate", "--what-if", "wipe C; wait 3s; wipe B; start B C; wait 30s", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["waitsFor"]
    assert told.startswith("B: Not taking part: recovering: C must recover too; to go on without")


def test_what_ends_at_once_tells_who_led(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing had lasted yet, and so it said that nobody led."""
    assert run(["simulate", "--what-if", "expect leader A", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["leaders"] == [{"leader": "C", "term": 1, "fromMs": 0, "toMs": 0}]
    assert told["summary"].startswith("C led throughout.")


def test_where_nothing_was_changed_nothing_is_whole_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--what-if", "wait 1s", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recoveredMs"] == 0
    assert "whole again" not in told["summary"]


def test_a_start_without_quorum_for_a_moment_is_told_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """The timeline said `no quorum`, and the summary that it held."""
    assert run(["simulate", "--what-if", "kill B; wait 20s; start B", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["withoutQuorum"] == []
    assert not [each["what"] for each in told["timeline"] if "quorum" in each["what"]]


def test_one_alone_leads_again(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.json").write_text(json.dumps(MEMBERS[:1]))
    assert (
        run(["simulate", "--what-if", "kill node-1; wait 5s; start node-1", "--instances", "one.json", "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["summary"].startswith("Leadership changed once, from node-1 to node-1 again in the end")


def test_a_scenario_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("story.txt").write_text("nodes 3\nform\nkill C\nuntil a leader within 20s\npropose 1.0.0 abc via A\n")
    assert run(["simulate", "--scenario", "story.txt"]) == 0
    assert "snapshot 1.0.0 (abc) via A: accepted" in capsys.readouterr().out


def test_what_is_expected_in_vain_fails(capsys: pytest.CaptureFixture[str]) -> None:
    Path("story.txt").write_text("nodes 3\nform\nkill A B\nuntil a leader within 20s\nexpect leader A on C\n")
    assert run(["simulate", "--scenario", "story.txt", "--json"]) == 1
    shown = capsys.readouterr()
    assert "story.txt:5: expect leader A on C: C follows" in shown.err
    assert json.loads(shown.out)["broken"]


def test_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["simulate", "--seed", "3", "--minutes", "0.5", "--json"]
    told = []
    for _ in range(2):
        assert run(line) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert told[0]["leaders"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([], "one of --what-if, --scenario and --seed"),
        (["--seed", "1", "--what-if", "kill A"], "one of --what-if, --scenario and --seed"),
        (["--what-if", "heal", "--minutes", "5"], "--minutes goes with --seed"),
        (["--seed", ""], "--seed: nothing in it: expected a number or a word"),
        (["--what-if", "kil A"], "--what-if, command 1: 'kil A': expected kill (did you mean that?)"),
        (["--what-if", "kill A; wait soon"], "command 2: 'soon' is no duration: expected one such as 20s"),
        (["--what-if", " ; "], "--what-if: no command in it: expected at least one, such as `wait 20s`"),
        (["--what-if", "kill X"], "command 1: no instance 'X': expected one of A, B, C"),
        (["--what-if", "lock build via A"], "expected lock RESOURCE by OWNER via NODES"),
        (["--what-if", "rule majority"], "'rule majority' comes too late: expected it before anything happens"),
        (["--scenario", "story.txt", "--instances", "instances.json"], "story.txt:1: the rule is set here and by the"),
    ],
)
def test_what_cannot_be_taken_is_told(line: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    instances()
    Path("story.txt").write_text("rule majority\n")
    assert run(["simulate", *line]) == 2
    assert expected in capsys.readouterr().err


def test_a_missing_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--scenario", "none.txt"]) == 1
    assert "none.txt: No such file or directory: expected a scenario script" in capsys.readouterr().err


def test_members_on_v16_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.json").write_text(json.dumps([*MEMBERS[:2], MEMBERS[2] | {"protocol": "1.6"}]))
    assert run(["simulate", "--what-if", "wait 1s", "--instances", "old.json"]) == 1
    assert "node-3 runs v1.6" in capsys.readouterr().err


def test_a_seed_tells_trouble_apart_from_what_was_turned_down(capsys: pytest.CaptureFixture[str]) -> None:
    """A rejected version or a lock that another holds is no trouble, and the same trouble on several nodes is one."""
    assert run(["simulate", "--seed", "42", "--minutes", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["requestsTurnedDown"] > 0
    trouble = [each["what"] for each in told["timeline"] if each["who"] == ["client"]] + told["requestsSuffered"]
    assert not [line for line in trouble if "rejected" in line or "held: " in line or "bad_request" in line]


def test_a_long_line_goes_on_below_itself(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    Path("story.txt").write_text("nodes 3\nform\nkill A B\nwait 20s\npropose 1.0.0 abc via C\n")
    assert run(["simulate", "--scenario", "story.txt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert "at rest after 2.5 s, C leads term 1" in " ".join(lines)
    at = next(i for i, line in enumerate(lines) if "snapshot 1.0.0 (abc) via C" in line)
    assert "…" not in lines[at]
    assert lines[at + 1].lstrip().startswith("insufficient_quorum")


def test_long_names_are_whole_on_a_narrow_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others were cut off behind the first, and a word that was broken got a blank in the middle."""
    names = [f"berlin-rack-{n}-host-{n}" for n in range(4)]
    members = [each | {"id": name} for each, name in zip([*MEMBERS, MEMBERS[0]], names, strict=True)]
    members[3]["url"] = "http://host4:3000/api/v1/distributed/sync"
    Path("long.json").write_text(json.dumps(members))
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["simulate", "--what-if", f"kill {names[0]}", "--instances", "long.json"]) == 0
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    lines = shown.splitlines()
    at = next(number for number, line in enumerate(lines) if "is unreachable" in line)
    who = slice(lines[0].index("who"), lines[0].index("what"))
    assert [line[who].strip() for line in lines[at : at + 3]] == [f"{names[1]},", f"{names[2]},", names[3]]
