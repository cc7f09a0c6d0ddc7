"""Commands as scripts meet them: what is on stdout, what on stderr, and the exit code."""

import io
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iwdc_console import console
from iwdc_console.cli import main, output
from iwdc_console.cli.commands import COMMANDS, invoke
from iwdc_console.cli.exits import Exit
from tests.cli import samples
from tests.cli.fake import STAMP_MS, Asked, FakeNode, Hang, Raw, Refuse, running


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No contexts, no environment of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("IWDC_NODE", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    routes = samples.READS | {
        "GET distributed/proposals/k%2F1": [samples.proposal()],
        "GET metrics": Raw(200, samples.METRICS.encode()),
    }
    with running(routes) as fake:
        monkeypatch.setenv("IWDC_NODE", fake.url)
        yield fake


READS: list[tuple[list[str], Any, list[str]]] = [
    (["quorum"], samples.QUORUM, ["total\t3", "healthy\t2", "required\t2", "sufficient\ttrue"]),
    (["leader"], samples.LEADER, ["id\tinstance-A", "term\t4"]),
    (
        ["instances"],
        samples.INSTANCES,
        [
            "instance-A\thealthy\t",
            "instance-B\tdegraded\t1200\t0.84\t1051200000\t1204.0\t1.2.0\t2\thttp://10.0.0.2:3000",
        ],
    ),
    (["locks"], samples.LOCKS, ["catalogue\tbuild-7\tinstance-B\t60129\t30000\t24000\t2"]),
    (["status"], samples.STATUS, ["id\tinstance-A", "quorum.sufficient\ttrue", "instance.instance-C\tunreachable"]),
    (["drift"], samples.DRIFT, ["offsetMs\t12.4", "peer\tinstance-C\t"]),
    (
        ["proposals"],
        [samples.proposal(), samples.DIFF],
        ["diff-1.1.0-1.2.0-1700000000001\tdiff\t\t1.1.0\t1.2.0\tdef456\tinstance-A\trejected\tstale_version"],
    ),
    (["proposals", "k/1"], [samples.proposal()], ["vote\tinstance-A\taccept"]),
    (["conflicts"], samples.CONFLICTS, ["version 1.2.0\topen\treject-inconsistent\t\tk-1=abc123\tk-9=fff000"]),
    (["events"], samples.EVENTS, ["1699999997000\tinstance-A\t7\tSNAPSHOT_PROPOSAL\te-1"]),
    (["traces"], samples.TRACES, ["4bf92f3577b34da6a3ce929d0e0e4736\tPROPOSE_SNAPSHOT_API"]),
    (["metrics"], None, ["distributed_votes_total\t12\ttype=accept", "distributed_active_locks\t1.5"]),
]


@pytest.mark.parametrize(("command", "data", "plain"), READS)
def test_reads(
    node: FakeNode, capsys: pytest.CaptureFixture[str], command: list[str], data: Any, plain: list[str]
) -> None:
    assert main.run([*command, "-o", "json"]) == Exit.DONE
    out, err = capsys.readouterr()
    assert err == ""
    if data is not None:
        assert json.loads(out) == data
    assert main.run([*command, "--json"]) == Exit.DONE
    assert capsys.readouterr().out == out

    assert main.run([*command, "-o", "plain"]) == Exit.DONE
    lines = capsys.readouterr().out.split("\n")
    for expected in plain:
        assert any(line.startswith(expected) for line in lines), lines

    assert main.run(command) == Exit.DONE
    out, err = capsys.readouterr()
    assert "seen by instance-A, " in out
    assert "\x1b" not in out
    assert err == ""


AGE = re.compile(r"\d\.\d s ago")


@pytest.mark.parametrize("name", ["quorum", "status", "leader", "instances", "drift", "locks", "conflicts"])
@pytest.mark.parametrize("more", [[], ["-o", "json"], ["--output=plain"], ["--json"], ["--node", "NODE"]])
def test_the_quick_way_and_typer_say_the_same(
    node: FakeNode, capsys: pytest.CaptureFixture[str], name: str, more: list[str]
) -> None:
    line = [name, *(node.url if word == "NODE" else word for word in more)]
    assert main.plain_read(line) is not None
    assert main.run(line) == Exit.DONE
    quick = AGE.sub("", capsys.readouterr().out)
    assert invoke(line) == Exit.DONE
    assert AGE.sub("", capsys.readouterr().out) == quick


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["--help"],
        ["quroum"],
        ["quorum", "--help"],
        ["quorum", "extra"],
        ["quorum", "-o"],
        ["quorum", "-o", "xml"],
        ["quorum", "-ojson"],
        ["quorum", "--node"],
        ["quorum", "--watch"],
        ["leader", "elect"],
        ["proposals", "ID"],
        ["wait"],
    ],
)
def test_what_is_odd_goes_to_typer(line: list[str]) -> None:
    assert main.plain_read(line) is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["quroum"], "Did you mean 'quorum'?"),
        (["quorum", "-o", "xml"], "expected table, json, plain"),
        (["proposals", "--limit", "many"], "expected a whole number"),
        (["proposals", "--limit", "0"], "expected 1 <= x"),
        (["wait", "--timeout", "nan"], "expected a number"),
        (["lock", "acquire", "x", "--wait", "inf"], "expected a number"),
        (["lock", "acquire", ""], "an empty name"),
        (["proposals", ""], "an empty name"),
        (["propose-snapshot", "--version=1.0.0"], "Missing option '--hash'"),
        (["quorum", "--node", "ftp://x"], "is not a node's URL"),
        (["quorum", "--context", "nowhere"], "there is no context 'nowhere'"),
        (["quorum", "--context", "nowhere"], "iwdc-distributed config use-context"),
        (["traces", "4bf92f3577b34da6a3ce929d0e0e4736", "--watch"], "--watch goes with the list"),
        (["publish", "X", "[1]"], "expected an object"),
        (["publish", "X", "{"], "not JSON"),
        (["publish", "X", "[" * 5000], "not JSON"),
        (["lock", "release", "x"], "Expected --token"),
        (["lock", "run", "x"], "Missing argument"),
        (["node", "recover"], "Expected --without"),
    ],
)
def test_wrong_usage_is_2_and_says_what_was_expected(
    capsys: pytest.CaptureFixture[str], line: list[str], words: str
) -> None:
    assert main.run(line) == Exit.USAGE
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""
    assert "Traceback" not in err


