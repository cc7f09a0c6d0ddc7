"""The API of a node, listening."""

from typing import TYPE_CHECKING

from node.api.app import Application
from node.api.exchange import ApiLimits
from node.api.http import HttpServer

if TYPE_CHECKING:
    from node.runtime.driver import Engine

IDLE_TIMEOUTS = 3
"""Heartbeat time-outs that a peer's connection may be silent for."""


class ApiServer:
    """Serves an engine's API on `host`:`port` (0: any free port; `port` tells which after `start`)."""

    def __init__(self, engine: "Engine", host: str, port: int) -> None:
        usual = ApiLimits()
        silence_s = IDLE_TIMEOUTS * engine.settings.timing.heartbeat_timeout
        limits = ApiLimits(idle_timeout_s=max(usual.idle_timeout_s, silence_s))
        self.host = host
        self.port = port
        self._http = HttpServer(Application(engine, limits), limits)

    async def start(self) -> None:
        """Listen. Raises OSError when the address is not to be had."""
        self.port = await self._http.start(self.host, self.port)

    async def stop(self) -> None:
        """Accept nothing more, let running requests end for a bounded time, then cut off what is left."""
        await self._http.stop()
