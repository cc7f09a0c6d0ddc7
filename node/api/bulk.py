"""Answers that threads write: content by the gigabyte, of which the event loop sees no byte.

The socket stays the loop's, which goes on listening for its end; the thread writes to a second descriptor of it.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

STALL_S = 30.0
"""A client that takes nothing for this long is given up."""


class Bulk:
    """An answer of `size` bytes. `send` writes them to the socket, in a thread; its OSError ends the connection."""

    __slots__ = ("content_type", "headers", "send", "size")

    def __init__(self, size: int, send: Callable[[socket.socket], None], content_type: bytes, headers: bytes) -> None:
        self.size = size
        self.send = send
        self.content_type = content_type
        self.headers = headers

    def described(self) -> bytes:
        """The header lines about the body."""
        return b"content-type: %b\r\ncontent-length: %d\r\n%b" % (self.content_type, self.size, self.headers)


async def write_bulk(
    loop: asyncio.AbstractEventLoop, threads: Executor, transport: asyncio.Transport, head: bytes, bulk: Bulk
) -> None:
    """Write an answer whole. Raises OSError when the client is gone; on cancellation the connection ends half-way."""
    writer = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    writer.settimeout(STALL_S)

    def write() -> None:
        writer.sendall(head)
        bulk.send(writer)

    writing = loop.run_in_executor(threads, write)
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        transport.abort()
        with suppress(OSError):
            writer.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            await writing
        raise
    finally:
        writer.close()
