"""Floors free what they forget at once, and what they were made with: nothing of it waits for a search (C1)."""

from hypothesis import given
from hypothesis import strategies as st

from node.protocol.settings import Limits
from node.protocol.state import Fold
from tests.cycles import unlooked_for
from tests.protocol.catalogue import FAR
from tests.protocol.test_state_bundles import history

BRIEF = Limits(max_settled_kept=2, max_history_kept=0)


@given(st.integers(0, FAR))
def test_c1_floors_leave_no_proposals_that_hold_one_another(seed: int) -> None:
    writer = history(seed, 8)
    maker, taker = Fold("last-write-wins", BRIEF), Fold("last-write-wins", BRIEF)
    with unlooked_for() as left:
        vector: dict[str, int] = {}
        for at, event in enumerate(writer.events):
            for fold in (maker, taker):
                fold.apply(event)
            vector[event.journal] = event.seq
            if at % 5 == 4:
                floor = maker.checkpoint(vector)
                for fold in (maker, taker):
                    fold.reset(vector, floor)
        del floor, event
    assert not left
