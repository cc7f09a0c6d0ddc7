"""The API of a node, listening."""

import resource
from contextlib import suppress
from typing import TYPE_CHECKING

from node.api.app import Application
from node.api.exchange import ApiLimits
from node.api.http import HttpServer
from node.api.pages import Pages

if TYPE_CHECKING:
    from node.runtime.driver import Engine

OWN_FILES = 256
"""Files that the journal, the log and the links to other members may need."""
IDLE_TIMEOUTS = 3
"""Heartbeat time-outs that a peer's connection may be silent for."""


def make_room_for_connections() -> None:
    """Let this process open as many files as a node may need, as far as the system allows. Many shells start programs
    with 256, though more are allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OWN_FILES + ApiLimits().max_connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        with suppress(ValueError, OSError):  # some kernels allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


class ApiServer:
    """Serves an engine's API on `host`:`port` (0: any free port; `port` tells which after `start`).

    It takes as many connections as its limits say, or fewer where the process may not open so many files.
    """

    def __init__(self, engine: "Engine", host: str, port: int) -> None:
        usual = ApiLimits()
        silence_s = IDLE_TIMEOUTS * engine.settings.timing.heartbeat_timeout
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = usual.max_connections if files == resource.RLIM_INFINITY else max(1, files - OWN_FILES)
        limits = ApiLimits(
            max_connections=min(usual.max_connections, room),
            idle_timeout_s=max(usual.idle_timeout_s, silence_s),
        )
        self.host = host
        self.port = port
        self.limits = limits
        pages = Pages(host, engine.settings.members)
        self._http = HttpServer(Application(engine, limits, pages), limits)

    async def start(self) -> None:
        """Listen. Raises OSError when the address is not to be had."""
        self.port = await self._http.start(self.host, self.port)

    async def stop(self) -> None:
        """Accept nothing more, let running requests end for a bounded time, then cut off what is left but members."""
        await self._http.stop()

    def hang_up(self) -> None:
        """Close the members' links, too: they find the port closed and know that this node is gone (H2)."""
        self._http.hang_up()
