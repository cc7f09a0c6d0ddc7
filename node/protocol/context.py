"""What the parts of a core share: settings, the time of the step, randomness, and the effects gathered so far.

One step makes at most one `Persist`. An effect that depends on it carries its number in `after`.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from math import inf
from typing import Protocol

from node.protocol.effects import Effect, Emit, Observe, ObserveEach, Persist, Reply, Send
from node.protocol.events import Event
from node.protocol.messages import Message
from node.protocol.records import Record
from node.protocol.requests import Answer
from node.protocol.settings import Settings


class Rng(Protocol):
    """Where randomness comes from: anything like `random.Random`."""

    def random(self) -> float:
        """A float in [0, 1)."""
        ...


Alike = tuple[str, str, float, str, tuple[tuple[str, object], ...]]
"""What several observations have in common: name, level, start, the field that they differ in, and the other fields."""
FIRST_NUMBERS = 2**48
"""Numbering begins somewhere below this."""


class Count:
    """One counter of the metrics, with its labels. Whoever counts often keeps it: to find it costs much more."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class Context:
    """One core's surroundings during a step."""

    def __init__(self, settings: Settings, rng: Rng) -> None:
        self.settings = settings
        self.rng = rng
        self.mono = 0.0
        self.wall_ms = 0.0
        self.wake_at = inf
        self.persist_number = 0
        self.durable_number = 0
        self._counts: defaultdict[tuple[str, tuple[tuple[str, str], ...]], Count] = defaultdict(Count)
        self._out: list[Effect] = []
        self._records: list[Record] = []
        self._shown: list[Event] = []
        self._alike: dict[Alike, list[tuple[str, str]]] = {}
        self._alike_end = -1
        """How many effects there were with the last of these: another one ends them, so that all stay in order."""
        self._urgent = False

    @cached_property
    def first_number(self) -> int:
        """Where this boot begins to number what it asks: anywhere, so that late answers to a former are none to it."""
        return int(self.rng.random() * FIRST_NUMBERS)

    @property
    def next_persist(self) -> int:
        """Number of the persist that what is written next will be part of."""
        return self.persist_number if self._records else self.persist_number + 1

    def persist(self, record: Record) -> int:
        """Have this written at once; gives the number to wait for."""
        self._urgent = True
        return self.persist_lazily(record)

    def persist_lazily(self, record: Record) -> int:
        """Have this written, soon: nobody waits for it."""
        if not self._records:
            self.persist_number += 1
        self._records.append(record)
        return self.persist_number

    def hurry(self) -> None:
        """Somebody waits for what this step writes after all."""
        self._urgent = True

    def send(self, to: str, message: Message, after: int = 0, *, lazy: bool = False) -> None:
        """Queue a message; `after` is the persist it depends on."""
        self._out.append(Send(to, message, after, lazy))

    def reply(self, call: int, answer: Answer, after: int = 0) -> None:
        """Answer a client's call."""
        self._out.append(Reply(call, answer, after))

    def emit(self, event: Event) -> None:
        """Show an event of the log to subscribers, once what this step writes is on disk."""
        self._shown.append(event)

    def effect(self, effect: Effect) -> None:
        """Queue any other effect."""
        self._out.append(effect)

    def observe(
        self, name: str, trace: str = "", level: str = "info", started: float | None = None, **fields: object
    ) -> None:
        """Note something worth a span and a log line; it lasted from `started` (monotonic s) until now."""
        self._out.append(Observe(name, level, trace, self.mono if started is None else started, fields))

    def observe_each(self, alike: Alike, more: Iterable[tuple[str, str]]) -> None:
        """The same of each of these, by trace and value: what follows on one another is told in one piece."""
        if len(self._out) != self._alike_end:
            self._alike.clear()
        each = self._alike.get(alike)
        if each is None:
            name, level, started, field, fields = alike
            each = self._alike[alike] = []
            self._out.append(ObserveEach(name, level, started, dict(fields), field, each))
            self._alike_end = len(self._out)
        each += more

    def counter(self, name: str, **labels: str) -> Count:
        """The counter of this name and these labels."""
        return self._counts[name, tuple(labels.items())]

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Add to a counter of the metrics."""
        self._counts[name, tuple(labels.items())].n += n

    @property
    def counters(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], int]:
        """What was counted so far, by name and labels."""
        return {key: count.n for key, count in self._counts.items() if count.n}

    def wake(self, at: float) -> None:
        """Ask for a tick at monotonic second `at`, or earlier."""
        if at < self.wake_at:
            self.wake_at = at

    def drain(self) -> list[Effect]:
        """The step's effects, its `Persist` first; the context is empty afterwards."""
        out = self._out
        if self._records:
            out.insert(0, Persist(self.persist_number, tuple(self._records), self._urgent))
            self._records = []
        if self._shown:
            out.append(Emit(tuple(self._shown), self.persist_number))
            self._shown = []
        self._urgent = False
        self._out = []
        self._alike_end = -1
        return out
