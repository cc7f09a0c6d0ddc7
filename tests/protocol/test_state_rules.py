"""The rules of proposals, settlement and compaction, one by one (P1-P6, S1, S2, C1)."""

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from node.protocol import checkpoint
from node.protocol.conflicts import Conflict
from node.protocol.context import Context
from node.protocol.decisions import Stall
from node.protocol.events import ROUND_OPENED, VOTES, Event, HybridClock
from node.protocol.proposal import to_payload
from node.protocol.proposal_views import ProposalViews
from node.protocol.settings import Limits, Member, Settings, Strategy
from node.protocol.state import Fold
from tests.protocol.catalogue import VOTERS, Writer, folded

FOUR = ("A", "B", "C", "D")


def verdict(fold: Fold, event: Event) -> str:
    state = fold.get(event.id)
    assert state is not None
    return state.verdict


def told(fold: Fold, event: Event) -> set[tuple[str, str, bool]]:
    """What an event changed: key, verdict, whether the proposal is new."""
    return {(p.key, change.verdict, change.new) for change in fold.apply(event) for p in change.proposals}


def reason(fold: Fold, event: Event) -> str | None:
    state = fold.get(event.id)
    assert state is not None
    return state.reason


def views(fold: Fold, *unfounded: Event) -> ProposalViews:
    """What the API shows; our votes on `unfounded` are on their way to the disk."""
    ctx = Context(Settings("A", "c", (Member("A", "http://a/api/v1"),)), random.Random(1))
    return ProposalViews(ctx, HybridClock(60_000), fold, [event.id for event in unfounded])


def why(fold: Fold) -> str:
    """What the API says of the one conflict there is."""
    [seen] = views(fold).conflicts()
    return seen.why


def accepted(writer: Writer, *proposals: Event) -> None:
    for proposal in proposals:
        writer.vote("B", proposal)


# P1, P4


def test_p1_p4_accepted_when_distinct_voters_reach_required() -> None:
    writer, fold = Writer(), Fold("last-write-wins", Limits())
    proposal = writer.snapshot("A", "1.0.0")
    assert told(fold, proposal) == {(proposal.id, "pending", True)}
    again = writer.vote("A", proposal, round_=0)
    assert fold.apply(again) == ()
    assert told(fold, writer.vote("B", proposal)) == {(proposal.id, "accepted", False)}
    assert fold.apply(writer.vote("C", proposal)) == ()
    assert fold.current == ("1.0.0", "h")


def test_p1_repeated_events_change_nothing() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0", required=3)
    writer.vote("B", proposal)
    fold = writer.fold()
    digest = fold.digest()
    assert [fold.apply(event) for event in writer.events] == [(), ()]
    assert fold.digest() == digest
    assert verdict(fold, proposal) == "pending"


def test_p1_votes_may_come_before_their_proposal() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    vote = writer.vote("B", proposal)
    fold = Fold("last-write-wins", Limits())
    assert fold.apply(vote) == ()
    assert told(fold, proposal) == {(proposal.id, "accepted", True)}


def test_p1_votes_count_per_key_never_per_label_or_content() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", required=3, label="same")
    two = writer.snapshot("B", "1.0.0", required=3, label="same")
    writer.vote("B", one)
    writer.vote("C", two)
    fold = writer.fold()
    assert (verdict(fold, one), verdict(fold, two)) == ("pending", "pending")
    assert fold.by_label("same") == [one.id, two.id]
    assert fold.by_label("other") == []


@pytest.mark.parametrize("vote", [
    {"hash": "other"},
    {"vote": "yes"},
    {"round": -1},
    {"round": "0"},
    {"proposal": 7},
])  # fmt: skip
def test_p1_a_vote_that_names_something_else_is_ignored(vote: dict[str, Any]) -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    good = {"proposal": proposal.id, "round": 0, "hash": "h", "vote": "accept", "reason": None}
    writer.write("B", VOTES, {"votes": [good | vote]})
    assert verdict(writer.fold(), proposal) == "pending"


def test_p1_who_is_no_voter_has_no_vote() -> None:
    writer = Writer()
    proposal = writer.snapshot("Z", "1.0.0", required=1)
    writer.vote("Y", proposal)
    assert verdict(writer.fold(), proposal) == "pending"


@pytest.mark.parametrize("change", [
    {"version": "1.0"},
    {"version": "1.0.0+x"},
    {"version": None},
    {"kind": "diff"},
    {"kind": "snapshot", "base": "0.9.0"},
    {"voters": []},
    {"voters": ["A", "A"], "required": 1},
    {"required": 0},
    {"required": 4},
    {"hash": 5},
    {"vote": "maybe"},
])  # fmt: skip
def test_p1_a_malformed_proposal_is_ignored(change: dict[str, Any]) -> None:
    writer = Writer()
    good = writer.snapshot("A", "1.0.0")
    bad = replace_payload(good, change)
    fold = Fold("last-write-wins", Limits())
    assert fold.apply(bad) == ()
    assert fold.get(bad.id) is None


