"""`lock run`: a real command under a lock of a node that says what it is told (L4)."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iwdc_console import lease
from iwdc_console.cli import main
from iwdc_console.cli.exits import Exit
from tests.cli import samples
from tests.cli.fake import Asked, FakeNode, Hang, Refuse, running
from tests.lateness import Lateness

DEADLINE_S = 60.0
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "w") as alive:
    while True:
        alive.write(f"{time.clock_gettime(time.CLOCK_BOOTTIME)}\\n")
        alive.flush()
        time.sleep(0.01)
"""
"""Says that it is alive for as long as it is, and does not listen to TERM."""


def granted(ttl_ms: int) -> dict[str, Any]:
    return samples.LOCK | {"owner": "me", "ttlMs": ttl_ms, "remainingMs": ttl_ms}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    routes = {
        "POST distributed/locks/catalogue/acquire": granted(30_000),
        "POST distributed/locks/catalogue/renew": granted(30_000),
        "POST distributed/locks/catalogue/release": {"resource": "catalogue", "fencingToken": 60129, "already": False},
    }
    with running(routes) as fake:
        monkeypatch.setenv("IWDC_NODE", fake.url)
        yield fake


def refusing(error: Exception) -> Callable[[Asked], Any]:
    def answer(asked: Asked) -> Any:
        raise error

    return answer


def run(*command: str, wait: str = "0") -> int:
    return main.run(["lock", "run", "catalogue", "--owner", "me", "--wait", wait, "--", *command])


