"""Many clients, nodes that come and go, and everything that was acknowledged looked for afterwards (promises 2 - 5)."""

import itertools
import json
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness import LOOK_S, THREE, Cluster, Instance, cli, cluster

pytestmark = pytest.mark.cluster


@dataclass(frozen=True, slots=True)
class Grant:
    """A lock that a client was given, at a time between its question and the answer."""

    asked_at: float
    answered_at: float
    token: int


@dataclass
class Acknowledged:
    """What clients were told, and what they only asked: an answer that never came may be either."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Proposal key -> its verdict and hash."""
    events: set[str] = field(default_factory=set)
    grants: dict[str, list[Grant]] = field(default_factory=dict)
    """By resource."""
    outcomes: Counter[str] = field(default_factory=Counter)


class Clients:
    """Proposes, publishes and locks from many threads, each going on to another node when one does not answer."""

    def __init__(self, running: Cluster, count: int, goal: int) -> None:
        self._running = running
        self._nodes = list(running)
        self._goal = goal
        self._numbers = iter(range(1, 10**9))
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,), name=f"client-{n}") for n in range(count)]
        self.told = Acknowledged()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._end.set()
            for thread in self._threads:
                thread.join()

    def asked(self) -> int:
        """How many questions were answered."""
        with self.told.lock:
            return sum(self.told.outcomes.values()) - self.told.outcomes["no answer"]

    def more(self, count: int) -> None:
        """Wait until that many more were answered: the cluster works."""
        goal = min(self.asked() + count, self._goal)
        self._running.until(f"{count} more answers", lambda: self.asked() >= goal)

    def done(self) -> bool:
        """Whether the goal is reached."""
        return self.asked() >= self._goal

    def _work(self, number: int) -> None:
        choice = random.Random(number)
        while not self._end.is_set() and not self.done():
            node = choice.choice(self._nodes)
            try:
                outcome = (self._propose, self._propose, self._publish, self._lock)[choice.randrange(4)](node, choice)
            except (OSError, HTTPException):
                outcome = "no answer"
                self._end.wait(LOOK_S)
            with self.told.lock:
                self.told.outcomes[outcome] += 1

    def _propose(self, node: Instance, choice: random.Random) -> str:
        with self.told.lock:
            version = f"1.0.{next(self._numbers)}"
        hash = f"{choice.getrandbits(64):016x}"
        answer = node.ask("POST", "propose-snapshot?wait=5", {"version": version, "hash": hash})
        state = str(answer.data.get("state") or answer.data.get("reason"))
        if state in ("accepted", "rejected"):
            with self.told.lock:
                self.told.verdicts[answer.data["key"]] = (state, hash)
        return state

    def _publish(self, node: Instance, choice: random.Random) -> str:
        name = f"note-{uuid.UUID(int=choice.getrandbits(128))}"
        answer = node.ask("POST", "events", {"type": "NOTE", "payload": {"n": 1}, "id": name})
        if answer.status == 200:
            with self.told.lock:
                self.told.events.add(name)
        return f"publish {answer.status}"

    def _lock(self, node: Instance, choice: random.Random) -> str:
        resource = f"resource-{choice.randrange(3)}"
        owner = f"owner-{choice.getrandbits(64):016x}"
        asked_at = time.monotonic()
        granted = node.ask("POST", f"locks/{resource}/acquire", {"owner": owner, "ttl": 3, "wait": 1})
        answered_at = time.monotonic()
        if granted.status != 200:
            return f"acquire {granted.status}"
        token = int(granted.data["fencingToken"])
        with self.told.lock:
            self.told.grants.setdefault(resource, []).append(Grant(asked_at, answered_at, token))
        released = node.ask("POST", f"locks/{resource}/release", {"owner": owner, "fencingToken": token})
        return f"release {released.status}"


def check(running: Cluster, told: Acknowledged) -> None:
    """Everything that was acknowledged is there, everywhere, and on the disks (promises 2, 3 and 5)."""
    running.healthy()
    running.leader()  # whoever it is: where beats are late, nobody is healthy for long enough to be handed to (E6)
    running.settled()
    for node in running:
        events = all_events(node)
        assert told.events <= events.keys(), told.events - events.keys()
        for key, (verdict, hash) in told.verdicts.items():
            [proposal] = node.get(f"proposals/{key}")
            assert (proposal["state"], proposal["hash"]) == (verdict, hash)
        assert node.get("status")["openConflicts"] == 0
    # No token was given twice, and within a resource they only grew.
    tokens = [grant.token for given in told.grants.values() for grant in given]
    assert len(tokens) == len(set(tokens))
    for given in told.grants.values():
        for earlier, later in itertools.permutations(given, 2):
            assert earlier.answered_at > later.asked_at or earlier.token < later.token, (earlier, later)
    granted = running["instance-A"].ask("POST", "locks/resource-0/acquire", {"owner": "last", "wait": 10})
    assert granted.data["fencingToken"] > max(tokens, default=0)
    running.until("nothing stays open", lambda: all(n.get("status")["openProposals"] == 0 for n in running))
    status = running.settled()
    for node in running:
        replayed = cli("journal", "replay", str(node.data), "--node", node.url, "-o", "json")
        assert replayed.code == 0, replayed
        assert json.loads(replayed.out)["equal"] is True
        assert node.stop() == 0
    for node in running:
        verified = cli("journal", "verify", str(node.data), "-o", "json")
        assert verified.code == 0, verified
        replayed = cli("journal", "replay", str(node.data), "-o", "json")
        assert json.loads(replayed.out)["digest"] == status["stateDigest"]


def all_events(node: Instance) -> dict[str, dict[str, Any]]:
    """Every event on a node's disk, by id; it may be running."""
    done = cli("journal", "export", str(node.data))
    assert done.code == 0, done
    return {event["id"]: event for event in map(json.loads, done.out.splitlines())}


def churn(running: Cluster, clients: Clients, seconds: float, choice: random.Random) -> None:
    """Kill, stop and pause nodes one at a time until the clients are done, or the time is over."""
    ends = time.monotonic() + seconds
    while not clients.done() and time.monotonic() < ends:
        node = running[choice.choice(THREE)]
        match choice.randrange(3):
            case 0:
                node.kill()
                running.start(node.name)
            case 1:
                running.restart(node.name)
            case _:
                node.signal(signal.SIGSTOP)
                running.leader(*(name for name in THREE if name != node.name))
                node.signal(signal.SIGCONT)
        clients.more(20)
    assert clients.done() or seconds < 60, "the goal was not reached"


def test_all_killed_at_once_under_load(tmp_path: Path) -> None:
    """Every acknowledged thing is there after kill -9 of everybody in mid-load."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        clients = Clients(running, 12, goal=100_000)
        with clients.at_work():
            clients.more(150)
            for node in running:
                node.signal(signal.SIGKILL)
            for node in running:
                node.kill()
            running.start()
            running.ready()
            for node in running:
                all_events(node)
            assert len(running.running()) == len(THREE), "who looks at a journal in use does no harm"
            clients.more(50)
        assert clients.told.outcomes["no answer"] > 0
        check(running, clients.told)


@pytest.mark.slow
def test_nodes_restart_under_load(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        clients = Clients(running, 8, goal=100_000)
        with clients.at_work():
            churn(running, clients, 6, random.Random(1))
        check(running, clients.told)


@pytest.mark.slow
def test_ten_thousand_from_64_clients_with_nodes_restarting(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        clients = Clients(running, 64, goal=20_000)
        with clients.at_work():
            churn(running, clients, 600, random.Random(2))
        assert len(clients.told.verdicts) > 5_000
        check(running, clients.told)
