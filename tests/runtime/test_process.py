"""A node as a process of its own: ready line, orders by signal, exit codes."""

import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from node.api.exchange import ApiLimits
from node.api.server import OWN_FILES
from tests.ports import claimed
from tests.runtime.scripted import DEADLINE_S

PROGRAM = """
import sys
from node.config import load_config
from node.process import run_node
flags = {"id": "instance-A", "listen": sys.argv[1], "data_dir": sys.argv[2], "instances": sys.argv[3]}
config = load_config(None, flags, {}, ["observability.log_level=error"])
"""
RUN = "sys.exit(run_node(config))"
pytestmark = pytest.mark.cluster


@contextmanager
def node_process(
    root: Path, port: int, run: str = RUN, stdout: int | IO[str] = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    address = f"127.0.0.1:{port}"
    instances = root / "instances.json"
    instances.write_text(f'[{{"id": "instance-A", "url": "http://{address}/api/v1/distributed/sync"}}]')
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + run, address, str(root / "A"), str(instances)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_it_says_when_it_is_ready_and_stops_on_order(tmp_path: Path) -> None:
    with claimed(1) as [port], node_process(tmp_path, port) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready == f"node instance-A ready on http://127.0.0.1:{port}, cluster iwdc, quorum 1/1\n"
        with node_process(tmp_path, port) as second:
            out, err = second.communicate(timeout=DEADLINE_S)
            assert (second.returncode, out) == (1, "")
            assert f"node instance-A cannot start: {tmp_path / 'A'}: in use by process {process.pid}" in err
            assert "Traceback" not in err
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("ill", ["full", "gone"])
def test_nobody_who_reads_its_first_line_is_no_reason_to_end(tmp_path: Path, ill: str) -> None:
    with claimed(1) as [port], _unread(ill) as out, node_process(tmp_path, port, stdout=out) as process:
        deadline = time.monotonic() + DEADLINE_S
        while not _answers(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (0, "")


def _unread(ill: str) -> IO[str]:
    if ill == "full":
        return open("/dev/full", "w")
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=DEADLINE_S):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux tells of another process")
def test_it_may_open_more_files_than_its_shell_grants(tmp_path: Path) -> None:
    """As many as its connections need, though not more than the system allows."""
    program = (
        "import resource\n_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n" + RUN
    )
    with claimed(1) as [port], node_process(tmp_path, port, program) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        least = OWN_FILES + ApiLimits().max_connections
        wanted = least if hard == resource.RLIM_INFINITY else min(least, hard)
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] == wanted


def test_a_bug_ends_it_with_its_reason_as_the_last_line(tmp_path: Path) -> None:
    broken = """
from node.protocol.core import Core
from node.protocol.effects import Tick
whole = Core.step
def step(core, now, input):
    if isinstance(input, Tick):
        raise ZeroDivisionError("half way")
    return whole(core, now, input)
Core.step = step
"""
    with claimed(1) as [port], node_process(tmp_path, port, broken + RUN) as process:
        _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    first, *_, logged, told = err.splitlines()
    assert "internal_error" in first
    assert " error instance-A stopped reason=" in logged
    assert told.startswith("node instance-A stopped: internal error in the protocol core, handling Tick (ZeroDivisionE")
    assert told.endswith("restart it, and report this with its event log")


WATCHED = """
import gc
from node import process
process.LOOK_EVERY_S = 0.01
gc.callbacks.append(lambda phase, look: phase == "stop" and print("generation", look["generation"], flush=True))
"""


def test_it_looks_for_garbage_again_and_again(tmp_path: Path) -> None:
    with claimed(1) as [port], node_process(tmp_path, port, WATCHED + RUN) as process:
        assert process.stdout is not None
        assert any(line.startswith("node instance-A ready") for line in process.stdout)
        assert [next(process.stdout) for _ in range(5)] == ["generation 2\n"] * 5


def test_a_signal_that_kills_it_leaves_its_stack(tmp_path: Path) -> None:
    killed = """
import os, signal
from node.journal import Journal
Journal.write = lambda journal, records: os.kill(os.getpid(), signal.SIGBUS)
"""
    with claimed(1) as [port], node_process(tmp_path, port, killed + RUN) as process:
        _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGBUS
    assert err.startswith("Fatal Python error: Bus error")
    assert "node/runtime/writer.py" in err
