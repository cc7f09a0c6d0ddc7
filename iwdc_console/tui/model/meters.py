"""What Prometheus text adds up to over time: values, rates per second, quantiles of histograms. Pure."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from iwdc_console.tui.model.exposition import BadText, Labels, Sample, samples
from iwdc_console.tui.model.observation import Part

KEPT = 120
"""Scrapes kept of each series: two minutes at one a second."""
MAX_SERIES = 5_000
"""Series kept in all; those beyond it are not shown, and their number is told."""

SeriesId = tuple[str, Labels]


class Reading(NamedTuple):
    """One series of one scrape. `value` of a histogram is its count; `buckets` are (upper bound, count at or below)."""

    name: str
    labels: Labels
    kind: str
    help: str
    value: float
    total: float | None = None
    buckets: tuple[tuple[float, float], ...] = ()


class Bucket(NamedTuple):
    """Where a quantile of a histogram lies: above `low`, at or below `high`. More is not known."""

    low: float
    high: float


class Meter(NamedTuple):
    """One series over time. `recent` is what a sparkline shows: rates of a counter, values of a gauge, oldest first."""

    name: str
    labels: Labels
    kind: str
    help: str
    value: float
    rate_per_s: float | None
    mean: float | None
    p50: Bucket | None
    p95: Bucket | None
    recent: tuple[float, ...]

    @property
    def id(self) -> SeriesId:
        """What tells it from all others."""
        return self.name, self.labels


def read(text: str) -> list[Reading]:
    """Every series of a scrape, by name and labels. Raises `BadText`."""
    readings: list[Reading] = []
    histograms: dict[str, list[Sample]] = {}
    for each in samples(text):
        if each.kind == "histogram":
            histograms.setdefault(each.family, []).append(each)
        elif not each.name.endswith("_created"):
            readings.append(Reading(each.name, each.labels, each.kind, each.help, each.value))
    for name, found in histograms.items():
        readings += _histograms(name, found)
    return sorted(readings, key=lambda reading: (reading.name, reading.labels))


def _histograms(name: str, found: Iterable[Sample]) -> Iterable[Reading]:
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    totals: dict[Labels, float] = {}
    help = ""
    for each in found:
        help = each.help
        if each.name == f"{name}_bucket":
            labels, bound = _bound(each.labels)
            buckets.setdefault(labels, []).append((bound, each.value))
        elif each.name == f"{name}_sum":
            totals[each.labels] = each.value
    for labels, told in buckets.items():
        told.sort()
        yield Reading(name, labels, "histogram", help, told[-1][1], totals.get(labels), tuple(told))


def _bound(labels: Labels) -> tuple[Labels, float]:
    """A bucket's labels without its upper bound, and the bound."""
    others = tuple(label for label in labels if label[0] != "le")
    try:
        return others, float(dict(labels)["le"])
    except (KeyError, ValueError):
        raise BadText("the metrics are not in Prometheus' text format: a bucket without its bound") from None


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> Bucket | None:
    """The bucket that the value lies in below which `share` of the observations are; None without any.

    Not spread evenly within it as PromQL does: a clock that is right to the millisecond would be told as 50 ms off, by
    a bucket of -100 to 0. What is measured where the bounds begin at 0 or above cannot be negative.
    """
    count = buckets[-1][1] if buckets else 0.0
    if count <= 0:
        return None
    low = -math.inf if buckets[0][0] < 0 else 0.0
    for bound, reached in buckets:
        if reached >= share * count:
            return Bucket(low, bound)
        low = bound
    return Bucket(low, math.inf)


class Meters:
    """Series by name and labels, over the scrapes of one node. Another node's counters begin anew."""

    def __init__(self, kept: int = KEPT, most: int = MAX_SERIES) -> None:
        self._kept = kept
        self._most = most
        self._node = ""
        self._at_s = -math.inf
        self._readings: dict[SeriesId, Reading] = {}
        self._rates: dict[SeriesId, deque[float]] = {}
        self._all: list[Meter] | None = None
        self.left_out = 0

    def add(self, part: Part[str]) -> None:
        """Take in a scrape, once. Raises `BadText`; what was known stays."""
        if part.at_s <= self._at_s and part.node == self._node:
            return
        found = read(part.value)
        if part.node != self._node:
            self._node, self._readings, self._rates = part.node, {}, {}
        self.left_out = max(0, len(found) - self._most)
        elapsed_s = part.at_s - self._at_s
        fresh = {(reading.name, reading.labels): reading for reading in found[: self._most]}
        for id, reading in fresh.items():
            before = self._readings.get(id)
            ring = self._rates.setdefault(id, deque(maxlen=self._kept))
            if reading.kind == "gauge":
                ring.append(reading.value)
            elif before is not None and elapsed_s > 0:
                # A counter that fell belongs to a node that was started anew.
                grown = reading.value - before.value if reading.value >= before.value else reading.value
                ring.append(grown / elapsed_s)
        for gone in self._rates.keys() - fresh.keys():
            del self._rates[gone]
        self._readings, self._at_s, self._all = fresh, part.at_s, None

    def all(self) -> list[Meter]:
        """Every series as it stands, by name and labels; the same list until there is a new scrape."""
        if self._all is None:
            self._all = [self._meter(id, reading) for id, reading in self._readings.items()]
        return self._all

    def _meter(self, id: SeriesId, reading: Reading) -> Meter:
        recent = tuple(self._rates[id])
        counts = reading.kind != "gauge"
        mean = reading.total / reading.value if reading.total is not None and reading.value else None
        return Meter(
            reading.name, reading.labels, reading.kind, reading.help, reading.value,
            recent[-1] if counts and recent else None,
            mean, quantile(0.5, reading.buckets), quantile(0.95, reading.buckets), recent,
        )  # fmt: skip
