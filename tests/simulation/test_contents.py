"""Content that comes with a proposal: voted for only where it is held, installed, applied, asked for again (P3, S2)."""

from node.protocol.requests import ProposalAnswer, Propose
from node.protocol.shapes import ContentRef, ProposalView
from node.simulation.process import LOST_CONTENT
from tests.simulation.stage import Stage


def _propose(stage: Stage, name: str, version: str, key: str, wait_s: float) -> ProposalView:
    ask = Propose("snapshot", version, f"hash-{version}", wait_s=wait_s, content=ContentRef(key, 10, 1))
    answer = stage.ask(name, ask)
    assert isinstance(answer, ProposalAnswer), answer
    return answer.proposal


def _uses(stage: Stage, what: str) -> int:
    return stage.world.ground.counts[f"content {what}"]


def test_a_vote_waits_until_the_content_is_held() -> None:
    stage = Stage(3)
    stage.elect()
    answer = _propose(stage, "A", "1.0.0", "content-1", 0.0)
    assert answer.votes == {}
    stage.until(lambda: stage.status("A").current_version == "1.0.0", 20)
    stage.until(lambda: _uses(stage, "Apply") == 3, 20)
    stage.settle()
    assert _uses(stage, "Install") == 3
    assert all("content-1" in process.disk.contents for process in stage.world.processes)


def test_what_was_accepted_meanwhile_is_not_stale_by_itself() -> None:
    stage = Stage(3)
    stage.elect()
    stage.kill("C")
    accepted = _propose(stage, "A", "1.0.0", "content-1", 20.0)
    assert accepted.state == "accepted"
    stage["C"].start()
    stage.until(lambda: "C" in _votes(stage, accepted.id), 20)
    assert _votes(stage, accepted.id)["C"] == ("accept", None)


def _votes(stage: Stage, label: str) -> dict[str, tuple[str, str | None]]:
    [proposal] = stage["A"].running.view_proposal(stage["A"].now, label)
    return {voter: (vote.vote, vote.reason) for voter, vote in proposal.votes.items()}


def test_content_that_nobody_has_is_abstained_from_and_nothing_stays_pending() -> None:
    stage = Stage(3)
    stage.elect()
    _propose(stage, "A", "1.0.0", f"{LOST_CONTENT}-1", 0.0)
    stage.settle()
    stage.world.run_for(60)
    [proposal] = stage["A"].running.view_proposals(stage["A"].now)
    assert proposal.state == "rejected"
    assert {vote.reason for vote in proposal.votes.values()} <= {"no_content", "deadline"}
    assert _uses(stage, "Apply") == 0


def test_who_was_away_asks_for_the_current_content_alone() -> None:
    stage = Stage(3)
    stage.elect()
    stage.kill("C")
    for number in (1, 2):
        assert _propose(stage, "A", f"{number}.0.0", f"content-{number}", 20.0).state == "accepted"
    stage["C"].start()
    stage.until(lambda: "content-2" in stage["C"].disk.contents, 60)
    stage.settle()
    assert stage.status("C").current_version == "2.0.0"


def test_a_rollback_needs_the_content_it_goes_back_to() -> None:
    stage = Stage(3)
    stage.elect()
    for number in (1, 2):
        assert _propose(stage, "A", f"{number}.0.0", f"content-{number}", 20.0).state == "accepted"
    stage.until(lambda: _uses(stage, "Apply") >= 6, 30)
    stage["B"].disk.contents.discard("content-1")
    stage.kill("B")
    stage["B"].start()
    stage.elect()
    back = stage.ask("A", Propose("rollback", "1.0.0", "hash-1.0.0", "2.0.0", wait_s=20.0))
    assert isinstance(back, ProposalAnswer), back
    assert back.proposal.state == "accepted"
    stage.until(lambda: "content-1" in stage["B"].disk.contents, 30)
    stage.until(lambda: stage.status("B").current_version == "1.0.0", 30)
    stage.settle()
