"""Votes that come before their proposal, and floors between the two (P3, C1)."""

import pytest

from node.protocol.settings import Limits
from node.protocol.state import Fold
from tests.protocol.catalogue import Writer


@pytest.mark.parametrize("floors", [1, 2, 3])
def test_a_vote_outlives_any_number_of_floors_until_its_proposal_comes(floors: int) -> None:
    """Found by a storm of elections: dropped, it was cast anew, and a verdict that was told became another one."""
    writer = Writer()
    proposal = writer.snapshot("A", "1.0.0")
    vote = writer.vote("B", proposal)
    fold = Fold("last-write-wins", Limits())
    fold.apply(vote)
    for number in range(floors):
        fold.apply(writer.snapshot("C", f"0.{number}.0"))
        vector = {journal: seq for journal, seq in writer.vector.items() if journal != proposal.journal}
        fold.reset(vector, fold.checkpoint(vector))
    fold.apply(proposal)
    state = fold.get(proposal.id)
    assert state is not None
    assert state.verdict == "accepted"
    assert set(state.votes) == {("A", 0), ("B", 0)}
