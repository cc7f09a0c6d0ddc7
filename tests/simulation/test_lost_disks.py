"""Two disks lost one after the other (D1): the second is an image older than the first one's replacement."""

import pytest

from node.protocol.messages import Mark, Recover
from node.protocol.requests import Propose, Publish, Refusal
from node.simulation.explore import run_plan
from node.simulation.shrink import Case
from tests.simulation.stage import Stage


@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_an_older_image_that_knows_a_peer_under_its_former_journal(nodes: int) -> None:
    """Found by a seed: it refused the peer as a stranger, and waited for its answer for ever."""
    stage = Stage(nodes)
    stage.settle()
    older = stage["A"].disk.writes
    stage.kill("B")
    stage["B"].disk.wipe()
    stage["B"].start()
    stage.settle()
    stage.propose("B", "1.0.0", "left")
    stage.settle()
    stage.kill("A")
    stage.world.checkers.disks_lost += 2
    stage["A"].disk.roll_back(older)
    stage["A"].start()
    stage.settle()
    assert stage.propose("A", "1.1.0", "right").state == "accepted"


def test_an_older_image_announces_nothing_while_it_listens() -> None:
    """What it wrote where another member knew more of its log was a second event of one number, at who heard of it."""
    stage = Stage(3)
    stage.settle()
    stage.world.network.cut([("A", "B"), ("B", "C"), ("C", "B"), ("A", "C"), ("C", "A")])
    asked = Propose("snapshot", "1.0.0", "left")
    stage.world.clients.call(stage["B"], asked, 10, lambda answer: None)
    stage.world.run_for(0.5)
    older = stage["B"].disk.writes
    stage.world.network.cut([("B", "A")])
    stage.ask("B", Publish("SNAPSHOT_CREATED", {"version": "1.0.0"}))
    stage.heal()
    stage.split("A", "BC")

    def state(name: str) -> str:
        return next((view.state for view in stage[name].running.view_proposals(stage[name].now)), "unknown")

    assert (state("A"), state("B")) == ("accepted", "pending")
    stage.until(lambda: state("B") == "accepted", 30)
    stage.world.run_for(1.0)
    stage.kill("B")
    stage.world.checkers.disks_lost += 1
    stage["B"].disk.roll_back(older)
    stage.heal()
    stage.split("C", "AB")
    stage["B"].start()
    while state("B") != "accepted":
        stage.world.run_for(0.01)
    assert not stage["B"].running.parts.members.can_vote
    stage.world.run_for(0.1)
    stage.heal()
    stage.settle()


def test_what_an_earlier_disk_of_a_peer_held_is_not_quoted_of_the_one_that_replaced_it() -> None:
    """Found by a seed: a late word of B's former disk came first to A's new one, which then quoted too much to B.

    B took its own disk for an older image, began anew, and the two waited for one another for ever.
    """
    stage = Stage(3)
    stage.settle()
    journal = stage["B"].running.journal_id
    stage.kill("A")
    stage["A"].disk.wipe()
    stage.split("A", "BC")
    stage["A"].start()
    parts = stage["A"].running.parts
    peer = parts.members.peers["B"]
    assert parts.recovery.accepts(peer, "former", "B-0")
    peer.mark = Mark(99, 0, 0, 0)
    stage.heal()
    stage.settle()
    assert stage["B"].running.journal_id == journal


def test_a_late_word_of_a_replaced_disk_does_not_bring_it_back() -> None:
    """Found by a seed: noted anew, it shut out the disk that had replaced it, for ever."""
    stage = Stage(3)
    stage.settle()
    peer = stage["B"].running.parts.members.peers["A"]
    recovery = stage["B"].running.parts.recovery
    first = recovery.noted["A"].journal
    stage.kill("A")
    stage["A"].disk.wipe()
    stage["A"].start()
    stage.until(lambda: recovery.noted["A"].journal != first, 60)
    second = recovery.noted["A"].journal
    peer.heard = None
    recovery.on_recover(peer, Recover(first), "A-1")
    assert recovery.noted["A"].journal == second
    stage.settle()


@pytest.mark.parametrize("seed", ["6", "21"])
def test_an_image_from_before_a_change_of_members_is_refused_and_emptied(seed: str) -> None:
    """Found by a seed: a node that would not start on it (M3) stayed down for good."""
    report = run_plan(Case(seed, 3, 3, ("members", "roll_back"), 2).plan())
    assert report.ok, report.violation
    assert report.counts["an image from before a change of members was refused"]


def test_a_second_process_that_one_member_took_for_a_replacement_costs_the_first_nothing_for_long() -> None:
    """D2: B had not heard A for a while when a second A began; the others refused it, and it ended before it was ready.

    B was deaf to A for ever.
    """
    stage = Stage(3)
    stage.settle()
    former = stage["A"].running.journal_id
    stage.split("A", "B")
    stage.world.run_for(stage.world.plan.timing.heartbeat_timeout + 1)
    stage.heal()
    double = stage.world.double_of(stage["A"])
    double.start()
    stage.until(lambda: stage["B"].disk.now.peer_journals["A"].journal == double.running.journal_id, 2)
    double.stop("is killed")
    assert stage["C"].disk.now.peer_journals["A"].journal == former
    stage.settle()
    assert stage["A"].ready
    assert stage["B"].disk.now.peer_journals["A"].journal == stage["A"].running.journal_id


def test_two_members_that_took_one_another_for_replaced_are_noted_anew_one_after_the_other() -> None:
    """D2: both recovered at one time, each would wait for the other to be ready."""
    stage = Stage(3)
    stage.settle()
    stage.split("A", "B")
    stage.world.run_for(stage.world.plan.timing.heartbeat_timeout + 1)
    stage.heal()
    doubles = {name: stage.world.double_of(stage[name]) for name in "AB"}
    for double in doubles.values():
        double.start()
    stage.world.run_for(1.0)
    for one, other in ("AB", "BA"):
        assert stage[one].disk.now.peer_journals[other].journal == doubles[other].running.journal_id
    for double in doubles.values():
        double.stop("is killed")
    stage.settle()
    assert stage["A"].ready
    assert stage["B"].ready


def test_a_replaced_disk_that_comes_back_is_shown_as_what_it_is() -> None:
    """Its host takes connections again; that it refused them before is no news any more (H2)."""
    stage = Stage(3)
    stage.settle()
    kept = list(stage["A"].disk._writes)
    stage.kill("A")
    stage["A"].disk.wipe()
    stage["A"].start()
    stage.settle()
    stage.kill("A")

    def shown() -> tuple[str, ...]:
        return next(each.reasons for each in stage.status("B").instances if each.id == "A")

    stage.until(lambda: shown() == ("refused",), 60)
    stage["A"].disk._writes = kept
    stage["A"].disk._load()
    stage.world.checkers.disks_lost += 1
    stage["A"].start()
    stage.until(lambda: shown() == ("unknown_journal",), 60)
    told = "Not taking part: B, C take another disk to be A's."
    stage.until(lambda: stage.status("A").verdict == told, 60)
    assert not stage.status("A").quorum.sufficient, "nobody takes its votes"
    assert stage.status("B").quorum.sufficient
    refusal = stage.ask("A", Propose("snapshot", "1.0.0", "refused"))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "insufficient_quorum"
