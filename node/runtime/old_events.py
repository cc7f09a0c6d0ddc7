"""Old events, whose bodies the core does not keep: read from the journal in a thread, for peers and for readers."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from node.journal.errors import JournalCorrupt, JournalError
from node.observability.log import EventLog
from node.protocol.effects import Send, Ship
from node.protocol.events import Event, VersionVector
from node.protocol.messages import Push

if TYPE_CHECKING:
    from node.journal import Journal

SHIP_BYTES = 1024 * 1024
"""Events read from the journal for one `Push`, about."""


class OldEvents:
    """Reads for one node. `corrupt` is told what damage was met."""

    def __init__(
        self, journal: "Journal", max_events: int, log: EventLog, send: Callable[[Send], None],
        spawn: Callable[[Coroutine[None, None, None]], None], corrupt: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._max_events = max_events
        self._log = log
        self._send = send
        self._spawn = spawn
        self._corrupt = corrupt
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._ships: dict[str, Ship | None] = {}

    async def page(self, since: VersionVector, limit: int) -> list[Event]:
        """Events beyond `since`, at most so many."""
        return await self._loop.run_in_executor(self._threads, lambda: self._journal.list(since=since, limit=limit))

    def ship(self, ship: Ship) -> None:
        """Send a peer what it lacks."""
        # One read per peer; of what is asked meanwhile only the latest counts, it says what is still lacking.
        if ship.to in self._ships:
            self._ships[ship.to] = ship
            return
        self._ships[ship.to] = None
        self._spawn(self._ship_all(ship))

    def close(self) -> None:
        """Wait for the last read."""
        self._threads.shutdown()

    async def _ship_all(self, first: Ship) -> None:
        ship: Ship | None = first
        to = first.to
        try:
            while ship is not None:
                events, more = await self._loop.run_in_executor(
                    self._threads, self._journal.read, ship.have, self._max_events, SHIP_BYTES
                )
                self._send(Send(to, Push(tuple(events), more, ship.number), 0))
                ship, self._ships[to] = self._ships[to], None
        except JournalCorrupt as problem:
            self._corrupt(str(problem))
        except JournalError as problem:
            self._log.error("journal_read_failed", problem=str(problem), peer=to)
        finally:
            del self._ships[to]
