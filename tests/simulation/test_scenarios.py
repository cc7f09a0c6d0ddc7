"""Short stories of a cluster, told to the real core in virtual time."""

import pytest

from node.protocol.effects import Effect, Input, Now
from node.protocol.events import LEADER_ELECTED
from node.protocol.requests import (
    Accepted,
    AcquireLock,
    Answer,
    LockGranted,
    Maybe,
    ProposalAnswer,
    Propose,
    Publish,
    Published,
    Refusal,
    StepDown,
)
from node.protocol.settings import Strategy
from node.simulation.plan import STRATEGIES
from tests.simulation.stage import Stage


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
def test_blank_nodes_form_a_cluster_and_the_highest_id_leads(nodes: int, exchange: bool) -> None:
    """D2, E2: all are blank, all uptimes are equal, so the highest id wins."""
    stage = Stage(nodes, exchange=exchange)
    leader = stage.elect()
    assert leader == max(stage.world.hosts)
    stage.settle()
    assert all(stage.status(name).quorum.sufficient for name in stage.world.hosts)


def test_a_crashed_leader_is_replaced_at_once() -> None:
    """E3, H2: refused connections seen by a majority are evidence enough; nobody waits for the time-out."""
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    stage.kill(leader)
    others = [name for name in stage.world.hosts if name != leader]
    took = stage.until(lambda: stage.leader_of(others), 20)
    assert took < 2.0, "the bound at the seed's own timings"
    assert stage.leader_of(others) != leader


def test_a_leader_cut_off_is_replaced_after_the_timeout_and_serves_no_more() -> None:
    """E5: a leader that hears no majority stops serving within its lease."""
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    others = "".join(name for name in stage.world.hosts if name != leader)
    stage.split(leader, others)
    timeout_s = stage.world.plan.timing.heartbeat_timeout
    stage.until(lambda: not stage.status(leader).leader.lease_remaining_ms, timeout_s + 1)
    stage.until(lambda: stage.leader_of(others), 2 * timeout_s)
    stage.heal()
    stage.settle()


def test_a_lock_is_carried_over_a_change_of_leader_with_its_token() -> None:
    """E4, L1, L4: the next leader knows the lock, its owner and its token, and gives it to nobody else."""
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    lock = stage.lock(leader, "catalogue", "first")
    stage.kill(leader)
    others = [name for name in stage.world.hosts if name != leader]
    successor = stage.elect(others)
    carried = stage[successor].running.view_locks(stage[successor].now)
    assert [(k.resource, k.owner, k.fencing_token) for k in carried] == [("catalogue", "first", lock.fencing_token)]
    with pytest.raises(AssertionError, match="held"):
        stage.lock(successor, "catalogue", "second")
    assert stage.lock(successor, "index", "second").fencing_token > lock.fencing_token


@pytest.mark.parametrize("exchange", [True, False])
def test_a_proposal_is_accepted_and_known_everywhere(exchange: bool) -> None:
    """P3, P4: the verdict is the same on every node, whoever proposed."""
    stage = Stage(3, exchange=exchange)
    stage.settle()
    view = stage.propose("B", "1.2.0", "abc123")
    assert view.state == "accepted"
    stage.settle()
    assert {stage.status(name).current_version for name in "ABC"} == {"1.2.0"}
    for name in "ABC":
        (seen,) = stage[name].running.view_proposal(stage[name].now, view.key)
        assert {voter: vote.vote for voter, vote in seen.votes.items()} == dict.fromkeys("ABC", "accept")


def test_without_quorum_nothing_is_proposed() -> None:
    """Seed 3.2: two of three are down, so the operation is skipped and an event says so."""
    stage = Stage(3)
    stage.settle()
    stage.kill("A", "B")
    stage.until(lambda: not stage.status("C").quorum.sufficient, 20)
    answer = stage.ask("C", Propose("snapshot", "1.2.0", "abc123"))
    assert isinstance(answer, Refusal)
    assert answer.reason == "insufficient_quorum"
    assert answer.quorum is not None
    assert (answer.quorum.healthy, answer.quorum.required) == (1, 2)
    assert stage.world.counts["emitted SKIPPED_QUORUM"] == 1
    assert "SNAPSHOT_PROPOSAL" not in {event.type for event in stage["C"].disk.events()}


