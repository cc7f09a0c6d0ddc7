"""Clusters of real processes: started by the command a user types, killed, stopped, wiped, asked over HTTP.

Nothing here waits for a fixed time: `until` looks again until something holds, and fails with what the nodes logged.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.network import Network
from tests.ports import claim

DEADLINE_S = 90.0
"""Longer than anything takes on a machine that is busy with ten other things: only a failure is waited for so long."""
LOOK_S = 0.05
ANSWER_S = 15.0
DEAD_LINES = 100
"""Lines that are shown of the log of a node that ended: a stack, and what came before it."""
API = "/api/v1"
D = f"{API}/distributed"
QUICK: Mapping[str, float] = {
    "uptime_tolerance": 30,  # nodes that start within some seconds of one another are ranked by id
    "heartbeat_interval": 0.1,
    "heartbeat_timeout": 1.5,
    "election_interval": 1.0,
    "lock_ttl": 3.0,
    "lock_renew_interval": 0.5,
    "drift_interval": 1.0,
    "proposal_timeout": 10.0,
}
THREE = ("instance-A", "instance-B", "instance-C")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("IWDC_")}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)
COMMAND = (sys.executable, "-m", "iwdc_console.cli.main")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The whole envelope."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The envelope's `data`."""
        return self.json["data"]


class NotSaid(AssertionError):
    """A read was not answered with 200: a failure, except while something is waited for."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


def cli(*arguments: str, node: str | None = None) -> Said:
    """Run a command as a user would, to its end."""
    environment = ENVIRONMENT | ({"IWDC_NODE": node} if node else {})
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=DEADLINE_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def request(port: int, method: str, path: str, body: Any = None, timeout_s: float = ANSWER_S) -> Answered:
    """One HTTP request on a connection of its own. Raises OSError and http.client.HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"content-type": "application/json"} if content else {})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answered(answer.status, headers, answer.read())
    finally:
        connection.close()


@dataclass
class Instance:
    """One node: its place, and its process while it runs."""

    name: str
    port: int
    data: Path
    log: Path
    sets: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        """Whether its process has not ended."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send its process a signal."""
        assert self.process is not None, f"{self.name} was never started"
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(DEADLINE_S)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None, f"{self.name} was never started"
        self.process.terminate()
        return self.process.wait(DEADLINE_S)

    def wipe(self) -> None:
        """Lose its disk."""
        shutil.rmtree(self.data)

    def ask(self, method: str, path: str, body: Any = None) -> Answered:
        """One request; `path` is below `/api/v1/distributed/`."""
        return request(self.port, method, f"{D}/{path}", body)

    def get(self, path: str) -> Any:
        """The data of a read, which must answer. Raises `NotSaid`."""
        answer = self.ask("GET", path)
        if answer.status != 200:
            raise NotSaid(f"{self.name}: {path}: {answer}")
        return answer.data

    def lines(self, count: int = 15) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""

    def told(self) -> str:
        """What is to be known of it when a test fails: whether it runs, how it ended, and the end of its log."""
        if self.process is None:
            return f"--- {self.name} was never started"
        code = self.process.poll()
        if code is None:
            return f"--- {self.name} runs\n{self.lines()}"
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"--- {self.name} ended {how}\n{self.lines(DEAD_LINES)}"


