"""Traces as bars."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from iwdc_console.tui.model.api import Span, Trace
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.traces import waterfall_lines
from iwdc_console.tui.model.waterfall import MAX_DEPTH, bars, extent, ordered
from tests.tui.prod_eu import NODE, NOW_MS, NOW_S, moment, observation


def span(id: str, start_ms: float, duration_ms: float, parent: str | None = None) -> Span:
    return Span(id=id, parent=parent, name=id, start_ms=start_ms, duration_ms=duration_ms)


def test_children_stand_under_their_parents_by_start() -> None:
    spans = [span("late", 7, 2, "root"), span("root", 0, 10), span("early", 1, 3, "root"), span("leaf", 2, 1, "early")]
    assert [(depth, each.id) for depth, each in ordered(spans)] == [(0, "root"), (1, "early"), (2, "leaf"), (1, "late")]


def test_orphans_and_circles_are_shown_too() -> None:
    spans = [span("a", 0, 1, "b"), span("b", 0, 1, "a"), span("c", 0, 1, "gone"), span("d", 0, 1, "d")]
    assert sorted(each.id for _, each in ordered(spans)) == ["a", "b", "c", "d"]


def test_bars_are_true_to_an_eighth() -> None:
    lines = bars([span("root", 100, 80), span("half", 140, 5, "root"), span("point", 180, 0, "root")], 10)
    assert [line.text for line in lines] == ["██████████", "     ▋    ", "         █"]
    assert extent([line.span for line in lines]).duration_ms == 80
    assert bars([], 10) == []


def test_its_head_counts_as_people_do() -> None:
    def head(count: int) -> str:
        trace = Trace("t", tuple(span(f"s{n}", n, 1) for n in range(count)))
        known = msgspec.structs.replace(observation(), trace=Part(trace, NODE, NOW_S, NOW_MS))
        return waterfall_lines(moment(known), "t", 0, 80, 9)[0][0][0]

    assert head(1).startswith("1 span on 1 instance, 1.0 ms, from ")
    assert head(2).startswith("2 spans on 1 instance, 2.0 ms, from ")


spans = st.lists(
    st.builds(
        span, st.sampled_from("abcdefghijklmnop"), st.floats(0, 1e13), st.floats(0, 1e9),
        st.none() | st.sampled_from("abcdefghijklmnop"),
    ),
    max_size=30,
)  # fmt: skip


@given(spans, st.integers(1, 200))
def test_every_span_has_one_line_of_the_width_asked_for(spans: list[Span], width: int) -> None:
    lines = bars(spans, width)
    assert sorted(line.span.id for line in lines) == sorted({each.id for each in spans})
    assert all(len(line.text) == width and line.text.strip() and line.depth <= MAX_DEPTH for line in lines)
