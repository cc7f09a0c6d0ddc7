"""A program in a terminal of its own, as a person runs it."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

SIZE: Final = (120, 40)


class Terminal(NamedTuple):
    """A program in a terminal: what it writes is read and kept, `keyboard` is where its keys come from."""

    child: subprocess.Popen[bytes]
    written: bytearray
    keyboard: int


@contextmanager
def terminal(arguments: Sequence[str], keeps: Sequence[int] = ()) -> Iterator[Terminal]:
    """A program in a terminal of `SIZE`; it `keeps` these open files."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    child = subprocess.Popen(
        arguments, stdin=inner, stdout=inner, stderr=inner, start_new_session=True, pass_fds=keeps,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"},
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
        yield Terminal(child, written, outer)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        reader.join(5)
        os.close(outer)
