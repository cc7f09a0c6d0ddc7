"""Readers hear of what was accepted, also when the proposer fell between a verdict and its announcement (seed 4.4)."""

import pytest

from node.protocol.effects import Called
from node.protocol.events import Event
from node.protocol.records import Appended, Durable, Identity
from node.protocol.requests import Propose
from tests.protocol.alone import Alone


def events(node: Alone) -> list[Event]:
    return [record.event for record in node.written if isinstance(record, Appended)]


def accepted(node: Alone) -> list[str]:
    """The versions whose acceptance it announced."""
    return [event.payload["version"] for event in events(node) if event.type == "SNAPSHOT_ACCEPT"]


@pytest.mark.parametrize("lost", [True, False])
def test_what_was_accepted_and_not_announced_is_announced_after_a_restart(lost: bool) -> None:
    before = Alone()
    before.step(before.core.step(before.now, Called(1, Propose("snapshot", "1.0.0", "h", wait_s=5, trace="t"))))
    assert accepted(before) == ["1.0.0"]
    disk = Durable()
    disk.identity = [record for record in before.written if isinstance(record, Identity)][-1]
    told = events(before)
    at = next(n for n, event in enumerate(told) if event.type == "SNAPSHOT_ACCEPT")
    disk.events = told[:at] if lost else told
    assert accepted(Alone(disk)) == (["1.0.0"] if lost else [])
