"""Ports for nodes of tests: nobody else's as long as they are claimed, also while no node listens.

They lie below those that the kernel gives to outgoing connections, so a node comes back on its own port. A claim is the
port's twin for datagrams, which no node uses.
"""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)


@contextmanager
def claimed(count: int) -> Iterator[list[int]]:
    """Ports that nobody listens on, and no other test is given meanwhile."""
    with ExitStack() as claims:
        yield [int(claims.enter_context(claim()).getsockname()[1]) for _ in range(count)]


def claim() -> socket.socket:
    """A claim to one port, until it is closed."""
    while True:
        twin = socket.socket(type=socket.SOCK_DGRAM)
        try:
            twin.bind((HOST, random.choice(PORTS)))
            with socket.socket() as probe:
                if probe.connect_ex(twin.getsockname()) != 0:
                    return twin
        except OSError:
            pass  # another test's
        twin.close()
