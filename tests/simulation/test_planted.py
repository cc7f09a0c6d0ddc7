"""Planted bugs: a protocol that is weaker in one place is found out within a bounded number of seeds."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import msgspec
import pytest

from node.protocol import locks
from node.protocol.core import Core
from node.protocol.effects import Effect, Emit, Input, Now, Persist, Reply, Send
from node.protocol.election import Election
from node.protocol.messages import VoteAnswer
from node.protocol.records import Durable, Vote
from node.protocol.settings import Settings
from node.simulation.explore import run_plan
from node.simulation.network import CALM, Weather
from node.simulation.plan import draw
from node.simulation.world import MakeCore

SEEDS = 60
STORM = Weather(delay_s=0.02, jitter_s=0.3, straggle=0.1, straggle_s=3.0)
"""Answers so late that several stand for election at once."""


def found(make_core: MakeCore, *families: str, weather: Weather = CALM, seeds: int = SEEDS) -> str | None:
    """The rule that a seed shows to be broken, of the first seed that does."""
    for seed in range(seeds):
        drawn = draw(f"planted-{seed}", nodes=3 if weather is CALM else 5, families=families)
        plan = replace(
            drawn, scale=0.2, duration_s=40.0, fault_every_s=1.0, think_s=0.3, clients=3, weather=weather,
            exchange=weather is CALM,
        )  # fmt: skip
        report = run_plan(plan, make_core=make_core)
        if report.violation:
            return report.violation.rule
    return None


def on_disk(change: Callable[[Durable], None]) -> MakeCore:
    """Cores that start from an image changed by `change`."""

    def make(settings: Settings, durable: Durable, rng: Random, now: Now, boot: str) -> Core:
        change(durable)
        return Core(settings, durable, rng, now, boot)

    return make


def forget_the_vote(durable: Durable) -> None:
    durable.hard = Vote(durable.hard.term, None)


def forget_the_term(durable: Durable) -> None:
    durable.hard = Vote(0, None)


def forget_the_locks(durable: Durable) -> None:
    durable.control.locks.clear()
    durable.control.token = 0


class Hasty(Core):
    """Lets everything leave before it is on disk."""

    def step(self, now: Now, given: Input) -> list[Effect]:
        return [
            msgspec.structs.replace(effect, after=0) if isinstance(effect, Send | Reply | Emit) else effect
            for effect in super().step(now, given)
        ]


class Amnesiac(Core):
    """Never writes its votes down."""

    def step(self, now: Now, given: Input) -> list[Effect]:
        return [
            msgspec.structs.replace(effect, records=tuple(r for r in effect.records if not isinstance(r, Vote)))
            if isinstance(effect, Persist)
            else effect
            for effect in super().step(now, given)
        ]


CRASHES = ("crash", "crash_between_effects", "restart_all", "partition")


@pytest.mark.parametrize(
    "make_core",
    [on_disk(forget_the_term), on_disk(forget_the_locks), Hasty, Amnesiac],
    ids=["term forgotten", "locks forgotten", "sent before synced", "votes not written"],
)
def test_what_a_disk_must_keep(make_core: MakeCore) -> None:
    """E1, L1, V4, promise 3."""
    assert found(make_core, *CRASHES)


def test_a_vote_forgotten_in_a_restart() -> None:
    """E1: the term is kept, who got the vote is not."""
    assert found(on_disk(forget_the_vote), "restart_all", "partition", "crash", weather=STORM) == "E1"


@pytest.mark.parametrize("weather", [CALM, STORM])
def test_the_sound_core_is_not_found_guilty(weather: Weather) -> None:
    """Promises 1-5, in the very plans that find the planted bugs."""
    assert found(Core, *CRASHES, weather=weather, seeds=6) is None


def test_a_log_that_is_not_taken_from_the_voters(monkeypatch: pytest.MonkeyPatch) -> None:
    """E4: a new leader goes by its own control log alone."""

    def keep_own(self: Election, answer: VoteAnswer) -> None:
        return None

    monkeypatch.setattr(Election, "_keep_greatest", keep_own)
    assert found(Core, *CRASHES, "isolate", "one_way")


def test_a_vote_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """E1: a second vote in one term."""
    original = Election.on_vote_request

    def generous(self: Election, peer: object, ask: object) -> None:
        self.voted_for = None
        original(self, peer, ask)  # type: ignore[arg-type]

    monkeypatch.setattr(Election, "on_vote_request", generous)
    assert found(Core, *CRASHES) in ("E1", "promise 1")


def test_leases_that_end_too_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """L4: the leader counts less than the holder may."""
    monkeypatch.setattr(locks, "CLOCK_RATE_MARGIN", 0.8)
    assert found(Core, "slow_link") == "promise 2"
