"""The demo, and with it every kind of command against three real nodes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from iwdc_console.cli import main
from iwdc_console.cli.exits import Exit
from iwdc_console.demo import catalogue

pytestmark = pytest.mark.cluster
DEADLINE_S = 60.0
DEFAULT_URLS = [f"http://127.0.0.1:{port}" for port in (3000, 3001, 3002)]


@dataclass
class Demo:
    process: subprocess.Popen[str]
    folder: Path
    urls: list[str]


def nodes(demo: Demo) -> list[int]:
    """The pids of the nodes: children of the demo's one child."""
    (host,) = children(demo.process.pid)
    return children(host)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def started(*more: str) -> Demo:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IWDC_")}
    line = [sys.executable, "-m", "iwdc_console.cli.main", "demo", *more]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    watchdog = threading.Timer(DEADLINE_S, process.kill)
    watchdog.start()
    said = ""
    for line_said in process.stderr:
        said += line_said
        if "q or ctrl-c ends the demo" in line_said:
            break
    else:
        raise AssertionError(said)
    watchdog.cancel()
    folder = re.search(r"catalogue is in (\S+)/catalogue,", said)
    assert folder
    urls = re.search(r"IWDC_NODE=(\S+)", said)
    return Demo(process, Path(folder[1]), urls[1].split(",") if urls else DEFAULT_URLS)


def ended(demo: Demo, number: int) -> None:
    """The demo ends on a signal and leaves nothing: no process, no folder."""
    pids = [*children(demo.process.pid), *nodes(demo)]
    assert len(pids) >= 3
    demo.process.send_signal(number)
    demo.process.wait(DEADLINE_S)
    assert demo.process.stderr is not None
    demo.process.stderr.close()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not demo.folder.exists()


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = started()
    try:
        yield running
    finally:
        ended(running, signal.SIGTERM)


