"""A child that never outlives whoever started it, however that ended.

Its standard input is the read end of a pipe whose only write end its parent holds: when the parent is gone, also by
kill -9, the pipe ends, and so does the child, in good order. A child that is stopped (SIGSTOP) sees no end of a pipe:
where that may happen, `die_with_parent` has the system kill it.
"""

import ctypes
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

GRACE_S = 5.0
"""What the child gets to end in good order before it is killed."""
PR_SET_PDEATHSIG = 1


def said_by_parent() -> io.RawIOBase:
    """Standard input, line by line, without the buffer that an ending interpreter would wait for."""
    return io.FileIO(0, closefd=False)


def die_with_parent() -> None:
    """Be killed, also while stopped, when the thread that started this process ends. Linux alone has this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def follow(said: io.RawIOBase, take: Callable[[str], None]) -> None:
    """Hand every line that the parent writes to `take`, on a thread of its own; end this process when there is none."""
    threading.Thread(target=_follow, args=(said, take), name="lifeline", daemon=True).start()


def _follow(said: io.RawIOBase, take: Callable[[str], None]) -> None:
    for line in said:
        take(line.decode())
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