def replace_payload(event: Event, change: dict[str, Any]) -> Event:
    return msgspec.structs.replace(event, payload=event.payload | change)


@pytest.mark.parametrize(("kind", "base", "version"), [
    ("diff", "1.0.0", "1.0.0"),
    ("diff", "1.1.0", "1.0.0"),
    ("rollback", "1.0.0", "1.0.0"),
    ("rollback", "1.0.0", "1.1.0"),
])  # fmt: skip
def test_s2_diffs_go_up_and_rollbacks_down_or_are_ignored(kind: str, base: str, version: str) -> None:
    writer = Writer()
    proposal = writer.propose("A", kind=kind, base=base, version=version, hash="h")
    assert writer.fold().get(proposal.id) is None


@pytest.mark.parametrize(("votes", "expected", "why"), [
    ({"B": ("reject", "stale_version"), "C": ("reject", "stale_version")}, "rejected", "stale_version"),
    ({"B": ("reject", "bad_hash"), "C": ("reject", "stale_version")}, "rejected", "bad_hash"),
    ({"B": ("reject", None), "C": ("reject", "bad_hash")}, "rejected", "bad_hash"),
    ({"B": ("reject", "stale_version")}, "pending", None),
    ({"B": ("reject", "conflicting_vote"), "C": ("reject", "conflicting_vote")}, "pending", None),
    ({"B": ("abstain", "deadline"), "C": ("abstain", "deadline")}, "rejected", "deadline"),
    ({"B": ("abstain", "deadline")}, "pending", None),
])  # fmt: skip
def test_p4_rejected_when_required_is_out_of_reach(
    votes: dict[str, tuple[str, str | None]], expected: str, why: str | None
) -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    for voter, (vote, given) in votes.items():
        writer.vote(voter, proposal, vote, given)
    fold = writer.fold()
    assert (verdict(fold, proposal), reason(fold, proposal)) == (expected, why)


def test_p4_rejected_when_another_content_has_its_slot() -> None:
    writer = Writer()
    loser = writer.snapshot("C", "1.0.0", "theirs")
    winner = writer.snapshot("A", "1.0.0", "ours")
    fold = writer.fold()
    assert (verdict(fold, winner), verdict(fold, loser)) == ("pending", "pending")
    changes = told(fold, writer.vote("B", winner))
    assert changes == {(winner.id, "accepted", False), (loser.id, "rejected", False)}
    assert (verdict(fold, loser), reason(fold, loser)) == ("rejected", "conflicting_vote")
    assert fold.find("snapshot", None, "1.0.0", "theirs") is None
    assert fold.find("snapshot", None, "1.0.0", "ours") == winner.id


def test_p4_the_decision_has_the_time_of_the_vote_that_made_it() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    decisive = writer.vote("B", proposal)
    writer.vote("C", proposal)
    state = writer.fold().get(proposal.id)
    assert state is not None
    assert state.decided_ms == decisive.timestamp_ms


def test_p4_half_accepts_two_of_four_on_both_sides_and_that_is_a_conflict() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", "x", voters=FOUR)
    two = writer.snapshot("C", "1.0.0", "y", voters=FOUR)
    writer.vote("B", one)
    writer.vote("D", two)
    fold = writer.fold()
    assert (verdict(fold, one), verdict(fold, two)) == ("accepted", "accepted")
    assert fold.conflicts() == [Conflict("version:1.0.0", (one.id, two.id), two.id, False, "strategy")]


# P2, P3: bindings


def test_p2_slots_of_each_kind() -> None:
    writer = Writer()
    events = [
        writer.snapshot("A", "1.0.0"),
        writer.diff("A", "1.0.0", "1.1.0"),
        writer.rollback("A", "1.1.0", "1.0.0"),
        writer.diff("A", "1.0.0", "1.2.0", restored="key"),
    ]
    fold = writer.fold()
    states = [state for event in events if (state := fold.get(event.id)) is not None]
    assert [[slot.name for slot in state.slots] for state in states] == [
        ["version:1.0.0"],
        ["successor-of:1.0.0", "version:1.1.0"],
        ["successor-of:1.1.0"],
        ["successor-of:1.0.0@key", "version:1.2.0"],
    ]


