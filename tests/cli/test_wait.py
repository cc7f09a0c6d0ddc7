"""`wait` as a gate."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from iwdc_console.cli import main, wait
from iwdc_console.cli.exits import Exit
from tests.cli import samples
from tests.cli.fake import FakeNode, running


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    monkeypatch.setattr(wait, "FIRST_PAUSE_S", 0.001)
    with running({"GET distributed/status": samples.STATUS}) as fake:
        monkeypatch.setenv("IWDC_NODE", fake.url)
        yield fake


LEADERLESS = samples.STATUS | {"leader": samples.LEADER | {"id": None}}
NO_QUORUM = samples.STATUS | {"quorum": samples.QUORUM | {"healthy": 1, "sufficient": False}}


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ([], NO_QUORUM, Exit.DONE),
        (["--quorum", "--leader", "--version", "1.2.0", "--healthy", "1"], samples.STATUS, Exit.DONE),
        (["--quorum"], NO_QUORUM, Exit.NO_QUORUM),
        (["--leader"], LEADERLESS, Exit.NO_QUORUM),
        (["--version", "1.3.0"], samples.STATUS, Exit.FAILED),
        (["--healthy", "3"], samples.STATUS, Exit.FAILED),
        (["--settled"], samples.STATUS, Exit.FAILED),
        (["--settled"], samples.STATUS | {"openProposals": 0}, Exit.DONE),
    ],
)
def test_gates(
    node: FakeNode, capsys: pytest.CaptureFixture[str], options: list[str], status: dict[str, Any], code: Exit
) -> None:
    node.routes["GET distributed/status"] = status
    assert main.run(["wait", *options, "--timeout", "0"]) == code
    out, err = capsys.readouterr()
    assert (out == "") == (code != Exit.DONE)
    assert ("Waited 0 s." in err) == (code != Exit.DONE)


def test_it_waits_for_what_comes(node: FakeNode) -> None:
    answers = itertools.chain([LEADERLESS, NO_QUORUM], itertools.repeat(samples.STATUS))
    node.routes["GET distributed/status"] = lambda asked: next(answers)
    assert main.run(["wait", "--quorum", "--leader", "--timeout", "20"]) == Exit.DONE
    assert len(node.asked) == 3


def test_nobody_there_when_time_is_up_is_3() -> None:
    assert main.run(["wait", "--timeout", "0", "--node", "http://127.0.0.1:1"]) == Exit.UNREACHABLE
