"""One causal timeline."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.timeline import Selection, Timeline, level, summary


def event(number: int, type: str = "X", origin: str = "A", trace: str = "", **payload: Any) -> Event:
    return Event(
        id=f"{origin}{number}", origin=origin, seq=number, type=type, hlc=number, trace_id=trace, payload=payload
    )


@given(st.permutations(range(30)), st.integers(1, 40), st.integers(1, 7))
def test_any_order_gives_one_timeline_without_repeats(order: list[int], kept: int, chunk: int) -> None:
    timeline = Timeline(kept=30)
    for start in range(0, 30, chunk):
        timeline.add([event(number) for number in order[start : start + chunk]])
        timeline.add([event(order[start])])
    assert [each.seq for each in timeline.events] == list(range(30))


def test_the_oldest_are_forgotten_and_may_come_again() -> None:
    timeline = Timeline(kept=3)
    timeline.add(event(number) for number in range(10))
    assert [each.seq for each in timeline.events] == [7, 8, 9]
    version = timeline.version
    timeline.add([event(9)])
    assert timeline.version == version, "nothing new"
    timeline.add([event(1)])
    assert [each.seq for each in timeline.events] == [7, 8, 9], "it is the first to go again"


SHOWN = [
    event(1, "SKIPPED_QUORUM", version="1.2.0"),
    event(2, "LEADER_CHANGED", "B", **{"from": "A", "to": "B"}),
    event(3, "VOTES", "C", "t1", votes=[{"vote": "reject", "proposal": "p1", "reason": "stale_version"}]),
    event(4, "VOTES", "C", "t1", votes=[{"vote": "accept", "proposal": "p1"}]),
]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), [1, 2, 3, 4]),
        (Selection(types=frozenset({"VOTES"})), [3, 4]),
        (Selection(levels=frozenset({"alarm"})), [1, 3]),
        (Selection(instance="B"), [2]),
        (Selection(levels=frozenset({"routine"}), trace="t"), [4]),
    ],
)
def test_selections(selection: Selection, expected: list[int]) -> None:
    assert [each.seq for each in SHOWN if selection.keeps(each)] == expected


def test_summaries_say_what_people_look_for() -> None:
    timeline = Timeline()
    timeline.add(
        [event(7, "SNAPSHOT_PROPOSAL", kind="snapshot", version="1.2.0", label="snapshot-1.2.0-7", hash="a" * 64)]
    )
    names = timeline.names | {"p1": "diff 1.2.0 → 1.3.0"}
    assert [summary(each, names) for each in SHOWN] == [
        "version=1.2.0", "from=A to=B", "reject diff 1.2.0 → 1.3.0 (stale_version)", "accept diff 1.2.0 → 1.3.0",
    ]  # fmt: skip
    assert summary(timeline.events[0], {}) == "snapshot 1.2.0  aaaaaaaa…"
    assert summary(event(8, "VOTES", votes=[{"vote": "accept", "proposal": "A7"}]), names) == "accept snapshot 1.2.0"
    one = {"proposalId": "diff-1.2.0-1.3.0-9", "from": "1.2.0", "to": "1.3.0", "hash": "abc"}
    assert summary(event(9, "DIFF_ACCEPT", **one), {}) == "diff 1.2.0 → 1.3.0  abc"
    assert summary(event(9, "DIFF_ACCEPT", accepted=[one, "garbage", one]), {}) == (
        "diff 1.2.0 → 1.3.0, diff 1.2.0 → 1.3.0"
    )
    assert summary(event(6, nested={"a": [1, None]}, gone=None), {}) == "nested={a=[1 None]}"
    assert len(summary(event(7, blob="x" * 10_000), {})) < 300
    changed: dict[str, Any] = {"from": "A", "to": "B", "term": 7, "reason": "silent"}
    assert summary(event(9, "LEADER_CHANGED", **changed), {}) == "A → B  term 7 (silent)"
    assert summary(event(9, "LEADER_ELECTED", leader="B", term=7), {}) == "B  term 7"
    content: dict[str, Any] = {"version": "1.5.0", "content": "d8" * 32, "tookMs": 5}
    fetched = event(9, "CONTENT_FETCHED", **content | {"bytes": 2_048, "from": {"instance-A": 2_048}})
    assert summary(fetched, {}) == "1.5.0  2.0 KiB from instance-A"
    failed = event(9, "CONTENT_FAILED", **content, reason="no space")
    assert (summary(failed, {}), level(failed)) == ("1.5.0  (no space)", "alarm")
    seen = {"total": 3, "healthy": 1, "required": 2, "sufficient": False}
    skipped = event(9, "SKIPPED_QUORUM", kind="snapshot", version="1.5.0", quorum=seen)
    assert summary(skipped, {}) == "snapshot 1.5.0  healthy 1/3, required 2"
    assert level(event(8, "VOTES", votes="garbage")) == "routine"
