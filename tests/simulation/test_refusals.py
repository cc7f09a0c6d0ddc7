"""A refusal is the word of the leader that is asked: what a former one says late ends no call (L2)."""

import pytest

from node.protocol.effects import Received
from node.protocol.messages import LockAnswer, LockCall, Message
from node.protocol.requests import AcquireLock, Answer, LockGranted, Refusal, ReleaseLock
from tests.simulation.stage import Stage


@pytest.mark.parametrize("reason", ["held", "not_leader"])
def test_l2_a_no_of_who_leads_no_longer_ends_no_call(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3)
    leader = stage.elect()
    asked, former = (name for name in stage.world.hosts if name != leader)
    held = stage.lock(leader, "build", "ann")
    calls: list[LockCall] = []
    transport = stage[asked].transport
    assert transport is not None
    send = transport.send

    def sent(to: str, message: Message, lazy: bool) -> None:
        if isinstance(message, LockCall):
            calls.append(message)
        send(to, message, lazy)

    monkeypatch.setattr(transport, "send", sent)
    answers: list[Answer | None] = []
    ask = AcquireLock("build", "ci", "build/ci", 30.0, wait_s=20.0)
    stage.world.clients.call(stage[asked], ask, 60, answers.append)
    stage.until(lambda: calls, 5)
    number, before = calls[0].number, len(calls)
    late = stage[former].running.envelope(asked, (LockAnswer(number, reason),))
    stage[asked].step(Received(late))
    assert answers == []
    assert len(calls) == before
    stage.ask(leader, ReleaseLock("build", "ann", held.fencing_token))
    stage.until(lambda: answers, 10)
    [granted] = answers
    assert isinstance(granted, LockGranted)
    assert (granted.lock.owner, granted.lock.fencing_token) == ("ci", held.fencing_token + 1)


def test_l2_who_is_told_that_its_request_was_released_has_its_grant_and_its_end_on_the_disk() -> None:
    """A crash in between left the grant without its end: a lock that nobody knew to have, for a whole lease."""
    stage = Stage(1)
    node = stage[stage.elect()]
    node.disk.slow_s = 3.0
    answers: list[Answer | None] = []
    stage.world.clients.call(node, AcquireLock("build", "ci", "build/ci", 1.0), 60, answers.append)
    stage.until(lambda: answers, 30)
    [refused] = answers
    assert isinstance(refused, Refusal)
    assert refused.reason == "released"
    written = node.disk.now.control
    assert (written.token, list(written.locks), list(written.marks)) == (1, [], ["build/ci"])