def test_the_command_has_the_lock_in_its_environment_and_its_code_passes_on(node: FakeNode, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    assert run("sh", "-c", f"env > {seen}; exit 42") == 42
    lines = seen.read_text().splitlines()
    assert {"IWDC_LOCK_RESOURCE=catalogue", "IWDC_LOCK_OWNER=me", "IWDC_LOCK_TOKEN=60129"} <= set(lines)
    released = node.requests("POST distributed/locks/catalogue/release")
    assert [one.body for one in released] == [{"owner": "me", "fencingToken": 60129}]


def test_a_command_ended_by_a_signal_gives_the_shell_s_code(node: FakeNode) -> None:
    assert run("sh", "-c", "kill -9 $$") == 128 + signal.SIGKILL


def test_a_lock_that_is_held_is_7_and_the_command_does_not_run(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {"reason": "held", "detail": "held", "holder": samples.LOCK}
    node.routes["POST distributed/locks/catalogue/acquire"] = refusing(Refuse(409, held))
    assert run("touch", str(tmp_path / "ran")) == Exit.LOCK
    assert not (tmp_path / "ran").exists()
    assert "catalogue is held by build-7 (#60129, 24 s left, 2 waiting)" in capsys.readouterr().err


def test_a_wait_that_ended_names_who_has_it(node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = {"reason": "timeout", "detail": "the lock was not free within the time given", "holder": samples.LOCK}
    node.routes["POST distributed/locks/catalogue/acquire"] = refusing(Refuse(409, late))
    assert run("touch", str(tmp_path / "ran"), wait="1") == Exit.LOCK
    err = capsys.readouterr().err
    assert "catalogue is held by build-7 after 1 s of waiting (#60129, 24 s left, 2 waiting)" in err
    assert "Wait longer" in err


def test_no_such_command_takes_no_lock(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("no-such-command-at-all") == Exit.FAILED
    assert node.asked == []
    assert "no such command" in capsys.readouterr().err


def test_an_unknown_grant_is_given_back_by_its_request_id(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/locks/catalogue/acquire"] = refusing(Hang())
    assert run("true") == Exit.UNKNOWN
    assert "true was not started; if catalogue was granted, it is free when its lease ends" in capsys.readouterr().err
    request = node.requests("POST distributed/locks/catalogue/acquire")[0].body["requestId"]
    assert node.asked[-1].body == {"owner": "me", "requestId": request}


def test_after_a_wait_the_lease_is_renewed_before_the_command_starts(node: FakeNode) -> None:
    assert run("true", wait="1") == Exit.DONE
    paths = [one.path.rsplit("/", 1)[-1] for one in node.asked]
    assert paths == ["acquire", "renew", "release"]


def test_it_is_renewed_as_long_as_the_command_runs(
    node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEWALS", 150)  # soon, though the lease is long
    renewed = tmp_path / "renewed"

    def renew(asked: Asked) -> Any:
        if len(node.requests("POST distributed/locks/catalogue/renew")) == 4:
            renewed.touch()
        return granted(30_000)

    node.routes["POST distributed/locks/catalogue/renew"] = renew
    assert run("sh", "-c", f"while [ ! -e {renewed} ]; do sleep 0.05; done") == Exit.DONE
    assert all(one.body["fencingToken"] == 60129 for one in node.requests("POST distributed/locks/catalogue/renew"))


@pytest.mark.parametrize("answer", [Hang(), Refuse(503, {"reason": "no_leader"})])
def test_what_is_not_renewed_is_ended_before_the_lease(
    node: FakeNode, capfd: pytest.CaptureFixture[str], tmp_path: Path, answer: Exception
) -> None:
    sent: list[float] = []

    def grant(asked: Asked) -> Any:
        sent.append(lease.now())
        return granted(2_000)

    node.routes["POST distributed/locks/catalogue/acquire"] = grant
    node.routes["POST distributed/locks/catalogue/renew"] = refusing(answer)
    alive = tmp_path / "alive"
    with Lateness() as late:
        assert run(sys.executable, "-c", STUBBORN, str(alive)) == Exit.LOCK
    assert float(alive.read_text().rstrip().split("\n")[-1]) < sent[0] + 2 + late.seconds, "alive after its lease"
    err = capfd.readouterr().err
    assert "it was not renewed in time" in err
    assert "killing it" in err


def test_a_lock_taken_away_ends_the_command_at_once(node: FakeNode, capfd: pytest.CaptureFixture[str]) -> None:
    node.routes["POST distributed/locks/catalogue/acquire"] = granted(3_000)
    lost = Refuse(409, {"reason": "wrong_token", "detail": "the token is 60200"})
    node.routes["POST distributed/locks/catalogue/renew"] = refusing(lost)
    node.routes["POST distributed/locks/catalogue/release"] = refusing(lost)
    assert run("sleep", "60") == Exit.LOCK
    err = capfd.readouterr().err
    assert "wrong_token" in err
    assert "not given back" not in err


def test_all_of_the_command_is_ended_not_only_its_shell(node: FakeNode, tmp_path: Path) -> None:
    node.routes["POST distributed/locks/catalogue/acquire"] = granted(1_500)
    pid_file = tmp_path / "pid"

    def renew(asked: Asked) -> Any:
        if pid_file.exists():
            raise Hang
        return granted(1_500)

    node.routes["POST distributed/locks/catalogue/renew"] = renew
    assert run("sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait") == Exit.LOCK
    deadline = time.monotonic() + DEADLINE_S
    while _is_alive(int(pid_file.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_signals_are_the_command_s(node: FakeNode, tmp_path: Path) -> None:
    """A real process: TERM to us reaches the command, whose answer is our exit code, and the lock is given back."""
    ready = tmp_path / "ready"
    script = f"trap 'exit 33' TERM; touch {ready}; while :; do sleep 0.05; done"
    line = [sys.executable, "-m", "iwdc_console.cli.main", "lock", "run", "catalogue", "--", "sh", "-c", script]
    child = subprocess.Popen(line, env=os.environ | {"IWDC_NODE": node.url}, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not ready.exists():
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.terminate()
        assert child.wait(DEADLINE_S) == 33
    finally:
        child.kill()
        child.communicate()
    assert node.asked[-1].path == "distributed/locks/catalogue/release"


def test_threads_do_not_outlive_the_command(node: FakeNode) -> None:
    before = threading.active_count()
    assert run("true") == Exit.DONE
    deadline = time.monotonic() + DEADLINE_S
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


STOPS_ITSELF = "import signal; signal.signal(signal.SIGTSTP, signal.SIG_DFL); print('up', flush=True); input(); exit(7)"
"""Takes ctrl-z for what it is, as an editor does."""


@pytest.mark.parametrize(
    ("script", "keys", "code"),
    [
        ("echo up; read word; echo got:$word; exit 4", b"hello\n", 4),
        ("trap 'exit 5' INT; echo up; while :; do sleep 0.05; done", b"\x03", 5),
        ("echo up; sleep 0.3; read word; exit 6", b"\x1ago\n", 6),
        (f'exec {sys.executable} -c "{STOPS_ITSELF}"', b"\x1ago\n", 7),
    ],
    ids=["keys", "ctrl-c", "ctrl-z", "ctrl-z taken"],
)
def test_on_a_terminal_the_keyboard_is_the_command_s(node: FakeNode, script: str, keys: bytes, code: int) -> None:
    line = [sys.executable, "-c", ON_A_TERMINAL, sys.executable, "-m", "iwdc_console.cli.main"]
    line += ["lock", "run", "catalogue", "--", "sh", "-c", script]
    environment = os.environ | {"IWDC_NODE": node.url}
    child = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    watchdog = threading.Timer(DEADLINE_S, child.kill)
    watchdog.start()
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        assert b"up" in child.stdout.readline()
        child.stdin.write(keys)
        child.stdin.flush()
        rest = child.stdout.read()
        assert child.wait() == code, rest
    finally:
        watchdog.cancel()
        child.kill()
        child.communicate()
    assert node.asked[-1].path == "distributed/locks/catalogue/release"
