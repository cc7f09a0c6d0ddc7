"""Who leads and who would be next."""

from typing import Any

import msgspec

from iwdc_console.tui.model.api import Candidate, Event, Leader, Quorum, Status
from iwdc_console.tui.model.leadership import candidate_rows, head_lines
from iwdc_console.tui.model.succession import Change, challenger, changes, successor
from tests.tui.prod_eu import moment, observation


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


def test_where_nobody_can_be_elected_nobody_is_next() -> None:
    alone = leader(("C", "unreachable"), ("B", "unreachable"), ("A", "healthy"), id=None)
    known = Status("A", quorum=Quorum(3, 1, 2, False), leader=alone)
    seen = moment(observation(known))
    said = ["".join(words for words, _ in line) for line in head_lines(seen, 100, 5)]
    assert said == [
        "Nobody leads (term 0), and there is no quorum: locks and proposals wait.",
        "Nobody can be elected: 1 of 3 voters are there, 2 are needed.",
    ]
    assert [row.cells[-1].text for row in candidate_rows(seen)] == ["not there", "not there", "in reserve"]
    enough = leader(("C", "unreachable"), ("B", "healthy"), ("A", "healthy"), id=None)
    two = moment(observation(msgspec.structs.replace(known, quorum=Quorum(3, 2, 2, True), leader=enough)))
    first, second = ("".join(words for words, _ in line) for line in head_lines(two, 100, 5))
    assert (first, second) == ("Nobody leads (term 0). Locks wait; proposals work.", "An election is due.")
    assert [row.cells[-1].text for row in candidate_rows(two)] == ["not there", "would be next", "in reserve"]
