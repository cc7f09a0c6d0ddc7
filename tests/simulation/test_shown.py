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


def test_s2_a_version_is_current_once_the_vote_that_made_it_is_on_the_disk() -> None:
    stage = Stage(3)
    stage.elect()
    stage.propose("A", "1.0.0", "abc")
    stage.settle()
    voter = stage["B"]
    stage.kill("C")
    voter.disk.slow_s = 2.0

    def shown() -> list[str | None]:
        own = next(view for view in voter.running.view_instances(voter.now) if view.id == "B")
        return [stage.status("B").current_version, own.version]

    def votes() -> list[int]:
        return [len(view.votes) for view in voter.running.view_proposals(voter.now) if view.version == "1.1.0"]

    stage.world.clients.call(stage["A"], Propose("snapshot", "1.1.0", "abc"), 60, lambda answer: None)
    stage.until(votes, 10)
    assert votes() == [2]
    assert shown() == ["1.0.0"] * 2
    assert stage.until(lambda: shown() == ["1.1.0"] * 2, 10) > 1.0
    stage.kill("B")
    voter.start()
    assert shown() == ["1.1.0"] * 2


def test_s2_who_is_told_of_a_verdict_finds_its_version_current() -> None:
    stage = Stage(3)
    stage.elect()
    found: list[str | None] = []
    ask = Propose("snapshot", "1.0.0", "abc", wait_s=10)
    stage.world.clients.call(stage["A"], ask, 60, lambda answer: found.append(stage.status("A").current_version))
    stage.until(lambda: found, 10)
    assert found == ["1.0.0"]
