"""Each checker can fail: what it must not let pass is put before it by hand."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from node.protocol.core import Core
from node.protocol.effects import Emit, Observe, Reply, Send
from node.protocol.events import SNAPSHOT_PROPOSAL, VOTES, Event, VersionVector
from node.protocol.messages import ControlAppend, ControlReset
from node.protocol.records import (
    Appended,
    ControlAppended,
    ControlReplaced,
    ControlState,
    Floor,
    FloorReached,
    Grant,
    Identity,
    LockRecord,
    Record,
    Renew,
    Vote,
)
from node.protocol.requests import (
    AcquireLock,
    Answer,
    LockGranted,
    Maybe,
    ProposalAnswer,
    Propose,
    Publish,
    Published,
    Refusal,
)
from node.protocol.shapes import LockView, ProposalView, QuorumView
from node.simulation.ballots import Ballots
from node.simulation.plan import Plan
from node.simulation.process import Process
from node.simulation.violation import Violation
from node.simulation.world import World
from tests.simulation.stage import Stage

LOCK = LockRecord("r", "first", "A", 1, 30_000, "q1")
FLOOR = Floor({"j": 3}, msgspec.Raw(b"\x80"))


@pytest.fixture
def world() -> World:
    """Three machines whose disks are ready; their processes never run."""
    made = World(Plan(seed="checkers"))
    for process in made.processes:
        made.checkers.started(process)
        write(made, process, Identity(f"journal-{process.id}", True))
    return made


def write(world: World, process: Process, *records: Record) -> None:
    world.checkers.committed(process, process.disk.write(records))


def view(token: int, owner: str = "first") -> LockView:
    return LockView("r", owner, "A", token, 30_000, None, 0)


def acquire(owner: str, request: str) -> AcquireLock:
    return AcquireLock("r", owner, request, 30.0)


def event(journal: str, seq: int, kind: str = "SNAPSHOT_CREATED", origin: str = "A", **payload: Any) -> Event:
    return Event(f"{journal}-{seq}", origin, journal, seq, kind, 0, 0, "", payload)


def elect(world: World, leader: str, term: int) -> None:
    for process in world.processes:
        write(world, process, Vote(term, leader))


def test_a_falling_term(world: World) -> None:
    a = world.hosts["A"]
    write(world, a, Vote(5, None))
    with pytest.raises(Violation, match="E1"):
        write(world, a, Vote(4, None))


@pytest.mark.parametrize("second", ["C", None])
def test_a_second_vote_in_a_term(world: World, second: str | None) -> None:
    a = world.hosts["A"]
    write(world, a, Vote(5, "B"))
    with pytest.raises(Violation, match="E1"):
        write(world, a, Vote(5, second))


def test_a_second_vote_after_a_restart_on_another_disk(world: World) -> None:
    a = world.hosts["A"]
    write(world, a, Vote(5, "B"))
    a.disk.wipe()
    world.checkers.started(a)
    write(world, a, Identity("anew", True))
    with pytest.raises(Violation, match="E1"):
        write(world, a, Vote(5, "C"))


def lose_disk(world: World, process: Process) -> None:
    """What is left recovers (D1) and takes part again."""
    before = dict(process.disk.vector)
    process.disk.wipe()
    world.checkers.disk_lost(process, before)
    world.checkers.started(process)
    write(world, process, Identity("anew", True))


def test_a_candidate_whose_disk_is_lost_before_anybody_voted_for_it_votes_again(world: World) -> None:
    a = world.hosts["A"]
    write(world, a, Vote(5, "A"))
    lose_disk(world, a)
    write(world, a, Vote(5, "C"))
    with pytest.raises(Violation, match="E1"):
        write(world, a, Vote(5, "B"))


@pytest.mark.parametrize("candidate", ["A", "B"])
def test_a_vote_that_others_build_upon_binds_beyond_the_disk(world: World, candidate: str) -> None:
    a = world.hosts["A"]
    write(world, a, Vote(5, candidate))
    write(world, world.hosts["B"], Vote(5, candidate))
    lose_disk(world, a)
    with pytest.raises(Violation, match="E1"):
        write(world, a, Vote(5, "C"))


def test_a_leader_without_the_votes(world: World) -> None:
    write(world, world.hosts["A"], Vote(1, "A"))
    with pytest.raises(Violation, match="promise 1"):
        world.checkers.left(world.hosts["A"], Send("B", ControlAppend(1, 1, (), 0), 0))


def test_two_leaders_of_one_term(world: World) -> None:
    elect(world, "A", 1)
    world.checkers.left(world.hosts["A"], Send("B", ControlAppend(1, 1, (), 0), 0))
    with pytest.raises(Violation, match="promise 1"):
        world.checkers.left(world.hosts["B"], Send("C", ControlAppend(1, 1, (), 0), 0))


def test_a_grant_that_a_minority_holds(world: World) -> None:
    write(world, world.hosts["A"], ControlReplaced(1, 1, ControlState()), ControlAppended(1, 2, Grant(LOCK)))
    with pytest.raises(Violation, match="promise 1"):
        world.checkers.left(world.hosts["A"], Reply(1, LockGranted(view(1)), 0))


def test_a_control_log_that_goes_back_has_a_gap_or_differs(world: World) -> None:
    a, b = world.hosts["A"], world.hosts["B"]
    write(world, a, ControlReplaced(2, 5, ControlState()))
    write(world, b, ControlReplaced(2, 5, ControlState()))
    with pytest.raises(Violation, match="E4"):
        write(world, a, ControlReplaced(2, 4, ControlState()))
    with pytest.raises(Violation, match="L1"):
        write(world, a, ControlAppended(2, 7, Grant(LOCK)))
    write(world, a, ControlAppended(2, 6, Grant(LOCK)))
    with pytest.raises(Violation, match="L1"):
        write(world, b, ControlAppended(2, 6, Renew("r", 1, 30_000)))


def test_a_token_given_twice_or_falling(world: World) -> None:
    a, holdings = world.hosts["A"], world.holdings
    holdings.granted(a, acquire("first", "q1"), view(5), 0, until=0.0)
    holdings.granted(a, acquire("first", "q1"), view(5), 0, until=0.0)
    with pytest.raises(Violation, match="promise 2"):
        holdings.granted(a, acquire("second", "q2"), view(5, "second"), 0, until=0.0)
    with pytest.raises(Violation, match="promise 2"):
        holdings.granted(a, acquire("second", "q2"), view(4, "second"), 5, until=0.0)


def test_two_holders_at_once(world: World) -> None:
    a, b, holdings = world.hosts["A"], world.hosts["B"], world.holdings
    holdings.granted(a, acquire("first", "q1"), view(1), 0, until=a.clocks.mono(0) + 10)
    with pytest.raises(Violation, match="promise 2"):
        holdings.granted(b, acquire("second", "q2"), view(2, "second"), 1, until=b.clocks.mono(0) + 10)


def test_a_holder_whose_lease_has_ended_or_who_let_go_is_none(world: World) -> None:
    a, b, holdings = world.hosts["A"], world.hosts["B"], world.holdings
    holdings.granted(a, acquire("first", "q1"), view(1), 0, until=a.clocks.mono(0) + 10)
    world.schedule.run(11.0)
    holdings.granted(b, acquire("second", "q2"), view(2, "second"), 1, until=b.clocks.mono(11) + 10)
    assert holdings.until("r", 2) == b.clocks.mono(11) + 10
    holdings.let_go("r", 2)
    holdings.granted(a, acquire("first", "q3"), view(3), 2, until=a.clocks.mono(11) + 10)


def test_a_leader_that_lost_a_grant_the_counter_or_a_release(world: World) -> None:
    a, b, checkers, holdings = world.hosts["A"], world.hosts["B"], world.checkers, world.holdings
    holdings.granted(a, acquire("first", "q1"), view(1), 0, until=0.0)
    elect(world, "B", 2)
    for state in (ControlState(), ControlState(token=1)):
        with pytest.raises(Violation, match="promise"):
            checkers.left(b, Send("A", ControlReset(2, 1, state, 0), 0))
    held = ControlState(token=1, locks={"r": LOCK})
    checkers.left(b, Send("A", ControlReset(2, 1, held, 0), 0))
    holdings.released(1)
    with pytest.raises(Violation, match="promise 3"):
        checkers.left(b, Send("A", ControlReset(2, 1, held, 0), 0))


def test_a_released_request_gets_no_further_lock_and_a_follower_may_lag(world: World) -> None:
    a, holdings = world.hosts["A"], world.holdings
    holdings.granted(a, acquire("first", "q1"), view(2), 0, until=0.0)
    holdings.released(2)
    write(world, a, ControlReplaced(2, 5, ControlState()))
    write(world, a, ControlAppended(2, 6, Grant(LOCK)))
    with pytest.raises(Violation, match="L2"):
        write(world, a, ControlAppended(2, 7, Grant(msgspec.structs.replace(LOCK, token=3))))


def shown(key: str, state: str) -> ProposalView:
    quorum = QuorumView(3, 3, 2, True)
    return ProposalView(key, key, "snapshot", "h", "A", state, 0, 0, 2, ("A", "B", "C"), {}, quorum, "")


def reach(
    world: World, process: Process, key: str, state: str, durable: bool = True, held: VersionVector | None = None
) -> None:
    """A floor is put in place, and the node, which holds these events, shows one proposal."""
    process.core = cast(
        Core, SimpleNamespace(view_proposals=lambda now, limit: (shown(key, state),), vector=held or {})
    )
    world.schedule.run(world.schedule.t + 60)
    world.checkers.floor_reached(process)
    if durable:
        write(world, process, FloorReached(FLOOR))


@pytest.mark.parametrize("state", ["accepted", "pending", "expired"])
def test_a_rejection_that_is_taken_back(world: World, state: str) -> None:
    for process in world.processes:
        write(world, process, ControlReplaced(2, 5, ControlState(floor=FLOOR)))
    a, b = world.hosts["A"], world.hosts["B"]
    reach(world, a, "seen", "rejected")
    told = shown("told", "rejected")
    world.checkers.left(a, Reply(1, ProposalAnswer(told.id, told.quorum, told), 0))
    for key in ("seen", "told"):
        reach(world, b, key, state)
        with pytest.raises(Violation, match="C1"):
            reach(world, a, key, state)


def test_a_rejection_that_was_on_no_disk_when_the_node_was_killed(world: World) -> None:
    for process in world.processes:
        write(world, process, ControlReplaced(2, 5, ControlState(floor=FLOOR)))
    a = world.hosts["A"]
    reach(world, a, "seen", "rejected", durable=False)
    world.checkers.started(a)
    reach(world, a, "seen", "expired")


def test_a_rejection_told_of_votes_that_were_on_no_disk_here(world: World) -> None:
    """They are on those of their voters, and are heard again."""
    for process in world.processes:
        write(world, process, ControlReplaced(2, 5, ControlState(floor=FLOOR)))
    a, told = world.hosts["A"], shown("told", "rejected")
    reach(world, a, "another", "rejected", held={"elsewhere": 1})
    world.checkers.left(a, Reply(1, ProposalAnswer(told.id, told.quorum, told), 0))
    reach(world, a, "told", "expired")


def test_a_gap_or_two_events_in_one_place(world: World) -> None:
    write(world, world.hosts["A"], Appended(event("j", 1)))
    other = Event("another", "A", "j", 1, "SNAPSHOT_CREATED", 0, 0, "", {})
    with pytest.raises(Violation, match="V1"):
        write(world, world.hosts["B"], Appended(other))
    with pytest.raises(Violation, match="V1"):
        write(world, world.hosts["A"], Appended(event("j", 3)))


def test_an_event_lost_with_its_only_disk_is_not_demanded(world: World) -> None:
    a, b = world.hosts["A"], world.hosts["B"]
    for seq in (1, 2):
        write(world, a, Appended(event("j", seq)))
    write(world, b, Appended(event("j", 1)))
    before = dict(a.disk.vector)
    a.disk.wipe()
    world.checkers.disk_lost(a, before)
    for seq in (1, 2):
        world.checkers.published(Published(f"j-{seq}", "j", seq))
    world.checkers.nothing_lost()
    write(world, b, Appended(Event("another", "A", "j", 2, "SNAPSHOT_CREATED", 0, 0, "", {})))


# Votes.


def proposal(key: str, content: str, required: int = 2) -> Event:
    payload = {
        "kind": "snapshot", "version": "1.0.0", "base": None, "hash": content, "voters": ["A", "B", "C"],
        "required": required, "vote": "accept",
    }  # fmt: skip
    return Event(key, "A", f"journal-{key}", 1, SNAPSHOT_PROPOSAL, 0, 0, "", payload)


def vote(key: str, voter: str, round_: int = 0) -> Event:
    votes = [{"proposal": key, "round": round_, "hash": "x", "vote": "accept", "reason": None}]
    return Event(
        f"{voter}/{key}/{round_}", voter, f"journal-{voter}-{key}", round_ + 1, VOTES, 0, 0, "", {"votes": votes}
    )


def test_two_contents_accepted_in_one_slot() -> None:
    ballots = Ballots(exclusive=True)
    for taken in (proposal("p", "left"), vote("p", "B"), proposal("q", "right")):
        ballots.take(taken)
    with pytest.raises(Violation, match="promise 4"):
        ballots.take(vote("q", "C"))


def test_votes_of_different_rounds_or_repeated_do_not_add_up() -> None:
    ballots = Ballots(exclusive=True)
    for taken in (proposal("p", "left", 3), vote("p", "B"), vote("p", "B"), vote("p", "C", 1)):
        ballots.take(taken)
    for taken in (proposal("q", "right"), vote("q", "C")):
        ballots.take(taken)
    with pytest.raises(Violation, match="promise 4"):
        ballots.take(vote("p", "C"))


def test_votes_lost_with_a_disk_count_no_more() -> None:
    ballots = Ballots(exclusive=True)
    ballots.take(proposal("p", "left"))
    lost = vote("p", "B")
    ballots.take(lost)
    ballots.forget((lost.journal, lost.seq))
    assert ballots.maimed("p")
    ballots.take(proposal("q", "right"))
    ballots.take(vote("q", "C"))


# Clients' histories.


def test_a_refused_lock_that_a_replaced_leader_grants_counts_once_a_later_one_takes_it_over(world: World) -> None:
    """It stood still, and grants what came meanwhile: nobody confirms that any more (L1)."""
    held = ControlState(token=1, locks={"r": LOCK})
    world.histories.asked(acquire("first", "q1"))
    world.histories.written("B", ControlReplaced(2, 0, ControlState()))
    world.histories.ended(acquire("first", "q1"), Refusal("held"))
    world.histories.written("A", ControlAppended(1, 1, Grant(LOCK)))
    world.histories.written("A", ControlReplaced(1, 1, held))
    with pytest.raises(Violation, match="client"):
        world.histories.written("C", ControlReplaced(3, 1, held))


REFUSED = Refusal("held")


def published(event_id: str) -> Publish:
    return Publish("SNAPSHOT_CREATED", {}, event_id)


def test_what_was_refused_to_a_client_is_not_done_later(world: World) -> None:
    world.histories.asked(acquire("first", "q1"))
    world.histories.ended(acquire("first", "q1"), REFUSED)
    with pytest.raises(Violation, match=r"client: A: did q1, which was refused: held"):
        world.histories.written("A", ControlAppended(1, 1, Grant(LOCK)))


def test_what_was_done_is_not_refused(world: World) -> None:
    world.histories.asked(published("e-1"))
    world.histories.written("A", Appended(Event("e-1", "A", "j", 1, "SNAPSHOT_CREATED", 0, 0, "", {})))
    with pytest.raises(Violation, match="did e-1"):
        world.histories.ended(published("e-1"), Refusal("recovering"))


def test_a_proposal_is_known_by_its_key_and_one_of_many_in_an_event(world: World) -> None:
    ask = Propose("snapshot", "1.0.0", "a", idempotency_key="k2")
    world.histories.asked(ask)
    world.histories.ended(ask, Refusal("insufficient_quorum"))
    many = event("j", 1, SNAPSHOT_PROPOSAL, proposals=[{"idempotencyKey": "k1"}, {"idempotencyKey": "k2"}])
    with pytest.raises(Violation, match="did k2"):
        world.histories.written("A", Appended(many))


@pytest.mark.parametrize("other", [None, Maybe("no_answer", ""), Published("e-1", "j", 1)])
def test_a_maybe_may_be_done_though_another_try_was_refused(world: World, other: Answer | None) -> None:
    for answer in (other, REFUSED):
        world.histories.asked(published("e-1"))
        world.histories.ended(published("e-1"), answer)
    world.histories.written("A", Appended(Event("e-1", "A", "j", 1, "SNAPSHOT_CREATED", 0, 0, "", {})))


def test_a_lock_may_have_been_granted_and_have_expired_before_its_refusal(world: World) -> None:
    world.histories.asked(acquire("first", "q1"))
    world.histories.written("A", ControlAppended(1, 1, Grant(LOCK)))
    world.histories.ended(acquire("first", "q1"), Refusal("not_held"))
    world.histories.written("B", ControlAppended(1, 1, Grant(LOCK)))


def says(world: World, offset_ms: float, error_ms: float) -> None:
    """A says how far its wall clock is from that of B, after a burst of a second."""
    a = world.hosts["A"]
    fields: dict[str, object] = {"reference": "B", "offset_ms": offset_ms, "error_ms": error_ms}
    world.sights.measured(a, Observe("TIME_DRIFT_MEASURE", "debug", "", a.now.mono - 1.0, fields))


@pytest.mark.parametrize(("wall_rate", "promised"), [(1.0, True), (1.2, True), (1.77, False)])
def test_an_offset_outside_its_bound_is_seen_unless_no_clock_measures_the_way(
    world: World, wall_rate: float, promised: bool
) -> None:
    """Half a round trip, by the monotonic clock, bounds nothing where both wall clocks run much faster than it."""
    for name in "AB":
        world.hosts[name].clocks.set_right(0.0)
        world.hosts[name].clocks.set_wall_rate(0.0, wall_rate)
    world.run_for(60.0)
    says(world, 120.0, 100.0)
    if promised:
        with pytest.raises(Violation, match="T1"):
            says(world, 130.0, 100.0)
    else:
        says(world, 170.0, 100.0)


def test_an_event_shown_twice_unless_a_floor_has_passed_it_meanwhile() -> None:
    stage = Stage(1)
    node = stage[stage.elect()]
    below, again, above = (event(journal, 1) for journal in ("below", "again", "above"))
    node.running.parts.recovery.floor = Floor({"below": 1}, msgspec.Raw(b""))
    for _ in range(2):
        stage.world.sights.shows(node, Emit((below,), 0))
    stage.world.sights.shows(node, Emit((again, above), 0))
    with pytest.raises(Violation, match="V1"):
        stage.world.sights.shows(node, Emit((above,), 0))
