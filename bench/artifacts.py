"""Content on the disk beside `cp -r` and `sha256sum`: hash and store a tree, a version that changes 1 %, verify, apply.

`python -m bench.artifacts [FOLDER]`. Each side works on the same source, into a folder of its own, and ends with its
bytes on the disk (`sync -f` for cp). CPU is user and system time: on a shared machine it tells more than the wall's.
Nothing is removed before the end: ext4 makes files slowly for a while where many were just removed.
"""

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from node.artifacts.apply import Applier
from node.artifacts.intake import take_tree
from node.artifacts.layout import Layout
from node.artifacts.limits import ContentLimits, Hooks
from node.artifacts.store import Store
from node.artifacts.versions import verify

CREATED_AT: Final = "2026-11-23T10:00:00.000Z"
CATEGORIES: Final = ("series", "models", "lengths", "seo")
ROUNDS: Final = 3
PORTION_BYTES: Final = 1024**2


@dataclass(frozen=True, slots=True)
class Data:
    """A set of files: `count` of `size` bytes."""

    name: str
    count: int
    size: int


SETS: Final = (Data("20,000 files of 2 KB", 20_000, 2_000), Data("1 GiB in 8 files", 8, 128 * 1024**2))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one piece of work took."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Print one line per piece of work: medians and ratios."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()
    root = Path(tempfile.mkdtemp(prefix="bench-artifacts-", dir=place))
    try:
        for number, data in enumerate(SETS):
            compare(data, root / str(number))
    finally:
        shutil.rmtree(root)


def compare(data: Data, root: Path) -> None:
    """One set of files, both sides in turn."""
    source, changed = root / "source", root / "changed"
    make(source, data)
    shutil.copytree(source, changed)
    for number in range(max(1, data.count // 100)):
        fill(changed / name_of(number), random.Random(f"changed {number}"), data.size)
    ours: dict[str, list[Cost]] = {"store": [], "store 1 % changed": [], "verify": [], "apply": []}
    theirs: list[Cost] = []
    for turn in range(ROUNDS):
        theirs.append(cost(partial(copy_and_sum, source, root / f"copy-{turn}")))
        for name, each in work(source, changed, root / f"data-{turn}").items():
            ours[name].append(each)
    base = middle(theirs)
    print(f"{data.name}: cp -r + sha256sum + sync: {base.wall_s:.2f} s wall, {base.cpu_s:.2f} s CPU")
    for name, costs in ours.items():
        found = middle(costs)
        print(
            f"  {name}: {found.wall_s:.2f} s wall ({found.wall_s / base.wall_s:.2f}x), "
            f"{found.cpu_s:.2f} s CPU ({found.cpu_s / base.cpu_s:.2f}x)"
        )
    print(f"  peak memory so far: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB", flush=True)


def work(source: Path, changed: Path, root: Path) -> dict[str, Cost]:
    """Ours, from an empty data folder."""
    store = Store(Layout(root), ContentLimits())
    store.recover()
    costs = {
        "store": cost(lambda: store.install(take_tree(store, source, "1.0.0", CREATED_AT).key)),
        "store 1 % changed": cost(lambda: store.install(take_tree(store, changed, "1.0.1", CREATED_AT).key)),
    }
    holding = store.installed("1.0.0")
    assert holding is not None
    costs["verify"] = cost(lambda: verify(store, holding))
    costs["apply"] = cost(lambda: Applier(store, "replica", Hooks()).apply(holding, 0))
    return costs


def copy_and_sum(source: Path, target: Path) -> None:
    """What a careful person would do by hand."""
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    files = subprocess.run(["find", str(target), "-type", "f", "-print0"], check=True, capture_output=True).stdout
    subprocess.run(["xargs", "-0", "sha256sum"], input=files, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", "-f", str(target)], check=True)


def cost(action: Callable[[], object]) -> Cost:
    """Run it and take its time, with that of the processes it starts."""
    wall_s, cpu_s = time.monotonic(), sum(os.times()[:4])
    action()
    return Cost(time.monotonic() - wall_s, sum(os.times()[:4]) - cpu_s)


def middle(costs: list[Cost]) -> Cost:
    """The median by CPU."""
    return sorted(costs, key=lambda each: each.cpu_s)[len(costs) // 2]


def make(folder: Path, data: Data) -> None:
    """Write the set; its bytes are a function of nothing but the set."""
    for category in CATEGORIES:
        (folder / category).mkdir(parents=True)
    for number in range(data.count):
        fill(folder / name_of(number), random.Random(number), data.size)


def fill(path: Path, source: random.Random, size: int) -> None:
    """Write a file in portions: the peak memory that is printed is to be that of the work."""
    with path.open("wb") as file:
        for at in range(0, size, PORTION_BYTES):
            file.write(source.randbytes(min(PORTION_BYTES, size - at)))


def name_of(number: int) -> str:
    """The path of one file of a set."""
    return f"{CATEGORIES[number % len(CATEGORIES)]}/изделие-{number}.json"


if __name__ == "__main__":
    main()
