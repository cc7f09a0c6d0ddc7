"""The event bus of one node: whoever subscribes sees every event of the log from a cursor on (seed 2.2, V3).

An event is shown once it is on this node's disk. A subscription that starts at a cursor first reads the journal, then
goes live, without a gap and without a repeat. A subscriber that does not keep up is cut off with the cursor it reached
and never holds up the node.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from node.protocol.events import Event, VersionVector
from node.runtime.cursor import encode_cursor

MAX_BEHIND = 4_096
"""Events that wait for one subscriber before it has lagged."""
PAGE_EVENTS = 500
"""Events read from the journal at a time while a subscription catches up."""

ReadPage = Callable[[VersionVector, int], Awaitable[list[Event]]]
"""Up to that many events beyond a vector, in the order they arrived here."""


class Lagged(Exception):
    """The subscriber fell too far behind. `cursor` is where it stands: subscribe anew from there to miss nothing."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"the subscriber was more than {MAX_BEHIND} events behind; subscribe again from its cursor")
        self.cursor = cursor


class BusClosed(Exception):
    """The node stops: no more events will come."""


class _Subscription:
    """The live end of one subscriber."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.overflown = False
        self.closed = False
        self._wake = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self.events) >= MAX_BEHIND:
            self.overflown = True
            self.events.clear()
        if not self.overflown:
            self.events.append(event)
        self._wake.set()

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    async def wait(self) -> None:
        self._wake.clear()
        if not (self.events or self.overflown or self.closed):
            await self._wake.wait()


class Bus:
    """Shows events to subscribers. `on_disk` is how far the journal reached at start."""

    def __init__(self, read_page: ReadPage, on_disk: VersionVector) -> None:
        self._read_page = read_page
        self._shown = dict(on_disk)
        self._subscriptions: set[_Subscription] = set()

    @property
    def subscribers(self) -> int:
        """How many listen now."""
        return len(self._subscriptions)

    def publish(self, events: Sequence[Event]) -> None:
        """Show events, which are on disk, to all who listen."""
        shown = self._shown
        for event in events:
            shown[event.journal] = event.seq
        for subscription in self._subscriptions:
            for event in events:
                subscription.put(event)

    def close(self) -> None:
        """End all subscriptions."""
        for subscription in self._subscriptions:
            subscription.close()

    def subscribe(self, since: VersionVector | None = None) -> AsyncGenerator[tuple[Event, str], None]:
        """Events beyond `since` with the cursor after each; None: only those that come after this call.

        Events that compaction has removed are not shown (C1). Raises `Lagged`, and `BusClosed` when the node stops.
        """
        return self._beyond(dict(self._shown if since is None else since))

    async def _beyond(self, seen: VersionVector) -> AsyncGenerator[tuple[Event, str], None]:
        subscription = _Subscription()
        self._subscriptions.add(subscription)
        try:
            while page := await self._page(subscription, seen):
                for event in page:
                    if _advance(seen, event):
                        yield event, encode_cursor(seen)
            while True:
                while subscription.events:
                    event = subscription.events.popleft()
                    if _advance(seen, event):
                        yield event, encode_cursor(seen)
                if subscription.overflown:
                    raise Lagged(encode_cursor(seen))
                if subscription.closed:
                    raise BusClosed
                await subscription.wait()
        finally:
            self._subscriptions.discard(subscription)

    async def _page(self, subscription: _Subscription, seen: VersionVector) -> list[Event]:
        # What overflows while the journal is read is in the journal: the next page has it.
        while True:
            subscription.overflown = False
            page = await self._read_page(seen, PAGE_EVENTS)
            if page or not subscription.overflown:
                return page


def _advance(seen: VersionVector, event: Event) -> bool:
    """Note `event` as seen. False if it was before."""
    if event.seq <= seen.get(event.journal, 0):
        return False
    seen[event.journal] = event.seq
    return True