def test_a_client_that_tries_again_without_quorum_fills_no_journal() -> None:
    """Seed 3.2, C1: each content that is skipped is recorded once, until there has been a quorum again."""
    stage = Stage(3)
    stage.settle()

    def skipped(content: str) -> int:
        answer = stage.ask("C", Propose("snapshot", "1.2.0", content))
        assert isinstance(answer, Refusal)
        assert answer.reason == "insufficient_quorum"
        return stage.world.counts["emitted SKIPPED_QUORUM"]

    for episode in range(2):
        stage.kill("A", "B")
        stage.until(lambda: not stage.status("C").quorum.sufficient, 20)
        before = stage.world.counts["emitted SKIPPED_QUORUM"]
        assert [skipped("abc") for _ in range(20)] == [before + 1] * 20
        assert skipped("def") == before + 2
        stage["A"].start()
        stage["B"].start()
        stage.settle()
        assert stage.propose("C", f"1.3.{episode}", "ghi").state == "accepted"


@pytest.mark.parametrize("victim", ["A", "C"])
def test_a_wiped_disk_rejoins_under_a_new_journal(victim: str) -> None:
    """D1: it votes only after every other member has noted the new journal and told what it knows."""
    stage = Stage(3)
    stage.settle()
    stage.propose("A", "1.2.0", "abc123")
    stage.settle()
    before = stage.status(victim).journal_id
    stage.kill(victim, "B")
    stage[victim].disk.wipe()
    stage.world.disks_lost += 1
    stage[victim].start()
    stage.world.run_for(30)
    assert not stage[victim].ready, "B has not answered yet"
    stage["B"].start()
    stage.settle()
    after = stage.status(victim)
    assert after.journal_id != before
    assert after.current_version == "1.2.0"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_both_halves_accept_and_healing_leaves_one_winner(strategy: Strategy) -> None:
    """P4, S1, promise 4: two and two under `half` decide differently; after healing all agree."""
    stage = Stage(4, rule="half", strategy=strategy)
    stage.settle()
    stage.split("AB", "CD")
    left = stage.propose("A", "1.2.0", "left")
    right = stage.propose("D", "1.2.0", "right")
    assert (left.state, right.state) == ("accepted", "accepted")
    stage.heal()
    stage.settle()
    outcomes = {(stage.status(n).current_version, stage.status(n).current_hash) for n in "ABCD"}
    (conflict,) = stage["A"].running.view_conflicts(stage["A"].now)
    assert {c.key for c in conflict.candidates} == {left.key, right.key}
    if strategy == "reject-inconsistent":
        assert outcomes == {(None, None)}
        assert conflict.open
    else:
        assert len(outcomes) == 1
        assert conflict.winner in (left.key, right.key)


def test_under_majority_an_even_split_accepts_nothing() -> None:
    """Promise 4: two of four are no majority."""
    stage = Stage(4, rule="majority")
    stage.settle()
    stage.split("AB", "CD")
    for name in "AD":
        answer = stage.ask(name, Propose("snapshot", "1.2.0", name, wait_s=10.0))
        assert not isinstance(answer, ProposalAnswer) or answer.proposal.state == "pending"
    stage.heal()
    stage.settle()
    assert len({stage.status(name).current_hash for name in "ABCD"}) == 1


def test_a_straggler_of_a_former_boot_does_not_shut_out_the_present_one() -> None:
    """H1: everything is killed at once; packets of the dead arrive after the living have spoken."""
    stage = Stage(3, exchange=False)
    stage.settle()
    pairs = [(a, b) for a in "ABC" for b in "ABC" if a != b]
    stage.world.network.slow(pairs, 3.0)
    stage.world.run_for(stage.world.plan.timing.heartbeat_interval)
    stage.kill("A", "B", "C")
    stage.heal()
    for name in "ABC":
        stage[name].start()
    stage.settle()


