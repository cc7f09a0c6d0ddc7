"""A process that is killed at its n-th call of the system that changes the disk."""

import itertools
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from typing import Any

CALLS = ("open", "write", "pwrite", "ftruncate", "fchmod", "chmod", "mkdir", "rename", "replace", "link", "symlink")
ENDING_CALLS = ("unlink", "rmdir", "fsync", "close")
FAILED = 77

Exchange = Callable[..., bool]


def kill() -> None:
    """kill -9 of this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(step: int, action: Callable[[Callable[[], None]], None], end: Callable[[], None] = kill) -> bool:
    """Run `action` in a child that is killed just before its call number `step`; whether it came that far.

    `action` is given a function to call before a step that is no function of `os`. `end` is what kills it.
    """
    child = os.fork()
    if child == 0:
        _run(step, action, end)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the action failed; see the traceback on standard error"
    return False


def _run(step: int, action: Callable[[Callable[[], None]], None], end: Callable[[], None]) -> None:
    numbers = itertools.count(1)

    def count() -> None:
        if next(numbers) == step:
            end()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            count()
            return call(*args, **kwargs)

        return counting

    try:
        for name in (*CALLS, *ENDING_CALLS):
            setattr(os, name, counted(getattr(os, name)))
        action(count)
    except BaseException:  # noqa: BLE001 the child of a fork must never return into the test run
        traceback.print_exc()
        os._exit(FAILED)
    os._exit(0)


def every_kill(action: Callable[[Callable[[], None]], None], stride: int = 1) -> Iterator[int]:
    """Run `action` again and again, killed one step later each time, and yield after each kill."""
    for step in itertools.count(1, stride):
        if not killed_at(step, action):
            return
        yield step
