"""The fold is a function of the set of events and the floor: any order, any repeats, any compaction (S3, C1)."""

import random
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.protocol.events import VOTES, Event
from node.protocol.settings import Limits, Strategy
from node.protocol.state import Fold
from tests.protocol.catalogue import FAR, VOTERS, Oracle, Writer, folded

STRATEGIES: tuple[Strategy, ...] = ("last-write-wins", "leader-wins", "reject-inconsistent")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0")
DIFFS = [(a, b) for a in VERSIONS for b in VERSIONS if a < b]
REASONS = (None, "conflicting_vote", "stale_version", "bad_hash")


def calm_history(seed: int, proposals: int) -> Writer:
    """Most proposals are alone in their slots and all vote on them; now and then two compete, or somebody is late."""
    rng = random.Random(seed)
    writer = Writer()
    late: list[tuple[str, Event]] = []
    for number in range(proposals):
        origin, hlc = rng.choice(VOTERS), 10 * number + rng.randrange(10)
        version = f"1.{rng.randrange(number + 1) if rng.random() < 0.1 else number}.0"
        fields: dict[str, Any] = {"kind": "snapshot", "version": version, "hash": rng.choice("xxxy")}
        if number and rng.random() < 0.3:
            base = f"1.{number - 1}.0"
            fields |= {"kind": "diff", "base": base, "version": f"1.{number}.0"}
            if rng.random() < 0.2:
                fields |= {"kind": "rollback", "base": f"1.{number}.0", "version": base}
        deadline = rng.choice((FAR, FAR, hlc + 30))
        proposed = writer.propose(origin, hlc=hlc, id_=f"p{number}", deadline_hlc=deadline, **fields)
        late += ((voter, proposed) for voter in VOTERS if voter != origin)
        rng.shuffle(late)
        while late and rng.random() < 0.8:
            voter, voted = late.pop()
            vote, reason = rng.choice((("accept", None), ("accept", None), ("reject", rng.choice(REASONS))))
            writer.vote(voter, voted, vote, reason)
    return writer


def history(seed: int, proposals: int, others: int, short_deadlines: bool = False) -> Writer:
    """Events of honest and confused instances: doubles, early votes, foreign voters, wrong hashes, broken payloads."""
    rng = random.Random(seed)
    writer = Writer()
    keys = [f"p{n}" for n in range(proposals)]
    hashes = {key: rng.choice("xy") for key in keys}
    required = rng.choice((1, 2, 2, 3))
    steps = keys + [""] * others
    rng.shuffle(steps)
    for key in steps:
        origin = rng.choice(VOTERS)
        hlc = rng.randrange(1, 40)
        if key:
            base, version = rng.choice(DIFFS)
            kind = rng.choice(("snapshot", "snapshot", "diff", "diff", "rollback"))
            fields: dict[str, Any] = {"kind": kind, "version": version, "hash": hashes[key]}
            if kind == "diff":
                fields |= {"base": base, "base_hash": rng.choice((None, None, "x", "y"))}
            if kind == "rollback":
                fields |= {"base": version, "version": base}
            if kind != "snapshot":
                fields["restored"] = rng.choice((None, None, None, "p0"))
            deadline = rng.randrange(1, 40) if short_deadlines else FAR
            writer.propose(
                origin, hlc=hlc, id_=key, required=required, vote=rng.choice(("accept", "accept", "reject")),
                reason=rng.choice(REASONS), leader_term=rng.randrange(3), deadline_hlc=deadline, **fields,
            )  # fmt: skip
            continue
        target = rng.choice(keys)
        match rng.randrange(12):
            case 0:
                writer.open_round(origin, target, rng.randrange(1, 3), [("version:1.2.0", rng.randrange(2))])
            case 1:
                slot = rng.choice([f"version:{v}" for v in VERSIONS] + [f"successor-of:{v}" for v in VERSIONS])
                writer.resolve(origin, slot, target)
            case 2:
                writer.write(origin, rng.choice((VOTES, "SNAPSHOT_PROPOSAL", "ROUND_OPENED", "CONFLICT_RESOLVED")), {})
            case 3:
                writer.write(rng.choice("DE"), VOTES, {"votes": [_item(rng, target, hashes[target])]})
            case 4:
                writer.write(
                    origin, VOTES, {"votes": [_item(rng, target, "z"), _item(rng, target, hashes[target])]}, hlc=hlc
                )
            case _:
                key2 = rng.choice(keys)
                items = [_item(rng, target, hashes[target]), _item(rng, key2, hashes[key2])]
                writer.write(origin, VOTES, {"votes": items}, hlc=hlc)
    return writer


def histories(short_deadlines: bool = False) -> st.SearchStrategy[Writer]:
    return st.builds(history, st.integers(0, 2**32), st.integers(1, 7), st.integers(0, 25), st.just(short_deadlines))


def _item(rng: random.Random, key: str, hash_: str) -> dict[str, Any]:
    vote = rng.choice(("accept", "accept", "accept", "reject", "abstain"))
    return {"proposal": key, "round": rng.choice((0, 0, 0, 1, 2)), "hash": hash_, "vote": vote,
            "reason": rng.choice(REASONS) if vote == "reject" else None}  # fmt: skip


def prefix(rng: random.Random, writer: Writer) -> dict[str, int]:
    return {journal: rng.randint(0, seq) for journal, seq in writer.vector.items()}


def within(events: list[Event], vector: dict[str, int]) -> list[Event]:
    return [e for e in events if e.seq <= vector.get(e.journal, 0)]


