"""The demo's cluster, as whoever shows it has it: started, ordered about, ended."""

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from iwdc_console.client import Client
from iwdc_console.demo.faults import Answer, Look, Order, State
from iwdc_console.demo.removal import remove
from iwdc_console.outcomes import ClientError

FEWEST, MOST = 3, 7
HOST_LOG = "host.log"
END_S = 5.0
READY_S = 30.0
POLL_S = 0.1
LOG_LINES = 15


class DemoError(Exception):
    """The demo cannot start, or an order cannot be carried out; the message says why."""


class Cluster:
    """Three to seven real nodes on this machine, run by a process of their own (`host`).

    A context manager, and to be used from any thread. Whatever becomes of this process, the host notices and leaves
    nothing behind. Raises DemoError.
    """

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="iwdc-demo-"))
        """Where the disks and logs of the nodes lie; it goes with them."""
        with (self.folder / HOST_LOG).open("wb") as log:
            # A process group of its own: ctrl-c ends us, and we end it.
            self._host = subprocess.Popen(
                [sys.executable, "-m", "iwdc_console.demo.host", str(self.folder), str(nodes)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, process_group=0,
            )  # fmt: skip
        try:
            self.state = self._answer()
            """How everything stood after the last order."""
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def urls(self) -> list[str]:
        """Where clients reach the nodes."""
        return [member.url for member in self.state.members]

    def order(self, order: Order) -> State:
        """Have an order carried out; how everything stands then. Raises DemoError with the reason when it cannot be."""
        with self._lock:
            assert self._host.stdin is not None
            try:
                self._host.stdin.write(msgspec.json.encode(order) + b"\n")
                self._host.stdin.flush()
            except (OSError, ValueError) as gone:
                raise DemoError("The demo's cluster has ended.") from gone
            self.state = self._answer()
            return self.state

    def await_leader(self) -> None:
        """Wait until every node can vote, sees all others healthy and knows a leader. Raises DemoError."""
        end = time.monotonic() + READY_S
        clients = [Client([url]) for url in self.urls]
        while not all(self._is_ready(client) for client in clients):
            down = [member.id for member in self.order(Look()).members if member.condition == "down"]
            if down:
                raise DemoError(f"{down[0]} ended:\n{self.last_words(down)}")
            if time.monotonic() > end:
                raise DemoError(f"The nodes did not come together within {READY_S:g} s:\n{self.last_words()}")
            time.sleep(POLL_S)

    def _is_ready(self, client: Client) -> bool:
        try:
            status = client.get("distributed/status").data
        except ClientError:  # not up yet: the deadline decides
            return False
        healthy = status["status"] != "unreachable" and status["quorum"]["healthy"] == self._nodes
        return healthy and status["leader"]["id"] is not None

    def last_words(self, ids: Sequence[str] = ()) -> str:
        """The last lines of the nodes' logs."""
        lines = []
        for id_ in ids or [member.id for member in self.state.members]:
            text = (self.folder / f"{id_}.log").read_text(errors="replace").splitlines()[-LOG_LINES:]
            lines += [f"{id_}: {line}" for line in text]
        return "\n".join(lines)

    def _answer(self) -> State:
        assert self._host.stdout is not None
        line = self._host.stdout.readline()
        if not line:
            raise DemoError(f"The demo's cluster has ended. {self._complaint()}".rstrip())
        answer = msgspec.json.decode(line, type=Answer)
        if answer.problem:
            raise DemoError(answer.problem)
        return answer.state

    def _complaint(self) -> str:
        log = self.folder / HOST_LOG
        return log.read_text(errors="replace").strip() if log.exists() else ""

    def let_go(self) -> None:
        """Have everything end, without waiting for it. Safe to call twice."""
        assert self._host.stdin is not None
        # The end of its input ends the host; an order that a broken pipe held back is lost with it.
        with contextlib.suppress(BrokenPipeError):
            self._host.stdin.close()

    def end(self) -> None:
        """End everything and remove the folder. Safe to call twice."""
        self.let_go()
        assert self._host.stdout is not None
        self._host.stdout.close()
        try:
            self._host.wait(END_S)
        except subprocess.TimeoutExpired:
            self._host.kill()
            self._host.wait()
        remove(self.folder)
