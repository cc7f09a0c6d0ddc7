"""Metrics carry exactly the names that existing dashboards know (seed 12)."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from node.observability.metrics import METRICS, CounterKey, Metrics, UnknownMetric

COUNTERS = {
    "distributed_sync_total": {"direction"},
    "distributed_sync_errors_total": {"type"},
    "distributed_snapshot_replication_total": {"source"},
    "distributed_diff_replication_total": {"source"},
    "distributed_quorum_skipped_total": {"type"},
    "distributed_proposals_total": {"type"},
    "distributed_votes_total": {"type"},
    "distributed_leader_changes_total": set(),
    "distributed_heartbeat_sent_total": {"instance"},
    "distributed_heartbeat_received_total": {"instance"},
    "distributed_heartbeat_timeout_total": {"instance"},
    "distributed_locks_acquired_total": {"resource"},
    "distributed_locks_released_total": {"resource"},
    "distributed_locks_failed_total": {"resource", "reason"},
    "distributed_conflict_resolutions_total": {"strategy", "type"},
    "distributed_remote_sync_requests_total": {"instance", "status"},
    "distributed_snapshot_apply_errors_total": set(),
    "distributed_diff_apply_errors_total": set(),
    "distributed_api_errors_total": {"endpoint", "status"},
    "distributed_cli_errors_total": {"command"},
    "distributed_proposals_sent_total": {"type"},
    "distributed_proposals_failed_total": {"type", "reason"},
}
GAUGES = {
    "distributed_current_leader": {"instance"},
    "distributed_active_locks": set(),
    "distributed_clock_drift_ms": set(),
}
HISTOGRAMS = {
    "distributed_clock_drift_total",
    "distributed_snapshot_apply_duration_seconds",
    "distributed_diff_apply_duration_seconds",
    "distributed_replication_latency_seconds",
}


def _lines(metrics: Metrics, counters: dict[CounterKey, int] | None = None) -> list[str]:
    return metrics.render(counters).decode().splitlines()


def test_the_names_and_labels_are_the_listed_ones() -> None:
    assert {spec.name: set(spec.labels) for spec in METRICS if spec.kind == "counter"} == COUNTERS
    assert {spec.name: set(spec.labels) for spec in METRICS if spec.kind == "gauge"} == GAUGES
    assert {spec.name for spec in METRICS if spec.kind == "histogram"} == HISTOGRAMS


def test_every_metric_is_announced_and_the_unlabelled_begin_at_zero() -> None:
    lines = _lines(Metrics())
    for spec in METRICS:
        assert f"# TYPE {spec.name} {spec.kind}" in lines
        assert sum(line.startswith(f"# HELP {spec.name} ") for line in lines) == 1
        if not spec.labels and spec.kind != "histogram":
            assert f"{spec.name} 0.0" in lines
    assert not any("_created" in line for line in lines)


def test_own_and_the_cores_counts_add_up() -> None:
    metrics = Metrics()
    metrics.count("distributed_votes_total", type="accept")
    core: dict[CounterKey, int] = {
        ("distributed_votes_total", (("type", "accept"),)): 4,
        ("distributed_locks_failed_total", (("resource", "catalogue"), ("reason", "held"))): 2,
    }
    lines = _lines(metrics, core)
    assert 'distributed_votes_total{type="accept"} 5.0' in lines
    assert 'distributed_locks_failed_total{reason="held",resource="catalogue"} 2.0' in lines
    assert 'distributed_votes_total{type="accept"} 5.0' in _lines(metrics, core), "a scrape changes nothing"


def test_the_leader_gauge_is_one_for_one() -> None:
    metrics = Metrics()
    metrics.leader(["instance-A", "instance-B"], "instance-A")
    metrics.leader(["instance-A", "instance-B"], "instance-B")
    lines = _lines(metrics)
    assert 'distributed_current_leader{instance="instance-A"} 0.0' in lines
    assert 'distributed_current_leader{instance="instance-B"} 1.0' in lines


def test_drift_has_the_listed_buckets() -> None:
    metrics = Metrics()
    for value in (-2000.0, -100.0, 3.0, 5000.0):
        metrics.observe("distributed_clock_drift_total", value)
    lines = [line for line in _lines(metrics) if line.startswith("distributed_clock_drift_total")]
    assert lines == [
        'distributed_clock_drift_total_bucket{le="-1000.0"} 1.0',
        'distributed_clock_drift_total_bucket{le="-500.0"} 1.0',
        'distributed_clock_drift_total_bucket{le="-100.0"} 2.0',
        'distributed_clock_drift_total_bucket{le="0.0"} 2.0',
        'distributed_clock_drift_total_bucket{le="100.0"} 3.0',
        'distributed_clock_drift_total_bucket{le="500.0"} 3.0',
        'distributed_clock_drift_total_bucket{le="1000.0"} 3.0',
        'distributed_clock_drift_total_bucket{le="+Inf"} 4.0',
        "distributed_clock_drift_total_sum 2903.0",
        "distributed_clock_drift_total_count 4.0",
    ]


def test_label_values_from_outside_are_bounded() -> None:
    metrics = Metrics({"resource": 2, "instance": 2})
    for number in range(5):
        metrics.count("distributed_locks_acquired_total", resource=f"r{number}")
    core: dict[CounterKey, int] = {("distributed_locks_acquired_total", (("resource", "r9"),)): 7}
    lines = [line for line in _lines(metrics, core) if line.startswith("distributed_locks_acquired_total{")]
    assert lines == [
        'distributed_locks_acquired_total{resource="other"} 10.0',
        'distributed_locks_acquired_total{resource="r0"} 1.0',
        'distributed_locks_acquired_total{resource="r1"} 1.0',
    ]


@given(st.lists(st.text(), max_size=10))
def test_any_resource_name_leaves_the_text_readable(names: list[str]) -> None:
    """Promise 7."""
    metrics = Metrics()
    for name in [*names, "\ud800", 'a"\\b']:
        metrics.count("distributed_locks_acquired_total", resource=name)
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    samples = families["distributed_locks_acquired"].samples
    assert sum(sample.value for sample in samples) == len(names) + 2
    assert {sample.labels["resource"] for sample in samples} >= {"other", 'a"\\b'}


def test_a_name_or_label_that_is_not_listed_is_our_mistake() -> None:
    metrics = Metrics()
    with pytest.raises(UnknownMetric):
        metrics.count("distributed_made_up_total")
    with pytest.raises(UnknownMetric):
        metrics.count("distributed_votes_total", kind="accept")
    with pytest.raises(UnknownMetric):
        metrics.gauge("distributed_votes_total", 1.0, type="accept")


def test_the_library_is_loaded_at_the_first_scrape_only() -> None:
    code = (
        "import sys; from node.observability.metrics import Metrics; m = Metrics();"
        "m.count('distributed_leader_changes_total'); assert 'prometheus_client' not in sys.modules;"
        "m.render(); assert 'prometheus_client' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
