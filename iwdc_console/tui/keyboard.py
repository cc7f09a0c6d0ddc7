"""One key after another: each is handed over once what the one before it has begun stands and takes keys.

A key goes to whatever has the focus when it comes, and what it opens has the focus only some messages later. So of
keys that come at once, `:` and `events` or `p` and a folder, all but the first would reach the screen below, where
letters are orders.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

from textual.app import App, ScreenStackError
from textual.dom import DOMNode
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

CALM_TURNS = 3
"""So many turns of the loop without a message on the way: what a worker opens with its first step comes in between."""
PATIENCE_S = 3.0
"""No key waits longer for the one before it, whatever that has begun. Forms open sooner even on a starved machine."""


class Keyboard:
    """Holds what is typed. `hand_over` is what the app does with an event otherwise."""

    def __init__(self, app: App[None], hand_over: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._hand_over = hand_over
        self._typed: asyncio.Queue[Event] = asyncio.Queue()

    def takes(self, event: Event) -> bool:
        """Whether an event was typed; it is handed over in its turn."""
        typed = isinstance(event, Key | Paste) and not event.is_forwarded
        if typed:
            self._typed.put_nowait(event)
        return typed

    async def run(self) -> None:
        """For as long as the app runs."""
        while True:
            event = await self._typed.get()
            before = self._path()
            self._app.call_later(self._hand_over, event)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._settled(before)

    async def _settled(self, before: Iterable[MessagePump]) -> None:
        calm = 0
        while calm < CALM_TURNS:
            await asyncio.sleep(0)
            busy = any(pump.message_queue_size for pump in (self._app, *before, *self._path()))
            calm = 0 if busy else calm + 1

    def _path(self) -> list[DOMNode]:
        """Who hears of a key now: what has the focus, and all around it; nobody when the app ends."""
        try:
            return (self._app.focused or self._app.screen).ancestors_with_self
        except ScreenStackError:
            return []
