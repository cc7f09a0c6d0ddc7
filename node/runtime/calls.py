"""Clients' requests on their way through the core: each has one answer, or *maybe*.

The requests of one loop iteration make one step. Proposals that come while a commit is under way wait for its end:
together they are one event of the next one.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from node.protocol.effects import Called, Cancelled, Gathered, Input
from node.protocol.requests import Answer, Maybe, Propose, ProposeMany, Request
from node.runtime.alarm import TICK_S, Alarm
from node.runtime.awaited import Awaited

HELD = frozenset((Propose, ProposeMany))
"""What waits for the end of a commit that is under way."""

AnswerT = TypeVar("AnswerT")


class _Asked:
    """A request that has no answer yet."""

    __slots__ = ("answered", "due", "result", "timeout_s")

    def __init__(
        self, answered: Callable[[Answer], Any], result: Awaited[Any], due: float, timeout_s: float
    ) -> None:  # fmt: skip
        self.answered = answered
        self.result = result
        self.due = due
        self.timeout_s = timeout_s


class Calls:
    """Who waits for an answer. `step` gives the core an input; `disk_busy` says whether a commit is under way."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, step: Callable[[Input], None], disk_busy: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._step = step
        self._disk_busy = disk_busy
        self._waiting: dict[int, _Asked] = {}
        self._next = 1
        self._gathered: list[Called] = []
        self._held: list[Called] = []
        self._late = Alarm(loop, self._look)

    def put(self, request: Request, timeout_s: float, answered: Callable[[Answer], AnswerT]) -> Awaited[AnswerT]:
        """Put a request to the core.

        `answered` makes the result of its answer, which is `Maybe` after `timeout_s`. It must not raise, nor ask the
        node for anything. To cancel the result takes the request back.
        """
        call, due = self._next, self._loop.time() + timeout_s
        result: Awaited[AnswerT] = Awaited(partial(self._taken_back, call))
        if not self._gathered:
            self._loop.call_soon(self._take_gathered)
        self._waiting[call] = _Asked(answered, result, due, timeout_s)
        self._gathered.append(Called(call, request))
        self._next += 1
        self._late.by(due)
        return result

    def answer(self, call: int, answer: Answer) -> None:
        """Answer a request, if anybody still waits for it."""
        asked = self._waiting.pop(call, None)
        if asked is not None and not asked.result.done:
            asked.result.set(asked.answered(answer))

    def take_held(self) -> None:
        """The disk is free: what waited for it goes on."""
        if self._held:
            held, self._held = self._held, []
            self._take(held)

    def end(self, answer: Answer) -> None:
        """Answer all that still wait, as nothing will be done for them any more."""
        self._late.close()
        for call in tuple(self._waiting):
            self.answer(call, answer)

    def _take_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if self._disk_busy():
            self._held += (called for called in gathered if type(called.request) in HELD)
            gathered = [called for called in gathered if type(called.request) not in HELD]
        self._take(gathered)

    def _take(self, calls: Sequence[Called]) -> None:
        # Who has gone meanwhile asks for nothing any more.
        there = [called for called in calls if called.call in self._waiting]
        if there:
            self._step(Gathered(tuple(there)) if len(there) > 1 else there[0])

    def _taken_back(self, call: int) -> None:
        if self._waiting.pop(call, None) is not None:
            self._step(Cancelled(call))

    def _look(self) -> None:
        now = self._loop.time() + TICK_S
        for call, asked in tuple(self._waiting.items()):
            if asked.due < now and call in self._waiting:
                late = f"no answer within {asked.timeout_s:g} s; ask again with the same request id or key"
                self.answer(call, Maybe("timeout", late))
                self._step(Cancelled(call))
        if self._waiting:
            self._late.by(min(asked.due for asked in self._waiting.values()))
