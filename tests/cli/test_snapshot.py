"""`snapshot` and `diff`: what is asked of the node, what people see, and the exit codes."""

import json
import os
import pty
import signal
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iwdc_console.cli import jobs, main
from iwdc_console.cli.exits import Exit
from node.protocol.canonical import signed_bytes
from node.security.keys import SigningKey, Verifier
from tests.cli import samples
from tests.cli.fake import Asked, FakeNode, Hang, running

STORED = {
    "kind": "snapshot",
    "version": "1.2.0",
    "hash": "a" * 64,
    "content": {"key": "b" * 64, "bytes": 4096, "files": 2},
}
VERSIONS = [
    {
        "version": "1.2.0",
        "state": "current",
        "key": "b" * 64,
        "hash": "a" * 64,
        "files": 2,
        "bytes": 4096,
        "instances": {
            "instance-A": {"state": "has", "percent": 100, "applied": True},
            "instance-B": {"state": "fetching", "percent": 40, "problem": "nobody has it"},
            "instance-C": {"state": "has", "percent": 100, "applying": True},
        },
    },
    {"version": "1.1.0", "state": "accepted", "hash": "c" * 64, "instances": {"instance-A": {"state": "has"}}},
]


def test_how_far_it_is_stays_on_one_line_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 60))
    monkeypatch.delenv("COLUMNS", raising=False)
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        bar = jobs.Bar()
        bar.show("bringing 1 MiB to voters: " + "сервер-Б no answer (for 12 s), " * 9, 0, 0)
        bar.show("storing: 5 files", 5, 9)
        bar.clear()
        terminal.write("END")
        terminal.flush()
        told = b""
        while not told.endswith(b"END"):  # a terminal hands on what was written bit by bit
            told += os.read(ours, 65536)
    os.close(ours)
    shown = told.decode().removesuffix("END")
    assert "\n" not in shown
    first, second, *_ = (line for line in shown.split("\r") if line)
    assert len(first) == 59
    assert first.endswith("…")
    assert second.rstrip() == f"[{'#' * 13:<24}]  56%  storing: 5 files"


def _job(**more: Any) -> dict[str, Any]:
    return {"id": "j-1", "phase": "done", "version": "1.2.0"} | more


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    routes = {
        "POST snapshots/store": _job(phase="waiting", id="j-0"),
        "GET snapshots/jobs/j-0": _job(stored=STORED),
        "POST snapshots/publish": _job(proposal=samples.proposal()),
        "GET snapshots": VERSIONS,
        "GET distributed/status": {"currentVersion": "1.2.0"},
    }
    with running(routes) as fake:
        monkeypatch.setenv("IWDC_NODE", fake.url)
        yield fake


def test_publish_stores_then_publishes(node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.DONE
    out, err = capsys.readouterr()
    assert out.startswith("snapshot 1.2.0 accepted\n")
    assert "Stored 1.2.0: 2 files, 4.0 KiB." in err
    bodies = {asked.path: asked.body for asked in node.asked if asked.method == "POST"}
    assert list(bodies.values()) == [{"path": str(tmp_path), "version": "1.2.0"}, STORED]


def test_a_dry_run_tries_the_signature_as_well(node: FakeNode, tmp_path: Path) -> None:
    folder, keyfile = tmp_path / "json", tmp_path / "ops.pem"
    (folder / "series").mkdir(parents=True)
    (folder / "series" / "a.json").write_text("{}")
    key = SigningKey.generate()
    key.save(keyfile)
    node.routes["GET distributed/info"] = {"cluster": "iwdc"}
    node.routes["POST distributed/propose-snapshot"] = samples.prediction()
    command = ["snapshot", "publish", str(folder), "--version", "1.2.0", "--sign", str(keyfile), "--dry-run"]
    assert main.run(command) == Exit.DONE
    body = node.requests("POST distributed/propose-snapshot")[0].body
    verifier = Verifier({"ops": [key.public]})
    message = signed_bytes("iwdc", "snapshot", None, "1.2.0", body["hash"], None)
    assert verifier.signer("instance-A", message, body["signature"]) == "ops"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("insufficient_quorum", Exit.NO_QUORUM),
        ("not_staged", Exit.NO_QUORUM),
        ("would_be_rejected", Exit.REJECTED),
        ("void", Exit.REJECTED),
        ("maybe", Exit.UNKNOWN),
        ("no_space", Exit.FAILED),
    ],
)
def test_a_failed_job_has_its_exit_code(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str, code: Exit
) -> None:
    node.routes["POST snapshots/publish"] = _job(phase="failed", reason=reason, detail="because")
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == code
    assert f"Version 1.2.0: {reason}: because" in capsys.readouterr().err


