"""Promise 7 in the simulated world: who is no member changes nothing, and who would let it is found out."""

from random import Random

import msgspec
import pytest

from node.protocol.core import Core
from node.protocol.effects import Effect, Input, Now, Received
from node.protocol.requests import ProposalAnswer, Refusal
from node.simulation.strangers import accost, nonsense
from node.simulation.violation import Violation
from tests.simulation.stage import Stage

TRUSTED = 1
"""A draw in which the message has an effect, if it is taken."""


def test_a_stranger_is_not_listened_to() -> None:
    stage = Stage(3)
    stage.elect()
    told = {accost(stage["A"], stage["B"], Random(seed)) for seed in range(40)}
    assert told == {"VoteRequest", "ControlReset", "Push", "Recover"}


def test_a_core_that_listens_to_strangers_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3)
    stage.elect()
    step = Core.step

    def trusting(self: Core, now: Now, given: Input) -> list[Effect]:
        if isinstance(given, Received):
            envelope = given.envelope
            sender = "B" if envelope.sender == "stranger" else envelope.sender
            given = Received(msgspec.structs.replace(envelope, sender=sender, to=self.parts.settings.id, cluster="sim"))
        return step(self, now, given)

    monkeypatch.setattr(Core, "step", trusting)
    with pytest.raises(Violation, match="promise 7: A: was changed by"):
        accost(stage["A"], stage["B"], Random(TRUSTED))


def test_nonsense_is_refused_with_a_reason() -> None:
    stage = Stage(1)
    stage.elect()
    answers = [stage.ask("A", nonsense(Random(seed), f"n-{seed}")) for seed in range(60)]
    assert all(isinstance(answer, Refusal) and answer.detail for answer in answers)
    assert {answer.field for answer in answers if isinstance(answer, Refusal)} >= {"version", "hash", "type", "payload"}
    assert not any(isinstance(answer, ProposalAnswer) for answer in answers)
