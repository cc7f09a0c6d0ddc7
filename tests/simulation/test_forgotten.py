"""A client waits for the verdict on a proposal that a floor has decided and forgotten meanwhile (C1)."""

from dataclasses import replace

import pytest

from node.protocol.requests import Answer, ProposalAnswer, Propose
from node.protocol.settings import Limits
from node.simulation.scenario.play import Play
from node.simulation.scenario.script import read_script
from node.simulation.scenario.setup import Setup
from tests.simulation.stage import Stage

FLOORS = replace(Limits(), retain_events=8, max_settled_kept=1, max_history_kept=0)
OTHERS = "\n".join(f"propose 1.{n}.0 other via C for 5s" for n in range(1, 30))
STORY = f"""
nodes 3
form
cut B -> A
cut C -> A
begin propose 1.0.0 mine via A for 80s
wait 1s
expect 1.0.0 of mine is accepted on B C
{OTHERS}
wait 30s
connect
until version 1.29.0 on A
wait 60s
"""


def test_its_outcome_is_unknown() -> None:
    """It was told that there is no such proposal, as if nothing had been done: it had been accepted."""
    played = Play(read_script(STORY, "forgotten"), Setup(limits=FLOORS))
    played.run()
    told = [line for lines in played.printed for line in lines if "snapshot 1.0.0 (mine) via A" in line]
    assert [line.split("via A: ")[1].split(",")[0] for line in told] == ["maybe"]


@pytest.mark.parametrize("asked", ["A", "B"])
def test_p6_who_repeats_a_request_that_a_floor_forgot_does_not_propose_it_again(asked: str) -> None:
    """Whoever lost the answer and tries again a moment later, here or at another node, was told that it is stale."""
    stage = Stage(3, limits=FLOORS)
    stage.elect()
    first = Propose("snapshot", "1.0.0", "mine", idempotency_key="once", wait_s=10.0)
    told = stage.ask("A", first)
    assert isinstance(told, ProposalAnswer)
    key = told.proposal.key
    for n in range(1, 30):
        stage.propose("C", f"1.{n}.0", "other")
    stage.until(lambda: all(not stage[name].running.view_proposal(stage[name].now, key) for name in "ABC"), 60)
    answers: list[Answer | None] = []
    stage.world.clients.call(stage[asked], first, 60, answers.append)
    stage.until(lambda: answers, 20)
    assert answers == [None], "the outcome is unknown here"
