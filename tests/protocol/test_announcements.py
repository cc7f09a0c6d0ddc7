"""Readers hear of what was accepted, also when the proposer fell between a verdict and its announcement (seed 4.4)."""

import pytest

from node.protocol.announcements import APART_S
from node.protocol.effects import Called, Now, Tick
from node.protocol.events import Event
from node.protocol.records import Appended, Durable, Identity
from node.protocol.requests import Leave, Propose
from tests.protocol.alone import Alone


def events(node: Alone) -> list[Event]:
    return [record.event for record in node.written if isinstance(record, Appended)]


def accepted(node: Alone) -> list[str]:
    """The versions whose acceptance it announced."""
    return [version for together in announced(node) for version in together]


def announced(node: Alone) -> list[list[str]]:
    """The same, event by event."""
    told = [event.payload for event in events(node) if event.type == "SNAPSHOT_ACCEPT"]
    return [[each["version"] for each in payload.get("accepted", [payload])] for payload in told]


def propose(node: Alone, version: str, after_s: float) -> None:
    node.now = Now(node.now.mono + after_s, node.now.wall_ms + 1000 * after_s)
    node.events_of(Propose("snapshot", version, "h", wait_s=5, trace="t"))


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


def test_the_first_is_announced_at_once_and_what_follows_within_moments_together() -> None:
    node = Alone()
    propose(node, "1.0.0", 0)
    assert announced(node) == [["1.0.0"]]
    propose(node, "1.1.0", APART_S / 4)
    propose(node, "1.2.0", APART_S / 4)
    assert announced(node) == [["1.0.0"]]
    due = node.core.wake_at
    assert due < node.now.mono + APART_S
    node.now = Now(due, node.now.wall_ms)
    node.step(node.core.step(node.now, Tick()))
    assert announced(node) == [["1.0.0"], ["1.1.0", "1.2.0"]]
    propose(node, "1.3.0", 2 * APART_S)
    assert announced(node)[2:] == [["1.3.0"]]


def test_a_node_that_is_about_to_stop_keeps_nothing_to_itself() -> None:
    node = Alone()
    propose(node, "1.0.0", 0)
    propose(node, "1.1.0", 0)
    assert accepted(node) == ["1.0.0"]
    node.step(node.core.step(node.now, Called(9, Leave())))
    assert accepted(node) == ["1.0.0", "1.1.0"]
