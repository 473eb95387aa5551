"""What is shown of a histogram."""

from __future__ import annotations

from dataclasses import dataclass

from ..recording.histograms import Histogram


@dataclass(frozen=True, slots=True)
class Spread:
    """Of ``n`` values, in their own unit; percentiles are at most 0.79 % off, the rest is exact.

    All but ``n`` and ``total`` are None when there is no value.
    """

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    maximum: int | None
    total: int


def spread(histogram: Histogram | None) -> Spread:
    """The spread of a histogram; None is one without values."""
    count = 0 if histogram is None else histogram.count
    if histogram is None or not count:
        return Spread(0, None, None, None, None, 0)
    return Spread(
        count,
        histogram.percentile(0.5),
        histogram.percentile(0.95),
        histogram.percentile(0.99),
        histogram.maximum,
        histogram.total,
    )
