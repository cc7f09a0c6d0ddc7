"""A node as a process of its own: ready line, orders by signal, exit codes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.runtime.scripted import DEADLINE_S
from tests.runtime.test_three_nodes import free_ports

PROGRAM = """
import sys
from node.config import load_config
from node.embedded import run_node
flags = {"id": "instance-A", "listen": sys.argv[1], "data_dir": sys.argv[2], "instances": sys.argv[3]}
sys.exit(run_node(load_config(None, flags, {}, ["observability.log_level=error"])))
"""
pytestmark = pytest.mark.cluster


@contextmanager
def node_process(root: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    address = f"127.0.0.1:{port}"
    instances = root / "instances.json"
    instances.write_text(f'[{{"id": "instance-A", "url": "http://{address}/api/v1/distributed/sync"}}]')
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, address, str(root / "A"), str(instances)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_it_says_when_it_is_ready_and_stops_on_order(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with node_process(tmp_path, port) as process:
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
