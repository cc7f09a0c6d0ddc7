"""Content from one node to two others, beside an rsync daemon that serves two clients, and beside `cp` + `sha256sum`.

`python -m bench.content [FOLDER [SET]]`. Rounds are interleaved. A target is cold: nothing of it is there. All sides
end with their bytes on the disk (ours at every target; `sync -f` for the others); ours and `sha256sum` have also
verified every one. Ours begins when the two nodes are asked to hold what the source has stored, and ends when both say
that they do. It is then put to the vote, and the second version, which changes 1 %, comes when the nodes are at rest.
The nodes are builders: what a switch of the working data costs is the matter of `bench.artifacts`. CPU is user and
system time of all processes that take part: on a shared machine it tells more than the wall's. rsync copies whole
files, without delta. Nothing is removed before the end: ext4 makes files slowly for a while where many were, so
FOLDER is best on a fresh file system.
"""

import argparse
import asyncio
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.artifacts import SETS, Cost, Data, fill, make, name_of
from bench.cluster import Nodes, cluster
from bench.command import run
from bench.etcd import Missing
from bench.http import Connection, once, until_true
from bench.processes import Process, free_ports

ROUNDS: Final = 3
MANY: Final = Data("99,000 files of 200 bytes", 99_000, 200)
"""Near the largest number that the limits take: for memory, in two rounds."""
LOOK_S: Final = 0.02
API: Final = "/api/v1"
MAX_MIB: Final = 150
STANDS_S: Final = 60.0
REST_S: Final = 1.0
REST_SHARE: Final = 0.1
"""Nodes that used less of a processor than this for so long have nothing to do."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One transfer of ours to both targets. `given_bytes`: of contents, to the two together."""

    cost: Cost
    given_bytes: int


