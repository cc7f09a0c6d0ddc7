"""The fold and its floors weakened (S1-S3, C1)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from node.protocol import checkpoint, compaction, decisions, facts
from node.protocol.ballot import ProposalState
from node.protocol.checkpoint import Checkpoint
from node.protocol.compaction import Compaction, Sample
from node.protocol.control import Control
from node.protocol.facts import Facts
from node.protocol.parts import Parts
from node.protocol.placing import Placing
from node.protocol.proposal_views import ProposalViews
from node.protocol.settings import Limits
from node.protocol.settlement import Contender, Lineage
from node.protocol.state import Fold
from tests.simulation import storm
from tests.simulation.planted.bug import CUTS, LATE, bug
from tests.simulation.planted.patches import around

Patch = pytest.MonkeyPatch
SMALL = Limits(retain_events=8, max_events_per_push=4)
FORGETFUL = Limits(retain_events=8, max_events_per_push=4, max_settled_kept=3, max_history_kept=3)
SLOW_PUSHES = Limits(retain_events=8, max_events_per_push=1)
SPLITS = ("partition", "isolate", "crash", "flap")


@bug(
    "the winner of a conflict is the first to arrive",
    "S1",
    "partition",
    nodes=4,
    rule="half",
    strategy="last-write-wins",
    rare=True,
)
def first_come(patch: Patch) -> None:
    patch.setattr(Contender, "rank", lambda self, strategy: (0, 0, ""))


@bug(
    "an open conflict is settled by the strategy",
    "S1",
    "partition",
    nodes=4,
    rule="half",
    strategy="reject-inconsistent",
    rare=True,
)
def settled_by_arrival(patch: Patch) -> None:
    def settle(original: Callable[..., Any], accepted: Any, strategy: Any, chosen: Any) -> dict[Any, bool | None]:
        outcome: dict[Any, bool | None] = original(accepted, strategy, chosen)
        first = True
        for content, won in outcome.items():
            outcome[content] = (won if won is not None else first) or False
            first = False
        return outcome

    around(patch, decisions, "settle", settle)


@bug("the current version is the last that arrived", "S2", *SPLITS, rare=True)
def last_arrived(patch: Patch) -> None:
    def reach(original: Callable[..., None], self: Lineage, proposal: ProposalState) -> None:
        original(self, proposal)
        self.current = proposal

    around(patch, Lineage, "_reach", reach)


@bug("a diff counts without its base", "S2", *SPLITS, think_s=0.1, first=19)
def without_base(patch: Patch) -> None:
    def current(self: Fold) -> tuple[str, str] | None:
        settled = [
            p for p in self._facts.decisions.register.by_key.values() if p.settled and p.payload.kind != "rollback"
        ]
        last = settled[-1] if settled else None
        return None if last is None else (last.payload.version, last.payload.hash)

    patch.setattr(Fold, "current", property(current))


@bug(
    "who knows all that a floor keeps goes on counting the rest", "S3", *SPLITS, limits=FORGETFUL, think_s=0.1, first=5
)
def nothing_forgotten(patch: Patch) -> None:
    def advance(original: Callable[..., bool], self: Facts, vector: Any, floor: Checkpoint) -> bool:
        if not all(each.birth.key in self.decisions.register.by_key for each in floor.kept):
            return original(self, vector, floor)
        self._vector, self.floor = dict(vector), floor
        return True

    around(patch, Facts, "_advance", advance)


@bug(
    "a bound vote is forgotten by the floor",
    "C1",
    *SPLITS,
    limits=SMALL,
    rule="majority",
    think_s=0.05,
    nodes=4,
    rare=True,
)
def bindings_dropped(patch: Patch) -> None:
    def keep(original: Callable[..., Any], *args: Any) -> Any:
        kept = original(*args)
        return tuple(each if each.final else msgspec.structs.replace(each, votes=()) for each in kept)

    around(patch, facts, "keep", keep)


@bug("a floor is acted on before it is committed", "C1", *CUTS, limits=SMALL, think_s=0.1, nodes=5, first=1)
def early_floor(patch: Patch) -> None:
    def settle(self: Control) -> None:
        if self.state.floor is not None:
            self.on_floor(self.state.floor)

    def append(original: Callable[..., None], self: Control, *args: Any) -> None:
        original(self, *args)
        settle(self)

    patch.setattr(Control, "_settle_floor", settle)
    around(patch, Control, "append", append)
    around(patch, Control, "on_append", append)


@bug(
    "whoever is behind the floor takes the vector and not the state", "C1", *SPLITS, limits=SMALL, think_s=0.1, first=19
)
def floor_without_state(patch: Patch) -> None:
    def reach(original: Callable[..., None], self: Parts, floor: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self.fold, "reset", lambda vector, given: None)
            original(self, floor)

    around(patch, Parts, "_on_floor", reach)


@bug(
    "a floor ends what unheard voters may have accepted", "C1", *SPLITS,
    limits=SMALL, nodes=5, think_s=0.05, clients=6, weather=LATE, duration_s=60.0, rare=True,
)  # fmt: skip
def unheard_voters(patch: Patch) -> None:
    patch.setattr(checkpoint, "_is_over", lambda proposal, hlc, latest: proposal.payload.deadline_hlc < hlc)


@bug(
    "a floor drops the votes that came before their proposal", "C1", "one_way", "slow_link",
    limits=SLOW_PUSHES, nodes=4, rule="half", think_s=0.03, clients=6, duration_s=120.0, first=14,
)  # fmt: skip
def early_votes_dropped(patch: Patch) -> None:
    patch.setattr(facts, "lies_above", lambda key, vector: False)


@bug(
    "a vote for what a floor has decided binds nobody",
    "C1",
    *storm.FAMILIES,
    weather=storm.WEATHER,
    limits=SMALL,
    nodes=4,
    rule="half",
    rare=True,
    **storm.PLAN,
)
def late_votes_unbound(patch: Patch) -> None:
    def add_vote(original: Callable[..., None], self: Placing, key: str, *args: Any) -> None:
        p = self.decisions.register.by_key.get(key)
        if p is None or not p.final:
            original(self, key, *args)

    around(patch, Placing, "_add_vote", add_vote)


@bug(
    "a new leader's floor lies below the last one's in some journal", "C1", "chase", "slow_link",
    limits=SMALL, nodes=5, think_s=0.05, clients=6, fault_every_s=3.0, duration_s=80.0, rare=True,
)  # fmt: skip
def floor_goes_back(patch: Patch) -> None:
    patch.setattr(Compaction, "_covers_floor", lambda self, vector: True)


@bug(
    "a floor says nothing of what it forgot", "C1", "partition", "isolate", "crash", "slow_link", "flap",
    limits=FORGETFUL, nodes=3, rule="half", think_s=0.05, clients=6, fault_every_s=4.0, duration_s=60.0, first=53,
)  # fmt: skip
def forgotten_untold(patch: Patch) -> None:
    patch.setattr(facts, "forgets", lambda known, kept, former: None)


@bug("a floor covers what is not on the leader's own disk yet", "C1", "disk_slow", limits=SMALL, think_s=0.1, first=2)
def floor_in_the_air(patch: Patch) -> None:
    def sample(events: int, proposals: int, vector: dict[str, int], persist: int) -> Sample:
        return Sample(events, proposals, vector, 0)

    patch.setattr(compaction, "Sample", sample)


@bug("a verdict is shown before the vote that decided it is on the disk", "P3", "disk_slow")
def shown_in_the_air(patch: Patch) -> None:
    patch.setattr(ProposalViews, "_seen", ProposalViews.show)