def test_nobody_there_is_3_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert main.run(["quorum", "--node", url, "--node", f"{url}/"]) == Exit.UNREACHABLE
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{url}: connection refused" in err
    assert "iwdc-distributed node run" in err


def test_a_node_that_is_there_and_silent_is_not_to_be_started(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iwdc_console.cli.wait.ANSWER_TIMEOUT_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert (
            main.run(["wait", "--timeout", "0", "--node", f"127.0.0.1:{silent.getsockname()[1]}"]) == Exit.UNREACHABLE
        )
    err = capsys.readouterr().err
    assert "no answer within" in err
    assert "paused or overloaded" in err
    assert "node run" not in err


def refusing(status: int, data: Any, error: str | None = None) -> Any:
    def answer(asked: Asked) -> Any:
        raise Refuse(status, data, error)

    return answer


@pytest.mark.parametrize(
    ("status", "data", "code"),
    [
        (403, None, Exit.NOT_ALLOWED),
        (503, {"reason": "no_leader"}, Exit.NO_QUORUM),
        (409, {"reason": "no_candidate"}, Exit.NO_QUORUM),
        (409, {"reason": "id_taken"}, Exit.FAILED),
        (400, {"reason": "bad_request"}, Exit.USAGE),
        (504, {"reason": "maybe"}, Exit.UNKNOWN),
    ],
)
def test_exit_codes_of_orders(
    node: FakeNode, capsys: pytest.CaptureFixture[str], status: int, data: Any, code: Exit
) -> None:
    node.routes["POST distributed/leader/elect"] = refusing(status, data, "because")
    assert main.run(["leader", "elect"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "because" in err
    assert ("iwdc-distributed doctor" in err) == (code == Exit.NO_QUORUM)
    assert "failed" not in err.lower() or code != Exit.UNKNOWN


def test_an_order_for_the_leader_finds_it(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/leader/step-down"] = refusing(409, {"reason": "not_leader"})
    with running({"POST distributed/leader/step-down": {"detail": "handing over to instance-B"}}) as leader:
        node.routes["GET distributed/instances"] = [samples.instance("instance-A", url=f"{leader.url}/api/v1")]
        assert main.run(["leader", "step-down", "--to", "instance-B"]) == Exit.DONE
        assert leader.asked[0].body == {"to": "instance-B"}
    assert capsys.readouterr().out == "handing over to instance-B\n"


def test_an_answer_of_another_shape_is_said_to_be_so(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["GET distributed/quorum"] = {"total": 3}
    assert main.run(["quorum"]) == Exit.FAILED
    assert "in a form this version does not know" in capsys.readouterr().err
    assert main.run(["quorum", "--json"]) == Exit.DONE


def test_hostile_names_do_not_reach_the_terminal(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["GET distributed/locks"] = [samples.LOCK | {"resource": "\x1b[2J\x9b\ud800", "owner": "a\tb\nc"}]
    for line in (["locks"], ["locks", "-o", "plain"], ["locks", "-o", "json"]):
        assert main.run(line) == Exit.DONE
        out = capsys.readouterr().out
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in out if c not in "\n\t"), line
    assert json.loads(out)[0]["resource"] == "\x1b[2J\x9b\ud800"


def test_resolve_names_slot_and_key(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/conflicts/version%201.2.0/resolve"] = {"detail": "settled"}
    assert main.run(["conflicts", "resolve", "version 1.2.0", "k-9"]) == Exit.DONE
    assert node.asked[-1].body == {"key": "k-9"}
    assert capsys.readouterr().out == "settled\n"


def test_publish_gives_the_event_an_id_so_that_a_retry_is_harmless(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.routes["POST distributed/events"] = {"id": "e-9", "journal": "j", "seq": 1, "existing": False}
    assert main.run(["publish", "BUILD_DONE", '{"n": 1}', "--quorum"]) == Exit.DONE
    asked = node.asked[-1]
    assert asked.query == "durability=quorum"
    assert asked.body["type"] == "BUILD_DONE"
    assert asked.body["payload"] == {"n": 1}
    assert len(asked.body["id"]) == 36
    assert capsys.readouterr().out == "BUILD_DONE is event e-9\n"


def test_what_was_perhaps_published_can_be_asked_again(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/events"] = refusing(504, {"reason": "maybe"}, "no answer within 4 s")
    assert main.run(["publish", "BUILD_DONE", "--quorum"]) == Exit.UNKNOWN
    assert f"Ask again with --id {node.asked[-1].body['id']}:" in capsys.readouterr().err


def test_ctrl_c_says_what_may_have_come_of_it(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    def pressed(asked: Asked) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        raise Hang

    node.routes["POST distributed/events"] = pressed
    assert main.run(["publish", "BUILD_DONE"]) == main.INTERRUPTED
    err = capsys.readouterr().err
    assert "may have happened" in err
    assert "Look before you repeat it" in err


def test_ctrl_c_while_a_lock_is_waited_for_takes_the_request_back(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(asked: Asked) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        raise Hang

    node.routes["POST distributed/locks/x/acquire"] = pressed
    node.routes["POST distributed/locks/x/release"] = {"resource": "x", "already": True}
    assert main.run(["lock", "acquire", "x", "--owner", "me", "--wait", "30"]) == main.INTERRUPTED
    request_id = node.requests("POST distributed/locks/x/acquire")[0].body["requestId"]
    [released] = node.requests("POST distributed/locks/x/release")
    assert released.body == {"owner": "me", "requestId": request_id}
    assert capsys.readouterr().err == ""
    # An id of one's own may name a grant that is in use.
    assert main.run(["lock", "acquire", "x", "--request-id", "mine"]) == main.INTERRUPTED
    assert len(node.requests("POST distributed/locks/x/release")) == 1
    assert "may have happened" in capsys.readouterr().err


def test_recover_asks_first(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node.routes["POST distributed/recover"] = {"detail": "going on"}
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main.run(["node", "recover", "--without", "instance-C"]) == Exit.FAILED
    assert node.requests("POST distributed/recover") == []
    assert "may be taken a second time" in capsys.readouterr().err
    assert main.run(["node", "recover", "--without", "instance-C", "--yes"]) == Exit.DONE
    assert node.asked[-1].body == {"without": ["instance-C"]}


EXAMPLE = re.compile(r"Example: .*iwdc-distributed")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main.run([name, "--help"]) == Exit.DONE
    text = capsys.readouterr().out
    assert EXAMPLE.search(text)
    below = text.partition("Commands:")[2]
    assert "..." not in below  # a summary that is cut says less than a short one
    for sub in [line.split()[0] for line in below.split("\n") if line.startswith("  ") and line[2] != " "]:
        assert main.run([name, sub, "--help"]) == Exit.DONE
        assert EXAMPLE.search(capsys.readouterr().out), (name, sub)


def test_the_short_way_to_ask_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["-h"], ["quorum", "-h"], ["lock", "acquire", "-h"]):
        assert main.run(line) == Exit.DONE
        short = capsys.readouterr().out
        assert main.run([*line[:-1], "--help"]) == Exit.DONE
        assert capsys.readouterr().out == short


def test_the_help_lists_all_commands_without_loading_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == Exit.DONE
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert EXAMPLE.search(text)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main.run(["completion", shell]) == Exit.DONE
    assert "_IWDC_DISTRIBUTED_COMPLETE" in capsys.readouterr().out


def test_the_program_s_own_version_is_not_a_catalogue_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == Exit.DONE
    own = capsys.readouterr().out
    assert own.strip()
    assert main.run(["version"]) == Exit.DONE
    assert capsys.readouterr().out == own


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (False, {"TERM": "xterm"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
    ],
)
def test_when_colour_is_used(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert output.is_coloured() == coloured


@pytest.mark.parametrize(("columns", "width"), [("120", 120), ("0", 80), ("wide", 80), ("-1", 80)])
def test_the_width_is_the_terminal_s_or_80(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    def no_terminal(descriptor: int) -> None:
        raise OSError

    monkeypatch.setattr("os.get_terminal_size", no_terminal)
    monkeypatch.setenv("COLUMNS", columns)
    assert output.width() == width


def test_the_console_says_what_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["iwdc-console", "--help"])
    with pytest.raises(SystemExit, match="0"):
        console.main()
    assert "iwdc-console --node" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["iwdc-console", "--node", "ftp://x"])
    with pytest.raises(SystemExit, match="2"):
        console.main()


def test_the_console_takes_the_place_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, list[str]]] = []
    monkeypatch.setattr("os.execv", lambda program, arguments: ran.append((program, arguments)))
    assert main.run(["console", "--node", "http://a:1", "--x"]) == Exit.DONE
    assert ran == [(sys.executable, [sys.executable, "-m", "iwdc_console.console", "--node", "http://a:1", "--x"])]


def test_no_trace_reaches_a_person_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("deep inside")

    monkeypatch.setattr("iwdc_console.cli.reading.read", broken)
    assert main.run(["quorum"]) == Exit.FAILED
    err = capsys.readouterr().err
    assert "deep inside" in err
    assert "Traceback" not in err
    monkeypatch.setenv("IWDC_DEBUG", "1")
    with pytest.raises(RuntimeError, match="deep inside"):
        main.run(["quorum"])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_a_limit_of_the_machine_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def refused(*args: object) -> None:
        raise error

    monkeypatch.setattr("iwdc_console.cli.reading.read", refused)
    assert main.run(["quorum"]) == Exit.FAILED
    assert capsys.readouterr().err.startswith("No room for more memory or one more thread")


def test_ages_are_told_by_the_clock_of_the_node(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    """It stamped what is shown, and the clock here may be hours off."""
    node.routes["GET distributed/leader"] = samples.LEADER | {"electedAt": STAMP_MS - 180_000}
    assert main.run(["leader"]) == Exit.DONE
    assert "elected 3 min ago" in capsys.readouterr().out


def test_traces_are_gathered_from_all_nodes(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    trace = samples.TRACES[0]["id"]
    node.routes[f"GET distributed/traces/{trace}"] = samples.SPANS_A
    with running({f"GET distributed/traces/{trace}": samples.SPANS_B}) as other, running({}) as blank:
        node.routes["GET distributed/instances"] = [
            samples.instance("instance-A", url=f"{node.url}/api/v1"),
            samples.instance("instance-B", url=f"{other.url}/api/v1"),
            samples.instance("instance-C", url=f"{blank.url}/api/v1"),
            samples.instance("instance-D", url="http://127.0.0.1:1/api/v1"),
        ]
        assert main.run(["traces", str(trace), "--json"]) == Exit.DONE
        out, err = capsys.readouterr()
        assert [span["id"] for span in json.loads(out)] == ["a1", "a2", "b1"]
        assert err == "instance-D is not in the picture: connection refused\n"
        assert main.run(["traces", str(trace)]) == Exit.DONE
        assert "3 spans on instance-A, instance-B" in capsys.readouterr().out
        node.routes.pop(f"GET distributed/traces/{trace}")
        other.routes.pop(f"GET distributed/traces/{trace}")
        assert main.run(["traces", str(trace)]) == Exit.FAILED
        assert "No node knows trace" in capsys.readouterr().err
