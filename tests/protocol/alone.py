"""One node that is a cluster of its own: what it is asked, what it writes."""

import random
from typing import Any

from node.protocol.core import Core
from node.protocol.effects import Called, Effect, Gathered, Now, Persist, Persisted, Reply, Tick
from node.protocol.events import Event
from node.protocol.records import Appended, Durable, Record
from node.protocol.requests import ProposalAnswer, Propose
from node.protocol.settings import Member, Settings

ONE = Settings("A", "c", (Member("A", "http://a/api/v1"),))


class Alone:
    """A cluster of one: its vote decides."""

    def __init__(self, durable: Durable | None = None, settings: Settings = ONE) -> None:
        self.now = Now(0.0, 1e12)
        self.written: list[Record] = []
        self.core = Core(settings, durable or Durable(), random.Random(1), self.now, "boot", new_cluster=True)
        for _ in range(100):
            self.now = Now(self.now.mono + 1, self.now.wall_ms + 1000)
            self.step(self.core.step(self.now, Tick()))
        assert self.core.parts.election.leads

    def step(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Persist):
                self.written += effect.records
                self.step(self.core.step(self.now, Persisted(effect.number)))

    def events_of(self, *asks: Propose) -> list[Event]:
        """What is written when all this is asked in one step."""
        effects = self.core.step(self.now, Gathered(tuple(Called(n, ask) for n, ask in enumerate(asks))))
        self.step(effects)
        records = [record for effect in effects if isinstance(effect, Persist) for record in effect.records]
        return [record.event for record in records if isinstance(record, Appended)]

    def ask(self, *asks: Propose) -> tuple[list[dict[str, Any]], list[ProposalAnswer]]:
        """What is asked in one step: the payloads of the proposal events written, and the answers in order."""
        effects = self.core.step(self.now, Gathered(tuple(Called(n, ask) for n, ask in enumerate(asks))))
        self.step(effects)
        records = [record for effect in effects if isinstance(effect, Persist) for record in effect.records]
        events = [record.event for record in records if isinstance(record, Appended)]
        answers = {effect.call: effect.answer for effect in effects if isinstance(effect, Reply)}
        found = [answers[number] for number in range(len(asks))]
        assert all(isinstance(answer, ProposalAnswer) for answer in found)
        return (
            [event.payload for event in events if event.type.endswith("_PROPOSAL")],
            [answer for answer in found if isinstance(answer, ProposalAnswer)],
        )
