"""Honest voters, each with a fold of what has reached it: verdicts are final, rounds are safe and end splits (P3-P5).

A small world: instances propose, vote on what they see with `bound_by`, and any of them opens rounds as a leader
would, on knowledge that may be old. Journals reach others in pieces, each in its own order (V1).
"""

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.protocol.events import Event
from node.protocol.proposal import VoteWord
from node.protocol.settings import Limits, Rule, Strategy
from node.protocol.state import Fold
from node.protocol.versions import parse
from tests.protocol.catalogue import Writer, folded

VERSIONS = ("1.1.0", "1.2.0", "1.3.0")
DECIDED = ("accepted", "rejected")


class Instance:
    """One voter and what it knows."""

    def __init__(self, name: str, world: "World") -> None:
        self.name = name
        self.world = world
        self.fold = Fold("last-write-wins", world.limits)
        self.have: dict[str, int] = {}
        self.decided: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """An event arrives, the next of its journal."""
        self.have[event.journal] = event.seq
        before = dict(self.decided)
        changes = self.fold.apply(event)
        for key, verdict in [(each.key, verdict) for proposals, verdict, _ in changes for each in proposals]:
            assert before.get(key, verdict) == verdict, f"{key} was {before[key]} and is {verdict}"
            if verdict in DECIDED:
                self.decided[key] = verdict

    def reset(self, vector: dict[str, int], floor: msgspec.Raw) -> None:
        """A floor is put in place: who is behind it has its state in place of the events."""
        self.fold.reset(vector, floor)
        self.have |= {journal: max(seq, self.have.get(journal, 0)) for journal, seq in vector.items()}
        self.decided |= verdicts(self.fold)

    def write(self, event: Event) -> None:
        """An event of one's own is known at once."""
        self.take(event)

    def pull(self, other: "Instance", most: int) -> None:
        """Take up to `most` events of each journal that another holds, in order."""
        for journal, seq in other.have.items():
            mine = self.have.get(journal, 0)
            for event in self.world.journals[journal][mine : min(seq, mine + most)]:
                self.take(event)

    def vote(self) -> None:
        """Vote on everything open, in the rounds one has not voted in."""
        for key in self.fold.open_keys:
            state = self.fold.get(key)
            assert state is not None
            for round_ in sorted({0, state.round}):
                if (self.name, round_) not in state.votes and state.verdict == "pending":
                    vote, reason = self.judge(key, round_)
                    event = self.world.by_key[key]
                    self.write(self.world.note(self.world.writer.vote(self.name, event, vote, reason, round_)))

    def judge(self, key: str, round_: int) -> tuple[VoteWord, str | None]:
        """As P3 says, of what matters here."""
        state = self.fold.get(key)
        assert state is not None
        highest = self.fold.highest_accepted
        if highest is not None and parse(state.payload.version) <= parse(highest):
            return "reject", "stale_version"
        base, current = state.payload.base, self.fold.current
        if self.world.founded and base is not None and (current is None or current[0] != base):
            return "reject", "stale_base"
        if self.fold.bound_by(key, self.name, round_) is not None:
            return "reject", "conflicting_vote"
        return "accept", None

    def open_rounds(self) -> None:
        """As a leader, perhaps one that has been replaced without knowing."""
        for key, round_, slots in self.fold.stalled(0):
            self.write(self.world.note(self.world.writer.open_round(self.name, key, round_, slots)))


