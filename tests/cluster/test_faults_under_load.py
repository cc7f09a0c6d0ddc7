"""Promises 2, 3 and 5 under load while something else than a process breaks: links, a journal, a clock."""

import contextlib
import random
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import harness
from tests.cluster.harness import THREE, Cluster, Instance, cli, cluster, networked
from tests.cluster.test_load import Clients, all_events, check

pytestmark = pytest.mark.cluster

AHEAD_S = 3_600
AHEAD = f"""
import runpy, time
true = time.time
time.time = lambda: true() + {AHEAD_S}
runpy.run_module("iwdc_console.cli.main", run_name="__main__", alter_sys=True)
"""
"""The command, on a machine whose wall clock is an hour ahead."""


@pytest.mark.slow
def test_slow_and_cut_links(tmp_path: Path) -> None:
    """The leader's links are slowed, cut in one direction, then cut off: what was acknowledged stays, nothing hangs."""
    with networked(tmp_path) as (running, network):
        running.start()
        leader = running.ready()
        others = [name for name in THREE if name != leader]
        clients = Clients(running, 8, goal=100_000)
        with clients.at_work():
            clients.more(50)
            for name in others:
                network.slow(leader, name, 0.2)
                network.slow(name, leader, 0.2)
            clients.more(50)
            network.heal()
            network.cut(others[0], leader)
            clients.more(50)
            network.split([leader], others)
            running.until("another leads", lambda: running[others[0]].get("leader")["id"] in others)
            clients.more(50)
            network.heal()
            running.healthy()
            clients.more(50)
        check(running, clients.told)


def cut_short(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])


def flip_bits(journal: Path) -> None:
    data = bytearray(journal.read_bytes())
    choice = random.Random(7)
    for _ in range(64):
        data[choice.randrange(4_096, len(data))] ^= 1 << choice.randrange(8)
    journal.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut_short, flip_bits])
def test_a_damaged_journal(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """It is never served: the node says what is wrong and what to do, and after that comes back as a lost disk."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        node = running["instance-B"]
        clients = Clients(running, 8, goal=100_000)
        with clients.at_work():
            clients.more(150)
            node.kill()
            # What the log still held comes into the file, so that the damage meets it.
            with sqlite3.connect(node.data / "journal.sqlite") as journal:
                journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            journal.close()
            had = all_events(node).keys()
            damage(node.data / "journal.sqlite")
            clients.more(50)
            refuses_its_journal(running, node)
            assert cli("node", "recover", "--data-dir", str(node.data), "--yes").code == 0
            running.start(node.name)
            running.healthy()
            clients.more(50)
        # An event that only the lost disk had is gone with it (promise 3); everything else is there.
        clients.told.events -= had - all_events(running["instance-A"]).keys()
        check(running, clients.told)


def refuses_its_journal(running: Cluster, node: Instance) -> None:
    """It does not start, or ends at the first read of what is damaged; either way with words for people."""
    with contextlib.suppress(AssertionError):
        running.start(node.name)
    running.until("it ends", lambda: not node.runs)
    assert "iwdc-distributed node recover" in node.lines()
    assert "Traceback" not in node.lines()


@pytest.mark.slow
def test_a_clock_an_hour_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T1, V2: its node is named, moves nobody else's clock, and decides nothing; set right, it is as the others."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        node = running["instance-A"]
        clients = Clients(running, 8, goal=100_000)
        with clients.at_work():
            clients.more(50)
            node.kill()
            monkeypatch.setattr(harness, "COMMAND", (sys.executable, "-c", AHEAD))
            running.start(node.name)
            monkeypatch.undo()

            def named() -> bool:
                seen = {each["id"]: each["reasons"] for each in running["instance-B"].get("instances")}
                return "drift" in seen[node.name]

            running.until("its clock is named", named)
            clients.more(100)
            others = [event for event in all_events(running["instance-B"]).values() if event["origin"] != node.name]
            assert max(event["timestamp"] for event in others) < (time.time() + AHEAD_S / 2) * 1000
            running.restart(node.name)
            running.until("its clock is right again", lambda: not named())
            clients.more(50)
        check(running, clients.told)