def test_p3_a_voter_is_bound_to_what_it_accepted_in_any_slot() -> None:
    writer = Writer()
    one = writer.diff("A", "1.0.0", "1.1.0", "x", required=3)
    same = writer.diff("C", "1.0.0", "1.1.0", "x", required=3)
    other = writer.diff("C", "1.0.0", "1.2.0", "y", required=3)
    elsewhere = writer.snapshot("C", "1.3.0", "z", required=3)
    writer.vote("B", one)
    fold = writer.fold()
    assert fold.bound_by(other.id, "B", 0) == "successor-of:1.0.0"
    assert fold.bound_by(other.id, "A", 0) == "successor-of:1.0.0"
    assert fold.bound_by(same.id, "B", 0) is None
    assert fold.bound_by(elsewhere.id, "B", 0) is None
    assert fold.binding("B", "version:1.1.0", 0) == ("diff", "1.0.0", "1.1.0", "x")
    assert fold.binding("B", "version:1.1.0", 1) is None
    assert fold.binding("B", "version:9.9.9", 0) is None


def test_p5_a_new_round_frees_only_the_slots_that_were_proven_dead() -> None:
    """A diff has two slots: what one slot's split proves says nothing about the other."""
    writer = Writer()
    diff = writer.diff("A", "1.0.0", "1.1.0", "x", required=3)
    rival = writer.diff("C", "1.0.0", "1.2.0", "y", required=3)
    snapshot = writer.snapshot("B", "1.1.0", "z", required=3)
    writer.open_round("A", diff.id, 1, [("successor-of:1.0.0", 0)])
    fold = writer.fold()
    assert fold.bound_by(diff.id, "C", 0) == "successor-of:1.0.0"
    assert fold.bound_by(diff.id, "C", 1) is None
    assert fold.bound_by(diff.id, "B", 1) == "version:1.1.0"
    assert fold.bound_by(rival.id, "A", 1) == "successor-of:1.0.0"
    assert fold.bound_by(snapshot.id, "A", 0) == "version:1.1.0"


def test_p5_an_accept_in_a_later_round_binds_the_earlier_ones_too() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", "x", required=3)
    two = writer.snapshot("C", "1.0.0", "y", required=3)
    writer.open_round("A", one.id, 1, [("version:1.0.0", 0)])
    writer.vote("B", one, round_=1)
    assert writer.fold().bound_by(two.id, "B", 0) == "version:1.0.0"


# P5: rounds


def split(writer: Writer) -> tuple[Event, Event]:
    """Four voters, three required, two votes for each of two contents."""
    one = writer.snapshot("A", "1.0.0", "x", voters=FOUR, required=3)
    two = writer.snapshot("C", "1.0.0", "y", voters=FOUR, required=3)
    writer.vote("B", one)
    writer.vote("D", two)
    return one, two


def test_p5_a_split_is_put_to_the_vote_again_earliest_first_on_a_tie() -> None:
    writer = Writer()
    one, two = split(writer)
    fold = writer.fold()
    assert fold.stalled(0) == [Stall(one.id, 1, (("version:1.0.0", 0),))]
    fold.apply(writer.open_round("A", one.id, 1, [("version:1.0.0", 0)]))
    assert fold.stalled(0) == []
    state = fold.get(one.id)
    assert state is not None
    assert state.round == 1
    for voter in "ACD":
        assert fold.bound_by(one.id, voter, 1) is None
        fold.apply(writer.vote(voter, one, round_=1))
    assert verdict(fold, one) == "accepted"
    assert fold.stalled(0) == []
    for voter in "AB":
        fold.apply(writer.vote(voter, two, "reject", "conflicting_vote"))
    assert verdict(fold, two) == "rejected"


def test_p5_the_front_runner_goes_on() -> None:
    writer = Writer()
    five = ("A", "B", "C", "D", "E")
    one = writer.snapshot("A", "1.0.0", "x", voters=five, required=3)
    two = writer.snapshot("B", "1.0.0", "y", voters=five, required=3)
    three = writer.snapshot("D", "1.0.0", "z", voters=five, required=3)
    writer.vote("C", two)
    fold = writer.fold()
    assert fold.stalled(0) == []
    fold.apply(writer.vote("E", three))
    assert fold.stalled(0) == [Stall(two.id, 1, (("version:1.0.0", 0),))]
    assert verdict(fold, one) == "pending"


def test_p5_no_round_while_an_absent_voter_prevents_the_proof() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", "x", voters=FOUR, required=3)
    two = writer.snapshot("C", "1.0.0", "y", voters=FOUR, required=3)
    writer.vote("B", one)
    fold = writer.fold()
    assert fold.stalled(0) == []
    assert (verdict(fold, one), verdict(fold, two)) == ("pending", "pending")


def test_p5_no_round_while_an_unknown_proposal_could_still_win() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", "x", voters=FOUR, required=3)
    writer.snapshot("B", "1.0.0", "y", voters=FOUR, required=3)
    for voter in "CD":
        writer.vote(voter, one, "reject", "conflicting_vote")
    fold = writer.fold()
    assert fold.stalled(0) == []


