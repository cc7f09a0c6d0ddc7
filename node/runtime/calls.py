"""Clients' requests on their way through the core: each has one answer, or *maybe*.

The requests of one loop iteration make one step. Proposals that come while a commit is under way wait for its end:
together they are one event of the next one.
"""

import asyncio
import itertools
from collections.abc import Callable, Collection, Sequence

from node.protocol.effects import Called, Cancelled, Gathered, Input
from node.protocol.requests import Answer, Maybe, Propose, Request


class Calls:
    """Who waits for an answer. `step` gives the core an input; `disk_busy` says whether a commit is under way."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, step: Callable[[Input], None], disk_busy: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._step = step
        self._disk_busy = disk_busy
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = itertools.count(1)
        self._gathered: list[Called] = []
        self._held: list[Called] = []

    async def put(self, requests: Sequence[Request], timeout_s: float) -> list[Answer]:
        """Put requests to the core in one step; their answers in the same order, `Maybe` after `timeout_s`."""
        answers: dict[int, asyncio.Future[Answer]] = {}
        if not self._gathered:
            self._loop.call_soon(self._take_gathered)
        for request in requests:
            call = next(self._numbers)
            answers[call] = self._answers[call] = self._loop.create_future()
            self._gathered.append(Called(call, request))
        timer = self._loop.call_later(timeout_s, self._overdue, answers, timeout_s)
        try:
            return [await answer for answer in answers.values()]
        except asyncio.CancelledError:
            for call in answers:
                if self._answers.pop(call, None) is not None:
                    self._step(Cancelled(call))
            raise
        finally:
            timer.cancel()

    def answer(self, call: int, answer: Answer) -> None:
        """Answer a request, if anybody still waits for it."""
        waiting = self._answers.pop(call, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def take_held(self) -> None:
        """The disk is free: what waited for it goes on."""
        held, self._held = self._held, []
        self._take(held)

    def end(self, answer: Answer) -> None:
        """Answer all that still wait, as nothing will be done for them any more."""
        for call in tuple(self._answers):
            self.answer(call, answer)

    def _take_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if self._disk_busy():
            self._held += (called for called in gathered if isinstance(called.request, Propose))
            gathered = [called for called in gathered if not isinstance(called.request, Propose)]
        self._take(gathered)

    def _take(self, calls: Sequence[Called]) -> None:
        # Who has gone meanwhile asks for nothing any more.
        there = tuple(called for called in calls if called.call in self._answers)
        if there:
            self._step(Gathered(there) if len(there) > 1 else there[0])

    def _overdue(self, calls: Collection[int], timeout_s: float) -> None:
        late = Maybe("timeout", f"no answer within {timeout_s:g} s; ask again with the same request id or key")
        for call in calls:
            if call in self._answers:
                self.answer(call, late)
                self._step(Cancelled(call))
