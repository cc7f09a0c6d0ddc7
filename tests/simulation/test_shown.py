"""What is shown as decided rests on votes that are on disks (P3)."""

from node.protocol.requests import Propose
from tests.simulation.stage import Stage


def test_p3_a_verdict_is_shown_once_the_vote_that_decided_it_is_on_the_disk() -> None:
    """Whoever looked at a voter with a slow disk was shown a verdict that a crash could still take back."""
    stage = Stage(3)
    stage.elect()
    stage.settle()
    voter = stage["B"]
    stage.kill("C")
    voter.disk.slow_s = 2.0

    def states() -> list[str]:
        return [view.state for view in voter.running.view_proposals(voter.now)]

    def votes() -> list[int]:
        return [len(view.votes) for view in voter.running.view_proposals(voter.now)]

    stage.world.clients.call(stage["A"], Propose("snapshot", "1.0.0", "abc"), 60, lambda answer: None)
    stage.until(votes, 10)
    assert votes() == [2], "it has voted, and its vote is on its way to the disk"
    assert states() == ["pending"]
    assert stage.until(lambda: states() == ["accepted"], 10) > 1.0
    stage.kill("B")
    voter.start()
    assert states() == ["accepted"]
