"""Versions that were accepted once and rolled back: one cannot go to them any more (P2, S2)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node.protocol.state import Fold


def is_void(fold: "Fold", version: str) -> bool:
    """Whether a version was accepted and one cannot go to it any more; a diff that waits for its base is not void."""
    while not fold.is_reachable(version):
        settled = fold.leading_to(version)
        if settled is None:
            return False
        if settled.payload.kind != "diff":
            return True
        version = settled.payload.base or ""
        if fold.is_reachable(version) and fold.leading_to(version) is not None:
            return True
    return False
