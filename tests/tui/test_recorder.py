"""Recording without a screen, as a process: it ends in good order, and what it wrote can be shown."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iwdc_console.cli.exits import Failure
from iwdc_console.console import run
from iwdc_console.tui.recording.file import RecordingError, load

DEADLINE_S = 60.0


@pytest.fixture
def nobody() -> Iterator[str]:
    """A node that does not answer: its port is taken and refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def started(node: str, file: Path, home: Path) -> "subprocess.Popen[str]":
    """A recording that has written what it observed of a node that refuses."""
    process = subprocess.Popen(
        [sys.executable, "-m", "iwdc_console.console", "--node", node, "--record", str(file)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "XDG_CONFIG_HOME": str(home)},
    )  # fmt: skip
    deadline_s = time.monotonic() + DEADLINE_S
    while not refused(file):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline_s, "nothing was written"
        time.sleep(0.05)
    return process


def refused(file: Path) -> bool:
    """Whether the last observation in the file is of a node that refuses."""
    try:
        tape = load(file).tape
    except RecordingError:  # not even begun
        return False
    return len(tape) > 0 and "connection refused" in tape.frame(len(tape) - 1).observation.link.error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_it_says_how_much(tmp_path: Path, nobody: str, number: signal.Signals) -> None:
    file = tmp_path / "night"
    process = started(nobody, file, tmp_path)
    process.send_signal(number)
    _, said = process.communicate(timeout=DEADLINE_S)
    found = load(file)
    assert process.returncode == 0, said
    assert f"recording {nobody} to {file}; ctrl-c ends it" in said
    assert f"{len(found.tape)} observations of " in said
    assert found.damage is None
    assert refused(file)


def test_killed_it_leaves_what_it_wrote(tmp_path: Path, nobody: str) -> None:
    process = started(nobody, tmp_path / "night", tmp_path)
    process.kill()
    process.communicate(timeout=DEADLINE_S)
    assert refused(tmp_path / "night")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--replay", "no-such-file"], "no-such-file cannot be read: No such file"),
        (["--replay", __file__], "is no recording of a console; expected a file made with --record"),
        (["--record", __file__], "exists already; choose another name"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(arguments: list[str], told: str) -> None:
    with pytest.raises(Failure, match=told):
        run([*arguments, "--node", "http://127.0.0.1:1"])
