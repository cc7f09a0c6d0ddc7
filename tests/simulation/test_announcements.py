"""What the proposer tells everybody once the verdict is there (seed 4.4)."""

from itertools import product
from typing import Any

from node.protocol.events import SNAPSHOT_ACCEPT
from node.protocol.requests import ProposalAnswer, Propose
from tests.simulation.stage import Stage


def test_one_event_for_a_proposal_or_for_all_that_one_moment_accepted() -> None:
    stage = Stage(3)
    stage.settle()
    view = stage.propose("B", "1.2.0", "abc123")

    def told() -> list[dict[str, Any]]:
        return [event.payload for event in stage["B"].disk.events() if event.type == SNAPSHOT_ACCEPT]

    stage.until(told, 5)
    assert told() == [{"proposal": view.key, "proposalId": view.id, "hash": "abc123", "version": "1.2.0"}]
    versions = ["1.2.1", "1.2.2", "1.2.3"]
    for version in versions:
        stage.world.clients.call(stage["B"], Propose("snapshot", version, "def456"), 10, lambda answer: None)
    stage.settle()
    assert [each["version"] for payload in told()[1:] for each in payload.get("accepted", [payload])] == versions


def test_a_leader_does_not_announce_again_what_it_heard_of_before_its_votes() -> None:
    """Votes come late to it; by its own count the verdict is there only after the proposer's announcement."""
    stage = Stage(5, rule="majority")
    leader = stage.elect()
    stage.settle()
    proposer, *voters = (name for name in stage.world.hosts if name != leader)
    stage.world.network.slow(product(voters, [leader]), 1.0)
    view = stage.propose(proposer, "1.2.0", "abc123")

    def told() -> list[str]:
        return [event.origin for event in stage[leader].disk.events() if event.type == SNAPSHOT_ACCEPT]

    stage.until(told, 5)
    before = stage[leader].running.parts.fold.get(view.key)
    assert before is not None
    assert before.verdict != "accepted"
    stage.world.network.heal()
    stage.settle()
    stage[proposer].stop("is killed")
    timing = stage.world.plan.timing
    stage.world.run_for(3 * timing.heartbeat_timeout)
    assert told() == [proposer]


def test_a_proposer_killed_before_its_announcement_is_on_the_disk_makes_it_when_it_is_back() -> None:
    stage = Stage(3)
    stage.settle()
    answers: list[object] = []
    ask = Propose("snapshot", "1.2.0", "abc123", wait_s=10)
    stage.world.clients.call(stage["B"], ask, 10, answers.append)
    while not answers:
        stage.world.run_for(0.0005)
    stage.kill("B")

    def told() -> list[tuple[str, str]]:
        return [
            (event.origin, str(event.payload["proposal"]))
            for event in stage["A"].disk.events()
            if event.type == SNAPSHOT_ACCEPT
        ]

    assert isinstance(answers[0], ProposalAnswer)
    assert answers[0].proposal.state == "accepted"
    assert not told()
    stage["B"].start()
    stage.until(told, 3 * stage.world.plan.timing.heartbeat_interval)
    stage.kill("B")
    stage["B"].start()
    stage.settle()
    assert told() == [("B", answers[0].proposal.key)]
