"""Holding a lock around a command (L4).

The command is told to end (TERM) in time to be killed before the lease ends as `iwdc_console.lease` counts it. Threads
only report; every decision is made in one place, in the order of what is reported.
"""

import contextlib
import math
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.failures import LOCK_REASONS, failure_of
from iwdc_console.cli.output import say
from iwdc_console.client import Client
from iwdc_console.lease import Lease, acquire, now, path, renew, renewing, take_back
from iwdc_console.outcomes import ClientError, ClusterRefused, Interrupted, OutcomeUnknown

GRACE = 1 / 6
"""Part of the lease between TERM and KILL: 5 s of the default 30 s."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def hold(client: Client, resource: str, owner: str, ttl_s: float | None, wait_s: float, command: Sequence[str]) -> int:
    """Run `command` under the lock and return its exit code, or `Exit.LOCK` when the lock was lost.

    Raises `ClusterRefused` when the lock is not granted, any other `ClientError`, `Failure` for a missing command.
    """
    if shutil.which(command[0]) is None:
        raise Failure(f"{command[0]}: no such command")
    lease = _acquire(client, resource, owner, ttl_s, wait_s)
    try:
        # A wait for the grant counted against the lease: start it anew before anything relies on it.
        return _run(client, renew(client, lease) if wait_s else lease, command)
    finally:
        _release(client, lease)


def _acquire(client: Client, resource: str, owner: str, ttl_s: float | None, wait_s: float) -> Lease:
    request_id = str(uuid.uuid4())
    try:
        return acquire(client, resource, owner, request_id, ttl_s, wait_s)
    except Interrupted:
        take_back(client, resource, owner, request_id)
        raise KeyboardInterrupt from None
    except OutcomeUnknown:
        take_back(client, resource, owner, request_id)
        raise


def _release(client: Client, lease: Lease) -> None:
    """Give it back. That it is not ours any more is no news to anybody."""
    resource = str(lease.lock["resource"])
    body = {"owner": lease.lock["owner"], "fencingToken": lease.lock["fencingToken"]}
    try:
        client.post(path(resource, "release"), body, repeatable=True)
    except ClientError as error:
        if error.reason not in LOCK_REASONS:
            say(f"{resource} was not given back and ends with its lease. {failure_of(error).message}")


Report = tuple[str, Any]


def _run(client: Client, lease: Lease, command: Sequence[str]) -> int:
    reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
    done = threading.Event()
    environment = {
        "IWDC_LOCK_RESOURCE": str(lease.lock["resource"]),
        "IWDC_LOCK_OWNER": str(lease.lock["owner"]),
        "IWDC_LOCK_TOKEN": str(lease.lock["fencingToken"]),
    }
    with _forwarding(reports):
        child = _start(command, os.environ | environment)
        with _foreground(child.pid):
            threading.Thread(target=_watch_child, args=(child, reports), daemon=True).start()
            threading.Thread(target=_keep, args=(client, lease, reports, done), daemon=True).start()
            try:
                return _decide(lease, child, reports)
            finally:
                done.set()


def _start(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The command in a process group of its own, so that all of it can be ended at once.

    It inherits that ctrl-z does nothing: a lock's holder is not put aside while its lease runs, and a shell that is
    stopped in the middle of starting something would not even be seen to have stopped.
    """
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        return subprocess.Popen(command, env=environment, process_group=0)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from error
    finally:
        signal.signal(signal.SIGTSTP, before)


def _decide(lease: Lease, child: subprocess.Popen[bytes], reports: "queue.SimpleQueue[Report]") -> int:
    """Act on reports and deadlines until the command has ended."""
    kill_at: float | None = None
    while True:
        deadline = lease.ends_at - lease.ttl_s * GRACE if kill_at is None else kill_at
        try:
            what, value = reports.get(timeout=None if deadline == math.inf else max(0.0, deadline - now()))
        except queue.Empty:
            what, value = "deadline", "it was not renewed in time"
        if what == "exited":
            if kill_at is not None:
                return Exit.LOCK
            return int(value) if value >= 0 else 128 - int(value)
        if what == "signal":
            _signal(child, value)
        elif what == "renewed" and kill_at is None:
            lease = value
        elif what in ("lost", "deadline") and kill_at is None:
            say(f"The lock is lost: {value}. Ending the command.")
            _signal(child, signal.SIGTERM)
            kill_at = min(lease.ends_at, now() + lease.ttl_s * GRACE)
        elif what == "deadline":
            say("The command did not end in time: killing it.")
            _signal(child, signal.SIGKILL)
            kill_at = math.inf


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended; its report is on the way
        os.killpg(child.pid, number)


def _watch_child(child: subprocess.Popen[bytes], reports: "queue.SimpleQueue[Report]") -> None:
    """Report the command's end. Where it takes ctrl-z after all (an editor does), that is undone."""
    while True:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        if os.WSTOPSIG(status) == signal.SIGTSTP:
            os.killpg(child.pid, signal.SIGCONT)
    child.returncode = os.waitstatus_to_exitcode(status)
    reports.put(("exited", child.returncode))


def _keep(client: Client, lease: Lease, reports: "queue.SimpleQueue[Report]", done: threading.Event) -> None:
    """Renew until the command has ended. What goes wrong is tried again; only the leader's word makes it lost."""
    client = renewing(client.nodes, lease)
    while not done.wait(max(0.0, lease.renew_at - now())):
        try:
            lease = renew(client, lease)
        except ClusterRefused as error:
            if error.reason in LOCK_REASONS:
                reports.put(("lost", failure_of(error).message))
                return
            done.wait(lease.pause_s)
        except ClientError:
            done.wait(lease.pause_s)
        else:
            reports.put(("renewed", lease))


@contextlib.contextmanager
def _forwarding(reports: "queue.SimpleQueue[Report]") -> Iterator[None]:
    """Signals to us are the command's: it decides what they mean."""
    before = {number: signal.signal(number, lambda got, _: reports.put(("signal", got))) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _foreground(group: int) -> Iterator[None]:
    """Give the terminal to the command while it runs, so that it can read keys and gets ctrl-c itself."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.tcgetpgrp(0) != os.getpgrp():
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, group)
    os.killpg(group, signal.SIGCONT)  # it may have asked for the keyboard before it was its own
    try:
        yield
    finally:
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)
