"""Loopback ports for the demo's nodes.

A port is claimed by its twin for datagrams, which no node uses. That keeps another demo off, also before the node
listens and while it is down, and does not keep the node from listening.
"""

import contextlib
import itertools
import socket
from collections.abc import Iterator

HOST = "127.0.0.1"
FIRST_PORT = 3000
STEP = 10
"""From one demo's first port to the next one's. No demo gets a port that the system gives to outgoing connections."""


@contextlib.contextmanager
def claimed(count: int) -> Iterator[list[int]]:
    """Ports in a row that nobody listens on: from 3000 on if these are free, so that commands find the demo."""
    for first in itertools.count(FIRST_PORT, STEP):
        row = [*range(first, first + count)]
        with contextlib.ExitStack() as claims:
            try:
                for port in row:
                    _claim(claims.enter_context(socket.socket(type=socket.SOCK_DGRAM)), port)
            except OSError:
                continue
            yield row
            return


def _claim(twin: socket.socket, port: int) -> None:
    """Raises OSError when somebody has claimed it or listens on it."""
    twin.bind((HOST, port))
    with socket.socket() as probe:
        # What is left of connections of an earlier demo is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
