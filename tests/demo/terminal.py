"""A program in a terminal of its own: keys in, a screen out, as a person has it."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

DEADLINE_S = 60.0
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("IWDC_")}


class Terminal:
    """A pseudo-terminal with a screen behind it. A context manager: left, the program is gone."""

    def __init__(self, arguments: Sequence[str], home: Path, columns: int = 120, lines: int = 40) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        self.resize(columns, lines)
        # The person's own settings must not matter, nor be touched.
        own = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state"), "COLORTERM": "truecolor"}
        environment = ENVIRONMENT | own | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WITH_TERMINAL, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note("\n".join(self.lines))
        self.process.kill()
        self.process.wait()
        self.hang_up()

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    def press(self, *keys: str) -> None:
        """Type keys; wait nothing."""
        for key in keys:
            os.write(self._master, key.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Another size, as when a window is dragged."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def until(self, what: str, holds: Callable[[str], object]) -> str:
        """Read on until the screen is so; the screen."""
        ends = time.monotonic() + DEADLINE_S
        while not holds(self.text):
            assert time.monotonic() < ends, f"not seen: {what}"
            self.read(0.1)
        return self.text

    def see(self, words: str) -> str:
        """Read on until these words are on the screen."""
        return self.until(words, lambda screen: words in screen)

    def read(self, within_s: float) -> None:
        """Take in what the program writes."""
        if select.select([self._master], [], [], within_s)[0]:
            with contextlib.suppress(OSError):  # the program's end of the terminal is closed
                self.feed(os.read(self._master, 65536))

    def feed(self, data: bytes) -> None:
        """Show what the program wrote."""
        self._stream.feed(data)

    def wait(self) -> int:
        """Until the program has ended; its exit code."""
        ends = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < ends, "the program goes on"
            if self._master >= 0:
                self.read(0.05)
            else:
                time.sleep(0.05)
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1


_WITH_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


def descendants(pid: int) -> dict[int, str]:
    """All processes below `pid`, with their command lines."""
    found: dict[int, str] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        found |= descendants(int(child))
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until_gone(pids: Iterable[int]) -> None:
    """Wait until none of these processes runs."""
    ends = time.monotonic() + DEADLINE_S
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < ends, f"still there: {left}"
        time.sleep(0.05)
