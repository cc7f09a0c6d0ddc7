"""The demo's cluster under every fault, and that nothing of it is ever left behind. Real processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iwdc_console.client import Client
from iwdc_console.demo.cluster import Cluster, DemoError
from iwdc_console.demo.faults import (
    Cut,
    Delay,
    Heal,
    Kill,
    Look,
    Member,
    Mend,
    Pause,
    Restart,
    Resume,
    Skew,
    Split,
    Start,
    Wipe,
)
from iwdc_console.outcomes import ClientError

pytestmark = pytest.mark.cluster
DEADLINE_S = 60.0
NAMES = ("instance-A", "instance-B", "instance-C")


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with Cluster(3) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """Healed, whole and led."""
    shared.order(Heal())
    shared.await_leader()
    return shared


def until(what: str, holds: Callable[[], Any]) -> Any:
    ends = time.monotonic() + DEADLINE_S
    while True:
        try:
            if found := holds():
                return found
        except ClientError:
            pass
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def member(cluster: Cluster, name: str) -> Member:
    return next(each for each in cluster.order(Look()).members if each.id == name)


def seen(cluster: Cluster, by: str, of: str) -> Any:
    """How `by` sees `of`."""
    views = Client([member(cluster, by).url]).get("distributed/instances").data
    return next(view for view in views if view["id"] == of)


def leader(cluster: Cluster, by: str) -> str:
    """Whom `by` follows; "" when nobody leads."""
    return Client([member(cluster, by).url]).get("distributed/leader").data["id"] or ""


def successor(cluster: Cluster, by: str, old: str) -> str:
    """Wait until `by` follows somebody else than `old`."""

    def other() -> str:
        found = leader(cluster, by)
        return found if found != old else ""

    return str(until("another leads", other))


def rest(*without: str) -> list[str]:
    return [name for name in NAMES if name not in without]


def test_a_killed_leader_refuses_through_its_proxy_and_is_replaced(cluster: Cluster) -> None:
    old = leader(cluster, "instance-A")
    one, other = rest(old)
    cluster.order(Kill(old))
    until("it is refused", lambda: seen(cluster, one, old)["reasons"] == ["refused"])
    assert successor(cluster, one, old) in (one, other)
    assert member(cluster, old).condition == "down"
    with pytest.raises(DemoError, match="down already"):
        cluster.order(Kill(old))
    cluster.order(Start(old))
    until("it is back", lambda: seen(cluster, one, old)["status"] == "healthy")
    with pytest.raises(DemoError, match="restart it instead"):
        cluster.order(Start(old))


def test_a_node_killed_from_outside_is_found_down(cluster: Cluster) -> None:
    os.kill(pids(cluster)[1], signal.SIGKILL)
    until("one is down", lambda: [each.id for each in cluster.order(Look()).members if each.condition == "down"])
    cluster.order(Heal())
    cluster.await_leader()


def test_a_restart_keeps_the_disk_and_a_wipe_does_not(cluster: Cluster) -> None:
    disk = cluster.folder / "instance-B" / "journal.sqlite"
    first = disk.stat().st_ino
    cluster.order(Restart("instance-B"))
    cluster.await_leader()
    assert disk.stat().st_ino == first
    kept = cluster.folder / "instance-B" / "kept"
    kept.touch()
    cluster.order(Wipe("instance-B"))
    assert not kept.exists()
    until("it is back", lambda: seen(cluster, "instance-A", "instance-B")["status"] == "healthy")


def test_a_paused_node_is_silent_not_refused(cluster: Cluster) -> None:
    old = leader(cluster, "instance-A")
    one = rest(old)[0]
    cluster.order(Pause(old))
    until("it is silent", lambda: seen(cluster, one, old)["reasons"] == ["no_answer"])
    assert successor(cluster, one, old) != old
    assert member(cluster, old).condition == "paused"
    with pytest.raises(DemoError, match="is paused"):
        cluster.order(Pause(old))
    cluster.order(Resume(old))
    until("it is back", lambda: seen(cluster, one, old)["status"] == "healthy")


def test_one_direction_is_cut_slowed_and_mended(cluster: Cluster) -> None:
    cluster.order(Cut("instance-A", "instance-B"))
    (way,) = cluster.state.impaired
    assert (way.source, way.target, way.cut) == ("instance-A", "instance-B", True)
    until("A hears B only", lambda: "one_way" in seen(cluster, "instance-A", "instance-B")["reasons"])
    until("B does not hear A", lambda: seen(cluster, "instance-B", "instance-A")["reasons"] == ["no_answer"])
    cluster.order(Mend("instance-A", "instance-B"))
    assert cluster.state.impaired == ()
    until("B hears A", lambda: seen(cluster, "instance-B", "instance-A")["status"] == "healthy")
    cluster.order(Delay("instance-A", "instance-B", 300))
    until("it is slow by that much, once", lambda: 290 < seen(cluster, "instance-A", "instance-B")["rttMs"] < 590)


def test_a_split_and_a_node_that_dies_behind_it(cluster: Cluster) -> None:
    """Who cannot be reached cannot refuse: with all ways cut, its proxy stays silent."""
    cluster.order(Split((("instance-C",), ("instance-A", "instance-B"))))
    assert len(cluster.state.impaired) == 4
    until("C is silent", lambda: seen(cluster, "instance-A", "instance-C")["reasons"] == ["no_answer"])
    cluster.order(Kill("instance-C"))
    began = time.monotonic()
    while time.monotonic() < began + 1.0:
        assert seen(cluster, "instance-A", "instance-C")["reasons"] == ["no_answer"]
        time.sleep(0.1)
    cluster.order(Mend("instance-A", "instance-C"))
    cluster.order(Mend("instance-C", "instance-A"))
    until("now it refuses", lambda: seen(cluster, "instance-A", "instance-C")["reasons"] == ["refused"])


def test_a_wall_clock_is_set_off_and_stays_so_over_a_restart(cluster: Cluster) -> None:
    name = rest(leader(cluster, "instance-A"))[0]
    other = rest(name)[0]
    cluster.order(Skew(name, 5_000))
    until("it drifts", lambda: seen(cluster, other, name)["reasons"] == ["drift"])
    until("by how much", lambda: abs(seen(cluster, other, name)["driftMs"] - 5_000) < 500)
    cluster.order(Restart(name))
    assert member(cluster, name).skew_ms == 5_000
    until("it drifts again", lambda: seen(cluster, other, name)["reasons"] == ["drift"])
    cluster.order(Heal())
    until("it is right", lambda: seen(cluster, other, name)["reasons"] == [])


def test_an_order_that_makes_no_sense_is_explained(cluster: Cluster) -> None:
    with pytest.raises(DemoError, match="there is no instance-Z; the nodes are instance-A"):
        cluster.order(Kill("instance-Z"))
    with pytest.raises(DemoError, match="named twice"):
        cluster.order(Cut("instance-A", "instance-A"))


# Nothing is left behind

PROGRAM = """
import ctypes, time
from iwdc_console.demo.cluster import Cluster
from iwdc_console.demo.faults import Pause, Restart
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
cluster = Cluster(3)
cluster.order(Restart("instance-B"))
cluster.order(Pause("instance-B"))
print(cluster.folder, flush=True)
time.sleep(60)
"""
"""Orphans come to it, as in a container to its first process; else the system itself ends what is stopped."""


def pids(cluster: Cluster) -> list[int]:
    (host,) = (pid for pid in children(os.getpid()) if str(cluster.folder) in command_line(pid))
    return children(host)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("victim", ["parent", "host"])
def test_after_kill_nine_nothing_is_left_not_even_a_paused_node(victim: str) -> None:
    """The pipe to the parent ends, and the system kills a node that is stopped, were it stopped as soon as it ran."""
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    folder = Path(parent.stdout.readline().strip())
    try:
        (host,) = children(parent.pid)
        nodes = children(host)
        assert len(nodes) == 3
        os.kill(parent.pid if victim == "parent" else host, signal.SIGKILL)
        until("all end", lambda: not any(alive(pid) for pid in [host, *nodes]))
        if victim == "parent":
            until("the folder is gone", lambda: not folder.exists())
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        # Where both were killed there is nobody left to remove it.
        shutil.rmtree(folder, ignore_errors=True)


def test_ending_takes_everything_along() -> None:
    with Cluster(3) as cluster:
        nodes = pids(cluster)
        folder = cluster.folder
        cluster.order(Pause("instance-A"))
    assert not any(alive(pid) for pid in nodes)
    assert not folder.exists()
    with pytest.raises(DemoError, match="has ended"):
        cluster.order(Look())
