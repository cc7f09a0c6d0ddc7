"""What a scenario script cannot look at: how a core goes about its work, seen from inside the world."""

import pytest

from node.protocol.effects import Effect, Input, Now
from node.protocol.events import LEADER_ELECTED
from node.protocol.requests import Accepted, AcquireLock, Answer, Maybe, Propose, Refusal, StepDown
from tests.simulation.stage import Stage


def test_a_lock_call_without_a_leader_waits_calmly(monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: it is tried again now and then, not in an endless loop of ticks."""
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    (asked, other) = (name for name in stage.world.hosts if name != leader)
    told: list[Answer | None] = []
    stage.kill(leader, other)
    stage[asked].calls.take(AcquireLock("catalogue", "owner", "request", 30.0, wait_s=20.0), told.append)
    steps: list[Input] = []
    step = stage[asked].running.step

    def counted(now: Now, given: Input) -> list[Effect]:
        steps.append(given)
        return step(now, given)

    monkeypatch.setattr(stage[asked].running, "step", counted)
    stage.world.run_for(15)
    assert len(steps) < 1_000
    stage.until(lambda: told, 20)
    assert isinstance(told[0], Maybe), "it had been sent to the leader that died"


def test_a_client_that_tries_again_without_quorum_fills_no_journal() -> None:
    """Seed 3.2, C1: each content that is skipped is recorded once, until there has been a quorum again."""
    stage = Stage(3)
    stage.settle()

    def skipped(content: str) -> int:
        answer = stage.ask("C", Propose("snapshot", "1.2.0", content))
        assert isinstance(answer, Refusal)
        assert answer.reason == "insufficient_quorum"
        return stage.world.ground.counts["emitted SKIPPED_QUORUM"]

    for episode in range(2):
        stage.kill("A", "B")
        stage.until(lambda: not stage.status("C").quorum.sufficient, 20)
        before = stage.world.ground.counts["emitted SKIPPED_QUORUM"]
        assert [skipped("abc") for _ in range(20)] == [before + 1] * 20
        assert skipped("def") == before + 2
        stage["A"].start()
        stage["B"].start()
        stage.settle()
        assert stage.propose("C", f"1.3.{episode}", "ghi").state == "accepted"


def test_a_new_leader_tells_why_it_was_elected() -> None:
    """E4, E6: the cluster's start, a host that refuses, a hand-over in good order."""
    stage = Stage(3)

    def told() -> list[tuple[object, object]]:
        events = sorted(stage["A"].disk.events(), key=lambda event: event.hlc)
        return [(e.payload["leader"], e.payload["reason"]) for e in events if e.type == LEADER_ELECTED]

    first = stage.elect()
    stage.settle()
    assert told() == [(first, "start")]
    stage.kill(first)
    second = stage.elect([name for name in "ABC" if name != first])
    stage[first].start()
    stage.settle()
    assert told()[1:] == [(second, "refused")]
    assert isinstance(stage.ask(second, StepDown()), Accepted)
    stage.until(lambda: stage.leader_of("ABC") not in (None, second), 60)
    stage.settle()
    assert told()[2:] == [(stage.elect(), "handed_over")]
