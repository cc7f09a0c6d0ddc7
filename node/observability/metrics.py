"""Metrics: the names existing dashboards know (seed 12 and the v1.7 list), in Prometheus text.

Counting is a dict update. The core counts in a dict of its own, which is joined in at the scrape; `prometheus-client`
(5 MiB) writes the text and is loaded at the first scrape, so that a node nobody scrapes never pays for it. Histograms
and counters are written under exactly the names listed here, without `_created` series.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"
"""The label value that counts what came after a label's bound was reached, and names that cannot be shown."""
MAX_LABEL_VALUES: Final[Mapping[str, int]] = {"resource": 100, "instance": 200, "command": 50}
"""Labels whose values come from outside, and how many of them are told apart."""

Labels = tuple[tuple[str, str], ...]
CounterKey = tuple[str, Labels]
Kind = Literal["counter", "gauge", "histogram"]


class MetricSpec(msgspec.Struct, frozen=True):
    """One metric: `labels` in order; `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_APPLY_BUCKETS_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)

METRICS: Final = (
    MetricSpec("distributed_sync_total", "counter", "Event synchronisations with peers.", ("direction",)),
    MetricSpec("distributed_sync_errors_total", "counter", "Synchronisations that failed.", ("type",)),
    MetricSpec("distributed_snapshot_replication_total", "counter", "Snapshots fetched.", ("source",)),
    MetricSpec("distributed_diff_replication_total", "counter", "Diffs fetched.", ("source",)),
    MetricSpec("distributed_quorum_skipped_total", "counter", "Operations skipped for want of quorum.", ("type",)),
    MetricSpec("distributed_proposals_total", "counter", "Proposals seen.", ("type",)),
    MetricSpec("distributed_votes_total", "counter", "Votes cast by this instance.", ("type",)),
    MetricSpec("distributed_leader_changes_total", "counter", "Changes of leader seen."),
    MetricSpec("distributed_heartbeat_sent_total", "counter", "Heartbeats sent.", ("instance",)),
    MetricSpec("distributed_heartbeat_received_total", "counter", "Heartbeats received.", ("instance",)),
    MetricSpec("distributed_heartbeat_timeout_total", "counter", "Heartbeats missed to unreachable.", ("instance",)),
    MetricSpec("distributed_locks_acquired_total", "counter", "Locks granted.", ("resource",)),
    MetricSpec("distributed_locks_released_total", "counter", "Locks that ended.", ("resource",)),
    MetricSpec("distributed_locks_failed_total", "counter", "Lock requests refused.", ("resource", "reason")),
    MetricSpec("distributed_conflict_resolutions_total", "counter", "Conflicts settled.", ("strategy", "type")),
    MetricSpec("distributed_remote_sync_requests_total", "counter", "Requests to peers.", ("instance", "status")),
    MetricSpec("distributed_snapshot_apply_errors_total", "counter", "Snapshots that could not be applied."),
    MetricSpec("distributed_diff_apply_errors_total", "counter", "Diffs that could not be applied."),
    MetricSpec("distributed_api_errors_total", "counter", "API answers of 400 and above.", ("endpoint", "status")),
    MetricSpec("distributed_cli_errors_total", "counter", "Commands that failed.", ("command",)),
    MetricSpec("distributed_proposals_sent_total", "counter", "Proposals made by this instance.", ("type",)),
    MetricSpec("distributed_proposals_failed_total", "counter", "Own proposals that failed.", ("type", "reason")),
    MetricSpec("distributed_current_leader", "gauge", "1 for the instance that leads, else 0.", ("instance",)),
    MetricSpec("distributed_active_locks", "gauge", "Locks held now."),
    MetricSpec("distributed_clock_drift_ms", "gauge", "Local clock minus the leader's, ms."),
    MetricSpec(
        "distributed_clock_drift_total",
        "histogram",
        "Measurements of the clock against the leader's, ms.",
        buckets=(-1000.0, -500.0, -100.0, 0.0, 100.0, 500.0, 1000.0),
    ),
    MetricSpec(
        "distributed_snapshot_apply_duration_seconds",
        "histogram",
        "Time to apply a snapshot.",
        buckets=_APPLY_BUCKETS_S,
    ),
    MetricSpec(
        "distributed_diff_apply_duration_seconds", "histogram", "Time to apply a diff.", buckets=_APPLY_BUCKETS_S
    ),
    MetricSpec(
        "distributed_replication_latency_seconds",
        "histogram",
        "From an event's origin writing it to this instance holding it.",
        buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0),
    ),
)

_BY_NAME: Final = {spec.name: spec for spec in METRICS}


class UnknownMetric(Exception):
    """Our own mistake: a metric, or a set of labels, that is not in METRICS."""


class _Histogram:
    """Observations per bucket; the last bucket is everything above the highest bound."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class Metrics:
    """What this process has counted. `max_values` bounds the values of labels that come from outside."""

    def __init__(self, max_values: Mapping[str, int] = MAX_LABEL_VALUES) -> None:
        self._max_values = max_values
        self._counts: dict[CounterKey, int] = {}
        self._gauges: dict[CounterKey, float] = {}
        self._histograms: dict[CounterKey, _Histogram] = {}
        self._admitted: dict[str, set[str]] = {label: set() for label in max_values}
        for spec in METRICS:
            if not spec.labels:
                match spec.kind:
                    case "counter":
                        self._counts[spec.name, ()] = 0
                    case "gauge":
                        self._gauges[spec.name, ()] = 0.0
                    case "histogram":
                        self._histograms[spec.name, ()] = _Histogram(spec.buckets)

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Add `n` to a counter. Raises UnknownMetric."""
        key = self._key("counter", name, labels)
        self._counts[key] = self._counts.get(key, 0) + n

    def counter(self, name: str, **labels: str) -> Callable[[], None]:
        """What adds one to a counter, looked up once for many. Raises UnknownMetric."""
        key, counts = self._key("counter", name, labels), self._counts

        def add() -> None:
            counts[key] = counts.get(key, 0) + 1

        return add

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises UnknownMetric."""
        self._gauges[self._key("gauge", name, labels)] = value

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Put one observation into a histogram. Raises UnknownMetric."""
        self.histogram(name, **labels)(value)

    def histogram(self, name: str, **labels: str) -> Callable[[float], None]:
        """What puts observations into a histogram, looked up once for many. Raises UnknownMetric."""
        key = self._key("histogram", name, labels)
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = _Histogram(_BY_NAME[name].buckets)
        return histogram.observe

    def leader(self, instances: Iterable[str], leader: str | None) -> None:
        """Set `distributed_current_leader`: 1 for the one that leads, 0 for the others."""
        for instance in instances:
            self.gauge("distributed_current_leader", float(instance == leader), instance=instance)

    def render(self, counters: Mapping[CounterKey, int] | None = None) -> bytes:
        """Everything in Prometheus text 0.0.4; `counters` is the core's own count, added to ours."""
        from prometheus_client import CollectorRegistry, generate_latest

        counts = dict(self._counts)
        for (name, labels), n in (counters or {}).items():
            key = self._key("counter", name, dict(labels))
            counts[key] = counts.get(key, 0) + n
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._families(counts)))
        return generate_latest(registry)

    def _families(self, counts: Mapping[CounterKey, int]) -> "list[Metric]":
        from prometheus_client.core import Metric

        families = {}
        for spec in METRICS:
            # The library puts `_total` behind a counter's family name itself.
            family_name = spec.name.removesuffix("_total") if spec.kind == "counter" else spec.name
            families[spec.name] = Metric(family_name, spec.help, spec.kind)
        for values in (counts, self._gauges):
            for (name, labels), value in sorted(values.items()):
                families[name].add_sample(name, dict(labels), value)
        for (name, labels), histogram in sorted(self._histograms.items(), key=lambda item: item[0]):
            family, below = families[name], 0
            bounds = [str(bound) for bound in _BY_NAME[name].buckets] + ["+Inf"]
            for bound, n in zip(bounds, histogram.counts, strict=True):
                below += n
                family.add_sample(f"{name}_bucket", {**dict(labels), "le": bound}, below)
            family.add_sample(f"{name}_sum", dict(labels), histogram.sum)
            family.add_sample(f"{name}_count", dict(labels), below)
        return list(families.values())

    def _key(self, kind: Kind, name: str, labels: Mapping[str, str]) -> CounterKey:
        spec = _BY_NAME.get(name)
        if spec is None or spec.kind != kind or set(labels) != set(spec.labels):
            raise UnknownMetric(f"{kind} {name} with labels {sorted(labels)}")
        return name, tuple((label, self._bounded(label, labels[label])) for label in spec.labels)

    def _bounded(self, label: str, value: str) -> str:
        admitted = self._admitted.get(label)
        if admitted is None or value in admitted:
            return value
        if len(admitted) < self._max_values[label] and value.isprintable():
            admitted.add(value)
            return value
        return OTHER


class _Collected:
    """What the library asks of a collector: the families of one scrape."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "list[Metric]":
        return self._families
