"""Slots in which two contents were accepted, and what settles each (S1)."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from node.protocol.ballot import Slot, age
from node.protocol.proposal import Resolution
from node.protocol.settlement import choices


class Conflict(NamedTuple):
    """Accepted proposals of different contents in one slot (S1), the earliest first."""

    slot: str
    keys: tuple[str, ...]
    winner: str | None
    """None while open, or when its winner lost another slot."""
    open: bool
    by: Literal["floor", "resolution", "strategy"]
    """What settled it, or will."""


def conflict_in(slot: Slot, resolutions: Iterable[Resolution]) -> Conflict:
    """How a slot with two or more accepted contents stands; `resolutions`: what people decided anywhere."""
    ordered = sorted(slot.accepted, key=age)
    winner = next((p for p in ordered if p.settled), None)
    by: Literal["floor", "resolution", "strategy"] = "strategy"
    if any(p.standing is not None for p in ordered):
        by = "floor"
    elif winner is not None and winner.key in choices({p.key: p for p in ordered}, resolutions):
        by = "resolution"
    return Conflict(
        slot.name,
        tuple(p.key for p in ordered),
        winner.key if winner is not None else None,
        any(p.settled is None for p in ordered),
        by,
    )
