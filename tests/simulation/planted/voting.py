"""Proposals and votes weakened (P1-P6)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from node.protocol import ballot, decisions
from node.protocol.ballot import ProposalState, Slot
from node.protocol.context import Context
from node.protocol.core import Core
from node.protocol.proposals import Proposals
from node.protocol.voting import ACCEPT, Voting
from tests.simulation.planted.bug import CRASHES, LATE, STORM, bug
from tests.simulation.planted.patches import around

Patch = pytest.MonkeyPatch
SPLITS = ("partition", "isolate", "flap")


def _timeless(patch: Patch) -> None:
    patch.setattr(ProposalState, "decided_ms", property(lambda self: None if self.verdict == "pending" else 0))


@bug("votes are pooled by version", "P1", *SPLITS, first=3)
def pooled(patch: Patch) -> None:
    _timeless(patch)

    def judge(original: Callable[..., str], proposal: ProposalState) -> str:
        rivals = [p for slot in proposal.slots for p in slot.proposals]
        voters = {v for p in rivals for (v, _), cast in p.votes.items() if cast.vote == ACCEPT}
        return "accepted" if len(voters) >= proposal.payload.required else original(proposal)

    around(patch, decisions, "judge", judge)


@bug("a verdict goes by today's members", "P1", "members", "partition", "crash", nodes=None, first=13)
def todays_required(patch: Patch) -> None:
    today: dict[int, int] = {}

    def begin(original: Callable[..., None], self: Core, settings: Any, *args: Any) -> None:
        today[0] = len(settings.voters) // 2 + 1
        original(self, settings, *args)

    def judge(original: Callable[..., str], proposal: ProposalState) -> str:
        if max(proposal.accepts.values(), default=0) >= today[0]:
            return "accepted"
        return original(proposal) if today[0] <= proposal.payload.required else "pending"

    around(patch, Core, "__init__", begin)
    around(patch, decisions, "judge", judge)


@bug("an earlier accept does not bind", "P2", *SPLITS, rule="majority", rare=True)
def unbound(patch: Patch) -> None:
    patch.setattr(Voting, "_bound", lambda self, proposal, round_, key: False)


@bug("a diff binds its version only", "P2", *SPLITS, rule="majority", think_s=0.03, clients=6, rare=True)
def half_bound(patch: Patch) -> None:
    def bound(original: Callable[..., Any], proposal: ProposalState, *args: Any) -> Slot | None:
        slot: Slot | None = original(proposal, *args)
        return slot if slot is not None and slot.name.startswith("version:") else None

    around(patch, ballot, "_binding_slot", bound)


@bug("a vote leaves before it is on the disk", "P3", *CRASHES)
def hasty(patch: Patch) -> None:
    def drain(original: Callable[..., list[Any]], self: Context) -> list[Any]:
        out = original(self)
        return [msgspec.structs.replace(e, after=0) if getattr(e, "after", 0) else e for e in out]

    around(patch, Context, "drain", drain)


@bug(
    "votes of this very step do not bind",
    "P3",
    *SPLITS,
    rule="majority",
    think_s=0.02,
    clients=6,
    weather=STORM,
    exchange=True,
    rare=True,
)
def unplanned(patch: Patch) -> None:
    def judge(original: Callable[..., Any], self: Voting, *args: Any) -> Any:
        return original(self, *args[:5])

    around(patch, Voting, "judge", judge)


@bug("one accept fewer suffices", "P4", *SPLITS)
def one_fewer(patch: Patch) -> None:
    _timeless(patch)

    def judge(original: Callable[..., str], proposal: ProposalState) -> str:
        enough = max(proposal.accepts.values(), default=0) >= max(1, proposal.payload.required - 1)
        return "accepted" if enough else original(proposal)

    around(patch, decisions, "judge", judge)


@bug("what is past its deadline is rejected", "P4", *SPLITS, "pause", "crash", first=49)
def deadline_rejects(patch: Patch) -> None:
    def apply(original: Callable[..., Any], self: Proposals) -> None:
        original(self)
        for key in self._fold.open_keys:
            state = self._fold.get(key)
            if state is not None and state.payload.deadline_hlc < self._clock.read(self._ctx.wall_ms):
                self._fold._facts.decisions.freeze(state, "rejected", "deadline")

    around(patch, Proposals, "look", apply)


@bug(
    "a round is opened although the last may still be won", "P5", "slow_link",
    rule="majority", nodes=5, think_s=0.3, clients=8, weather=LATE, duration_s=10.0, families=(), rare=True,
)  # fmt: skip
def round_too_early(patch: Patch) -> None:
    patch.setattr(Slot, "dead_up_to", lambda self: max(r for p in self.proposals for r in p.rounds()))
    patch.setattr(ballot, "can_win", lambda proposal, up_to=None: False)


@bug(
    "a further round lifts a rejection that others count on",
    "P5",
    "partition",
    "flap",
    "wall_step",
    rule="majority",
    nodes=5,
    think_s=0.05,
    rare=True,
)
def rejection_lifted(patch: Patch) -> None:
    patch.setattr(ProposalState, "lasting", lambda self, voter: None)


@bug("no further round is opened", "P5", "partition", "flap", rule="majority", nodes=4, think_s=0.05, rare=True)
def no_further_round(patch: Patch) -> None:
    patch.setattr(Proposals, "_open_rounds", lambda self: None)
    patch.setattr(Proposals, "_close_expired", lambda self: None)


@bug("the same request is proposed again", "P6", "slow_link", "pause", "crash", rare=True)
def proposed_again(patch: Patch) -> None:
    patch.setattr(Proposals, "_existing", lambda self, ask: None)
