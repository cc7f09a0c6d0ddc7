"""Medians over interleaved rounds, and ratios."""

import statistics
from collections.abc import Sequence

from bench.load import Sample


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):,.1f} [{min(values):,.1f}-{max(values):,.1f}]"


def line(what: str, ours: Sequence[Sample], theirs: Sequence[Sample], unit: str) -> str:
    """One comparison of loads: rates, p50 and p99, and how many times theirs ours is."""
    rates = [statistics.median(sample.rate for sample in samples) for samples in (ours, theirs)]
    p50 = [statistics.median(sample.percentile_ms(50) for sample in samples) for samples in (ours, theirs)]
    p99 = [statistics.median(sample.percentile_ms(99) for sample in samples) for samples in (ours, theirs)]
    sides = [
        f"{who} {rate:,.0f} {unit}/s, p50 {middle:.1f} ms, p99 {tail:.1f} ms"
        for who, rate, middle, tail in zip(("ours", "etcd"), rates, p50, p99, strict=True)
    ]
    return f"{what}: {'; '.join(sides)}; rate {rates[0] / rates[1]:.2f}x, p99 {p99[0] / p99[1]:.2f}x"


def outcomes(samples: Sequence[Sample]) -> str:
    """What came of the work, counted."""
    total = sum((sample.outcomes for sample in samples), start=type(samples[0].outcomes)())
    return ", ".join(f"{count:,} {word}" for word, count in total.most_common())
