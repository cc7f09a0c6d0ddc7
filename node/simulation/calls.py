"""The clients' side of one process: requests taken, handed to the core, answered.

Requests that come in the same moment reach the core together, as the real driver gathers them. A process that ends
breaks the connections of all who wait.
"""

from collections.abc import Callable

from node.protocol.effects import Called, Cancelled, Gathered
from node.protocol.requests import Answer, Request
from node.simulation.life import Life
from node.simulation.schedule import Schedule

OnAnswer = Callable[[Answer | None], None]
"""Told the answer, or None when the connection broke before there was one."""

ANSWER_S = 0.0001
"""How long an answer, or the end of a connection, takes to its client."""


class Calls:
    """What one incarnation of a process was asked and has not answered."""

    def __init__(self, life: Life, schedule: Schedule) -> None:
        self._life = life
        self._schedule = schedule
        self._waiting: dict[int, OnAnswer] = {}
        self._gathered: list[Called] = []
        self._numbers = 0

    def take(self, request: Request, on_answer: OnAnswer) -> int:
        """A client's request; returns its number, with which it can be cancelled."""
        self._numbers += 1
        self._waiting[self._numbers] = on_answer
        self._arrive(self._numbers, request)
        return self._numbers

    def _arrive(self, number: int, request: Request) -> None:
        if not self._life.waits(self._arrive, number, request) and number in self._waiting:
            if not self._gathered:
                self._schedule.after(0.0, self._hand_over)
            self._gathered.append(Called(number, request))

    def _hand_over(self) -> None:
        if self._life.ended or self._life.waits(self._hand_over):
            return
        calls = tuple(called for called in self._gathered if called.call in self._waiting)
        self._gathered = []
        if calls:
            self._life.step(Gathered(calls) if len(calls) > 1 else calls[0])

    def cancel(self, number: int) -> None:
        """The client of a call has gone."""
        if self._life.ended or self._life.waits(self.cancel, number):
            return
        if self._waiting.pop(number, None):
            self._life.step(Cancelled(number))

    def answer(self, number: int, answer: Answer) -> None:
        """The core answers; nobody hears it whose client has gone."""
        on_answer = self._waiting.pop(number, None)
        if on_answer:
            self._schedule.after(ANSWER_S, on_answer, answer)

    def break_off(self) -> None:
        """The process has ended."""
        for on_answer in self._waiting.values():
            self._schedule.after(ANSWER_S, on_answer, None)