def test_p5_no_round_for_what_is_past_its_deadline() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", "x", voters=FOUR, required=3, deadline_hlc=100)
    two = writer.snapshot("C", "1.0.0", "y", voters=FOUR, required=3, deadline_hlc=200)
    writer.vote("B", one)
    writer.vote("D", two)
    fold = writer.fold()
    assert [stall.key for stall in fold.stalled(50)] == [one.id]
    assert [stall.key for stall in fold.stalled(150)] == [two.id]
    assert fold.stalled(250) == []


def test_p5_both_slots_of_split_diffs_go_into_one_round() -> None:
    writer = Writer()
    one = writer.diff("A", "1.0.0", "1.1.0", "x", voters=FOUR, required=3)
    two = writer.diff("C", "1.0.0", "1.1.0", "y", voters=FOUR, required=3)
    writer.vote("B", one)
    writer.vote("D", two)
    assert writer.fold().stalled(0) == [Stall(one.id, 1, (("successor-of:1.0.0", 0), ("version:1.1.0", 0)))]


def test_p5_an_unreadable_round_is_ignored() -> None:
    writer = Writer()
    one, _ = split(writer)
    writer.write("A", ROUND_OPENED, {"proposal": one.id, "round": 0, "slots": []})
    state = writer.fold().get(one.id)
    assert state is not None
    assert state.round == 0


# P6


def test_p6_what_is_pending_or_accepted_is_found_again() -> None:
    writer = Writer()
    first = writer.snapshot("A", "1.0.0", required=3, deadline_hlc=10, idempotency_key="once")
    second = writer.snapshot("A", "1.0.0", required=2, deadline_hlc=20, idempotency_key="once")
    fold = writer.fold()
    assert fold.find("snapshot", None, "1.0.0", "h") == second.id
    assert fold.find("snapshot", None, "1.0.0", "other") is None
    assert fold.by_idempotency_key("once") == first.id
    assert fold.by_idempotency_key("never") is None
    fold.apply(writer.vote("B", first))
    fold.apply(writer.vote("C", first))
    assert fold.find("snapshot", None, "1.0.0", "h") == first.id


# S1


def conflict(writer: Writer, **of_the_first: Any) -> tuple[Event, Event]:
    """Two accepted contents in one slot; the second was written later."""
    one = writer.snapshot("A", "1.0.0", "x", required=1, **of_the_first)
    two = writer.snapshot("C", "1.0.0", "y", required=1)
    return one, two


@pytest.mark.parametrize(("strategy", "term", "winner"), [
    ("last-write-wins", 0, "y"),
    ("last-write-wins", 9, "y"),
    ("leader-wins", 0, "y"),
    ("leader-wins", 9, "x"),
])  # fmt: skip
def test_s1_the_strategy_picks_the_winner(strategy: Strategy, term: int, winner: str) -> None:
    writer = Writer()
    one, two = conflict(writer, leader_term=term)
    fold = writer.fold(strategy)
    assert fold.current == ("1.0.0", winner)
    won, lost = (one, two) if winner == "x" else (two, one)
    assert (fold.settled(won.id), fold.settled(lost.id)) == (True, False)
    assert fold.conflicts() == [Conflict("version:1.0.0", (one.id, two.id), won.id, False, "strategy")]


def test_s1_reject_inconsistent_stays_open_until_a_person_decides() -> None:
    writer = Writer()
    base = writer.snapshot("A", "0.9.0", required=1)
    one, two = conflict(writer)
    fold = writer.fold("reject-inconsistent")
    assert fold.current == ("0.9.0", "h")
    assert fold.highest_accepted == "1.0.0"
    assert fold.settled(one.id) is fold.settled(two.id) is None
    assert fold.conflicts() == [Conflict("version:1.0.0", (one.id, two.id), None, True, "strategy")]
    assert why(fold) == "none wins until a person decides"
    fold.apply(writer.resolve("B", "version:1.0.0", one.id))
    assert why(fold) == "a person decided"
    assert fold.current == ("1.0.0", "x")
    assert (fold.settled(one.id), fold.settled(two.id), fold.settled(base.id)) == (True, False, True)
    assert fold.conflicts() == [Conflict("version:1.0.0", (one.id, two.id), one.id, False, "resolution")]
    fold.apply(writer.resolve("B", "version:1.0.0", two.id))
    assert fold.current == ("1.0.0", "y")


def test_s1_a_person_outranks_every_strategy() -> None:
    writer = Writer()
    one, _ = conflict(writer)
    writer.resolve("B", "version:1.0.0", one.id)
    for strategy in ("last-write-wins", "leader-wins", "reject-inconsistent"):
        assert writer.fold(strategy).current == ("1.0.0", "x")


def test_s1_a_decision_that_names_no_candidate_of_the_slot_is_ignored() -> None:
    writer = Writer()
    one, two = conflict(writer)
    writer.resolve("B", "version:7.0.0", one.id)
    writer.resolve("B", "version:1.0.0", "unknown")
    writer.write("B", "CONFLICT_RESOLVED", {"slot": 1})
    assert writer.fold().current == ("1.0.0", "y")
    assert writer.fold("reject-inconsistent").settled(two.id) is None


