"""Counting and timing updates: log-linear histograms that merge by adding.

A histogram has 32 buckets per power of two, so a percentile is at most 1.1 % off at any scale
(performance.md §6, ecosystem.md §7), and recording is one list increment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .recorder import Outcome

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

    __slots__ = ("buckets", "count", "maximum", "total")

    def __init__(self) -> None:
        self.buckets = [0] * _BUCKETS
        self.count = 0
        self.total = 0
        self.maximum = 0

    def add(self, value: int) -> None:
        """Count one value."""
        self.buckets[bucket_of(value)] += 1
        self.count += 1
        self.total += value
        if value > self.maximum:
            self.maximum = value

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts; percentiles are never averaged."""
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def percentile(self, share: float) -> float | None:
        """The value below which ``share`` (0 to 1) of the counts lie; None without any."""
        if not self.count:
            return None
        wanted = max(1, round(share * self.count))
        seen = 0
        for index, count in enumerate(self.buckets):
            seen += count
            if seen >= wanted:
                return min(bucket_middle(index), float(self.maximum))
        return float(self.maximum)


@dataclass(slots=True)
class OperationMetrics:
    """What one operation of one store did in this process; times in nanoseconds."""

    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    write: Histogram = field(default_factory=Histogram)
    outcomes: dict[Outcome, int] = field(default_factory=dict)
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
        metrics.wait.add(wait_ns)
        metrics.hold.add(hold_ns)
        outcomes = metrics.outcomes
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if written_bytes:
            metrics.write.add(write_ns)
            metrics.written_bytes += written_bytes
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
            for outcome, count in part.outcomes.items():
                result.outcomes[outcome] = result.outcomes.get(outcome, 0) + count
        return result