class World:
    """All instances and what they wrote."""

    def __init__(self, count: int, rule: Rule, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.writer = Writer()
        self.journals: dict[str, list[Event]] = {}
        self.by_key: dict[str, Event] = {}
        self.voters = tuple("ABCDE"[:count])
        self.required = (count + 1) // 2 if rule == "half" else count // 2 + 1
        self.instances = [Instance(name, self) for name in self.voters]
        self.founded = False
        """Whether the version that diffs begin with is one of the world's."""

    def found(self) -> None:
        """All begin with a version that all accepted."""
        first = self.instances[0]
        event = self.writer.snapshot(
            first.name, "1.0.0", "first", vote=None, voters=self.voters, required=self.required
        )
        self.by_key[event.id] = event
        first.write(self.note(event))
        self.heal()
        self.founded = True

    def note(self, event: Event) -> Event:
        self.journals.setdefault(event.journal, []).append(event)
        return event

    def propose(self, instance: Instance, rng: random.Random) -> None:
        """A snapshot, or a diff from the version all began with; the proposer votes when it has seen its own event."""
        version = rng.choice(VERSIONS)
        fields: dict[str, Any] = {"kind": "diff", "base": "1.0.0"} if rng.random() < 0.5 else {"kind": "snapshot"}
        event = self.writer.propose(
            instance.name, **fields, version=version, hash=rng.choice("xy"), vote=None, voters=self.voters,
            required=self.required,
        )  # fmt: skip
        self.by_key[event.id] = event
        instance.write(self.note(event))

    def run(self, rng: random.Random, steps: int, proposals: int) -> None:
        """Random steps of random instances."""
        for _ in range(steps):
            one, other = rng.sample(self.instances, 2)
            match rng.randrange(5):
                case 0 if len(self.by_key) < proposals:
                    self.propose(one, rng)
                case 1:
                    one.vote()
                case 2 if rng.random() < 0.5:
                    one.open_rounds()
                case _:
                    one.pull(other, rng.randrange(1, 4))

    def heal(self) -> int:
        """Everybody hears and votes on everything, and one leads, until nothing moves; the number of turns."""
        for turn in range(1, 50):
            before = sum(len(journal) for journal in self.journals.values())
            for one in self.instances:
                for other in self.instances:
                    one.pull(other, 10**6)
                one.vote()
            self.instances[0].open_rounds()
            if before == sum(len(journal) for journal in self.journals.values()):
                return turn
        raise AssertionError("rounds without end")

    def undecided(self) -> list[str]:
        """What is still pending though its version is still ahead and its content not accepted under another key."""
        fold = self.instances[0].fold
        highest = parse(fold.highest_accepted or "0.0.0")
        states = [state for key in fold.open_keys if (state := fold.get(key)) is not None and state.order > highest]
        pending = set(fold.open_keys)
        return [state.key for state in states if (fold.find(*state.content) or state.key) in pending]

    def two_contents_accepted(self) -> bool:
        return any(instance.fold.conflicts() for instance in self.instances)


def lived(seed: int, count: int, rule: Rule, steps: int) -> World:
    rng = random.Random(seed)
    world = World(count, rule)
    world.run(rng, steps, proposals=rng.randrange(2, 6))
    world.heal()
    return world


worlds = (st.integers(0, 2**32), st.integers(2, 5))


@given(*worlds)
@settings(max_examples=100)
def test_p4_p5_under_majority_never_two_contents_in_a_slot_and_verdicts_are_final(seed: int, count: int) -> None:
    world = lived(seed, count, "majority", 60)
    assert not world.two_contents_accepted()
    assert not world.undecided()
    assert len({instance.fold.digest() for instance in world.instances}) == 1


@given(*worlds)
@settings(max_examples=100)
def test_p4_under_half_all_agree_after_healing_and_verdicts_are_final(seed: int, count: int) -> None:
    world = lived(seed, count, "half", 60)
    assert len({instance.fold.digest() for instance in world.instances}) == 1
    assert len({instance.fold.current for instance in world.instances}) == 1


def seen(fold: Fold, world: World) -> dict[str, Any]:
    """All that a node does or shows with a fold."""
    states = [state for key in sorted(fold.keys) if (state := fold.get(key)) is not None]
    return {
        "digest": fold.digest(),
        "current": fold.current,
        "highest": fold.highest_accepted,
        "conflicts": fold.conflicts(),
        "stalled": fold.stalled(0),
        "states": [(s.key, s.verdict, s.reason, s.settled, s.round, s.votes) for s in states],
        "bound": [[fold.bound_by(s.key, v, r) for v in world.voters for r in range(3)] for s in states],
    }


@given(*worlds, st.sampled_from(["last-write-wins", "leader-wins", "reject-inconsistent"]), st.integers(0, 2))
@example(21663, 4, "last-write-wins", 1)
@settings(max_examples=100)
def test_c1_a_floor_over_a_living_fold_is_the_same_as_starting_from_it(
    seed: int, count: int, strategy: Strategy, kept: int
) -> None:
    """A fold that decided as the floor does takes it in place; one that starts from the floor must not differ."""
    rng = random.Random(seed)
    world = World(count, rng.choice(("half", "majority")))
    world.run(rng, 80, proposals=rng.randrange(2, 8))
    limits = replace(Limits(), max_settled_kept=kept, max_history_kept=kept) if kept else Limits()
    events = world.writer.events
    living = folded(events, strategy, limits)
    low = rng.randrange(len(events) + 1)
    for length in (low, rng.randrange(low, len(events) + 1)):
        vector = {event.journal: event.seq for event in events[:length]}
        checkpoint = living.checkpoint(vector)
        living.reset(vector, checkpoint)
        fresh = Fold(strategy, limits)
        fresh.reset(vector, checkpoint)
        for event in events:
            fresh.apply(event)
        assert seen(living, world) == seen(fresh, world)
        whole = {event.journal: event.seq for event in events}
        assert living.checkpoint(whole) == fresh.checkpoint(whole)


@given(*worlds, st.sampled_from(["half", "majority"]))
@settings(max_examples=100)
def test_c1_no_floor_takes_back_what_was_decided(seed: int, count: int, rule: Rule) -> None:
    """Whatever its maker had not heard, and floor upon floor: who saw a verdict sees the same one (P4)."""
    rng = random.Random(seed)
    world = World(count, rule)
    vector: dict[str, int] = {}
    for _ in range(3):
        world.run(rng, 40, proposals=rng.randrange(2, 8))
        maker = rng.choice(world.instances)
        known = {journal: rng.randint(0, seq) for journal, seq in maker.have.items()}
        vector = {journal: max(vector.get(journal, 0), known.get(journal, 0)) for journal in vector | known}
        floor = maker.fold.checkpoint(vector)
        for instance in world.instances:
            before = verdicts(instance.fold)
            instance.reset(vector, floor)
            after = verdicts(instance.fold)
            assert {key: after.get(key) for key in before} == before
    world.heal()
    assert len({instance.fold.digest() for instance in world.instances}) == 1


@given(*worlds, st.sampled_from(["half", "majority"]), st.integers(0, 2))
@settings(max_examples=100)
def test_c1_a_verdict_stands_or_is_not_shown_once_floors_forget(seed: int, count: int, rule: Rule, kept: int) -> None:
    """What was rejected would be open again, as far as is left of what it lost to."""
    rng = random.Random(seed)
    world = World(count, rule, replace(Limits(), max_settled_kept=kept, max_history_kept=kept))
    world.found()
    told: dict[tuple[str, str], str] = {}
    vector = dict(world.instances[0].have)
    for _ in range(4):
        for _ in range(4):
            world.run(rng, 10, proposals=len(world.by_key) + rng.randrange(4))
            for each in world.instances:
                for key, verdict in shown(each.fold).items():
                    assert told.get((each.name, key), verdict) == verdict
                    if verdict in DECIDED:
                        told[each.name, key] = verdict
        maker = rng.choice(world.instances)
        known = {journal: rng.randint(0, seq) for journal, seq in maker.have.items()}
        vector = {journal: max(vector.get(journal, 0), known.get(journal, 0)) for journal in vector | known}
        floor = maker.fold.checkpoint(vector)
        for each in world.instances:
            each.decided = {}
            each.reset(vector, floor)


def shown(fold: Fold) -> dict[str, str]:
    """What people are told, by key."""
    return {state.key: state.verdict for state in fold.newest(10**6)}


def verdicts(fold: Fold) -> dict[str, str]:
    """What is decided, by key."""
    states = (fold.get(key) for key in fold.keys)
    return {state.key: state.verdict for state in states if state is not None and state.verdict in DECIDED}


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize("contents", [2, 3])
def test_p5_simultaneous_snapshots_of_one_version_end_with_one_winner(count: int, contents: int) -> None:
    world = World(count, "majority")
    for number, instance in enumerate(world.instances):
        event = world.writer.snapshot(
            instance.name, "1.1.0", f"h{number % contents}", vote=None, voters=world.voters, required=world.required
        )
        world.by_key[event.id] = event
        instance.write(world.note(event))
        instance.vote()
    world.heal()
    fold = world.instances[0].fold
    assert fold.current is not None
    assert not world.two_contents_accepted()
    winners = {state.content for key in fold.keys if (state := fold.get(key)) and state.verdict == "accepted"}
    assert len(winners) == 1
