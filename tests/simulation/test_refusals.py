"""A refusal is the word of the leader that is asked: what a former one says late ends no call (L2)."""

import pytest

from node.protocol.effects import Received
from node.protocol.messages import LockAnswer, LockCall, Message
from node.protocol.requests import AcquireLock, Answer, LockGranted, Refusal, ReleaseLock, StepDown
from node.protocol.settings import Limits
from tests.simulation.stage import Stage


def overhear(stage: Stage, asked: str, patch: pytest.MonkeyPatch) -> list[LockCall]:
    """What `asked` sends of its clients' calls from now on."""
    calls: list[LockCall] = []
    transport = stage[asked].transport
    assert transport is not None
    send = transport.send

    def sent(to: str, message: Message, lazy: bool) -> None:
        if isinstance(message, LockCall):
            calls.append(message)
        send(to, message, lazy)

    patch.setattr(transport, "send", sent)
    return calls


def deliver(stage: Stage, sender: str, to: str, message: Message) -> None:
    """A copy of a message arrives at this moment."""
    stage[to].step(Received(stage[sender].running.envelope(to, (message,))))


def lead_again(stage: Stage, leader: str) -> None:
    """Another one leads for a while, and then the same again."""
    other = next(name for name in stage.world.hosts if name != leader)
    stage.ask(leader, StepDown(other))
    stage.until(lambda: stage.leader_of(tuple(stage.world.hosts)) == other, 30)
    stage.ask(other, StepDown(leader))
    stage.until(lambda: stage.leader_of(tuple(stage.world.hosts)) == leader, 30)


def held_by(stage: Stage, name: str) -> dict[str, str]:
    """Who holds which lock, as `name` has it."""
    return {lock.resource: lock.owner for lock in stage[name].running.view_locks(stage[name].now)}


@pytest.mark.parametrize("reason", ["held", "not_leader"])
def test_l2_a_no_of_who_leads_no_longer_ends_no_call(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3)
    leader = stage.elect()
    asked, former = (name for name in stage.world.hosts if name != leader)
    held = stage.lock(leader, "build", "ann")
    calls = overhear(stage, asked, monkeypatch)
    answers: list[Answer | None] = []
    ask = AcquireLock("build", "ci", "build/ci", 30.0, wait_s=20.0)
    stage.world.clients.call(stage[asked], ask, 60, answers.append)
    stage.until(lambda: calls, 5)
    number, before = calls[0].number, len(calls)
    deliver(stage, former, asked, LockAnswer(number, reason))
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


def refused(stage: Stage, asked: str, ask: AcquireLock) -> None:
    answer = stage.ask(asked, ask)
    assert isinstance(answer, Refusal)
    assert answer.reason == "held"


def test_l2_a_copy_of_a_former_term_of_the_same_leader_is_not_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had forgotten what it refused when it led before, and gave a lock to a client that had moved on."""
    stage = Stage(3)
    leader = stage.elect()
    asked = next(name for name in stage.world.hosts if name != leader)
    calls = overhear(stage, asked, monkeypatch)
    held = stage.lock(leader, "build", "ann")
    refused(stage, asked, AcquireLock("build", "ci", "build/ci", 30.0))
    late = calls[0]
    lead_again(stage, leader)
    stage.ask(leader, ReleaseLock("build", "ann", held.fencing_token))
    deliver(stage, asked, leader, late)
    stage.world.run_for(1.0)
    assert held_by(stage, leader) == {}


def test_l2_a_no_of_a_former_term_of_the_same_leader_ends_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3)
    leader = stage.elect()
    asked = next(name for name in stage.world.hosts if name != leader)
    calls = overhear(stage, asked, monkeypatch)
    held = stage.lock(leader, "build", "ann")
    answers: list[Answer | None] = []
    ask = AcquireLock("build", "ci", "build/ci", 30.0, wait_s=60.0)
    stage.world.clients.call(stage[asked], ask, 90, answers.append)
    stage.until(lambda: calls, 5)
    before = calls[0]
    lead_again(stage, leader)
    stage.until(lambda: calls[-1].term > before.term, 10)
    deliver(stage, leader, asked, LockAnswer(before.number, "timeout", term=before.term))
    assert answers == []
    stage.ask(leader, ReleaseLock("build", "ann", held.fencing_token))
    stage.until(lambda: answers, 10)
    assert isinstance(answers[0], LockGranted)


def test_l2_refusals_are_remembered_beyond_the_number_of_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3, limits=Limits(max_locks=1))
    leader = stage.elect()
    asked = next(name for name in stage.world.hosts if name != leader)
    calls = overhear(stage, asked, monkeypatch)
    held = stage.lock(leader, "build", "ann")
    for n in range(5):
        refused(stage, asked, AcquireLock("build", f"ci-{n}", f"build/ci-{n}", 30.0))
    stage.ask(leader, ReleaseLock("build", "ann", held.fencing_token))
    deliver(stage, asked, leader, calls[0])
    stage.world.run_for(1.0)
    assert held_by(stage, leader) == {}