def test_who_is_missing_is_where_to_look_when_a_node_cannot_vote(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detail = "recovering: waiting for instance-C"
    node.routes["POST snapshots/publish"] = _job(phase="failed", reason="recovering", detail=detail)
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.NO_QUORUM
    said = capsys.readouterr().err
    assert "Version 1.2.0: recovering: waiting for instance-C\n" in said
    assert "iwdc-distributed doctor" in said


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("storing", "The node goes on with it; nothing is put to the vote."),
        ("staging", "The node goes on with it: 1.2.0 may still be put to the vote."),
    ],
)
def test_ctrl_c_says_that_the_node_goes_on(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    phase: str, said: str,
) -> None:  # fmt: skip
    def ctrl_c(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("iwdc_console.cli.jobs.time.sleep", ctrl_c)
    step = "store" if phase == "storing" else "publish"
    node.routes[f"POST snapshots/{step}"] = _job(phase=phase)
    if step == "publish":
        node.routes["POST snapshots/store"] = _job(stored=STORED)
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == 128 + signal.SIGINT
    assert said in capsys.readouterr().err


def test_what_is_damaged_is_named_and_where_to_look_again(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    corrupt = [f"series/{number}.json" for number in range(7)]
    found = {"checked": 9, "missing": ["models/a.json"], "corrupt": corrupt, "extra": []}
    node.routes["POST snapshots/verify"] = _job(phase="failed", reason="damaged", detail="8 files", verified=found)
    assert main.run(["snapshot", "verify", "1.2.0"]) == Exit.FAILED
    said = capsys.readouterr().err
    assert "  missing: models/a.json\n  corrupt: series/0.json\n" in said
    assert "  and 3 more\n" in said
    assert "iwdc-distributed snapshot verify 1.2.0" in said


def test_what_was_put_to_the_vote_before_is_told_as_such(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.routes["POST snapshots/publish"] = _job(proposal=samples.proposal(), existing=True)
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.DONE
    assert "It was put to the vote before" in capsys.readouterr().err


def test_what_nodes_take_only_signed_says_how_to_sign(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = _job(phase="failed", reason="would_be_rejected", detail="signature: bad_signature")
    node.routes["POST snapshots/publish"] = refused
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.REJECTED
    assert "--sign KEYFILE" in capsys.readouterr().err


def test_a_vote_lost_for_want_of_a_signature_says_how_to_sign(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = samples.proposal(state="rejected") | {"reason": "bad_signature"}
    node.routes["POST snapshots/publish"] = _job(proposal=lost)
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.REJECTED
    assert "--sign KEYFILE" in capsys.readouterr().err


@pytest.mark.parametrize("phase", ["staging", "voting"])
def test_a_node_lost_while_it_publishes_leaves_the_outcome_open(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str], phase: str
) -> None:
    node.routes["POST snapshots/publish"] = _job(phase=phase, id="forgotten")
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.UNKNOWN
    assert "may have been put to the vote" in capsys.readouterr().err


def test_a_node_lost_while_it_stores_has_proposed_nothing(node: FakeNode, tmp_path: Path) -> None:
    node.routes["POST snapshots/store"] = _job(phase="storing", id="forgotten")
    assert main.run(["snapshot", "publish", str(tmp_path), "--version", "1.2.0"]) == Exit.FAILED


def test_list_shows_who_has_what(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["snapshot", "list"]) == Exit.DONE
    out = capsys.readouterr().out
    assert "has *" in out
    assert "fetching 40 %" in out
    assert "1.2.0 at instance-B: nobody has it" in out
    assert "applying *" in out
    assert main.run(["snapshot", "list", "-o", "plain"]) == Exit.DONE
    said = [line.split("\t")[:6] for line in capsys.readouterr().out.splitlines()]
    assert said[0] == ["1.2.0", "current", "instance-A", "has", "100", "true"]
    assert said[2] == ["1.2.0", "current", "instance-C", "has", "100", "applying"]
    assert main.run(["snapshot", "list", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == VERSIONS


def test_rollback_proposes_what_was_accepted(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    proposal = samples.proposal()
    proposed = {"proposalId": proposal["id"], "quorum": samples.QUORUM, "key": "k-1", "state": "pending"}
    node.routes["POST distributed/propose"] = [{"success": True, "status": 200, "data": proposed}]
    node.routes["GET distributed/proposals/k-1"] = [proposal]
    assert main.run(["snapshot", "rollback", "1.1.0", "--yes"]) == Exit.DONE
    [asked] = [asked for asked in node.asked if asked.method == "POST"]
    [item] = asked.body["proposals"]
    del item["idempotencyKey"]
    assert item == {"kind": "rollback", "from": "1.2.0", "to": "1.1.0", "hash": "c" * 64}


def test_rollback_refused_has_the_exit_code_of_its_reason(node: FakeNode) -> None:
    refusal = {"reason": "insufficient_quorum", "quorum": samples.QUORUM}
    node.routes["POST distributed/propose"] = [{"success": False, "status": 200, "data": refusal}]
    assert main.run(["snapshot", "rollback", "1.1.0", "--yes"]) == Exit.NO_QUORUM


def test_rollback_wants_the_version_typed(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "1.0.0")
    assert main.run(["snapshot", "rollback", "1.1.0"]) == Exit.USAGE
    assert all(asked.method == "GET" for asked in node.asked)


def test_a_version_that_was_never_accepted_is_no_target(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["GET distributed/proposals"] = []
    assert main.run(["snapshot", "rollback", "0.1.0", "--yes"]) == Exit.FAILED
    assert "No accepted version 0.1.0" in capsys.readouterr().err


def test_verify_takes_a_part(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    found = {"checked": 3, "missing": [], "corrupt": [], "extra": []}
    node.routes["POST snapshots/verify"] = _job(verified=found)
    assert main.run(["snapshot", "verify", "1.2.0", "--sample", "10%"]) == Exit.DONE
    assert node.asked[-1].body == {"version": "1.2.0", "sample": 0.1}
    assert main.run(["snapshot", "verify", "1.2.0", "--sample", "all"]) == Exit.USAGE


def test_prune_says_what_goes(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST snapshots/prune"] = {"versions": ["1.0.0"], "dryRun": True}
    assert main.run(["snapshot", "prune", "--keep", "2", "--dry-run"]) == Exit.DONE
    assert capsys.readouterr().out == "Would drop: 1.0.0.\n"


def test_a_prune_tried_out_is_a_read(node: FakeNode) -> None:
    def silent(asked: Asked) -> Any:
        raise Hang

    node.routes["POST snapshots/prune"] = silent
    assert main.run(["snapshot", "prune", "--keep", "2", "--dry-run"]) == Exit.UNREACHABLE
    assert main.run(["snapshot", "prune", "--keep", "2"]) == Exit.UNKNOWN


def test_diff_publish_of_a_folder_stores_it_first(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = STORED | {"kind": "diff", "from": "1.1.0"}
    node.routes["POST diffs"] = _job(stored=made)
    assert main.run(["diff", "publish", "1.1.0", "1.2.0", str(tmp_path)]) == Exit.DONE
    assert "Stored 1.2.0: 2 files, 4.0 KiB." in capsys.readouterr().err
    bodies = {asked.path: asked.body for asked in node.asked if asked.method == "POST"}
    assert list(bodies.values()) == [
        {"path": str(tmp_path), "version": "1.2.0"},
        {"from": "1.1.0", "to": "1.2.0"},
        made,
    ]
    assert main.run(["diff", "make", "1.1.0", "1.2.0", str(tmp_path / "none")]) == Exit.USAGE
    assert "is no folder" in capsys.readouterr().err


def test_diff_publish_makes_and_publishes(node: FakeNode) -> None:
    made = STORED | {"kind": "diff", "from": "1.1.0"}
    node.routes["POST diffs"] = _job(stored=made)
    assert main.run(["diff", "publish", "1.1.0", "1.2.0"]) == Exit.DONE
    bodies = [asked.body for asked in node.asked if asked.method == "POST"]
    assert bodies == [{"from": "1.1.0", "to": "1.2.0"}, made]
