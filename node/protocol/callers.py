"""Clients that wait for verdicts. A call may propose several versions: it is answered once, when all have an answer."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from node.protocol.ballot import ProposalState
from node.protocol.context import Context
from node.protocol.requests import Answers, Maybe, Prediction, ProposalAnswer, Refusal

Outcome = Refusal | Maybe | ProposalAnswer | Prediction
"""What becomes of a proposal, to its client."""


class Caller:
    """A client's call. `count` is None for a lone proposal, whose answer is the call's."""

    __slots__ = ("_after", "_answers", "_ctx", "_left", "call", "started", "until")

    def __init__(self, ctx: Context, call: int, wait_s: float, count: int | None = None) -> None:
        self.call = call
        self.started = ctx.mono
        self.until = ctx.mono + wait_s
        """When its patience ends, monotonic seconds."""
        self._ctx = ctx
        self._left = count or 1
        self._answers: dict[int, Outcome] | None = None if count is None else {}
        self._after = 0

    def tell(self, place: int, answer: Outcome, after: int = 0) -> None:
        """What became of the proposal at this place. `after`: the persist that it rests on."""
        self._left -= 1
        if after > self._after:
            self._after = after
        answers = self._answers
        if answers is None:
            self._ctx.reply(self.call, answer, after)
            return
        answers[place] = answer
        if not self._left:
            told = Answers(tuple(answers[place] for place in range(len(answers))))
            self._ctx.reply(self.call, told, self._after)


class Waiter(NamedTuple):
    """A call, and the place in it of one of its proposals; `existing`: it was proposed before (P6)."""

    caller: Caller
    place: int
    existing: bool


class Callers:
    """Who waits for the verdict on which proposal."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._waiting: dict[str, list[Waiter]] = {}
        self._first_until = inf
        """Nobody's patience ends before."""

    def wait(self, key: str, waiter: Waiter) -> None:
        """Somebody waits for this proposal."""
        self._waiting.setdefault(key, []).append(waiter)
        until = waiter.caller.until
        if until < self._first_until:
            self._first_until = until
            self._ctx.wake(until)

    def take(self, states: Iterable[ProposalState]) -> Sequence[tuple[ProposalState, Waiter]]:
        """Who has waited for which of these, which are decided."""
        waiting = self._waiting
        if not waiting:
            return ()
        return [(state, waiter) for state in states if state.key in waiting for waiter in waiting.pop(state.key)]

    def impatient(self) -> list[tuple[str, Waiter]]:
        """With every tick: take those that wait no longer, with the keys of what they waited for."""
        mono = self._ctx.mono
        ended: list[tuple[str, Waiter]] = []
        if self._first_until <= mono:
            self._first_until = inf
            for key, waiting in list(self._waiting.items()):
                ended += ((key, waiter) for waiter in waiting if waiter.caller.until <= mono)
                self._keep(key, [waiter for waiter in waiting if waiter.caller.until > mono])
        self._ctx.wake(self._first_until)
        return ended

    def cancel(self, call: int) -> None:
        """A client has gone."""
        for key, waiting in list(self._waiting.items()):
            self._keep(key, [waiter for waiter in waiting if waiter.caller.call != call])

    def _keep(self, key: str, waiting: list[Waiter]) -> None:
        if not waiting:
            del self._waiting[key]
            return
        self._waiting[key] = waiting
        self._first_until = min(self._first_until, *(waiter.caller.until for waiter in waiting))
