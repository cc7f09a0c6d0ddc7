"""What came as one event and was voted on as one is decided as if each had come alone (P1, P4, S3)."""

import random
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.protocol.decisions import Decisions
from node.protocol.events import SNAPSHOT_PROPOSAL, VOTES, Event
from node.protocol.proposal import Proposal, proposal_key, to_payload
from node.protocol.settings import Limits, Strategy
from node.protocol.state import Fold
from tests.protocol.catalogue import FAR, VOTERS, Writer, folded
from tests.protocol.test_state_order import STRATEGIES, observable, prefix, within

TWO = ("1.0.0", "1.1.0")


def batch(writer: Writer, origin: str, versions: tuple[str, ...], **fields: Any) -> Event:
    """Snapshots that share an event."""
    common: dict[str, Any] = {"kind": "snapshot", "label": "l", "voters": VOTERS, "required": 2, "digest": "digest"}
    common |= {"deadline_hlc": FAR, "vote": "accept"}
    hashes = fields.pop("hashes", ["h"] * len(versions))
    bodies = [
        Proposal(**(common | {"version": version, "hash": hash_} | fields))
        for version, hash_ in zip(versions, hashes, strict=True)
    ]
    return writer.write(origin, SNAPSHOT_PROPOSAL, {"proposals": [to_payload(body) for body in bodies]})


def votes_on(proposed: Event, **fields: Any) -> list[dict[str, Any]]:
    """An accept of each, unless told otherwise."""
    return [
        {"proposal": proposal_key(proposed.id, at), "round": 0, "hash": body["hash"], "vote": "accept"} | fields
        for at, body in enumerate(proposed.payload["proposals"])
    ]


def history(seed: int, batches: int) -> Writer:
    """Batches that all vote on, as one or not; and what sets one of them apart now and then."""
    rng = random.Random(seed)
    writer = Writer()
    next_version = 0
    asked: list[tuple[str, Event]] = []
    for _ in range(batches):
        origin, count = rng.choice(VOTERS), rng.randint(1, 5)
        # Some come again: as rivals, or as the same once more.
        first = max(0, next_version - rng.choice((0, 0, 0, 0, 1, 2)))
        next_version = max(next_version, first + count)
        versions = tuple(f"1.{number}.0" for number in range(first, first + count))
        own, reason = rng.choice((("accept", None),) * 3 + ((None, None), ("reject", "stale_version")))
        fields: dict[str, Any] = {"vote": own, "reason": reason, "required": rng.choice((1, 2, 2, 2, 3))}
        hashes = [rng.choice("hhhhi") for _ in versions]
        proposed = batch(writer, origin, versions, hashes=hashes, **fields)
        if rng.random() < 0.1:
            rng.choice(proposed.payload["proposals"])["vote"] = "abstain"
        asked += [(voter, proposed) for voter in VOTERS if voter != origin]
        rng.shuffle(asked)
        while asked and rng.random() < 0.7:
            vote(rng, writer, *asked.pop())
    return writer


def vote(rng: random.Random, writer: Writer, voter: str, proposed: Event) -> None:
    alike = rng.choice(
        ({}, {}, {"vote": "reject", "reason": "stale_version"}, {"vote": "abstain", "reason": "deadline"})
    )
    items = votes_on(proposed, **alike)
    match rng.randrange(14):
        case 0:
            items = rng.sample(items, len(items))
        case 1:
            items = items[: rng.randint(1, len(items))]
        case 2:
            items[rng.randrange(len(items))] |= {"vote": "reject", "reason": "conflicting_vote"}
        case 3:
            items[rng.randrange(len(items))] |= {"hash": "other"}
        case 4:
            items[rng.randrange(len(items))] |= {"round": 1}
        case 5:
            items.append(items[0] | {"vote": "abstain", "reason": "deadline"})
        case 6:
            items = [items[0] | {"hash": "other"}, *items]
        case 7:
            key = proposal_key(proposed.id, rng.randrange(len(items)))
            version = proposed.payload["proposals"][0]["version"]
            writer.open_round(voter, key, 1, [(f"version:{version}", 0)])
        case 8:
            voter = "D"
    writer.write(voter, VOTES, {"votes": items})


