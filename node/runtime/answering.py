"""Peers' deliveries whose answers wait for the commit they caused, so that one exchange brings the ack as well."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from node.protocol.messages import Envelope
from node.runtime.alarm import TICK_S, Alarm
from node.runtime.awaited import Awaited
from node.runtime.peers import Link

DELIVERY_WAIT_S = 0.050
"""How long a peer's delivery waits for the commit it caused before it is answered without it."""

AnswerT = TypeVar("AnswerT")


class _Delivery:
    """A peer's delivery whose answer waits for the commit of `number`."""

    __slots__ = ("answer", "answered", "due", "link", "number")

    def __init__(
        self,
        number: int,
        link: Link,
        answered: Callable[[Envelope | None], Any],
        answer: Awaited[Any],
        due: float,
    ) -> None:
        self.number = number
        self.link = link
        self.answered = answered
        self.answer = answer
        self.due = due

    def finish(self) -> None:
        if not self.answer.done:
            self.answer.set(self.answered(self.link.take()))


class Deliveries:
    """What waits, in the order it came, each at most `DELIVERY_WAIT_S`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[_Delivery] = deque()
        self._late = Alarm(loop, self._overdue)

    def hold(self, link: Link, number: int, answered: Callable[[Envelope | None], AnswerT]) -> Awaited[AnswerT]:
        """What then waits for that peer, as `answered` tells it: when the commit of `number` is on disk, or is late."""
        answer: Awaited[AnswerT] = Awaited()
        due = self._loop.time() + DELIVERY_WAIT_S
        self._waiting.append(_Delivery(number, link, answered, answer, due))
        self._late.by(due)
        return answer

    def durable_to(self, number: int) -> None:
        """All commits up to `number` are on disk."""
        while self._waiting and self._waiting[0].number <= number:
            self._waiting.popleft().finish()

    def end(self) -> None:
        """Answer all, with what there is."""
        self._late.close()
        while self._waiting:
            self._waiting.popleft().finish()

    def _overdue(self) -> None:
        now = self._loop.time() + TICK_S
        while self._waiting and self._waiting[0].due < now:
            self._waiting.popleft().finish()
        if self._waiting:
            self._late.by(self._waiting[0].due)
