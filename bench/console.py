"""The console's weight: first paint, memory, idle processor time, from key press to paint. `python -m bench.console`.

First paint is CPU and wall time from the start of `iwdc-console` until its first frame is out, beside a bare Textual
app with header, table and footer, in turn. Idle is three real nodes watched by a console in a pseudo terminal. Key
presses are measured on every screen, in a terminal, with a hundred instances and 500 events a second. What a day
does to its memory shows `bench/memory.py`.
"""

import argparse
import asyncio
import compileall
import os
import select
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from bench import cluster, command
from bench.processes import PAGE_BYTES, TICKS_PER_S
from bench.terminal import terminal
from iwdc_console.tui.screens.places import PLACES

ROUNDS: Final = 9
SETTLE_S: Final = 6.0
KEY_BOUND_MS: Final = 50.0
PAINT_S, START_S = 5.0, 30.0
UP, DOWN = b"\x1b[A", b"\x1b[B"
BARE: Final = """
from textual.app import App
from textual.widgets import DataTable, Footer, Header
class Bare(App[None]):
    def compose(self):
        yield Header(); yield DataTable(); yield Footer()
    def on_mount(self):
        self.query_one(DataTable).add_columns("first", "second", "third")
Bare().run()
"""
PROGRAM: Final = Path(sys.executable).with_name("iwdc-console")
FRAMES: Final = (
    ((str(PROGRAM), "--node", "http://127.0.0.1:1"), b" quit"),
    (("-c", BARE), b"third"),
)
"""Ours, of a node that does not answer, and the bare one: what is run, and what its first frame has towards its end."""
PROJECT: Final = Path(__file__).parents[1]


def first_paint(arguments: Sequence[str], mark: bytes) -> tuple[float, float]:
    """CPU and wall seconds of a program from its start until a frame with `mark` in it is out."""
    began = time.monotonic()
    with terminal([sys.executable, *arguments]) as (child, written, _):
        while mark not in written:
            if time.monotonic() - began > START_S:
                raise TimeoutError(f"no first frame within {START_S:g} s: {bytes(written[-500:])!r}")
            time.sleep(0.002)
        wall = time.monotonic() - began
        return cpu_s(child.pid), wall


def cpu_s(pid: int) -> float:
    """What all threads of a process have used so far, without the steps of `/proc/PID/stat`."""
    used_ns = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        used_ns += int((thread / "schedstat").read_text().split()[0])
    return used_ns / 1e9


def paints() -> None:
    """Ours beside the bare one, both compiled, as an installation leaves them."""
    for package in ("node", "iwdc_console"):
        compileall.compile_dir(PROJECT / package, quiet=1)
    rounds = [[first_paint(*frame) for frame in FRAMES] for _ in range(ROUNDS)]
    cpu, bare_cpu = (statistics.median(each[side][0] for each in rounds) for side in (0, 1))
    wall, bare_wall = (statistics.median(each[side][1] for each in rounds) for side in (0, 1))
    print(
        f"first paint: ours {cpu:.2f} s of processor, {wall:.2f} s in all; bare Textual {bare_cpu:.2f} s, "
        f"{bare_wall:.2f} s; {cpu / bare_cpu:.2f}x, {wall / bare_wall:.2f}x",
        flush=True,
    )


def usage(pid: int) -> tuple[float, float]:
    """MiB resident and CPU seconds so far of a process."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    return int(fields[21]) * PAGE_BYTES / 2**20, (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def idle(seconds: float) -> None:
    """A console that looks at three nodes where nothing happens."""
    async with cluster.cluster() as ours:
        host, port = ours.addresses[0]
        arguments = [sys.executable, "-m", "iwdc_console.console", "--node", f"http://{host}:{port}"]
        with terminal(arguments) as (child, _, _):
            await asyncio.sleep(SETTLE_S)
            _, before = usage(child.pid)
            await asyncio.sleep(seconds)
            rss, after = usage(child.pid)
    print(f"idle on three nodes: {rss:.1f} MiB, {(after - before) / seconds * 100:.1f} % of a core", flush=True)


def keys(presses: int) -> None:
    """From a key press to the end of the paint that it caused, on every screen."""
    reader, writer = os.pipe()
    with (
        open(reader, "rb", buffering=0) as painted,
        terminal([sys.executable, "-m", "bench.busy", str(writer)], keeps=(writer,)) as (_, written, keyboard),
    ):
        os.close(writer)
        while b"100/100" not in written:
            time.sleep(0.1)
        for place in PLACES:
            if not place.demo:
                os.write(keyboard, place.key.encode())
                time.sleep(SETTLE_S / 3)
                while select.select([painted], [], [], 0)[0]:
                    painted.read(64)  # the first place of the cursor is painted, too
                there, back = (UP, DOWN) if place.name == "events" else (DOWN, UP)
                took = sorted(press(keyboard, painted, there if n % 40 < 20 else back) for n in range(presses))
                p50, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
                print(
                    f"key press to paint, {place.name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, worst {took[-1]:.1f} ms; "
                    f"p95 is {p95 / KEY_BOUND_MS:.2f}x of what is allowed",
                    flush=True,
                )


def press(keyboard: int, painted: BinaryIO, key: bytes) -> float:
    """Milliseconds until the paint is out. The pause before it makes keys meet all phases of the feed."""
    time.sleep(0.037)
    began_ns = time.monotonic_ns()
    os.write(keyboard, key)
    if not select.select([painted], [], [], PAINT_S)[0]:
        raise TimeoutError(f"nothing was painted within {PAINT_S:g} s of a key press")
    return (int(painted.read(64)) - began_ns) / 1e6


async def measure(seconds: float) -> None:
    paints()
    await asyncio.to_thread(keys, 100)
    await idle(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the idle console is watched")
    given = parser.parse_args()
    command.run(measure(given.seconds))


if __name__ == "__main__":
    main()
