"""The console's weight: first paint, memory, idle processor time, from key press to paint. `python -m bench.console`.

First paint is CPU and wall time until the first frame is out, beside a bare Textual app with header, table and footer,
each in a process of its own, in turn. Idle is three real nodes watched by a console in a pseudo terminal. Key presses
are measured with a hundred instances and 500 events a second.
"""

import argparse
import asyncio
import fcntl
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench import cluster, command
from bench.processes import PAGE_BYTES, TICKS_PER_S
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.api import Candidate, Event, Instance, Leader, Quorum, Status
from iwdc_console.tui.model.observation import Link, Observation, Part, PartName
from iwdc_console.tui.source.events import KEPT
from iwdc_console.tui.source.live import POLL_S, PUBLISH_S
from iwdc_console.tui.widgets.table import Table

ROUNDS: Final = 7
SETTLE_S: Final = 6.0
SIZE: Final = (120, 40)
EVENTS_PER_S: Final = 500
BARE: Final = """
import os, time
from textual.app import App
from textual.widgets import DataTable, Footer, Header
class Bare(App[None]):
    def compose(self):
        yield Header(); yield DataTable(); yield Footer()
    def on_mount(self):
        self.query_one(DataTable).add_columns("a", "b", "c"); self.call_after_refresh(self.done)
    def done(self):
        os.write(2, b"painted %d\\n" % int(time.process_time() * 1e6)); os._exit(0)
Bare().run()
"""
OURS: Final = """
import os, time
from iwdc_console.tui.app import Console
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.source.live import LiveSource
def done(self):
    os.write(2, b"painted %d\\n" % int(time.process_time() * 1e6)); os._exit(0)
Console._listen = done
node = "http://127.0.0.1:1"
Console(LiveSource([node]), Observation(nodes=(node,))).run()
"""


@contextmanager
def terminal(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], bytearray]]:
    """A program in a terminal of `SIZE`; what it writes is read and kept."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    child = subprocess.Popen(
        arguments, stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )  # fmt: skip
    os.close(inner)
    written = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(outer, 65536)
            except OSError:
                return
            if not chunk:
                return
            written.extend(chunk)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield child, written
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        reader.join(5)
        os.close(outer)


def first_paint(source: str) -> tuple[float, float]:
    """CPU and wall seconds until the first frame is out."""
    began = time.monotonic()
    with terminal([sys.executable, "-c", source]) as (child, written):
        child.wait(60)
        wall = time.monotonic() - began
        time.sleep(0.05)
    cpu_us = int(written.rpartition(b"painted ")[2].split()[0])
    return cpu_us / 1e6, wall


def paints() -> None:
    """Ours beside the bare one."""
    rounds = [(first_paint(OURS), first_paint(BARE)) for _ in range(ROUNDS)]
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
        with terminal(arguments) as (child, _):
            await asyncio.sleep(SETTLE_S)
            _, before = usage(child.pid)
            await asyncio.sleep(seconds)
            rss, after = usage(child.pid)
    print(f"idle on three nodes: {rss:.1f} MiB, {(after - before) / seconds * 100:.1f} % of a core", flush=True)


class Busy:
    """A hundred instances, asked once a second, and 500 new events a second; as far apart as those of `LiveSource`."""

    context = "busy"

    def __init__(self) -> None:
        self.number = 0

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """For ever."""
        node = "http://10.0.0.1:3000"
        told: tuple[Event, ...] = ()
        status: Part[Status] | None = None
        while True:
            self.number += 1
            now_s, now_ms = time.monotonic(), int(time.time() * 1000)
            told = (*told, *self._fresh(now_ms))[-KEPT:]
            if status is None or now_s - status.at_s >= POLL_S:
                status = Part(self._status(), node, now_s, now_ms)
            yield Observation(
                context="busy", nodes=(node,), link=Link(node, 0.5, now_s), status=status,
                events=Part(told, node, now_s, now_ms),
            )  # fmt: skip
            await asyncio.sleep(PUBLISH_S)

    def _fresh(self, now_ms: int) -> Iterator[Event]:
        first = self.number * EVENTS_PER_S
        for n in range(first, first + int(EVENTS_PER_S * PUBLISH_S)):
            yield Event(str(n), f"instance-{n % 100:03d}", n, "LOADED", now_ms, n, "", {"n": n})

    def _status(self) -> Status:
        names = [f"instance-{n:03d}" for n in range(100)]
        sees = dict.fromkeys(names, "healthy")
        members = tuple(
            Instance(
                id=name, url=f"http://10.0.0.{place}:3000", status="healthy", uptime_ms=self.number * 100 + place,
                heartbeat_age_ms=(self.number * 37 + place * 91) % 1_000, rtt_ms=(self.number + place) % 9 / 3,
                drift_ms=float(place % 7), version="1.0.0", sees=sees,
            )
            for place, name in enumerate(names)
        )  # fmt: skip
        leader = Leader(names[0], 3, 0, 0, tuple(Candidate(name, 1, "healthy") for name in names))
        return Status(
            id=names[1], cluster="busy", quorum=Quorum(100, 100, 51, True), leader=leader, instances=members,
            events=self.number * EVENTS_PER_S,
        )  # fmt: skip

    def want(self, parts: frozenset[PartName]) -> None:
        """All that there is comes anyway."""

    def retry(self) -> None:
        """Nothing to wait for."""

    def look_at_trace(self, trace: str) -> None:
        """None is shown here."""

    def look_at_version(self, version: str, base: str = "") -> None:
        """None is shown here."""

    async def journal(self) -> tuple[Event, ...]:
        """Nothing from before."""
        return ()


async def keys(presses: int) -> None:
    """From a key press to the end of the paint that it caused."""
    app = Console(Busy(), Observation(context="busy"))
    took: list[tuple[float, float]] = []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1.0)
        table = app.screen.query_one(Table)
        painted = asyncio.Event()

        def moved() -> None:
            app.screen.call_after_refresh(painted.set)

        app.watch(table, "cursor", moved, init=False)
        for number in range(presses):
            painted.clear()
            began, cpu = time.perf_counter(), time.process_time()
            app.simulate_key("down" if number % 40 < 20 else "up")
            await painted.wait()
            took.append(((time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000))
            await asyncio.sleep(0.037)
    for what, times in (("in all", sorted(wall for wall, _ in took)), ("of processor", sorted(cpu for _, cpu in took))):
        p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
        print(
            f"key press to paint, 100 instances and 500 events/s, {what}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, "
            f"worst {times[-1]:.1f} ms",
            flush=True,
        )


async def measure(seconds: float) -> None:
    paints()
    await keys(300)
    await idle(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the idle console is watched")
    command.run(measure(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
