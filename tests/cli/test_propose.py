"""Proposing: verdicts, votes, refusals, and the outcome nobody knows."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iwdc_console.cli import main, propose
from iwdc_console.cli.exits import Exit
from iwdc_console.cli.failures import AFTER_REJECTION
from iwdc_console.tui.model.codes import VOTES as REASONS
from tests.cli import samples
from tests.cli.fake import Asked, FakeNode, Hang, Refuse, running

LINE = ["propose-snapshot", "--version=1.2.0", "--hash=abc123"]
DIFF = ["propose-diff", "--from=1.1.0", "--to=1.2.0", "--hash=def456"]
SIGNATURE = "ops:" + base64.b64encode(bytes(64)).decode()
PROPOSED = {"proposalId": "snapshot-1.2.0-1700000000000", "quorum": samples.QUORUM, "key": "k-1", "state": "pending"}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    routes = {
        "POST distributed/propose-snapshot": PROPOSED,
        "POST distributed/propose-diff": PROPOSED | {"key": "k-2"},
        "GET distributed/proposals/k-1": [samples.proposal()],
        "GET distributed/proposals/k-2": [samples.DIFF],
        "GET distributed/info": {"id": "instance-A", "cluster": "prod-eu"},
    }
    with running(routes) as fake:
        monkeypatch.setenv("IWDC_NODE", fake.url)
        yield fake


def test_accepted(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(LINE) == Exit.DONE
    out, err = capsys.readouterr()
    assert out.startswith("snapshot 1.2.0 accepted\nsnapshot-1.2.0-1700000000000\n\ninstance    vote")
    assert err == ""
    asked = node.asked[0]
    assert asked.body == {"version": "1.2.0", "hash": "abc123"}
    assert asked.query == "wait=1"
    assert len(asked.headers["idempotency-key"]) == 36


def test_json_is_the_proposal(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*LINE, "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == samples.proposal()


def test_rejected_is_6(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(DIFF) == Exit.REJECTED
    out, err = capsys.readouterr()
    assert out.startswith("diff 1.1.0 -> 1.2.0 rejected: stale_version\n")
    assert "propose a greater one" in err
    assert node.asked[0].body == {"from": "1.1.0", "to": "1.2.0", "hash": "def456"}


def test_every_reason_to_vote_no_says_what_to_do_next() -> None:
    reasons = set(REASONS) - {"config_mismatch"}  # told by status
    assert set(AFTER_REJECTION) == reasons


def test_what_was_there_before_is_told(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/propose-snapshot"] = PROPOSED | {"existing": True}
    assert main.run(LINE) == Exit.DONE
    assert capsys.readouterr().out.startswith("snapshot 1.2.0 accepted (the same was proposed before)\n")


def test_accepted_and_lost_is_6(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["GET distributed/proposals/k-1"] = [samples.proposal(settled=False)]
    assert main.run(LINE) == Exit.REJECTED
    assert "accepted, lost its conflict" in capsys.readouterr().out


def test_the_verdict_is_awaited(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(propose, "POLL_S", 0.001)
    monkeypatch.setattr("iwdc_console.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    later = iter(
        [
            samples.proposal("pending", votes={"instance-A": samples.vote()}),
            samples.proposal("pending", votes={"instance-A": samples.vote()}),
            samples.proposal(),
        ]
    )
    node.routes["GET distributed/proposals/k-1"] = lambda asked: [next(later)]
    assert main.run(LINE) == Exit.DONE
    assert capsys.readouterr().err == "instance-A  accept\ninstance-B  accept\n"


@pytest.mark.parametrize("state", ["pending", "expired"])
def test_no_verdict_in_time_is_8_and_neither_yes_nor_no(
    node: FakeNode, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    node.routes["GET distributed/proposals/k-1"] = [samples.proposal(state, votes={})]
    assert main.run([*LINE, "--timeout", "0"]) == Exit.UNKNOWN
    out, err = capsys.readouterr()
    assert "may still be accepted or rejected" in err
    assert "accepted" not in out
    assert "rejected" not in out


def test_no_wait(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*LINE, "--no-wait"]) == Exit.DONE
    assert capsys.readouterr().out == "Proposed: snapshot-1.2.0-1700000000000\n"
    assert node.asked[0].query == ""
    assert len(node.asked) == 1


def refusing(error: Exception) -> Any:
    def answer(asked: Asked) -> Any:
        raise error

    return answer


def test_no_quorum_is_5_with_the_numbers(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    data = {"reason": "insufficient_quorum", "quorum": samples.QUORUM | {"healthy": 1, "sufficient": False}}
    node.routes["POST distributed/propose-snapshot"] = refusing(Refuse(200, data))
    assert main.run([*LINE, "--json"]) == Exit.NO_QUORUM
    out, err = capsys.readouterr()
    assert json.loads(out) == data
    assert "insufficient_quorum (1 of 3 healthy, 2 needed)" in err


def test_no_answer_is_8(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/propose-snapshot"] = refusing(Hang())
    assert main.run(LINE) == Exit.UNKNOWN
    err = capsys.readouterr().err
    assert "It may have happened" in err
    assert f"--key {node.asked[0].headers['idempotency-key']}" in err


def test_a_key_of_one_s_own_is_the_proposal_s(node: FakeNode) -> None:
    assert main.run([*LINE, "--key", "build-7"]) == Exit.DONE
    assert main.run([*DIFF, "--key=build-8"]) == Exit.REJECTED
    keys = [one.headers.get("idempotency-key") for one in node.asked if one.method == "POST"]
    assert keys == ["build-7", "build-8"]


def test_ctrl_c_while_votes_are_awaited_names_the_proposal(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    def pressed(asked: Asked) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return [samples.proposal("pending", votes={})]

    node.routes["GET distributed/proposals/k-1"] = pressed
    assert main.run(LINE) == main.INTERRUPTED
    assert "snapshot-1.2.0-1700000000000 may still be accepted or rejected." in capsys.readouterr().err


def test_the_next_node_is_asked_with_the_same_key(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running({"POST distributed/propose-snapshot": refusing(Hang())}) as broken:
        assert main.run([*LINE, "--node", broken.url, "--node", node.url]) == Exit.DONE
        keys = {one.headers["idempotency-key"] for one in (broken.asked[0], node.asked[0])}
    assert len(keys) == 1
    assert "another node answers" in capsys.readouterr().err


@pytest.mark.parametrize(("would", "sufficient", "code"), [(True, True, 0), (False, True, 6), (False, False, 5)])
def test_dry_run(node: FakeNode, capsys: pytest.CaptureFixture[str], would: bool, sufficient: bool, code: int) -> None:
    node.routes["POST distributed/propose-snapshot"] = samples.prediction(would, sufficient)
    assert main.run([*LINE, "--dry-run"]) == code
    out = capsys.readouterr().out
    assert "Nothing was changed" in out
    assert "vote of instance-B  unknown" in out
    assert node.asked[0].query == "dryRun=true"


def test_a_dry_run_that_is_not_answered_has_changed_nothing(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/propose-snapshot"] = refusing(Hang())
    assert main.run([*LINE, "--dry-run"]) == Exit.UNREACHABLE
    assert "may have happened" not in capsys.readouterr().err


def test_sign(node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from node.protocol.canonical import signed_bytes
    from node.security.keys import SigningKey, Verifier

    key = SigningKey.generate()
    key.save(tmp_path / "ops.pem")
    assert main.run([*LINE, "--sign", str(tmp_path / "ops.pem")]) == Exit.DONE
    signature = node.requests("POST distributed/propose-snapshot")[0].body["signature"]
    message = signed_bytes("prod-eu", "snapshot", None, "1.2.0", "abc123")
    assert Verifier({"ops": [key.public]})("ops", message, signature)
    assert main.run([*LINE, "--sign", str(tmp_path / "none.pem")]) == Exit.USAGE
    assert "none.pem" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["", "def456", "ops:", "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="])
@pytest.mark.parametrize("line", [LINE, DIFF])
def test_what_cannot_be_a_signature_is_never_sent(
    node: FakeNode, capsys: pytest.CaptureFixture[str], line: list[str], given: str
) -> None:
    """An empty variable or a public key would pass unseen wherever none is required."""
    assert main.run([*line, f"--signature={given}"]) == Exit.USAGE
    assert "--signature: expected 64 bytes in base64" in capsys.readouterr().err
    assert node.asked == []


def test_a_signature_is_sent_as_it_was_given(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*LINE, f"--signature={SIGNATURE}"]) == Exit.DONE
    assert node.asked[0].body["signature"] == SIGNATURE
    assert main.run([*LINE, f"--signature={SIGNATURE}", "--sign", "ops.pem"]) == Exit.USAGE
    assert "give one of them" in capsys.readouterr().err