def test_s1_one_content_under_two_keys_is_no_conflict() -> None:
    writer = Writer()
    one = writer.snapshot("A", "1.0.0", required=1)
    two = writer.snapshot("B", "1.0.0", required=1)
    fold = writer.fold("reject-inconsistent")
    assert fold.conflicts() == []
    assert fold.settled(one.id) is fold.settled(two.id) is True
    assert fold.find("snapshot", None, "1.0.0", "h") == one.id


def test_s1_a_loser_in_one_slot_leaves_the_other_free() -> None:
    """diff 1.0->1.1 loses its successor slot; the snapshot of 1.1 that only it stood against then wins."""
    writer = Writer()
    writer.snapshot("A", "1.0.0", required=1)
    snapshot = writer.snapshot("A", "1.1.0", "s", required=1)
    middle = writer.diff("B", "1.0.0", "1.1.0", "d", required=1)
    last = writer.diff("C", "1.0.0", "1.2.0", "e", required=1)
    fold = writer.fold()
    assert [fold.settled(event.id) for event in (snapshot, middle, last)] == [True, False, True]
    assert fold.current == ("1.2.0", "e")


# S2


def test_s2_the_greatest_version_along_unbroken_chains() -> None:
    writer = Writer()
    accepted(writer, writer.diff("A", "1.1.0", "1.2.0", "c"), writer.diff("A", "1.0.0", "1.1.0", "b"))
    fold = writer.fold()
    assert fold.current is None
    assert fold.highest_accepted == "1.2.0"
    assert fold.known_version("1.2.0")
    assert not fold.is_reachable("1.2.0")
    base = writer.snapshot("A", "1.0.0", "a")
    accepted(writer, base)
    assert writer.fold().current == ("1.2.0", "c")
    assert writer.fold().base_hash("1.1.0") == "b"
    assert writer.fold().base_hash("7.0.0") is None


def test_s2_a_diff_made_from_another_content_of_its_base_waits() -> None:
    writer = Writer()
    accepted(writer, writer.snapshot("A", "1.0.0", "a"), writer.diff("A", "1.0.0", "1.1.0", "b", base_hash="other"))
    assert writer.fold().current == ("1.0.0", "a")
    late = writer.snapshot("C", "1.0.0", "other", required=1)
    assert writer.fold().settled(late.id) is True
    assert writer.fold().current == ("1.1.0", "b")


def test_s2_a_rollback_removes_what_lies_between_however_it_arrived() -> None:
    writer = Writer()
    accepted(
        writer,
        writer.snapshot("A", "1.0.0", "a"),
        writer.diff("A", "1.0.0", "1.2.0", "c"),
        writer.rollback("A", "1.2.0", "1.0.0"),
    )
    rollback = writer.events[2]
    assert writer.fold().current == ("1.0.0", "a")
    assert writer.fold().restored("1.0.0") == rollback.id
    assert writer.fold().restored("1.2.0") is None
    accepted(writer, writer.snapshot("B", "1.1.0", "late", voters=("B",), required=1))
    assert writer.fold().current == ("1.0.0", "a")
    assert writer.fold().known_version("1.2.0")
    assert not writer.fold().is_reachable("1.2.0")
    accepted(writer, writer.snapshot("A", "1.3.0", "d"))
    assert writer.fold().current == ("1.3.0", "d")


def test_p2_a_version_made_current_again_gets_a_new_successor() -> None:
    """Without it, what was rolled back would hold the successor slot of the version rolled back to for ever."""
    writer = Writer()
    accepted(
        writer,
        writer.snapshot("A", "1.0.0", "a"),
        writer.diff("A", "1.0.0", "1.1.0", "b"),
        writer.rollback("A", "1.1.0", "1.0.0"),
    )
    restored = writer.fold().restored("1.0.0")
    after = writer.diff("A", "1.0.0", "1.2.0", "c", restored=restored)
    fold = writer.fold()
    assert fold.bound_by(after.id, "B", 0) is None
    fold.apply(writer.vote("B", after))
    assert fold.conflicts() == []
    assert fold.current == ("1.2.0", "c")


def test_s2_a_rollback_and_a_diff_from_one_version_are_a_conflict() -> None:
    writer = Writer()
    accepted(writer, writer.snapshot("A", "0.9.0", "z"), writer.snapshot("A", "1.0.0", "a"))
    rollback = writer.rollback("A", "1.0.0", "0.9.0", required=1)
    diff = writer.diff("C", "1.0.0", "1.1.0", "b", required=1)
    fold = writer.fold()
    assert fold.current == ("1.1.0", "b")
    fold.apply(writer.resolve("B", "successor-of:1.0.0", rollback.id))
    assert fold.current == ("0.9.0", "z")
    assert fold.settled(diff.id) is False


