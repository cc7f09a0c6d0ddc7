"""Where a few answers decide, only as many peers are asked at once; who does not answer costs a moment, once."""

from collections.abc import Callable

import pytest

from node.protocol.messages import ControlAppend, Message, Push
from node.protocol.proposal import PROPOSAL_TYPES
from tests.simulation.stage import Stage


def hurried(stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, type[Message]]]:
    """From now on gathers to whom `name` sends proposals and lock entries at once."""
    seen: list[tuple[str, type[Message]]] = []
    transport = stage[name].transport
    assert transport is not None
    send: Callable[[str, Message, bool], None] = transport.send

    def sent(to: str, message: Message, lazy: bool) -> None:
        proposes = isinstance(message, Push) and any(event.type in PROPOSAL_TYPES for event in message.events)
        if not lazy and (proposes or (isinstance(message, ControlAppend) and message.entries)):
            seen.append((to, type(message)))
        send(to, message, lazy)

    monkeypatch.setattr(transport, "send", sent)
    return seen


def test_p4_only_as_many_as_decide_are_asked_at_once_and_all_of_them_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(5, rule="majority")
    stage.settle()
    seen = hurried(stage, "A", monkeypatch)
    view = stage.propose("A", "1.0.0", "one")
    assert len({to for to, _ in seen}) == len(seen) == 2
    stage.settle()
    votes = stage[view.proposer].running.parts.fold.get(view.key)
    assert votes is not None
    assert {voter for voter, _ in votes.votes} == {"A", "B", "C", "D", "E"}


def test_p4_who_does_not_answer_is_asked_later_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3)
    stage.settle()
    seen = hurried(stage, "A", monkeypatch)
    stage.propose("A", "1.0.0", "one")
    ((first, _),) = seen
    (other,) = {"B", "C"} - {first}
    stage[first].pause()
    began = stage.t
    stage.propose("A", "1.0.1", "two")
    assert stage.t - began < stage["A"].settings.timing.heartbeat_interval
    seen.clear()
    stage.propose("A", "1.0.2", "three")
    assert seen == [(other, Push)]


def test_l1_the_instance_that_asks_for_a_lock_is_the_one_whose_ack_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(3)
    leader = stage.elect()
    stage.settle()
    seen = hurried(stage, leader, monkeypatch)
    for follower in sorted({"A", "B", "C"} - {leader}):
        stage.lock(follower, f"of-{follower}")
        assert seen == [(follower, ControlAppend)]
        seen.clear()


def test_where_disks_are_slow_all_are_asked_for_the_quickest_to_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3, fsync_s=0.02)
    stage.settle()
    for number in range(20):
        stage.propose("A", f"1.0.{number}", "slow")
    seen = hurried(stage, "A", monkeypatch)
    stage.propose("A", "1.1.0", "one")
    assert sorted(seen) == [("B", Push), ("C", Push)]