def one_by_one() -> AbstractContextManager[Any]:
    """In here every proposal is taken by itself."""
    return patch.object(Decisions, "admit_bundle", return_value=None)


def followed(events: Iterable[Event], strategy: Strategy) -> Fold:
    """A fold of these, of which each event tells what it changed."""
    fold = Fold(strategy, Limits())
    told: dict[str, str] = {}
    for event in events:
        for change in fold.apply(event):
            for each in change.proposals:
                assert change.new == (each.key not in told)
                told[each.key] = change.verdict
    assert told == {key: state.verdict for key in fold.keys if (state := fold.get(key)) is not None}
    return fold


@given(st.integers(0, 2**32), st.integers(1, 8), st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_s3_whatever_the_order_a_batch_is_decided_as_if_each_had_come_alone(
    seed: int, batches: int, strategy: Strategy, rng: random.Random
) -> None:
    writer = history(seed, batches)
    in_order = followed(writer.events, strategy)
    with one_by_one():
        reference = followed(writer.events, strategy)
    votes_first = followed(sorted(writer.events, key=lambda event: event.type != VOTES), strategy)
    shuffled = followed(rng.sample(writer.events, len(writer.events)), strategy)
    assert observable(in_order) == observable(votes_first) == observable(shuffled) == observable(reference)
    vector = prefix(rng, writer)
    checkpoint = in_order.checkpoint(vector)
    assert (
        checkpoint
        == votes_first.checkpoint(vector)
        == folded(within(writer.events, vector), strategy).checkpoint(vector)
    )
    restarted = Fold(strategy, Limits())
    restarted.reset(vector, checkpoint)
    for event in writer.events:
        restarted.apply(event)
    in_order.reset(vector, checkpoint)
    votes_first.reset(vector, checkpoint)
    assert in_order.digest() == votes_first.digest() == restarted.digest()
    assert in_order.current == votes_first.current == restarted.current


@given(st.integers(0, 2**32), st.integers(1, 8), st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_c1_a_floor_in_the_midst_of_batches_changes_nothing_for_what_comes(
    seed: int, batches: int, strategy: Strategy, rng: random.Random
) -> None:
    writer = history(seed, batches)
    cut = rng.randrange(len(writer.events) + 1)
    fold = folded(writer.events[:cut], strategy)
    with one_by_one():
        reference = folded(writer.events[:cut], strategy)
    vector = dict.fromkeys(writer.vector, 0)
    vector |= {event.journal: event.seq for event in writer.events[: rng.randint(0, cut)]}
    checkpoint = fold.checkpoint(vector)

    def go_on(each: Fold) -> None:
        each.reset(vector, checkpoint)
        for event in writer.events[cut:]:
            each.apply(event)

    go_on(fold)
    with one_by_one():
        assert reference.checkpoint(vector) == checkpoint
        go_on(reference)
    assert observable(fold) == observable(reference)


@given(st.integers(0, 2**32), st.integers(1, 8), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_c1_what_a_floor_forgets_of_batches_can_be_reached_no_more(seed: int, batches: int, rng: random.Random) -> None:
    writer, limits = history(seed, batches), replace(Limits(), max_settled_kept=1, max_history_kept=0)
    fold, vector = folded(writer.events, limits=limits), prefix(rng, writer)
    assert fold.current is None or fold.is_reachable(fold.current[0])
    checkpoint = fold.checkpoint(vector)
    restarted = Fold("last-write-wins", limits)
    for each in (fold, restarted):
        each.reset(vector, checkpoint)
    for event in writer.events:
        restarted.apply(event)
    versions = [f"1.{number}.0" for number in range(5 * batches)]

    def known(each: Fold) -> list[tuple[bool, bool, str | None]]:
        return [(each.known_version(v), each.is_reachable(v), each.base_hash(v)) for v in versions]

    assert known(fold) == known(restarted)
    assert fold.current_without(()) == restarted.current_without(()) == fold.current


def test_p4_a_batch_is_one_until_something_sets_one_of_it_apart() -> None:
    writer = Writer()
    proposed = batch(writer, "A", TWO)
    fold = folded(writer.events)
    first, second = (proposal_key(proposed.id, at) for at in range(2))
    bundle = fold.bundle(first)
    assert bundle is not None
    assert bundle.keys == [first, second]
    assert fold.bundle(second) is None
    fold.apply(writer.write("B", VOTES, {"votes": votes_on(proposed)[1:]}))
    assert fold.bundle(first) is None
    states = [fold.get(key) for key in (first, second)]
    assert [(state.verdict, sorted(state.votes)) for state in states if state is not None] == [
        ("pending", [("A", 0)]),
        ("accepted", [("A", 0), ("B", 0)]),
    ]


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [({}, "accepted"), ({"vote": "reject", "reason": "stale_version"}, "pending"), ({"round": 1}, "pending")],
)
def test_p4_one_event_of_alike_votes_counts_for_each(fields: dict[str, Any], verdict: str) -> None:
    writer = Writer()
    proposed = batch(writer, "A", TWO)
    writer.write("B", VOTES, {"votes": votes_on(proposed, **fields)})
    fold = folded(writer.events)
    assert [state.verdict for key in fold.keys if (state := fold.get(key)) is not None] == [verdict, verdict]


def test_p4_when_all_reject_all_of_it_is_rejected() -> None:
    writer = Writer()
    proposed = batch(writer, "A", TWO, vote="reject", reason="stale_version")
    writer.write("B", VOTES, {"votes": votes_on(proposed, vote="reject", reason="stale_version")})
    fold = folded(writer.events)
    assert [(s.verdict, s.reason) for key in fold.keys if (s := fold.get(key)) is not None] == [
        ("rejected", "stale_version")
    ] * 2
    assert fold.open_count == 0


def test_p4_votes_that_came_before_a_batch_count_for_all_of_it() -> None:
    writer = Writer()
    proposed = batch(writer, "A", TWO, vote=None)
    for voter in "BC":
        writer.write(voter, VOTES, {"votes": votes_on(proposed)})
    fold = folded(reversed(writer.events))
    bundle = fold.bundle(proposed.id)
    assert bundle is not None
    assert [p.verdict for p in bundle.proposals] == ["accepted", "accepted"]
    assert sorted(bundle.tally.votes) == [("B", 0), ("C", 0)]


def test_s3_a_floor_brings_the_rollback_that_a_node_missed_and_that_is_kept_no_more() -> None:
    writer, limits = Writer(), replace(Limits(), max_settled_kept=1, max_history_kept=0)

    def accepted(proposed: Event) -> list[Event]:
        return [proposed, writer.vote("B", proposed)]

    for version in TWO:
        accepted(writer.snapshot("A", version))
    missed = accepted(writer.rollback("C", "1.1.0", "1.0.0"))
    for version in ("1.2.0", "1.3.0"):
        accepted(writer.snapshot("A", version))
    whole = folded(writer.events, limits=limits)
    lacking = folded([event for event in writer.events if event not in missed], limits=limits)
    assert lacking.current == whole.current
    checkpoint = whole.checkpoint(writer.vector)
    for fold in (whole, lacking):
        fold.reset(writer.vector, checkpoint)
    assert len(whole.keys) == 1
    assert lacking.digest() == whole.digest()


def test_p6_what_shares_an_event_is_found_by_its_label_and_its_idempotency_key() -> None:
    writer = Writer()
    proposed = batch(writer, "A", TWO, idempotency_key="k", label="l")
    fold = writer.fold()
    assert fold.by_label("l") == [proposal_key(proposed.id, at) for at in range(2)]
    assert fold.by_idempotency_key("k") == proposed.id
    assert fold.keys == fold.open_keys == fold.by_label("l")