def test_p5_a_voter_that_finds_the_version_stale_may_have_accepted_what_is_not_known_here() -> None:
    """Found by a storm of elections: its own vote had made the version stale, and a round was opened over it."""
    writer = Writer()
    other = writer.snapshot("C", "1.0.0", "c", voters=FOUR, required=3, vote=None)
    unknown = writer.snapshot("A", "1.0.0", "a", voters=FOUR, required=3)
    writer.vote("B", unknown)
    writer.vote("C", unknown)
    rival = writer.snapshot("D", "1.0.0", "d", voters=FOUR, required=3)
    for voter in FOUR:
        writer.vote(voter, other, "reject", "conflicting_vote")
    for voter, reason in (("A", "conflicting_vote"), ("B", "conflicting_vote"), ("C", "stale_version")):
        writer.vote(voter, rival, "reject", reason)
    fold = folded([event for event in writer.events if event is not unknown])
    assert verdict(fold, rival) == "pending"
    assert fold.stalled(0) == []
    fold.apply(unknown)
    assert fold.current == ("1.0.0", "a")


# C1


def floored(writer: Writer, limits: Limits | None = None) -> Fold:
    fold = writer.fold(limits=limits)
    fold.reset(writer.vector, fold.checkpoint(writer.vector))
    return fold


def test_c1_what_is_at_or_below_the_floor_is_ignored() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    checkpoint = writer.fold().checkpoint({})
    fold = Fold("last-write-wins", Limits())
    fold.reset({"jA": 5}, checkpoint)
    assert fold.apply(proposal) == ()
    assert fold.get(proposal.id) is None


def test_c1_open_proposals_are_carried_over_with_their_votes() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0", required=3)
    writer.vote("B", proposal)
    fold = floored(writer)
    assert fold.open_keys == [proposal.id]
    fold.apply(writer.vote("C", proposal))
    assert fold.current == ("1.0.0", "h")


def test_c1_votes_whose_proposal_is_not_known_are_carried_over() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    vote = writer.vote("B", proposal)
    fold = folded([vote])
    fold.reset({"jB": 1}, fold.checkpoint({"jB": 1}))
    fold.apply(proposal)
    assert fold.current == ("1.0.0", "h")


def test_c1_a_settled_slot_stands_against_what_is_accepted_later() -> None:
    writer = Writer()
    settled = writer.snapshot("A", "1.0.0", "x", required=1)
    fold = floored(writer)
    late = writer.snapshot("C", "1.0.0", "y", required=1)
    fold.apply(late)
    assert (fold.settled(settled.id), fold.settled(late.id)) == (True, False)
    assert fold.current == ("1.0.0", "x")
    assert [c.by for c in fold.conflicts()] == ["floor"]


def test_c1_late_votes_change_nothing_of_what_is_decided() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    for voter in "BC":
        writer.vote(voter, proposal, "reject", "bad_hash")
    fold = floored(writer)
    digest = fold.digest()
    assert fold.apply(writer.vote("B", proposal, round_=1)) == ()
    assert fold.apply(writer.vote("C", proposal, round_=1)) == ()
    for round_ in (2, 3, 4):
        fold.apply(writer.vote("C", proposal, "reject", "stale_version", round_))
    assert (verdict(fold, proposal), reason(fold, proposal), fold.digest()) == ("rejected", "bad_hash", digest)


def test_c1_a_floor_that_had_not_heard_a_vote_takes_back_no_rejection_that_rests_on_it() -> None:
    """Found by a storm of elections: what had been told as rejected was shown as expired for a while."""
    writer = Writer()
    won = writer.snapshot("A", "1.0.0", "x", voters=FOUR)
    writer.vote("B", won)
    vector = dict(writer.vector)
    writer.vote("C", won)
    rival = writer.snapshot("D", "1.0.0", "y", voters=FOUR)
    fold = writer.fold()
    assert verdict(fold, rival) == "rejected"
    fold.reset(vector, fold.checkpoint(vector))
    assert verdict(fold, rival) == "rejected"


def test_c1_what_lost_to_something_that_a_floor_forgot_is_not_shown_as_open() -> None:
    """Its votes alone do not say any more that it lost; once they do, it is shown again."""
    writer = Writer()
    writer.vote("A", writer.snapshot("B", "1.0.0", "x"))
    last = writer.snapshot("B", "1.1.0")
    writer.vote("A", last)
    vector = dict(writer.vector)
    late = writer.snapshot("D", "1.0.0", "y", voters=FOUR, required=3)
    other = writer.snapshot("D", "1.2.0")
    limits = replace(Limits(), max_settled_kept=1, max_history_kept=0)
    fold = writer.fold(limits=limits)
    assert verdict(fold, late) == "rejected"
    fold.reset(vector, fold.checkpoint(vector))
    assert verdict(fold, late) == "pending"
    assert [p.key for p in fold.newest(10)] == [other.id, last.id]
    assert [p.key for p in fold.newest(1)] == [other.id]
    assert fold.find("snapshot", None, "1.0.0", "y") is None
    assert fold.find("snapshot", None, "1.2.0", "h") == other.id
    assert checkpoint.read(fold.checkpoint(dict(writer.vector))).forgotten == "1.0.0"
    for voter in "AB":
        fold.apply(writer.vote(voter, late, "reject", "stale_version"))
    assert [p.key for p in fold.newest(10)] == [other.id, late.id, last.id]
    assert verdict(fold, late) == "rejected"


