"""Families of samples as the client library renders them, each by its entry in the list of names.

An edge is placed between two buckets of the log-linear histogram: one that straddles it is counted
as a whole on the side that its middle is on, so that the edge really stands where those two
buckets meet, never further off than half a bucket. For the edges of demand.md E1 that is 1.1 % at
most (a test computes it). A count once under an edge stays under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


_KINDS = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


@dataclass(frozen=True, slots=True)
class Counted:
    """One histogram as it is told: counts under each edge, and the sum of all values."""

    name: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    total: float

    def family(self) -> Family:
        """A family of this one alone."""
        names = _names(BYTES if self.name.endswith("_bytes") else SECONDS)
        made = empty_family(self.name)
        made.add_metric(  # type: ignore[attr-defined]
            list(self.labels), list(zip(names, self.counts, strict=True)), self.total
        )
        return made


def empty_family(name: str) -> Family:
    """The family of that name, without samples."""
    metric = BY_NAME[name]
    made: Family = _KINDS[metric.kind](metric.name, metric.help, labels=metric.labels)
    return made


class Families:
    """Everything of an answer."""

    def __init__(self) -> None:
        self.plain = {
            name: empty_family(name) for name, m in BY_NAME.items() if m.kind != "histogram"
        }
        self.counted: dict[str, list[Counted]] = {
            name: [] for name, m in BY_NAME.items() if m.kind == "histogram"
        }

    def value(self, name: str, labels: Sequence[str], value: float) -> None:
        """One sample of a counter or gauge."""
        self.plain[name].add_metric(list(labels), value)  # type: ignore[attr-defined]

    def histogram(self, name: str, labels: Sequence[str], found: Histogram | None) -> None:
        """One histogram, of bytes where its name says so; None is one that counted nothing."""
        edges, scale = (BYTES, 1.0) if name.endswith("_bytes") else (SECONDS, NS)
        counts = tuple(cumulative(found, edges, scale))
        total = 0.0 if found is None else found.total / scale
        self.counted[name].append(Counted(name, tuple(labels), counts, total))


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
