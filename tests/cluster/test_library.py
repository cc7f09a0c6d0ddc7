"""A build script that is a member of the cluster while it runs (seed 11.2), in an asyncio program of its own."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.harness import DEADLINE_S, ENVIRONMENT, QUICK, Cluster, cluster

pytestmark = pytest.mark.cluster
BUILD = "instance-build"
SCRIPT = """
import asyncio, json, os, sys
from pathlib import Path
from node import Node
from node.config import load_config

async def count_to(ticks):
    while True:
        ticks.append(1)
        await asyncio.sleep(0.01)

async def main():
    ticks = []
    other_work = asyncio.create_task(count_to(ticks))
    config = load_config(None, json.loads(sys.argv[1]), os.environ, json.loads(sys.argv[2]))
    said = {"loop": type(asyncio.get_running_loop()).__module__}
    async with Node(config) as node:
        events = node.subscribe()
        while not (node.quorum().healthy == 3 and node.status().leader.id):
            await asyncio.sleep(0.02)
        async with node.lock("catalogue", wait_s=20) as lock:
            said["token"] = lock.token
            await node.publish("SNAPSHOT_CREATED", {"version": "1.6.0"}, quorum=True)
            answer = await node.propose_snapshot("1.6.0", "abc126", wait_s=20)
            said |= {"id": answer.proposal_id, "state": answer.proposal.state}
        async for event, cursor in events:
            if event.type == "SNAPSHOT_CREATED":
                said["seen"] = event.payload
                break
        await events.aclose()
    said["ticks"] = len(ticks)
    known = {other_work, asyncio.current_task()}
    said["left"] = [task.get_name() for task in asyncio.all_tasks() - known]
    other_work.cancel()
    print(json.dumps(said))

asyncio.run(main())
"""


def build(running: Cluster) -> dict[str, object]:
    """Run the script as a process and read what it says at its end."""
    place = running[BUILD]
    flags = {
        "id": BUILD,
        "listen": f"127.0.0.1:{place.port}",
        "data_dir": str(place.data),
        "instances": str(running.instances),
    }
    sets = [*(f"timing.{key}={value:g}" for key, value in QUICK.items()), f"observability.log_file={place.log}"]
    line = [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(flags), json.dumps(sets)]
    done = subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "it writes to the log it was given alone"
    return dict(json.loads(done.stdout))


def _is_free(running: Cluster, at: str) -> bool:
    return bool(running[at].get("locks") == [])


def _accepted_there(running: Cluster, at: str, proposal: str) -> bool:
    """Whether this instance has heard of the build's proposal and of a quorum's votes: the build had both from one."""
    [known] = running[at].get(f"proposals/{proposal}")
    assert known["proposer"] == BUILD
    return bool(known["state"] == "accepted")


def test_a_build_is_a_member_while_it_runs(tmp_path: Path) -> None:
    with cluster(tmp_path, ("instance-A", "instance-B", BUILD)) as running:
        running.start("instance-A", "instance-B")
        said = build(running)
        assert said["loop"] == "asyncio.unix_events", "the program's loop is its own"
        assert said["state"] == "accepted"
        assert said["seen"] == {"version": "1.6.0"}
        assert said["left"] == []
        assert isinstance(said["ticks"], int)
        assert said["ticks"] > 3, "it does not block the program it runs in"
        for name in ("instance-A", "instance-B"):
            running.until(f"{name} knows the verdict", partial(_accepted_there, running, name, str(said["id"])))
            running.until("the release has come here", partial(_is_free, running, name))
        # The next build comes back on its disk.
        again = build(running)
        assert again["id"] == said["id"], "proposing the same again is the same proposal (P6)"
        assert int(str(again["token"])) > int(str(said["token"]))