class Cluster:
    """Nodes that share one `instances.json`. Made by `cluster`."""

    def __init__(self, root: Path, names: Sequence[str], sets: Sequence[str]) -> None:
        self.root = root
        self.sets = list(sets)
        self.nodes: dict[str, Instance] = {}
        self.entries: dict[str, dict[str, str]] = {}
        self.instances = root / "instances.json"
        self._claims: list[socket.socket] = []
        for name in names:
            self.add(name)

    def __getitem__(self, name: str) -> Instance:
        return self.nodes[name]

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.nodes.values())

    def add(self, name: str) -> Instance:
        """A new entry in `instances.json`; the node is not started."""
        # A new dict each time: other threads go through the nodes meanwhile.
        self.nodes = {**self.nodes, name: Instance(name, self.port(), self.root / name, self.root / f"{name}.log")}
        self.entries[name] = {"id": name, "url": f"{self.nodes[name].url}{D}/sync"}
        self.write()
        return self.nodes[name]

    def port(self) -> int:
        """A port that is this cluster's until its end."""
        self._claims.append(claim())
        return int(self._claims[-1].getsockname()[1])

    def remove(self, name: str) -> Instance:
        """Take an entry out of `instances.json`."""
        del self.entries[name]
        self.write()
        removed = self.nodes[name]
        self.nodes = {other: node for other, node in self.nodes.items() if other != name}
        return removed

    def write(self) -> None:
        """Write `instances.json` as the entries are now."""
        self.instances.write_text(json.dumps(list(self.entries.values()), indent=2))

    def start(self, *names: str, more: Sequence[str] = ()) -> None:
        """Start nodes, all if none is named, and wait until each says that it is ready."""
        chosen = names or tuple(self.nodes)
        begun = {}
        for name in chosen:
            node = self[name]
            begun[name] = node.log.stat().st_size if node.log.exists() else 0
            line = [*COMMAND, "node", "run", "--id", name, "--listen", f"127.0.0.1:{node.port}"]
            line += ["--data-dir", str(node.data), "--instances", str(self.instances)]
            for setting in (*(f"timing.{key}={value:g}" for key, value in QUICK.items()), *self.sets, *node.sets):
                line += ["--set", setting]
            with node.log.open("ab") as log:
                node.process = subprocess.Popen(
                    [*line, *more], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT
                )
        for name in chosen:
            node = self[name]

            def ready(node: Instance = node, since: int = begun[name]) -> bool:
                assert node.runs, f"{node.name} ended: {node.lines()}"
                return b" ready on " in node.log.read_bytes()[since:]

            self.until(f"{name} is ready", ready)

    def restart(self, name: str, *, more: Sequence[str] = ()) -> None:
        """Stop a node in good order and start it again."""
        assert self[name].stop() == 0, self[name].lines()
        self.start(name, more=more)

    def running(self) -> list[Instance]:
        """The nodes whose processes run."""
        return [node for node in self if node.runs]

    def until(self, what: str, holds: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Look until `holds` gives something true, and give it back; a read that is not answered, or not yet (404,
        503), is a no."""
        ends = time.monotonic() + deadline_s
        last: object = None
        while True:
            try:
                if last := holds():
                    return last
            except (OSError, http.client.HTTPException, NotSaid) as problem:
                last = problem
            if time.monotonic() > ends:
                raise AssertionError(f"not within {deadline_s:g} s: {what}; last: {last!r}")
            time.sleep(LOOK_S)

    def leader(self, *among: str) -> str:
        """Wait until the running nodes (or those named) agree on a leader among them that serves; its id."""
        nodes = [self[name] for name in among] or self.running()

        def agreed() -> str | None:
            views = {node.name: node.get("leader") for node in nodes}
            leaders = {view["id"] for view in views.values()}
            if len(leaders) != 1:
                return None
            leader = leaders.pop()
            return leader if leader in views and views[leader]["leaseRemainingMs"] > 0 else None

        return str(self.until("one leader that serves", agreed))

    def healthy(self, count: int | None = None, among: Iterable[str] = ()) -> None:
        """Wait until the running nodes (or those named) can vote and each sees `count` (default: all members)."""
        nodes = [self[name] for name in among] or self.running()
        expected = len(self.entries) if count is None else count

        def all_well() -> bool:
            statuses = [node.get("status") for node in nodes]
            return all(s["status"] != "unreachable" and s["quorum"]["healthy"] == expected for s in statuses)

        self.until(f"{expected} healthy", all_well)

    def ready(self) -> str:
        """Wait until all is well: everybody healthy, one leader, and nobody who outranks it. Its id."""
        self.healthy()

        def settled() -> str | None:
            leader = self.leader()
            return leader if self[leader].get("leader")["candidates"][0]["id"] == leader else None

        return str(self.until("a leader whom nobody outranks", settled))

    def settled(self, *among: str) -> dict[str, Any]:
        """Wait until the running nodes (or those named) show the same state and hold the same events; one's status."""
        nodes = [self[name] for name in among] or self.running()

        def same() -> dict[str, Any] | None:
            statuses = [node.get("status") for node in nodes]
            digests = {(s["stateDigest"], s["currentVersion"], s["events"] + s["floorEvents"]) for s in statuses}
            return statuses[0] if len(digests) == 1 else None

        status: dict[str, Any] = self.until("the same state everywhere", same)
        return status

    def close(self) -> None:
        """End all processes, whatever state they are in."""
        for node in self:
            if node.runs:
                node.kill()
        for each in self._claims:
            each.close()


@contextmanager
def cluster(root: Path, names: Sequence[str] = THREE, *sets: str) -> Iterator[Cluster]:
    """A cluster that is not started yet; `sets` are `--set`s of all its nodes."""
    root.mkdir(parents=True, exist_ok=True)
    made = Cluster(root, names, sets)
    try:
        yield made
    except Exception as error:
        error.add_note("\n".join(node.told() for node in made))
        raise
    finally:
        made.close()


@contextmanager
def networked(root: Path, names: Sequence[str] = THREE, *sets: str) -> Iterator[tuple[Cluster, Network]]:
    """The same, and its nodes reach one another through a network that can fail."""
    with cluster(root, names, *sets) as made, Network({name: made[name].port for name in names}) as network:
        for name, port in network.ports.items():
            made.entries[name]["url"] = f"http://127.0.0.1:{port}{D}/sync"
        made.write()
        yield made, network