def test_a_late_answer_to_a_former_boot_is_given_to_nobody() -> None:
    """L2: a call of this boot must not take the answer to one of the last boot for its own."""
    stage = Stage(3)
    stage.settle()
    assert stage.elect() == "C"
    stage.world.network.slow([("C", "A")], 1.0)
    stage["A"].call(AcquireLock("catalogue", "first", "request-1", 30.0), lambda answer: None)
    stage.world.run_for(0.1)
    stage.kill("A")
    stage["A"].start()
    answer = stage.ask("A", AcquireLock("index", "second", "request-2", 30.0))
    assert not isinstance(answer, LockGranted) or answer.lock.owner == "second", answer


def test_a_leader_is_not_called_degraded_for_the_drift_it_once_had() -> None:
    """T1: what was measured held against another clock; the leader itself measures no more."""
    stage = Stage(3)
    stage.settle()
    assert stage.elect() == "C"
    stage["B"].clocks.step_wall(stage.t, -10.0)
    stage.until(lambda: stage.status("B").reasons == ("drift",), 90)
    stage["B"].clocks.set_right(stage.t)
    stage.kill("C")
    assert stage.elect("AB") == "B"
    stage.until(lambda: stage.status("B").status == "healthy", 1)


def test_leadership_moves_once_and_to_the_best() -> None:
    """E6: the best-ranked was away for a moment; the leader waits for it rather than hand over to the second best."""
    stage = Stage(3)
    for name, rate in (("A", 1.05), ("B", 1.02)):
        stage[name].clocks.set_rate(0.0, rate)
        stage[name].clocks.set_wall_rate(0.0, 1.0)
    stage.world.run_for(200)
    for name in "AB":
        stage[name].clocks.set_right(stage.t)
        stage[name].rearm()
    stage.settle()
    assert stage.elect() == "A", "its uptime is the longest"
    assert isinstance(stage.ask("A", StepDown("C")), Accepted)
    stage.until(lambda: stage.leader_of("ABC") == "C", 20)
    stage.split("A", "BC")
    stage.until(lambda: stage.status("C").quorum.healthy == 2, 20)
    stage.heal()
    terms = len(stage.world.checkers.leaders)
    stage.until(lambda: stage.leader_of("ABC") == "A", 120)
    assert len(stage.world.checkers.leaders) == terms + 1


def test_a_node_whose_clock_was_far_ahead_is_of_use_once_it_is_set_right() -> None:
    """V2, promise 5: its own proposals are not ahead for ever, nor are all deadlines past to it."""
    stage = Stage(3, rule="majority")
    stage.settle()
    for name in "AB":
        stage[name].clocks.step_wall(stage.t, 3600.0)
        stage.ask(name, Publish("SNAPSHOT_CREATED", {}))
        stage[name].clocks.set_right(stage.t)
    assert stage.propose("A", "1.0.0", "own").state == "accepted"
    assert stage.propose("C", "1.1.0", "another's").state == "accepted"


def test_a_verdict_is_told_once_our_own_deciding_vote_is_durable() -> None:
    """P3, promise 3: B learns a diff's base and another's vote at once; its own vote decides, and its disk is slow."""
    stage = Stage(3, rule="majority")
    stage.settle()
    stage.world.network.cut([("A", "C"), ("B", "C"), ("C", "B")])
    diff = Propose("diff", "2.0.0", "content", base="1.0.0", wait_s=20.0)
    told: list[Answer | None] = []
    stage["A"].call(diff, lambda answer: None)
    stage.world.run_for(0.2)
    stage["B"].call(diff, told.append)
    stage["B"].disk.slow_s = 1.0
    stage["C"].call(Propose("snapshot", "1.0.0", "content"), lambda answer: None)
    stage.until(lambda: told, 25)
    (answer,) = told
    assert isinstance(answer, ProposalAnswer)
    assert answer.proposal.state == "accepted"
    assert set(answer.proposal.votes) == {"A", "B"}