def test_c1_what_a_member_took_in_of_a_v16_member_changes_no_floor() -> None:
    """It stands in that member's log, above the floor, under another origin."""
    writer = Writer()
    first = writer.snapshot("A", "1.0.0")
    writer.vote("B", first)
    writer.vote("C", first)
    second = writer.snapshot("A", "1.1.0")
    writer.vote("A", writer.snapshot("B", "1.2.0"))
    floor = dict(writer.vector)
    writer.vote("B", second)
    here = folded(writer.events).checkpoint(floor)
    writer.write("old", "NOTE", {}, id_="old-1", journal="jA")
    assert bytes(folded(writer.events).checkpoint(floor)) == bytes(here)


def test_c1_what_comes_next_after_a_rollback_is_shown_whatever_floors_forgot() -> None:
    """Its slots name the rollback: nothing of before was in them (P2)."""
    writer = Writer()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        writer.vote("A", writer.snapshot("B", version))
    back = writer.rollback("B", "1.2.0", "1.0.0")
    writer.vote("A", back)
    fold = writer.fold(limits=replace(Limits(), max_settled_kept=1, max_history_kept=0))
    vector = dict(writer.vector)
    fold.reset(vector, fold.checkpoint(vector))
    following = writer.diff("B", "1.0.0", "1.3.0", restored=back.id)
    before = writer.diff("C", "1.0.0", "1.3.0", "y")
    fold.apply(following)
    fold.apply(before)
    shown = [p.key for p in fold.newest(10)]
    assert following.id in shown
    assert before.id not in shown


def test_c1_an_open_conflict_stays_open_over_a_floor() -> None:
    writer = Writer()
    one, two = conflict(writer)
    fold = writer.fold("reject-inconsistent")
    fold.reset(writer.vector, fold.checkpoint(writer.vector))
    assert [c.open for c in fold.conflicts()] == [True]
    fold.apply(writer.resolve("B", "version:1.0.0", one.id))
    assert (fold.settled(one.id), fold.settled(two.id)) == (True, False)


def test_c1_rolled_back_versions_stay_so_over_a_floor_that_keeps_next_to_nothing() -> None:
    writer = Writer()
    accepted(
        writer,
        writer.snapshot("A", "1.0.0", "a"),
        writer.snapshot("A", "2.0.0", "b"),
        writer.rollback("A", "2.0.0", "1.0.0"),
    )
    rollback = writer.events[2]
    fold = floored(writer, replace(Limits(), max_settled_kept=0, max_history_kept=0))
    assert fold.current == ("1.0.0", "a")
    assert fold.restored("1.0.0") == rollback.id
    late = writer.snapshot("A", "1.5.0", "late", required=1)
    fold.apply(late)
    assert fold.settled(late.id) is True
    assert fold.current == ("1.0.0", "a")


def test_c1_what_is_kept_is_bounded_and_a_chain_survives_its_forgotten_base() -> None:
    writer = Writer()
    accepted(writer, writer.snapshot("A", "1.0.0"))
    for n in range(20):
        accepted(writer, writer.diff("A", f"1.{n}.0", f"1.{n + 1}.0"))
        loser = writer.snapshot("A", f"1.{n}.5")
        for voter in "BC":
            writer.vote(voter, loser, "reject", "bad_hash")
    fold = floored(writer, replace(Limits(), max_settled_kept=3, max_history_kept=2))
    assert len(fold.keys) == 5
    assert fold.current == ("1.20.0", "h")
    accepted(writer, writer.diff("A", "1.20.0", "1.21.0"))
    for event in writer.events[-2:]:
        fold.apply(event)
    assert fold.current == ("1.21.0", "h")


def test_c1_a_pending_proposal_past_its_deadline_that_versions_have_passed_is_stale() -> None:
    writer = Writer()
    old = writer.snapshot("A", "1.0.0", deadline_hlc=5)
    ahead = writer.snapshot("A", "3.0.0", deadline_hlc=5)
    young = writer.snapshot("A", "1.5.0", deadline_hlc=50)
    for _ in range(3):
        newer = writer.snapshot("A", "2.0.0")
        writer.vote("B", newer)
    assert verdict(floored(writer), old) == "pending", "C may have accepted it, behind a split"
    writer.vote("C", newer)
    fold = floored(writer)
    assert (verdict(fold, old), reason(fold, old)) == ("rejected", "stale_version")
    assert (verdict(fold, ahead), verdict(fold, young)) == ("pending", "pending")


