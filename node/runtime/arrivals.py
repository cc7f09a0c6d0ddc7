"""Envelopes of one peer in the order they left it.

A peer's envelopes come on two ways: its own requests, and its answers to ours. One may overtake the other by a little,
which costs the protocol a repair each time; so the later one waits a moment for the earlier.
"""

import asyncio
from collections.abc import Callable

from node.protocol.messages import Envelope

PATIENCE_S = 0.020
"""How long an envelope waits for an earlier one: longer than two ways differ, shorter than a repair."""
MAX_HELD = 64


class Arrivals:
    """Gives on each envelope once, by its number; what does not come in time is passed over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Callable[[Envelope], None]) -> None:
        self._loop = loop
        self._receive = receive
        self._boot = ""
        self._next = 0
        self._held: dict[int, Envelope] = {}
        self._timer: asyncio.TimerHandle | None = None

    def arrive(self, envelope: Envelope) -> None:
        """Take in an envelope; it and those that waited for it go on now, or within `PATIENCE_S`."""
        if envelope.boot != self._boot:
            self.close()
            self._boot, self._next = envelope.boot, envelope.number
        number = envelope.number
        if number > self._next and len(self._held) < MAX_HELD:
            self._held[number] = envelope
            if self._timer is None:
                self._timer = self._loop.call_later(PATIENCE_S, self.close)
            return
        if number >= self._next:
            self._next = number + 1
        self._receive(envelope)
        if self._held:
            self._go_on()

    def _go_on(self) -> None:
        while self._next in self._held:
            waited = self._held.pop(self._next)
            self._next += 1
            self._receive(waited)
        if not self._held and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Give on what is held, in order, whatever is missing before it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, {}
        for number in sorted(held):
            self._next = number + 1
            self._receive(held[number])
