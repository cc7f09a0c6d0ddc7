"""`demo`: a cluster of real nodes on this machine, in a folder that goes when it ends."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from iwdc_console.cli import sample
from iwdc_console.cli.exits import Failure
from iwdc_console.cli.output import say
from iwdc_console.cli.reading import Where, read
from iwdc_console.client import Client, ClientError, ClusterRefused

FIRST_PORT = 3000
MEMBERS = "instances.json"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1
LOG_LINES = 15
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FAST = ("heartbeat_interval=0.2", "heartbeat_timeout=1", "election_interval=2", "drift_interval=2")
BRISK = ("heartbeat_interval=1", "heartbeat_timeout=3", "election_interval=10", "drift_interval=10")


def demo(
    nodes: Annotated[int, typer.Option(min=1, max=len(LETTERS), help="How many nodes.")] = 3,
    fast: Annotated[bool, typer.Option("--fast", help="Timings of a fraction of a second.")] = False,
) -> None:
    """Start a small cluster on this machine, with a sample catalogue, and watch it until ctrl-c.

    Example: iwdc-distributed demo --nodes 5
    """
    ids = [f"instance-{letter}" for letter in LETTERS[:nodes]]
    ports = free_ports(nodes)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with _ending_on_signals(), _folder() as folder:
        members = [{"id": i, "url": f"{url}/api/v1/distributed/sync"} for i, url in zip(ids, urls, strict=True)]
        (folder / MEMBERS).write_text(json.dumps(members))
        version, root = sample.write(folder / "catalogue")
        say(f"Starting {nodes} nodes in {folder}")
        with _running(folder, dict(zip(ids, urls, strict=True)), FAST if fast else BRISK) as children:
            client = Client(urls)
            _await_leader(client, children, folder)
            _propose(client, version, root)
            say(_guide(urls, folder))
            read("status", Where(tuple(urls), watch=True))


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on: from 3000 on if these are free, so that commands find the demo by default."""
    with contextlib.ExitStack() as held:
        wanted = [*range(FIRST_PORT, FIRST_PORT + count)]
        if not all(_is_free(port) for port in wanted):
            wanted = [0] * count
        sockets = [held.enter_context(socket.socket()) for _ in wanted]
        for one, port in zip(sockets, wanted, strict=True):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
        return [one.getsockname()[1] for one in sockets]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """TERM and HUP end the demo as ctrl-c does, so that no child is left behind."""

    def end(number: int, frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before: dict[int, Any] = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="iwdc-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(folder: Path, urls: dict[str, str], timing: tuple[str, ...]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The nodes while the block runs; all are told to stop before any is waited for."""
    children: list[subprocess.Popen[bytes]] = []
    try:
        for id_, url in urls.items():
            children.append(_start(folder, id_, url, timing))
        yield children
    finally:
        for child in children:
            child.terminate()
        end = time.monotonic() + STOP_TIMEOUT_S
        for child in children:
            try:
                child.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _start(folder: Path, id_: str, url: str, timing: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """A node in a process group of its own: ctrl-c is for us, we stop it."""
    command = [sys.executable, "-m", "iwdc_console.cli.main", "node", "run"]
    command += ["--id", id_, "--listen", url.removeprefix("http://"), "--data-dir", str(folder / id_)]
    command += ["--instances", str(folder / MEMBERS), "--set", "node.cluster=demo"]
    for pair in timing:
        command += ["--set", f"timing.{pair}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IWDC_")}
    with (folder / f"{id_}.log").open("wb") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, process_group=0
        )


def _await_leader(client: Client, children: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Until all are healthy and one leads. Raises `Failure` with what a node said when it does not come to that."""
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        for child in children:
            if child.poll() is not None:
                raise Failure(f"A node ended with code {child.returncode}:\n{_last_words(folder)}")
        with contextlib.suppress(ClientError):  # not up yet: the deadline decides
            status = client.get("distributed/status").data
            healthy = sum(item["status"] == "healthy" for item in status["instances"])
            if status["leader"]["id"] is not None and healthy == len(children):
                return
        if time.monotonic() > end:
            raise Failure(f"The nodes did not come together within {START_TIMEOUT_S:g} s:\n{_last_words(folder)}")
        time.sleep(POLL_S)


def _last_words(folder: Path) -> str:
    lines = []
    for log in sorted(folder.glob("*.log")):
        text = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        lines += [f"{log.stem}: {line}" for line in text]
    return "\n".join(lines)


def _propose(client: Client, version: str, root: str) -> None:
    """The sample catalogue's first version, by the hash of its content."""
    try:
        client.post(
            "distributed/propose-snapshot?wait=5", {"version": version, "hash": root}, wait_s=5, idempotency_key="demo"
        )
    except ClusterRefused as error:
        say(f"The sample catalogue was not proposed: {error.message}")


def _guide(urls: list[str], folder: Path) -> str:
    at = "" if urls[0].endswith(f":{FIRST_PORT}") else f"export IWDC_NODE={','.join(urls)}\n  "
    return (
        f"Ready. The catalogue is in {folder / 'catalogue'}, each node's log beside it. In another terminal:\n"
        f"  {at}iwdc-distributed quorum\n"
        "  iwdc-distributed propose-snapshot --version=1.2.0 --hash=abc123\n"
        "  iwdc-distributed propose-diff --from=1.2.0 --to=1.3.0 --hash=def456\n"
        "  iwdc-distributed events --follow\n"
        "q or ctrl-c ends the demo and removes everything.\n"
    )