async def main() -> None:
    """All sets, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the data is put, best a fresh disk")
    parser.add_argument("set", nargs="?", default="", help="only sets with this in their name, such as 20,000")
    given = parser.parse_args()
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is no folder")
    if shutil.which("rsync") is None:
        raise Missing("rsync is not installed")
    for data in (*SETS, MANY):
        if given.set not in data.name:
            continue
        root = Path(tempfile.mkdtemp(prefix="bench-content-", dir=given.folder.absolute()))
        try:
            await compare(data, root)
        finally:
            shutil.rmtree(root)


async def compare(data: Data, root: Path) -> None:
    """One set: every round with new bytes, so that no target has any of them."""
    ours, second, rsync, copies = list[Moved](), list[Moved](), list[Cost](), list[Cost]()
    os.environ["TMPDIR"] = tempfile.tempdir = str(root)
    async with cluster(3, None, "content.role=builder") as nodes:
        for turn in range(2 if data is MANY else ROUNDS):
            source = root / f"source-{turn}"
            make(source, data)
            for number in range(data.count):
                stamp(source / name_of(number), turn, number)
            rsync.append(await asyncio.to_thread(rsync_to_two, source, root / f"rsync-{turn}"))
            copies.append(await asyncio.to_thread(copy_to_two, source, root / f"copy-{turn}"))
            ours.append(await move(nodes, source, f"1.{turn}.0"))
            await settle(nodes, f"1.{turn}.0")
            changed = max(1, data.count // 100)
            for number in range(changed if data.count > 100 else 1):
                change(source / name_of(number), data, number)
            second.append(await move(nodes, source, f"1.{turn}.1"))
            await settle(nodes, f"1.{turn}.1")
        report(data, ours, second, rsync, copies)
        report_peaks(nodes)
    if data is MANY:
        await two_at_once(data, root)


async def two_at_once(data: Data, root: Path) -> None:
    """Two cold contents that each target pulls at the same time, by nodes that have seen nothing else: for memory."""
    async with cluster(3, None, "content.role=builder") as nodes:
        contents = []
        for turn in (8, 9):
            source = root / f"source-{turn}"
            make(source, data)
            for number in range(data.count):
                stamp(source / name_of(number), turn, number)
            contents.append(await stored(nodes, source, f"1.{turn}.0"))
        moved = await pull(nodes, contents)
        print(f"{data.name}, two contents pulled at one time by each target: {moved.cost.wall_s:.2f} s wall")
        report_peaks(nodes)


def report_peaks(nodes: Nodes) -> None:
    """The most memory that each node has had."""
    peaks = ", ".join(f"{process.peak_rss_mib:.0f}" for process in nodes.processes)
    print(f"  peak memory of the nodes: {peaks} MiB (bound {MAX_MIB})", flush=True)


def stamp(path: Path, turn: int, number: int) -> None:
    """Make every block of a file differ from other rounds' and other files'."""
    with path.open("r+b") as file:
        for at in range(0, path.stat().st_size, 1024**2):
            file.seek(at)
            file.write(b"%08d %08d" % (turn, number))


def change(path: Path, data: Data, number: int) -> None:
    """1 % of the set: a small file whole, a large one in one place."""
    if data.count > 100:
        fill(path, random.Random(f"changed {path}"), data.size)
        return
    with path.open("r+b") as file:
        file.seek(data.size // 2)
        file.write(random.Random(f"changed {number}").randbytes(data.size * data.count // 100 // 2))


async def move(nodes: Nodes, source: Path, version: str) -> Moved:
    """Store at the first node; then time how the two others come to hold it."""
    return await pull(nodes, [await stored(nodes, source, version)])


async def stored(nodes: Nodes, source: Path, version: str) -> dict[str, Any]:
    """Store at the first node; gives what asks another to hold it."""
    found = await job(nodes, "store", {"path": str(source), "version": version})
    return {name: found[name] for name in ("kind", "version", "hash", "content")}


async def pull(nodes: Nodes, contents: list[dict[str, Any]]) -> Moved:
    """Time how the two others come to hold contents of the first, all at the same time."""
    await asyncio.to_thread(os.sync)
    before = sum(process.cpu_s for process in nodes.processes)
    began = time.monotonic()
    await asyncio.gather(*(brought(nodes, at, each) for at in (1, 2) for each in contents))
    wall_s = time.monotonic() - began
    cpu_s = sum(process.cpu_s for process in nodes.processes) - before
    given = [await fetched(nodes, at, each["content"]["key"]) for at in (1, 2) for each in contents]
    return Moved(Cost(wall_s, cpu_s), sum(given))


async def brought(nodes: Nodes, at: int, body: dict[str, Any]) -> None:
    """Ask a node to hold a content, on one connection, until it does."""
    connection = await Connection.open(nodes.addresses[at])
    state = ""
    while state != "held":
        answer = await connection.call("POST", f"{API}/snapshots/contents/{body['content']['key']}/stage", body)
        standing = answer.json()["data"]
        state = standing["state"]
        if state == "bad":
            raise RuntimeError(f"refused: {standing}")
        await asyncio.sleep(LOOK_S if state != "held" else 0)
    await connection.close()


async def settle(nodes: Nodes, version: str) -> None:
    """Put what the first node has stored to the vote, and wait until it stands everywhere and the nodes are at rest."""
    [held] = [each for each in await held_at(nodes, 0) if each["version"] == version]
    content = {"key": held["key"], "bytes": held["bytes"], "files": held["files"]}
    body = {"kind": "snapshot", "version": version, "hash": held["root"], "content": content}
    await job(nodes, "publish", body)
    for at in range(len(nodes.processes)):
        await until_true(partial(stands, nodes, at, version), STANDS_S, f"{version} stands at {at}", LOOK_S)
    busy_s = REST_S
    while busy_s > REST_S * REST_SHARE:
        before = sum(process.cpu_s for process in nodes.processes)
        await asyncio.sleep(REST_S)
        busy_s = sum(process.cpu_s for process in nodes.processes) - before


async def stands(nodes: Nodes, at: int, version: str) -> bool:
    """Whether a node has installed a version."""
    return any(each["version"] == version and each["installed"] for each in await held_at(nodes, at))


async def held_at(nodes: Nodes, at: int) -> list[dict[str, Any]]:
    """The contents that a node holds."""
    found: list[dict[str, Any]] = (await once(nodes.addresses[at], "GET", f"{API}/snapshots/here")).json()["data"][
        "held"
    ]
    return found


async def fetched(nodes: Nodes, at: int, key: str) -> int:
    """The bytes that a node says it was given of a content."""
    while True:
        events = await nodes.get(at, f"/events?type=CONTENT_FETCHED&origin=node-{at:03}")
        for event in events:
            if event["payload"]["content"] == key:
                return int(event["payload"]["bytes"])
        await asyncio.sleep(LOOK_S)


async def job(nodes: Nodes, what: str, body: dict[str, Any]) -> Any:
    """Begin a job at the first node and wait for its end."""
    found = (await once(nodes.addresses[0], "POST", f"{API}/snapshots/{what}", body)).json()["data"]
    while found["phase"] not in ("done", "failed"):
        await asyncio.sleep(LOOK_S)
        found = (await once(nodes.addresses[0], "GET", f"{API}/snapshots/jobs/{found['id']}")).json()["data"]
    if found["phase"] == "failed":
        raise RuntimeError(f"{what}: {found['detail']}")
    return found.get("stored")


def rsync_to_two(source: Path, target: Path) -> Cost:
    """A daemon, and two clients that copy from it at the same time."""
    [port] = free_ports(1)
    config = source.parent / "rsyncd.conf"
    config.write_text(f"[source]\npath = {source}\nread only = yes\nuse chroot = no\nuid = 0\ngid = 0\n")
    line = ["rsync", "--daemon", "--no-detach", "--config", str(config), "--address", "127.0.0.1", "--port", str(port)]
    subprocess.run(["sync", "-f", str(source)], check=True)
    with Process(line, source.parent / "rsyncd.log") as daemon:
        url = f"rsync://127.0.0.1:{port}/source/"
        while subprocess.run(["rsync", url], capture_output=True, check=False).returncode != 0:
            if not daemon.running:
                raise RuntimeError(f"the rsync daemon ended: {daemon.tail()}")
            time.sleep(LOOK_S)
        before = daemon.cpu_with_children_s
        found = both(target, lambda each: ["rsync", "-a", "--whole-file", url, f"{each}/"])
        return Cost(found.wall_s, found.cpu_s + daemon.cpu_with_children_s - before)


def copy_to_two(source: Path, target: Path) -> Cost:
    """What copying and hashing the same bytes costs without any program of ours, twice at the same time."""
    subprocess.run(["sync", "-f", str(source)], check=True)
    script = 'cp -r "$1" "$2" && find "$2" -type f -print0 | xargs -0 sha256sum > /dev/null'
    return both(target, lambda each: ["sh", "-c", script, "sh", str(source), str(each / "copy")])


def both(target: Path, line: Callable[[Path], list[str]]) -> Cost:
    """Run a command for two targets at the same time, and have both on the disk."""
    targets = [target / name for name in ("one", "two")]
    for each in targets:
        each.mkdir(parents=True)
    before, began = sum(os.times()[2:4]), time.monotonic()
    running = [subprocess.Popen(line(each)) for each in targets]
    if any(process.wait() != 0 for process in running):
        raise RuntimeError(f"{line(target)[0]} failed")
    subprocess.run(["sync", "-f", str(target)], check=True)
    return Cost(time.monotonic() - began, sum(os.times()[2:4]) - before)


def report(data: Data, ours: list[Moved], second: list[Moved], rsync: list[Cost], copies: list[Cost]) -> None:
    """Medians and ratios."""
    total = 2 * data.count * data.size
    print(f"{data.name}, one source to two targets:")
    base = median([each.cost for each in ours])
    for name, costs in (
        ("ours, verified", [each.cost for each in ours]),
        ("rsync daemon", rsync),
        ("cp + sha256sum", copies),
        ("ours, 1 % changed", [each.cost for each in second]),
    ):
        found = median(costs)
        print(
            f"  {name}: {found.wall_s:.2f} s wall (ours/it {base.wall_s / found.wall_s:.2f}), "
            f"{found.cpu_s:.2f} s CPU (ours/it {base.cpu_s / found.cpu_s:.2f})"
        )
    share = statistics.median(each.given_bytes for each in second) / total
    print(f"  1 % changed moves {share:.1%} of the bytes", flush=True)


def median(costs: list[Cost]) -> Cost:
    """Wall and CPU, each by itself."""
    return Cost(statistics.median(each.wall_s for each in costs), statistics.median(each.cpu_s for each in costs))


if __name__ == "__main__":
    run(main())
