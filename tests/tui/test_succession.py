"""Who leads and who would be next."""

from typing import Any

from iwdc_console.tui.model.api import Candidate, Event, Leader
from iwdc_console.tui.model.succession import Change, challenger, changes, successor


def event(type: str, at_ms: int, **payload: Any) -> Event:
    return Event(type=type, timestamp=at_ms, payload=payload)


def test_history_is_one_line_for_each_term_newest_first() -> None:
    events = [
        event("LEADER_ELECTED", 10, leader="A", term=1, reason="start"),
        event("VOTES", 15),
        event("LEADER_CHANGED", 21, **{"from": "A", "to": "B", "term": 3, "reason": "refused"}),
        event("LEADER_ELECTED", 20, leader="B", term=3, reason="refused"),
        event("LEADER_ELECTED", 30, leader="B", term=4),
        event("LEADER_ELECTED", 40, leader=["garbage"], term="x"),
    ]
    expected = [Change(30, 4, "B", "", ""), Change(20, 3, "B", "A", "refused"), Change(10, 1, "A", "", "start")]
    assert changes(events) == expected
    assert changes(reversed(events)) == expected


def leader(*candidates: tuple[str, str], id: str | None = "A") -> Leader:
    return Leader(id=id, candidates=tuple(Candidate(name, 0, status) for name, status in candidates))


def test_the_best_ranked_healthy_one_beside_the_leader_is_next() -> None:
    assert successor(leader(("A", "healthy"), ("C", "unreachable"), ("B", "healthy"))) == "B"
    assert successor(leader(("A", "healthy"))) is None
    assert successor(leader(("C", "healthy"), id=None)) == "C"


def test_who_outranks_the_leader_may_get_leadership() -> None:
    assert challenger(leader(("C", "healthy"), ("A", "healthy"))) == "C"
    assert challenger(leader(("C", "degraded"), ("A", "healthy"))) is None
    assert challenger(leader(("A", "healthy"), ("C", "healthy"))) is None
    assert challenger(leader(("C", "healthy"), id=None)) is None, "nobody leads"
