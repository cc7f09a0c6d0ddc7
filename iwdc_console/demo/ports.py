"""Loopback ports for the demo's nodes."""

import contextlib
import socket

FIRST_PORT = 3000


def free(count: int) -> list[int]:
    """Ports nobody listens on: from 3000 on if these are free, so that commands find the demo by default."""
    with contextlib.ExitStack() as held:
        wanted = [*range(FIRST_PORT, FIRST_PORT + count)]
        if not all(_is_free(port) for port in wanted):
            wanted = [0] * count
        sockets = [held.enter_context(socket.socket()) for _ in wanted]
        for one, port in zip(sockets, wanted, strict=True):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
        return [one.getsockname()[1] for one in sockets]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
