"""Readers hear of what was accepted, also when the proposer fell between a verdict and its announcement (seed 4.4)."""

import random

import pytest

from node.protocol.core import Core
from node.protocol.effects import Called, Effect, Now, Persist, Persisted, Tick
from node.protocol.records import Appended, Durable, Identity, Record
from node.protocol.requests import Propose
from node.protocol.settings import Member, Settings

ONE = Settings("A", "c", (Member("A", "http://a/api/v1"),))


class Alone:
    """A cluster of one, and what it writes."""

    def __init__(self, durable: Durable) -> None:
        self.now = Now(0.0, 1e12)
        self.written: list[Record] = []
        self.core = Core(ONE, durable, random.Random(1), self.now, "boot", new_cluster=True)
        for _ in range(100):
            self.now = Now(self.now.mono + 1, self.now.wall_ms + 1000)
            self.step(self.core.step(self.now, Tick()))

    def step(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Persist):
                self.written += effect.records
                self.step(self.core.step(self.now, Persisted(effect.number)))

    def accepts(self) -> list[str]:
        """The versions whose acceptance it announced."""
        events = [record.event for record in self.written if isinstance(record, Appended)]
        return [event.payload["version"] for event in events if event.type == "SNAPSHOT_ACCEPT"]


@pytest.mark.parametrize("lost", [True, False])
def test_what_was_accepted_and_not_announced_is_announced_after_a_restart(lost: bool) -> None:
    before = Alone(Durable())
    before.step(before.core.step(before.now, Called(1, Propose("snapshot", "1.0.0", "h", wait_s=5, trace="t"))))
    assert before.accepts() == ["1.0.0"]
    disk = Durable()
    disk.identity = [record for record in before.written if isinstance(record, Identity)][-1]
    events = [record.event for record in before.written if isinstance(record, Appended)]
    at = next(n for n, event in enumerate(events) if event.type == "SNAPSHOT_ACCEPT")
    disk.events = events[:at] if lost else events
    assert Alone(disk).accepts() == (["1.0.0"] if lost else [])
