"""A lock call that reaches a new leader before it serves waits there until it does (E4, L3)."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.protocol.effects import Received
from node.protocol.messages import LockAnswer, LockCall, Message
from node.protocol.requests import StepDown
from tests.simulation.stage import Stage

CALL = LockCall(1, "acquire", "build", "ci", "build/ci", ttl_ms=30_000, wait_ms=0)
CANCEL = replace(CALL, action="cancel")


def deliver(stage: Stage, sender: str, to: str, message: Message) -> None:
    stage[to].step(Received(stage[sender].running.envelope(to, (message,))))


class Rising:
    """One that has won its term, which no majority holds yet, and what it answers to another one from now on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.stage = stage = Stage(3)
        leader = stage.elect()
        self.name, self.asker = (name for name in stage.world.hosts if name != leader)
        self.answers: list[LockAnswer] = []
        transport = stage[self.name].transport
        assert transport is not None
        send = transport.send

        def sent(to: str, message: Message, lazy: bool) -> None:
            if isinstance(message, LockAnswer):
                self.answers.append(message)
            send(to, message, lazy)

        patch.setattr(transport, "send", sent)
        control, election = stage[self.name].running.parts.control, stage[self.name].running.parts.election
        lead = control.lead

        def led(term: int, stamped: Callable[[], None]) -> None:
            for other in (leader, self.asker):
                stage[other].disk.slow_s = 3.0
            lead(term, stamped)

        patch.setattr(control, "lead", led)
        stage.ask(leader, StepDown(self.name))
        stage.until(lambda: election.role == "leader", 10)
        assert not election.serving

    def call(self, call: LockCall) -> None:
        """A call of the term that it has won."""
        term = self.stage[self.name].running.parts.election.term
        deliver(self.stage, self.asker, self.name, replace(call, term=term))

    def serve(self) -> None:
        self.stage.until(lambda: self.stage[self.name].running.parts.election.serving, 10)
        self.stage.world.run_for(5.0)


def test_e4_a_call_that_comes_early_is_answered_once_the_leader_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    rising = Rising(monkeypatch)
    rising.call(CALL)
    rising.call(CALL)
    assert rising.answers == []
    rising.serve()
    assert [(answer.number, answer.reason, answer.owner) for answer in rising.answers] == [(1, "", "ci")]


def test_l3_an_early_call_whose_client_has_gone_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    rising = Rising(monkeypatch)
    rising.call(CALL)
    rising.call(CANCEL)
    rising.serve()
    assert rising.answers == []
    assert rising.stage[rising.name].running.parts.control.state.locks == {}


def test_e4_an_early_call_is_told_when_the_leader_gives_up_before_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    rising = Rising(monkeypatch)
    rising.call(CALL)
    election = rising.stage[rising.name].running.parts.election
    election.see_term(election.term + 1)
    rising.stage.world.run_for(1.0)
    assert [(answer.number, answer.reason) for answer in rising.answers] == [(1, "not_leader")]