def test_c1_what_was_accepted_behind_a_split_stays_so_above_a_floor_that_had_not_heard_of_it() -> None:
    """Whatever the floor's time and versions: its clients have been told (promise 3)."""
    writer = Writer()
    for version in ("1.0.0", "2.0.0"):
        accepted(writer, writer.snapshot("A", version))
    known = dict(writer.vector)
    behind = [
        writer.snapshot("B", "2.1.0", deadline_hlc=9, required=1),
        writer.snapshot("B", "1.5.0", deadline_hlc=9, required=1),
        writer.rollback("B", "2.1.0", "2.0.0", deadline_hlc=9, required=1),
    ]
    for version in ("2.2.0", "2.3.0"):
        writer.vote("C", writer.snapshot("A", version))
    vector = writer.vector | {"jB": known["jB"]}
    fold = writer.fold()
    floor = fold.checkpoint(vector)
    read = checkpoint.read(floor)
    assert (read.highest, read.hlc) == ("2.3.0", writer.hlc - 1)
    fold.reset(vector, floor)
    assert [verdict(fold, event) for event in behind] == ["accepted"] * 3


def test_c1_one_clock_that_runs_ahead_does_not_end_deadlines() -> None:
    writer = Writer()
    young = writer.snapshot("A", "1.0.0", deadline_hlc=100)
    newer = writer.snapshot("A", "2.0.0")
    writer.vote("B", newer)
    writer.snapshot("C", "3.0.0", hlc=10_000)
    fold = floored(writer)
    assert verdict(fold, young) == "pending"


def test_c1_a_broken_checkpoint_is_refused_and_changes_nothing() -> None:
    writer = Writer()
    accepted(writer, writer.snapshot("A", "1.0.0"))
    fold = writer.fold()
    with pytest.raises(ValueError, match="kept"):
        fold.reset(writer.vector, msgspec.Raw(msgspec.msgpack.encode({"kept": [["nonsense"]]})))
    assert fold.current == ("1.0.0", "h")


def test_s3_two_events_with_one_id_count_as_the_lower_in_any_order() -> None:
    writer = Writer()
    low = writer.propose("A", kind="snapshot", version="1.0.0", hash="low", id_="same", hlc=1, required=1)
    high = writer.propose("B", kind="snapshot", version="1.0.0", hash="high", id_="same", hlc=2, required=1)
    assert folded([low, high]).current == folded([high, low]).current == ("1.0.0", "low")
    assert folded([low, high]).digest() == folded([high, low]).digest()


def test_s3_two_votes_of_one_voter_count_as_the_lower_in_any_order() -> None:
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    no = writer.vote("B", proposal, "reject", "bad_hash")
    yes = writer.vote("B", proposal)
    one, two = folded([proposal, no, yes]), folded([proposal, yes, no])
    assert verdict(one, proposal) == verdict(two, proposal) == "pending"
    assert one.digest() == two.digest()
    assert folded([proposal, yes]).current is not None


def test_p1_a_proposal_is_plain_json() -> None:
    writer = Writer()
    proposal = writer.diff("A", "1.0.0", "1.1.0", base_hash="b", restored="k", idempotency_key="i", leader_term=4)
    assert set(proposal.payload) >= {"kind", "version", "base", "hash", "baseHash", "label", "voters", "required",
                                     "deadlineHlc", "digest", "leaderTerm", "idempotencyKey", "vote"}  # fmt: skip
    state = folded([msgspec.json.decode(msgspec.json.encode(proposal), type=Event)]).get(proposal.id)
    assert state is not None
    assert to_payload(state.payload) == proposal.payload
    assert state.payload.voters == VOTERS


def test_s2_shown_is_the_greatest_version_that_no_vote_on_its_way_made() -> None:
    """Whoever is told that his is accepted must not be shown an older one, whatever else is under way."""
    writer = Writer()
    one, two, three = (writer.snapshot("A", f"1.{n}.0", required=1) for n in range(3))
    fold = writer.fold()
    assert views(fold).current == views(fold, one, two).current == ("1.2.0", "h")
    assert views(fold, three).current == ("1.1.0", "h")
    assert views(fold, two, three).current == ("1.0.0", "h")
    assert views(fold, one, two, three).current is None


def test_s2_shown_is_a_smaller_version_that_came_late_while_a_greater_one_is_under_way() -> None:
    writer = Writer()
    one, three, two = (writer.snapshot("A", f"1.{n}.0", required=1) for n in (0, 2, 1))
    fold = writer.fold()
    assert views(fold, three).current == ("1.1.0", "h")
    assert views(fold, three, two).current == ("1.0.0", "h")
    assert views(fold, three, two, one).current is None
