"""A thin HTTP/1.1 server. It listens and keeps connections within bounds; what they carry is the `App`'s.

Why our own: on this path every microsecond is paid per request, and a general server costs four times as much.
"""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate

from node.api.connection import Connection
from node.api.exchange import ApiLimits, App, Rejected
from node.api.heads import Heads

SWEEP_S = 1.0
SENDERS = 8
"""Bulk answers written at a time; further ones wait."""


class HttpServer:
    """Listens, and keeps the set of connections within bounds."""

    def __init__(self, app: App, limits: ApiLimits) -> None:
        self.app = app
        self.limits = limits
        self.stopping = False
        self.connections: set[Connection] = set()
        self.loop: asyncio.AbstractEventLoop
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self.date = b""
        """The Date header's value, made once a second."""
        self.heads = Heads()
        self.senders: Executor = ThreadPoolExecutor(SENDERS, "sender")
        """Threads that write bulk answers."""

    async def start(self, host: str, port: int) -> int:
        """Listen on `host`:`port` (0: any free one) and return the port. Raises OSError when it is not to be had."""
        self.loop = asyncio.get_running_loop()
        self._listener = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=self.limits.backlog
        )
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Accept nothing more, let running requests end within `stop_grace_s`, then cut off what is left.

        Links of other members stay until `hang_up`: the verdicts that clients wait for come over them.
        """
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        self._empty.clear()
        for connection in list(self.connections):
            connection.finish_soon()
        try:
            await self._all_closed(self.limits.stop_grace_s)
        except TimeoutError:
            for connection in self._clients():
                connection.finish_now()
            with suppress(TimeoutError):
                await self._all_closed(self.limits.linger_s)
        for connection in self._clients():
            connection.transport.abort()
        self.senders.shutdown(wait=False)

    def hang_up(self) -> None:
        """Close what is left: the links of other members."""
        for connection in list(self.connections):
            connection.transport.close()

    async def _all_closed(self, timeout_s: float) -> None:
        if self._clients():
            await asyncio.wait_for(self._empty.wait(), timeout_s)

    def _clients(self) -> list[Connection]:
        return [connection for connection in self.connections if not connection.is_link]

    def opened(self, connection: Connection) -> None:
        """A client connected. Where there is no room, the longest idle client goes, else the new one is refused."""
        if self.stopping:
            connection.transport.abort()
            return
        if len(self.connections) >= self.limits.max_connections:
            idle = min((c for c in self.connections if c.idle), key=lambda c: (c.served > 0, c.since), default=None)
            if idle is None:
                bound = self.limits.max_connections
                connection.refuse(Rejected(503, f"{bound} connections are open, no more are taken"))
            else:
                self.connections.discard(idle)
                idle.transport.close()
        self.connections.add(connection)
        if self._sweeper is None:
            self._sweep()

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if self.stopping and not self._clients():
            self._empty.set()

    def _sweep(self) -> None:
        now = self.loop.time()
        self.date = formatdate(usegmt=True).encode()
        for connection in list(self.connections):
            connection.sweep(now)
        self._sweeper = self.loop.call_later(SWEEP_S, self._sweep) if self.connections else None
