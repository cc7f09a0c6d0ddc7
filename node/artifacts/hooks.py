"""Commands around the switch of the working data, from `[content] before_apply` and `after_apply`.

They run without a shell, in a group of their own, with nothing on their input, and at most `timeout_s`; then the whole
group is killed. The environment is the node's, with `IWDC_VERSION`, `IWDC_PREVIOUS_VERSION` (empty: none), `IWDC_KIND`
(`apply` or `rollback`), `IWDC_ROOT` (the manifest's root hash), `IWDC_TREE` (the folder with the new data: not switched
yet for the hook before, the working data for the hook after).

The hook before may refuse: it ends with another code than 0, or too late; the last of what it said is the reason. The
hook after is told at least once, again after a crash in the middle of it; its failure changes nothing.
"""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

SAID_BYTES: Final = 2_000
LOOK_S: Final = 0.1
"""Between looks whether it is wanted any more."""


def run_hook(
    command: Sequence[str], environ: Mapping[str, str], timeout_s: float, stop: threading.Event | None = None
) -> str | None:
    """Run one. Returns None if it ended with 0, else why not. It is killed soon after `stop` is set."""
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot be started: {error.strerror}"
    said, ended = _listen(process, time.monotonic() + timeout_s, stop or threading.Event())
    text = said.decode(errors="replace").strip()
    if not ended:
        return f"ran longer than {timeout_s:g} s and was killed" + (f"; it said: {text}" if text else "")
    if process.returncode == 0:
        return None
    return text or f"ended with code {process.returncode}"


def _listen(process: "subprocess.Popen[bytes]", deadline_s: float, stop: threading.Event) -> tuple[bytes, bool]:
    """The last of what the process said, and whether it ended by itself. It is gone when this returns."""
    assert process.stdout is not None
    said = b""
    with process.stdout as output, selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while (left_s := deadline_s - time.monotonic()) > 0 and not stop.is_set():
            if selector.select(min(left_s, LOOK_S)):
                more = os.read(output.fileno(), 65_536)
                if not more:
                    break
                said = (said + more)[-SAID_BYTES:]
    try:
        process.wait(0.0 if stop.is_set() else max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return said, False
    return said, True
