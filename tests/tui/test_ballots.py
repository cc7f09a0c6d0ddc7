"""Proposals before their voters."""

from iwdc_console.tui.model.api import Instance, Proposal, Status, Vote
from iwdc_console.tui.model.ballots import Ballot, Line, ballot

PROPOSAL = Proposal(
    kind="snapshot", version="1.5.0", state="pending", created_at=1_000, deadline=31_000, required=3,
    voters=("A", "B", "C", "D"), votes={"A": Vote("accept", None, 1_000), "D": Vote("reject", "stale_version", 1_240)},
)  # fmt: skip
STATUS = Status(instances=(Instance(id="B", status="healthy"), Instance(id="C", status="unreachable")))


def test_every_voter_has_a_line_in_order() -> None:
    found = ballot(PROPOSAL, STATUS, 20_000)
    assert found == Ballot(
        (
            Line("A", "accept", "", 0), Line("B", "waiting"), Line("C", "absent"),
            Line("D", "reject", "stale_version", 240),
        ),
        accepts=1, required=3, left_ms=11_000,
    )  # fmt: skip
    assert "".join(line.shape for line in found.lines) == "✓·○✗"


def test_time_is_up_but_it_is_decided_no_earlier() -> None:
    assert ballot(PROPOSAL, None, 99_000).left_ms == 0
    decided = Proposal(state="accepted", votes={"B": Vote("accept"), "A": Vote("odd")}, created_at=5)
    found = ballot(decided, STATUS, 20_000)
    assert found.left_ms is None
    assert [(line.voter, line.shape) for line in found.lines] == [("A", "?"), ("B", "✓")]