@given(histories(), st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_s3_any_order_with_repeats_gives_what_the_oracle_says(
    writer: Writer, strategy: Strategy, rng: random.Random
) -> None:
    oracle = Oracle(writer.events, strategy)
    in_order = folded(writer.events, strategy)
    assert not oracle.differences(in_order)
    shuffled = writer.events + rng.choices(writer.events, k=len(writer.events) // 2)
    rng.shuffle(shuffled)
    other = folded(shuffled, strategy)
    assert not oracle.differences(other)
    assert other.digest() == in_order.digest()
    assert other.conflicts() == in_order.conflicts()
    assert other.stalled(0) == in_order.stalled(0)


@given(st.data(), st.sampled_from(STRATEGIES), st.booleans(), st.booleans())
@settings(max_examples=150)
def test_c1_a_floor_gives_one_state_wherever_and_whenever_it_is_applied(
    data: st.DataObject, strategy: Strategy, short_deadlines: bool, tight: bool
) -> None:
    writer = data.draw(histories(short_deadlines))
    rng = data.draw(st.randoms(use_true_random=False))
    limits = replace(Limits(), max_settled_kept=2, max_history_kept=2) if tight else Limits()
    vector = prefix(rng, writer)
    checkpoint = folded(writer.events, strategy, limits).checkpoint(vector)
    below = folded(within(writer.events, vector), strategy, limits)
    assert below.checkpoint(vector) == checkpoint

    def arrival() -> list[Event]:
        events = writer.events + rng.choices(writer.events, k=4)
        rng.shuffle(events)
        return events

    early = Fold(strategy, limits)
    early.reset(vector, checkpoint)
    for event in arrival():
        early.apply(event)
    late = folded(arrival(), strategy, limits)
    late.reset(vector, checkpoint)
    midway = Fold(strategy, limits)
    events = arrival()
    cut = rng.randrange(len(events) + 1)
    for event in events[:cut]:
        midway.apply(event)
    midway.reset(vector, checkpoint)
    for event in events[cut:]:
        midway.apply(event)
    restarted = Fold(strategy, limits)
    restarted.reset(vector, checkpoint)
    for event in writer.events:
        if event.seq > vector.get(event.journal, 0):
            restarted.apply(event)
    states = [early, late, midway, restarted]
    assert len({fold.digest() for fold in states}) == 1
    assert len({fold.current for fold in states}) == 1
    assert early.conflicts() == late.conflicts() == midway.conflicts() == restarted.conflicts()
    assert early.stalled(0) == late.stalled(0) == midway.stalled(0) == restarted.stalled(0)

    higher = {journal: rng.randint(vector[journal], seq) for journal, seq in writer.vector.items()}
    second = restarted.checkpoint(higher)
    assert late.checkpoint(higher) == second
    lagging = folded(arrival(), strategy, limits)
    lagging.reset(higher, second)
    early.reset(higher, second)
    assert lagging.digest() == early.digest()
    assert lagging.current == early.current


def observable(fold: Fold) -> dict[str, Any]:
    states = [state for key in fold.keys if (state := fold.get(key)) is not None]
    return {
        "current": fold.current,
        "highest": fold.highest_accepted,
        "conflicts": [(c.slot, c.keys, c.winner, c.open) for c in fold.conflicts()],
        "stalled": fold.stalled(0),
        "digest": fold.digest(),
        "proposals": {s.key: (s.verdict, s.reason, s.decided_ms, s.settled, s.votes) for s in states},
    }


@given(histories(), st.sampled_from(STRATEGIES))
@settings(max_examples=100)
def test_c1_a_floor_over_all_that_is_known_changes_nothing(writer: Writer, strategy: Strategy) -> None:
    fold = folded(writer.events, strategy)
    before = observable(fold)
    fold.reset(writer.vector, fold.checkpoint(writer.vector))
    assert observable(fold) == before


@example(seed=486971292, proposals=38, strategy="last-write-wins", tight=True)
@given(
    seed=st.integers(0, 2**32),
    proposals=st.integers(1, 60),
    strategy=st.sampled_from(STRATEGIES),
    tight=st.booleans(),
)
@settings(max_examples=150)
def test_c1_floor_after_floor_says_what_the_events_below_it_say(
    seed: int, proposals: int, strategy: Strategy, tight: bool
) -> None:
    """Also where most of what lies below is lent and not decided anew."""
    writer = calm_history(seed, proposals)
    rng = random.Random(seed)
    limits = replace(Limits(), max_settled_kept=5, max_history_kept=2) if tight else Limits()
    whole = folded(writer.events, strategy, limits)
    below = Fold(strategy, limits)
    vector: dict[str, int] = {}
    for _ in range(3):
        higher = {journal: rng.randint(vector.get(journal, 0), seq) for journal, seq in writer.vector.items()}
        for event in within(writer.events, higher):
            below.apply(event)
        floor = whole.checkpoint(higher)
        assert below.checkpoint(higher) == floor
        again = whole.digest()
        assert whole.checkpoint(higher) == floor, "to look changes nothing"
        assert whole.digest() == again
        whole.reset(higher, floor)
        below.reset(higher, floor)
        vector = higher
    for event in writer.events:
        below.apply(event)
    assert below.digest() == whole.digest()
    assert below.checkpoint(writer.vector) == whole.checkpoint(writer.vector)


def test_c1_most_of_what_lies_below_is_lent() -> None:
    writer = calm_history(1, 60)
    fold = folded(writer.events)
    apart, mixed = fold._facts._parted(writer.vector)
    assert 30 < len(apart) < 60
    assert len(apart) + len(mixed) == 60
