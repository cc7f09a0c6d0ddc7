"""`iwdc-distributed config`: what it prints, where, and its exit codes."""

import json
from pathlib import Path

import pytest

from iwdc_console.cli.exits import Exit
from iwdc_console.cli.main import run
from node.journal import JOURNAL_NAME, Journal
from node.protocol.records import Configured

FILE = "[node]\nid = 'instance-A'\n[timing]\nlock_ttl = 45  # long\n"


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    Path("node.toml").write_text(FILE)


def test_show_tells_every_key_and_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config", "node.toml", "--set", "quorum.rule=majority", "--json"]) == Exit.DONE
    shown = json.loads(capsys.readouterr().out)
    by_key = {row["key"]: (row["value"], row["source"]) for row in shown["settings"]}
    assert by_key["timing.lock_ttl"] == (45.0, "node.toml:4")
    assert by_key["quorum.rule"] == ("majority", "--set quorum.rule")
    assert by_key["conflicts.strategy"] == ("last-write-wins", None)
    assert shown["members"] == [{"id": "instance-A", "url": "http://127.0.0.1:3000/api/v1", "protocol": "2"}]


def test_tables_fit_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config", "node.toml"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert "Warning: instance-A is not listed" in " ".join(lines)
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["timing.lock_ttl", "45", "node.toml:4"] for line in lines)


def test_where_a_value_was_set_is_shown_also_beside_a_long_one(capsys: pytest.CaptureFixture[str]) -> None:
    Path("node.toml").write_text(f"{FILE}[content]\nroot = '/srv/{'catalogue/' * 8}data'\n")
    assert run(["config", "show", "--config", "node.toml"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["timing.lock_ttl", "45", "node.toml:4"] for line in lines)


def test_plain_lines_have_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config", "node.toml", "-o", "plain"]) == Exit.DONE
    assert "node.id\tinstance-A\tnode.toml:2" in capsys.readouterr().out.splitlines()


def test_validate_gates(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "validate", "--config", "node.toml"]) == Exit.DONE
    done = capsys.readouterr()
    assert done.out == ""
    assert "Valid: cluster iwdc, 1 member, digest" in done.err
    assert "Warning: instance-A is not listed" in done.err
    assert run(["config", "validate", "--config", "node.toml", "--set", "timing.lock_ttl=5"]) == Exit.FAILED
    assert "lock_ttl" in capsys.readouterr().err
    assert not Path("data").exists(), "looking must change nothing"


def test_validate_finds_what_only_this_machine_can_tell(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["config", "validate", "--config", "node.toml"]
    assert run([*line, "--set", "content.before_apply=no-such-program --strict"]) == Exit.DONE
    assert "[content] before_apply: there is no program no-such-program here" in capsys.readouterr().err
    assert run([*line, "--set", "security.signing_key=node.toml"]) == Exit.FAILED
    err = capsys.readouterr().err
    assert "[security] signing_key: node.toml: no private key that can be read; expected" in err
    assert "Valid" not in err


def ran_with(settled: bool, *others: str) -> None:
    """A journal of instance-A, which last ran with these members."""
    members = dict.fromkeys(("instance-A", *others), "http://x:1/api/v1 protocol 2")
    Path("data/instance-A").mkdir(parents=True)
    with Journal.open(Path("data/instance-A") / JOURNAL_NAME) as journal:
        journal.commit([Configured("0" * 16, members, settled)])


def listed(*names: str) -> str:
    entries = [{"id": name, "url": f"http://{name}:3000/api/v1/distributed/sync"} for name in names]
    Path("instances.json").write_text(json.dumps(entries))
    return "instances.json"


VALIDATE = ["config", "validate", "--config", "node.toml", "--set", "node.listen=127.0.0.1:3000", "--instances"]


@pytest.mark.parametrize(
    ("settled", "names", "said"),
    [
        (True, "ABC", "changes 2 members at once (+instance-B, +instance-C); expected one at a time"),
        (False, "AB", "changes +instance-B before all members were seen running the last change"),
    ],
)
def test_m3_validate_refuses_members_that_a_node_would_not_start_with(
    settled: bool, names: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran_with(settled)
    assert run([*VALIDATE, listed(*(f"instance-{name}" for name in names))]) == Exit.FAILED
    err = " ".join(capsys.readouterr().err.split())
    assert f"node instance-A cannot start: instances.json {said}" in err
    assert "Valid" not in err


def test_m3_validate_takes_one_member_more(capsys: pytest.CaptureFixture[str]) -> None:
    ran_with(True)
    assert run([*VALIDATE, listed("instance-A", "instance-B")]) == Exit.DONE
    err = capsys.readouterr().err
    assert "Valid: cluster iwdc, 2 members" in err
    assert "Not checked" not in err


def test_m3_validate_says_that_members_were_not_checked_where_no_node_has_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*VALIDATE, listed("instance-A", "instance-B", "instance-C")]) == Exit.DONE
    assert "Not checked: that members change one at a time." in capsys.readouterr().err
    assert not Path("data").exists(), "looking must change nothing"


def test_validate_says_what_is_wrong_with_the_journal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/instance-A").mkdir(parents=True)
    (Path("data/instance-A") / JOURNAL_NAME).write_bytes(b"no journal at all, but long enough to be looked at" * 50)
    assert run([*VALIDATE, listed("instance-A")]) == Exit.FAILED
    err = capsys.readouterr().err
    assert "node instance-A cannot start: data/instance-A/journal.sqlite: " in err
    assert "Valid" not in err


def test_set_writes_or_leaves_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "timing.lock_ttl", "50", "--config", "node.toml"]) == Exit.DONE
    assert Path("node.toml").read_text() == FILE.replace("45", "50")
    assert run(["config", "set", "timing.lock_ttl", "soon", "--config", "node.toml"]) == Exit.FAILED
    assert "expected a number of seconds" in capsys.readouterr().err
    assert Path("node.toml").read_text() == FILE.replace("45", "50")


def test_set_says_what_only_a_person_can_change(capsys: pytest.CaptureFixture[str]) -> None:
    Path("node.toml").write_text("quorum = {rule = 'half'}\n")
    assert run(["config", "set", "quorum.rule", "majority", "--config", "node.toml"]) == Exit.FAILED
    assert "please edit it by hand" in capsys.readouterr().err


def test_contexts_are_made_chosen_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "use-context"]) == Exit.DONE
    assert capsys.readouterr().out.startswith("No contexts yet. Make one:")
    assert run(["config", "use-context", "prod", "--node", "ftp://x"]) == Exit.USAGE
    assert "'ftp://x' is not a node's URL" in capsys.readouterr().err
    assert run(["config", "use-context", "prod"]) == Exit.FAILED
    assert run(["config", "use-context", "prod", "--node", "http://a:1", "--node", "http://b:1"]) == Exit.DONE
    assert run(["config", "use-context", "lab", "--node", "http://c:1"]) == Exit.DONE
    assert run(["config", "use-context", "prod"]) == Exit.DONE
    capsys.readouterr()
    assert run(["config", "use-context", "-o", "json"]) == Exit.DONE
    listed = json.loads(capsys.readouterr().out)
    assert listed == {"current": "prod", "contexts": {"prod": ["http://a:1", "http://b:1"], "lab": ["http://c:1"]}}