@pytest.fixture
def at(demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Demo:
    """A demo whose nodes see one another, whatever the test before did to it."""
    monkeypatch.setenv("IWDC_NODE", ",".join(demo.urls))
    assert main.run(["wait", "--healthy", "3", "--leader", "--timeout", f"{DEADLINE_S:g}"]) == Exit.DONE
    capsys.readouterr()
    return demo


def until(what: str, holds: Callable[[], bool]) -> None:
    """Look again until it is so."""
    ends = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def test_the_seed_s_lines(at: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["quorum", "-o", "json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {"total": 3, "healthy": 3, "required": 2, "sufficient": True}
    assert main.run(["propose-snapshot", "--version=1.2.0", "--hash=abc123"]) == Exit.DONE
    assert "snapshot 1.2.0 accepted" in capsys.readouterr().out
    assert main.run(["propose-diff", "--from=1.2.0", "--to=1.3.0", "--hash=def456", "--json"]) == Exit.DONE
    proposal = json.loads(capsys.readouterr().out)
    assert proposal["state"] == "accepted"
    assert main.run(["propose-diff", "--from=1.1.0", "--to=1.2.0", "--hash=def456"]) == Exit.REJECTED
    assert "stale_version" in capsys.readouterr().out
    assert main.run(["wait", "--version", "1.3.0", "--settled", "--timeout", "20"]) == Exit.DONE
    capsys.readouterr()

    def traced_everywhere() -> bool:
        assert main.run(["traces", proposal["traceId"]]) == Exit.DONE
        waterfall = capsys.readouterr().out
        return all(f"instance-{letter}" in waterfall for letter in "ABC")

    until("the third has voted as well", traced_everywhere)


@pytest.mark.parametrize(
    "name",
    [
        "status",
        "quorum",
        "instances",
        "leader",
        "locks",
        "drift",
        "proposals",
        "conflicts",
        "events",
        "traces",
        "metrics",
    ],
)
def test_every_read_of_a_real_node_has_a_view(at: Demo, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main.run([name]) == Exit.DONE
    out, err = capsys.readouterr()
    assert "seen by instance-" in out
    assert err == ""
    assert main.run([name, "-o", "plain"]) == Exit.DONE
    capsys.readouterr()
    assert main.run([name, "--json"]) == Exit.DONE
    json.loads(capsys.readouterr().out)


def test_locks(at: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["lock", "acquire", "a/b c", "--owner", "me", "--json"]) == Exit.DONE
    token = json.loads(capsys.readouterr().out)["fencingToken"]
    assert main.run(["lock", "acquire", "a/b c", "--owner", "you"]) == Exit.LOCK
    assert "a/b c is held by me" in capsys.readouterr().err
    assert main.run(["lock", "renew", "a/b c", "--owner", "me", "--token", str(token)]) == Exit.DONE
    assert main.run(["lock", "release", "a/b c", "--owner", "me", "--token", str(token + 1)]) == Exit.LOCK
    err = capsys.readouterr().err
    assert str(token) in err
    assert str(token + 1) in err
    assert main.run(["lock", "release", "a/b c", "--owner", "me", "--token", str(token)]) == Exit.DONE
    assert main.run(["lock", "run", "a/b c", "--", "sh", "-c", "test $IWDC_LOCK_TOKEN -gt 1 && exit 9"]) == 9
    capsys.readouterr()

    def none_held() -> bool:
        assert main.run(["locks", "-o", "plain"]) == Exit.DONE
        return capsys.readouterr().out == ""

    until("the asked node has heard of the release", none_held)


def test_orders_to_the_leader(at: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["leader", "elect"]) == Exit.DONE
    assert main.run(["leader", "step-down", "--to", "nobody"]) == Exit.NO_QUORUM
    assert "nobody" in capsys.readouterr().err


def test_following_sees_what_is_published(at: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    line = [sys.executable, "-m", "iwdc_console.cli.main", "events", "--follow", "--json", "--type", "BUILD_DONE"]
    follower = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(DEADLINE_S, follower.kill)
    watchdog.start()
    done = threading.Event()

    def publish() -> None:
        number = 0
        while not done.wait(0.2):
            number += 1
            main.run(["publish", "BUILD_DONE", json.dumps({"number": number})])

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        assert follower.stdout is not None
        first, second = (json.loads(follower.stdout.readline()) for _ in range(2))
    finally:
        done.set()
        publisher.join()
        follower.send_signal(signal.SIGINT)
        code = follower.wait(DEADLINE_S)
        watchdog.cancel()
        assert follower.stdout is not None
        follower.stdout.close()
    assert code == Exit.DONE
    assert second["payload"]["number"] == first["payload"]["number"] + 1


def test_the_loss_of_a_node_is_passed_over_and_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lone = started("--nodes", "3")
    try:
        monkeypatch.setenv("IWDC_NODE", ",".join(lone.urls))
        os.kill(nodes(lone)[0], signal.SIGKILL)

        def seen() -> bool:
            assert main.run(["quorum", "--json"]) == Exit.DONE
            return bool(json.loads(capsys.readouterr().out)["healthy"] == 2)

        until("its loss is seen", seen)
        assert main.run(["wait", "--quorum", "--leader", "--timeout", "30"]) == Exit.DONE
        out, err = capsys.readouterr()
        assert "○ instance-A  unreachable" in out
        assert "connection refused; another node answers" in err
        assert main.run(["propose-snapshot", "--version=2.0.0", "--hash=x"]) == Exit.DONE
    finally:
        ended(lone, signal.SIGHUP)


def test_the_sample_catalogue_is_whole(tmp_path: Path) -> None:
    root = catalogue.write(tmp_path)
    assert len(root) == 64
    files = list(tmp_path.rglob("*.json"))
    assert len(files) == 5 + 25 + 375
    assert any("норд" in file.name for file in files)
    assert catalogue.write(tmp_path / "again") == root
