"""A file's content brought to the disk by the kernel, which tells the loop when it is there: no thread waits for it.

A thread that waits for a disk is woken twice for each commit, and each time has to get the interpreter from the loop.
Linux syncs without one (`io_submit(2)` with `IOCB_CMD_FDSYNC`, since 4.18) and tells by an `eventfd`. Elsewhere, and
where a sandbox forbids it, there is no `KernelSync`, and a thread commits (`writer`).
"""

import ctypes
import os
import platform
import struct
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Self

_CALLS = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""Of `io_setup`, `io_destroy`, `io_getevents` and `io_submit` in 64 bits: the C library has no functions for them."""
_FDSYNC = 3
_TELL = 1
"""`IOCB_FLAG_RESFD`: tell by the descriptor in the request's last field."""
_REQUEST = struct.Struct("<QIIHhIQQqQII")
"""`struct iocb` on a little-endian machine."""
_OUTCOME = struct.Struct("<QQqq")
"""`struct io_event`."""

Done = Callable[[OSError | None], None]


class KernelSync:
    """Syncs files, one after another. `done` hears on the loop how each sync ended."""

    def __init__(self, loop: AbstractEventLoop, done: Done, context: ctypes.c_ulong, told: int) -> None:
        self._loop = loop
        self._done = done
        self._context = context
        self._told = told
        self._request = ctypes.create_string_buffer(_REQUEST.size)
        self._requests = (ctypes.c_void_p * 1)(ctypes.addressof(self._request))
        self._outcome = ctypes.create_string_buffer(_OUTCOME.size)
        _, self._destroy, self._getevents, self._submit = _CALLS[platform.machine()]
        loop.add_reader(told, self._hear)

    @classmethod
    def open(cls, loop: AbstractEventLoop, done: Done) -> Self | None:
        """None where the system has none."""
        if sys.platform != "linux" or platform.machine() not in _CALLS or sys.maxsize < 2**32:
            return None
        context = ctypes.c_ulong(0)
        if _system(_CALLS[platform.machine()][0], 1, ctypes.byref(context)) != 0:
            return None
        return cls(loop, done, context, os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))

    def sync(self, descriptor: int) -> bool:
        """Begin to sync a file. False: neither this file nor another will be, as the system cannot."""
        _REQUEST.pack_into(self._request, 0, 0, 0, 0, _FDSYNC, 0, descriptor, 0, 0, 0, 0, _TELL, self._told)
        begun: int = _system(self._submit, self._context, 1, self._requests)
        return begun == 1

    def ignore(self) -> None:
        """Tell of nothing any more, not of what is under way either."""
        self._loop.remove_reader(self._told)

    def close(self) -> None:
        """Give the system back what it had. Blocks until the sync under way has ended."""
        _system(self._destroy, self._context)
        os.close(self._told)

    def _hear(self) -> None:
        try:
            os.eventfd_read(self._told)
        except BlockingIOError:
            return
        if _system(self._getevents, self._context, 0, 1, self._outcome, None) == 1:
            code: int = _OUTCOME.unpack(self._outcome)[2]
            self._done(OSError(-code, os.strerror(-code)) if code < 0 else None)


def _system(number: int, *arguments: object) -> int:
    """A call of the system, -1 if it failed."""
    found: int = _libc.syscall(ctypes.c_long(number), *arguments)
    return found


_libc = ctypes.CDLL(None)
