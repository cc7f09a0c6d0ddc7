"""Prometheus text over time: rates, quantiles, restarts, bounds."""

import math

import pytest

from iwdc_console.tui.model.exposition import BadText
from iwdc_console.tui.model.meters import Bucket, Meter, Meters, quantile, read
from iwdc_console.tui.model.metrics import rows
from iwdc_console.tui.model.observation import Part

TEXT = """# HELP distributed_votes_total Votes given.
# TYPE distributed_votes_total counter
distributed_votes_total{{type="accept"}} {accepts}
distributed_votes_total{{type="re\\"ject\\n"}} 1
# TYPE distributed_active_locks gauge
distributed_active_locks {locks}
# TYPE latency_seconds histogram
latency_seconds_bucket{{le="0.1"}} 50
latency_seconds_bucket{{le="1"}} 90
latency_seconds_bucket{{le="+Inf"}} 100
latency_seconds_count 100
latency_seconds_sum 25
"""


def scrape(at_s: float, accepts: float = 0, locks: float = 0, node: str = "a") -> Part[str]:
    return Part(TEXT.format(accepts=accepts, locks=locks), node, at_s, int(at_s * 1000))


def meter(meters: Meters, name: str, **labels: str) -> Meter:
    (found,) = (each for each in meters.all() if each.name == name and dict(each.labels) == labels)
    return found


def test_counters_have_rates_and_gauges_have_values() -> None:
    meters = Meters()
    for at_s, accepts, locks in ((1.0, 10, 3), (3.0, 20, 5), (4.0, 50, 4)):
        meters.add(scrape(at_s, accepts, locks))
    votes = meter(meters, "distributed_votes_total", type="accept")
    assert (votes.value, votes.rate_per_s, votes.recent, votes.help) == (50, 30, (5, 30), "Votes given.")
    locks_held = meter(meters, "distributed_active_locks")
    assert (locks_held.value, locks_held.rate_per_s, locks_held.recent) == (4, None, (3, 5, 4))


def test_one_scrape_has_no_rate_and_the_same_one_counts_once() -> None:
    meters = Meters()
    meters.add(scrape(1.0, 10))
    meters.add(scrape(1.0, 10))
    assert meter(meters, "distributed_votes_total", type="accept").rate_per_s is None


def test_a_counter_that_falls_was_started_anew() -> None:
    meters = Meters()
    meters.add(scrape(1.0, 1_000))
    meters.add(scrape(2.0, 7))
    assert meter(meters, "distributed_votes_total", type="accept").rate_per_s == 7


def test_another_node_begins_anew() -> None:
    meters = Meters()
    meters.add(scrape(1.0, 1_000))
    meters.add(scrape(2.0, 2_000, node="b"))
    assert meter(meters, "distributed_votes_total", type="accept").rate_per_s is None


def test_histograms_are_summed_up() -> None:
    meters = Meters()
    meters.add(scrape(1.0))
    found = meter(meters, "latency_seconds")
    assert (found.value, found.mean) == (100, 0.25)
    assert found.p50 == Bucket(0, 0.1)
    assert found.p95 == Bucket(1, math.inf), "beyond the last finite bound only the bound is known"


def test_labels_are_unescaped_and_rings_are_bounded() -> None:
    meters = Meters(kept=3)
    for at_s in range(10):
        meters.add(scrape(float(at_s), at_s))
    assert meter(meters, "distributed_votes_total", type='re"ject\n').value == 1
    assert meter(meters, "distributed_votes_total", type="accept").recent == (1, 1, 1)


def test_series_beyond_the_bound_are_counted() -> None:
    meters = Meters(most=2)
    meters.add(scrape(1.0))
    assert len(meters.all()) == 2
    assert meters.left_out == 2


@pytest.mark.parametrize("text", ["<html>", "a b c d", 'a{b="c" 1', "a{b=c} 1", "x 1e"])
def test_what_is_no_metrics_text_is_refused_and_the_known_stays(text: str) -> None:
    meters = Meters()
    meters.add(scrape(1.0, 10))
    with pytest.raises(BadText, match="Prometheus"):
        meters.add(Part(text, "a", 2.0, 2_000))
    assert meter(meters, "distributed_votes_total", type="accept").value == 10


def test_a_quantile_is_the_bucket_it_lies_in() -> None:
    assert quantile(0.5, ()) is None
    assert quantile(0.5, ((1.0, 0.0), (math.inf, 0.0))) is None
    assert quantile(0.5, ((-100.0, 0.0), (0.0, 10.0), (math.inf, 10.0))) == (-100, 0)
    assert quantile(0.5, ((-100.0, 9.0), (0.0, 10.0), (math.inf, 10.0))) == (-math.inf, -100)
    assert quantile(1.0, ((1.0, 2.0), (2.0, 4.0))) == (1, 2)
    assert quantile(0.9, ((math.inf, 3.0),)) == (0, math.inf)
    assert [reading.kind for reading in read(TEXT.format(accepts=1, locks=1))] == [
        "gauge", "counter", "counter", "histogram",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bucket", "said"),
    [
        ("distributed_replication_latency_seconds", Bucket(0.01, 0.05), "≤ 0.05 s"),
        ("distributed_replication_latency_seconds", Bucket(10, math.inf), "> 10 s"),
        ("distributed_clock_drift_total", Bucket(-100, 0), "-100…0"),
        ("distributed_clock_drift_total", Bucket(0, 100), "≤ 100"),
        ("distributed_clock_drift_total", Bucket(-math.inf, -1000), "≤ -1,000"),
        ("distributed_clock_drift_total", None, "–"),
    ],
)
def test_of_a_quantile_no_more_is_said_than_is_known(name: str, bucket: Bucket | None, said: str) -> None:
    [row] = rows([Meter(name, (), "histogram", "", 3, None, None, bucket, bucket, ())])
    assert [cell.text for cell in row.cells[4:6]] == [said, said]
