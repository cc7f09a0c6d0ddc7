"""Web pages may not use a node. It asks nobody who they are, and a browser on its machine reaches it as commands do.

1. A browser says in `Origin` which page asks, whenever more than reading is asked for. A node has no pages of its own.
2. A page whose name is made to point to this machine (DNS rebinding) may read what its browser is answered. So a node
   that listens on loopback answers only to names no stranger can hold: addresses, `localhost`, this machine's name,
   its members' hosts.
"""

import ipaddress
import socket
from collections.abc import Iterable

from node.api.answers import Refused
from node.api.exchange import Request
from node.config.instances import address_of, is_loopback
from node.protocol.requests import Refusal
from node.protocol.settings import Member

FORBIDDEN, MISDIRECTED = 403, 421
READS = ("GET", "HEAD")
MAX_KNOWN = 64
MAX_SHOWN = 200
"""Characters of a header that an answer repeats."""


class Pages:
    """Which requests come from web pages, for a node that listens at `host`."""

    def __init__(self, host: str, members: Iterable[Member]) -> None:
        hosts = (address_of(member)[0] for member in members)
        self._names = frozenset(("localhost", socket.gethostname().lower(), *hosts))
        self._strict = is_loopback(host)
        self._known: set[bytes | None] = {None}
        """`Host` headers that were found to be ours; requests of HTTP/1.0 may have none."""

    def refuse(self, request: Request) -> None:
        """Raises `Refused` for what a web page asks."""
        headers = request.headers
        if b"origin" not in headers and (not self._strict or headers.get(b"host") in self._known):
            return  # all but every request
        if b"origin" in headers and request.method not in READS:
            detail = f"web pages may only read here, and this comes from one of {_shown(headers[b'origin'])}"
            raise Refused(Refusal("web_page", detail), FORBIDDEN)
        host = headers.get(b"host", b"localhost")
        if self._strict and not self._is_ours(host):
            detail = (
                f"this node listens on loopback and does not answer to the name {_shown(host)}; "
                "ask 127.0.0.1, localhost, or the host of its URL in instances.json"
            )
            raise Refused(Refusal("other_host", detail), MISDIRECTED)
        if len(self._known) < MAX_KNOWN:
            self._known.add(host)

    def _is_ours(self, header: bytes) -> bool:
        name = header.decode("latin-1").strip().lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        name = name.removesuffix(".")
        return name in self._names or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _shown(header: bytes) -> str:
    return repr(header.decode("latin-1")[:MAX_SHOWN])
