"""Counting and timing updates: log-linear histograms that merge by adding.

A histogram has 32 buckets per power of two, so a percentile is at most 1.1 % off at any scale
(performance.md §6, ecosystem.md §7), and recording is one list increment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..recorder import Outcome

_STEPS = 32
_BUCKETS = 60 * _STEPS


def bucket_of(value: int) -> int:
    """Index of the bucket of a non-negative integer (nanoseconds or bytes)."""
    if value < _STEPS:
        return max(value, 0)
    exponent = value.bit_length() - 6
    return ((exponent + 1) << 5) + ((value >> exponent) - _STEPS)


def bucket_middle(index: int) -> float:
    """The value in the middle of a bucket."""
    if index < _STEPS:
        return float(index)
    exponent = (index >> 5) - 1
    low = (_STEPS + (index & 31)) << exponent
    return low + ((1 << exponent) - 1) / 2


class Histogram:
    """Counts by bucket, with sum and maximum. Not locked: one histogram per process."""

    __slots__ = ("buckets", "maximum", "total")

    def __init__(self) -> None:
        self.buckets = [0] * _BUCKETS
        self.total = 0
        self.maximum = 0

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.buckets)

    def add(self, value: int) -> None:
        """Count one value."""
        self.buckets[bucket_of(value)] += 1
        self.total += value
        if value > self.maximum:
            self.maximum = value

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts; percentiles are never averaged."""
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def percentile(self, share: float) -> float | None:
        """The value below which ``share`` (0 to 1) of the counts lie; None without any."""
        count = self.count
        if not count:
            return None
        wanted = max(1, round(share * count))
        seen = 0
        for index, inside in enumerate(self.buckets):
            seen += inside
            if seen >= wanted:
                return min(bucket_middle(index), float(self.maximum))
        return float(self.maximum)


@dataclass(slots=True)
class OperationMetrics:
    """What one operation of one store did in this process; times in nanoseconds."""

    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    write: Histogram = field(default_factory=Histogram)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    contended: int = 0
    written_bytes: int = 0


class StoreMetrics:
    """A recorder that keeps histograms in memory: ``open_store(recorder=StoreMetrics())``."""

    def __init__(self) -> None:
        self.operations: dict[str, OperationMetrics] = {}

    def record(
        self,
        operation: str,
        outcome: Outcome,
        wait_ns: int,
        hold_ns: int,
        write_ns: int,
        written_bytes: int,
        contended: bool,
    ) -> None:
        """Count one update; see :class:`sessionstore.recorder.Recorder`."""
        metrics = self.operations.get(operation)
        if metrics is None:
            metrics = self.operations.setdefault(operation, OperationMetrics())
        metrics.outcomes[outcome] += 1
        metrics.written_bytes += written_bytes
        # Histogram.add() written out: its three calls are half of what recording costs.
        for histogram, value in (
            (metrics.wait, wait_ns),
            (metrics.hold, hold_ns),
            (metrics.write, write_ns),
        ):
            if value < _STEPS:
                if written_bytes or histogram is not metrics.write:
                    histogram.add(value)
                continue
            exponent = value.bit_length() - 6
            histogram.buckets[(exponent << 5) + (value >> exponent)] += 1
            histogram.total += value
            if value > histogram.maximum:
                histogram.maximum = value
        if contended:
            metrics.contended += 1

    def total(self, names: Iterable[str] | None = None) -> OperationMetrics:
        """All operations, or the named ones, merged."""
        result = OperationMetrics()
        for name in list(self.operations) if names is None else names:
            part = self.operations.get(name)
            if part is None:
                continue
            result.wait.merge(part.wait)
            result.hold.merge(part.hold)
            result.write.merge(part.write)
            result.contended += part.contended
            result.written_bytes += part.written_bytes
            result.outcomes.update(part.outcomes)
        return result
