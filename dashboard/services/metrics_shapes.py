"""Families of samples as the client library renders them, each by its entry in the list of names.

An edge is placed between two buckets of the log-linear histogram: one that straddles it is counted
as a whole on the side that its middle is on, so that the edge really stands where those two
buckets meet, never further off than half a bucket. For the edges of demand.md E1 that is 1.1 % at
most (a test computes it). A count once under an edge stays under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from sessionstore.metrics import Histogram, bucket_middle, bucket_of

from .metrics_names import BY_NAME
from .metrics_words import BYTES, SECONDS

NS = 1e9


class Families:
    """Every family of an answer, made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Family] = {}

    def collect(self) -> Iterable[Family]:
        """All families in the order of their names' list, also those without a sample."""
        return [self._of(name) for name in BY_NAME]

    def _of(self, name: str) -> Family:
        family = self._made.get(name)
        if family is None:
            metric = BY_NAME[name]
            kinds = {
                "counter": CounterMetricFamily,
                "gauge": GaugeMetricFamily,
                "histogram": HistogramMetricFamily,
            }
            family = kinds[metric.kind](metric.name, metric.help, labels=metric.labels)
            self._made[name] = family
        return family

    def value(self, name: str, labels: Sequence[str], value: float) -> None:
        """One sample of a counter or gauge."""
        self._of(name).add_metric(list(labels), value)  # type: ignore[attr-defined]

    def histogram(
        self, name: str, labels: Sequence[str], found: Histogram | None, *, in_bytes: bool = False
    ) -> None:
        """One histogram; None is one that has counted nothing."""
        edges, scale = (BYTES, 1.0) if in_bytes else (SECONDS, NS)
        counts = cumulative(found, edges, scale)
        names = _names(edges)
        total = 0.0 if found is None else found.total / scale
        self._of(name).add_metric(  # type: ignore[attr-defined]
            list(labels), list(zip(names, counts, strict=True)), total
        )


@cache
def _names(edges: tuple[float, ...]) -> tuple[str, ...]:
    return (*(str(edge) for edge in edges), "+Inf")


@cache
def last_buckets(edges: tuple[float, ...], scale: float) -> tuple[int, ...]:
    """The last bucket that counts as under each edge."""
    return tuple(_last_bucket(edge * scale) for edge in edges)


def _last_bucket(edge: float) -> int:
    index = bucket_of(round(edge))
    return index if bucket_middle(index) <= edge else index - 1


def cumulative(found: Histogram | None, edges: tuple[float, ...], scale: float) -> list[int]:
    """How many counts lie under each edge, and then how many there are."""
    if found is None or not found.counts:
        return [0] * (len(edges) + 1)
    ordered = sorted(found.counts.items())
    counts, seen, at = [], 0, 0
    for last in last_buckets(edges, scale):
        while at < len(ordered) and ordered[at][0] <= last:
            seen += ordered[at][1]
            at += 1
        counts.append(seen)
    counts.append(seen + sum(count for _index, count in ordered[at:]))
    return counts
