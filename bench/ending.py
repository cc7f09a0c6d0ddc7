"""A dropped terminal: how long until the demo's console, its host and its nodes are gone. `python -m bench.ending`."""

import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from bench import command

ROUNDS: Final = 5
BOUND_S: Final = 5.0
READY: Final = b"All well: 3 of 3"
PATIENCE_S: Final = 60.0
SIZE: Final = (40, 120)
DEMO: Final = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "iwdc_console.cli.main", "demo"])
"""
"""The terminal is the session's own, so that its end is told by HUP."""


def below(pid: int) -> set[int]:
    """All processes that a process started, and they."""
    children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return children.union(*(below(child) for child in children))


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def dropped() -> float:
    """Seconds from the end of one demo's terminal until none of its processes is left."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    child = subprocess.Popen(
        [sys.executable, "-c", DEMO], stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True
    )
    os.close(inner)
    try:
        written, began = b"", time.monotonic()
        while READY not in written:
            if time.monotonic() - began > PATIENCE_S:
                raise TimeoutError(f"the demo was not ready within {PATIENCE_S:g} s: {written[-500:]!r}")
            written += os.read(outer, 65536)
        started = below(child.pid)
        os.close(outer)
        began = time.monotonic()
        child.wait(PATIENCE_S)
        _gone(started, began)
        return time.monotonic() - began
    finally:
        child.kill()
        child.wait()


def _gone(started: Collection[int], began: float) -> None:
    while left := [pid for pid in started if alive(pid)]:
        if time.monotonic() - began > PATIENCE_S:
            raise TimeoutError(f"{len(left)} processes go on {PATIENCE_S:g} s later")
        time.sleep(0.01)


async def measure() -> None:
    took = sorted(dropped() for _ in range(ROUNDS))
    print(
        f"terminal dropped, {ROUNDS} demos of three nodes: the last process is gone after "
        f"{statistics.median(took):.2f} s, at worst {took[-1]:.2f} s; {took[-1] / BOUND_S:.2f}x of what is allowed",
        flush=True,
    )


def main() -> None:
    command.run(measure())


if __name__ == "__main__":
    main()