def test_a_disk_that_was_rolled_back_writes_nothing_before_the_others_told_it() -> None:
    """D1: it listens first; what the others quote shows that it is an older image, and it gets a new journal id."""
    stage = Stage(3)
    stage.settle()
    former = stage.status("A").journal_id
    for number in range(4):
        stage.ask("A", Publish("SNAPSHOT_CREATED", {"number": number}))
    stage.settle()
    stage.kill("A")
    stage["A"].disk.roll_back(3)
    stage["A"].start()
    refused = stage.ask("A", Publish("SNAPSHOT_CREATED", {"number": 99}))
    assert isinstance(refused, Refusal)
    assert refused.reason == "recovering"
    stage.settle()
    assert stage.status("A").journal_id != former
    assert len({stage.status(name).events for name in stage.world.hosts}) == 1


def test_a_restarted_node_listens_no_longer_than_the_timeout() -> None:
    """D1, H1: a peer that only stays silent holds nobody up for ever; one that refuses connections not at all."""
    stage = Stage(3)
    stage.settle()
    stage.kill("A")
    stage.split("A", "B", "C")
    stage["A"].start()
    timeout_s = stage.world.plan.timing.heartbeat_timeout
    stage.until(lambda: "listening" not in stage.status("A").reasons, timeout_s + 1)
    assert "listening for" not in stage.status("A").verdict


def test_a_repeated_acquire_tells_what_is_left_of_the_lease() -> None:
    """L2, L4: same grant, same token, and no new lease: the holder counts from its first request."""
    stage = Stage(3)
    stage.settle()
    stage.elect()
    first = stage.lock("A", "catalogue")
    stage.world.run_for(10)
    again = stage.lock("B", "catalogue")
    assert again.fencing_token == first.fencing_token
    assert again.remaining_ms is not None
    assert again.remaining_ms <= 20_500


def test_a_publisher_for_a_quorum_is_answered_although_the_first_push_was_lost() -> None:
    """V4: with every heartbeat the node asks again who holds what it wrote."""
    stage = Stage(3)
    stage.settle()
    told: list[Answer | None] = []
    stage.split("A", "BC")
    stage["A"].call(Publish("SNAPSHOT_CREATED", {}, quorum=True), told.append)
    stage.world.run_for(3)
    assert not told
    stage.heal()
    stage.until(lambda: told, 20)
    assert isinstance(told[0], Published)


def test_what_is_past_its_deadline_is_decided_and_does_not_stay_open() -> None:
    """P5, promise 5: bound to rivals and past the deadline, it is put to the vote once more and all abstain."""
    stage = Stage(3, rule="majority")
    stage.settle()
    stage.split("A", "B", "C")
    for name, content in (("A", "one"), ("B", "two"), ("C", "three")):
        stage[name].call(Propose("snapshot", "1.0.0", content), lambda answer: None)
    stage.world.run_for(stage.world.plan.timing.proposal_timeout + 5)
    stage.heal()
    stage.settle()
    assert all(stage.status(name).open_proposals == 0 for name in stage.world.hosts)


def test_a_lock_call_without_a_leader_waits_calmly(monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: it is tried again now and then, not in an endless loop of ticks."""
    stage = Stage(3)
    stage.settle()
    leader = stage.elect()
    (asked, other) = (name for name in stage.world.hosts if name != leader)
    told: list[Answer | None] = []
    stage.kill(leader, other)
    stage[asked].call(AcquireLock("catalogue", "owner", "request", 30.0, wait_s=20.0), told.append)
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


def test_a_host_that_refused_is_not_healthy_because_its_port_is_open_again() -> None:
    """H2: restarted on an empty disk it may not vote yet, and nobody counts it before it was heard."""
    stage = Stage(3)
    stage.settle()
    stage.kill("C")
    stage.until(lambda: stage.status("A").quorum.healthy == 2, 5)
    stage["C"].disk.wipe()
    stage.world.disks_lost += 1
    stage["C"].start()
    stage.world.run_for(0.5)
    assert not stage["C"].ready
    assert stage.status("A").quorum.healthy == 2
    stage.settle()
    assert stage.status("A").quorum.healthy == 3


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
