"""Traces are found by id, bounded, and joined over instances (seed 12)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.observability.traces import (
    HEARTBEAT_SEND,
    PROPOSE_SNAPSHOT,
    QUORUM_DECISION,
    Span,
    TraceContext,
    TraceRing,
    new_span_id,
    new_trace_id,
    parse_traceparent,
    root_span_id,
)
from node.protocol.effects import Now, Observe, ObserveEach

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
SPAN = "b7ad6b7169203331"
PROPOSAL = "snapshot-1.2.0-1767272888160"


def _span(trace: str, name: str = PROPOSE_SNAPSHOT, start_ms: float = 0.0, instance: str = "instance-A") -> Span:
    return Span(trace, new_span_id(), None, name, instance, start_ms, 1.0, {})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN)),
        (f" 00-{TRACE}-{SPAN}-01 ", TraceContext(TRACE, SPAN)),
        (f"01-{TRACE}-{SPAN}-01-later", TraceContext(TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-01-later", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        ("", None),
        ("garbage", None),
    ],
)
def test_traceparent_as_w3c_says(header: str, expected: TraceContext | None) -> None:
    assert parse_traceparent(header) == expected


@given(st.text(max_size=80))
def test_any_other_header_begins_a_new_trace(header: str) -> None:
    """Promise 7."""
    context = parse_traceparent(header)
    assert context is None or TRACE_ID.fullmatch(context.trace)


def test_new_ids_make_a_valid_header() -> None:
    trace = new_trace_id()
    assert TRACE_ID.fullmatch(trace)
    assert parse_traceparent(f"00-{trace}-{root_span_id(trace)}-01") == TraceContext(trace, trace[16:])


def test_what_the_core_observed_hangs_under_the_root_of_its_trace() -> None:
    ring = TraceRing()
    observe = Observe(QUORUM_DECISION, "info", TRACE, 10.0, {"verdict": "accepted"})
    assert ring.record_observe(observe, Now(10.25, 5_000.0), "instance-B") == TRACE
    (span,) = ring.get(TRACE)
    assert (span.name, span.instance, span.start_ms, span.duration_ms) == (QUORUM_DECISION, "instance-B", 4750.0, 250.0)
    assert span.parent == root_span_id(TRACE)
    assert span.fields == {"verdict": "accepted"}


def test_what_nobody_asked_for_begins_a_trace_of_its_own() -> None:
    ring = TraceRing()
    trace = ring.record_observe(Observe("LEADER_ELECTION", "info", "", 1.0, {}), Now(1.0, 0.0), "instance-A")
    assert TRACE_ID.fullmatch(trace)
    assert [(span.id, span.parent) for span in ring.get(trace)] == [(root_span_id(trace), None)]


def test_what_was_observed_of_several_at_once_is_a_span_of_each() -> None:
    ring, other = TraceRing(capacity=4), "b" * 32
    each = [(TRACE, "snapshot-1"), (other, "snapshot-2"), (TRACE, "snapshot-3")]
    observed = ObserveEach(QUORUM_DECISION, "debug", 10.0, {"verdict": "accepted"}, "proposal", each)
    ring.record_each(observed, Now(10.25, 5_000.0), "instance-B")
    first, third = ring.get(TRACE)
    assert [span.fields for span in (first, third)] == [
        {"proposal": "snapshot-1", "verdict": "accepted"},
        {"proposal": "snapshot-3", "verdict": "accepted"},
    ]
    assert first.id != third.id
    assert (first.parent, first.start_ms, first.duration_ms) == (root_span_id(TRACE), 4_750.0, 250.0)
    assert ring.get(TRACE) == (first, third)
    assert [span.fields["proposal"] for span in ring.get(other)] == ["snapshot-2"]
    ring.record_each(observed, Now(11.0, 6_000.0), "instance-B")
    assert len(ring) == 3, "each counts"


def test_what_nobody_gave_a_trace_is_logged_and_kept_under_one() -> None:
    ring = TraceRing()
    observed = ObserveEach(QUORUM_DECISION, "info", 10.0, {}, "proposal", [(TRACE, "snapshot-1"), ("", "snapshot-2")])
    given, fresh = ring.record_each(observed, Now(10.25, 5_000.0), "instance-B")
    assert given == TRACE
    assert [span.fields["proposal"] for span in ring.get(fresh)] == ["snapshot-2"]


def test_recent_traces_come_newest_first_without_the_routine() -> None:
    ring = TraceRing()
    ring.record(_span("1" * 32, start_ms=10.0))
    ring.record(_span("2" * 32, HEARTBEAT_SEND))
    ring.record(_span("3" * 32, start_ms=30.0))
    ring.record(_span("1" * 32, QUORUM_DECISION, start_ms=15.0, instance="instance-B"))
    newest, oldest = ring.recent(10)
    assert (newest.id, newest.name, newest.spans) == ("3" * 32, PROPOSE_SNAPSHOT, 1)
    assert (oldest.id, oldest.name, oldest.start_ms, oldest.duration_ms) == ("1" * 32, PROPOSE_SNAPSHOT, 10.0, 6.0)
    assert oldest.instances == ("instance-A", "instance-B")
    assert [trace.id for trace in ring.recent(1)] == ["3" * 32]
    assert [trace.id for trace in ring.recent(10, HEARTBEAT_SEND)] == ["2" * 32]


@pytest.mark.parametrize(
    ("seen", "name", "about"),
    [
        ([("QUORUM_CHECK", {"kind": "snapshot", "version": "1.2.0"}), ("VOTE", {"proposal": PROPOSAL})],
         "PROPOSE_SNAPSHOT", PROPOSAL),
        ([("QUORUM_CHECK", {"kind": "diff", "version": "1.3.0"})], "PROPOSE_DIFF", "1.3.0"),
        ([("SNAPSHOT_REPLICATE", {"version": "1.2.0"}), ("REMOTE_PUSH", {}), ("VOTE", {"proposal": PROPOSAL})],
         "PROPOSE_SNAPSHOT", PROPOSAL),
        ([("VOTE", {"proposal": PROPOSAL}), ("VOTE", {"proposal": "snapshot-1.3.0-1"})], "PROPOSE_SNAPSHOT", ""),
        ([("VOTE", {"proposal": "rollback-1.2.0-1.1.0-1"})], "PROPOSE_ROLLBACK", "rollback-1.2.0-1.1.0-1"),
        ([("LOCK_ACQUIRE", {"resource": "catalogue"}), ("REMOTE_PUSH", {})], "LOCK_ACQUIRE", "catalogue"),
    ],
)  # fmt: skip
def test_a_trace_is_named_after_what_started_it(
    seen: list[tuple[str, dict[str, object]]], name: str, about: str
) -> None:
    """Also where the part of it that this instance saw first, or alone, is another."""
    ring = TraceRing()
    for at, (span, fields) in enumerate(seen):
        ring.record(Span(TRACE, new_span_id(), root_span_id(TRACE), span, "instance-B", float(at), 0.0, fields))
    (summary,) = ring.recent(10)
    assert (summary.name, summary.about) == (name, about)


def test_the_root_span_names_its_trace_whatever_began_before_it_by_another_clock() -> None:
    ring = TraceRing()
    ring.record(Span(TRACE, new_span_id(), root_span_id(TRACE), "VOTE", "instance-B", 1.0, 0.0, {"proposal": PROPOSAL}))
    ring.record(Span(TRACE, root_span_id(TRACE), None, "PROPOSE_SNAPSHOT_API", "instance-A", 2.0, 9.0, {}))
    (summary,) = ring.recent(10)
    assert (summary.name, summary.about) == ("PROPOSE_SNAPSHOT_API", PROPOSAL)


def test_heartbeats_never_push_out_a_proposal() -> None:
    ring = TraceRing(capacity=20)
    ring.record(_span(TRACE))
    for _ in range(1_000):
        ring.record(_span(new_trace_id(), HEARTBEAT_SEND))
    assert len(ring.get(TRACE)) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([PROPOSE_SNAPSHOT, HEARTBEAT_SEND])), max_size=80))
def test_the_ring_keeps_the_latest_and_no_more(made: list[tuple[int, str]]) -> None:
    ring = TraceRing(capacity=10)
    spans = [_span(f"{number:032x}", name, float(at)) for at, (number, name) in enumerate(made)]
    for span in spans:
        ring.record(span)
    kept = {span.id for name, room in ((PROPOSE_SNAPSHOT, 9), (HEARTBEAT_SEND, 1)) for span in _last(spans, name, room)}
    found = {span.id for number in range(6) for span in ring.get(f"{number:032x}")}
    assert found == kept
    assert len(ring) == len(kept)
    assert sum(summary.spans for summary in ring.recent(100)) <= len(kept)


def _last(spans: list[Span], name: str, room: int) -> list[Span]:
    return [span for span in spans if span.name == name][-room:]


def test_an_unknown_trace_is_empty() -> None:
    assert TraceRing().get(TRACE) == ()
    assert TraceRing().recent(5) == ()
