"""Log-linear histograms that merge by adding.

A histogram has 64 buckets per power of two, so a percentile is at most 0.8 % off the exact one
at any scale: half a bucket, which at the lower end of a power is 1/128 of the value. (With 32
buckets it would be 1.6 %, more than the 1.1 % that is promised; ecosystem.md §7.) Values are
non-negative integers: nanoseconds or bytes.
"""

from __future__ import annotations

import msgspec

_BITS = 6
STEPS = 1 << _BITS
MOST_BUCKETS = 60 * STEPS


def bucket_of(value: int) -> int:
    """Index of the bucket of a non-negative integer; larger than 2**63 counts as 2**63."""
    if value < STEPS:
        return max(value, 0)
    exponent = value.bit_length() - _BITS - 1
    return min((exponent << _BITS) + (value >> exponent), MOST_BUCKETS - 1)


def bucket_low(index: int) -> int:
    """The smallest value of a bucket."""
    if index < STEPS:
        return index
    exponent = (index >> _BITS) - 1
    return (STEPS + (index & (STEPS - 1))) << exponent


def bucket_middle(index: int) -> float:
    """The value in the middle of a bucket."""
    if index < STEPS:
        return float(index)
    return bucket_low(index) + ((1 << ((index >> _BITS) - 1)) - 1) / 2


class Histogram(msgspec.Struct, array_like=True):
    """Counts by bucket (sparse), with their sum and maximum. Not locked."""

    counts: dict[int, int] = {}
    total: int = 0
    maximum: int = 0

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    def add(self, value: int, times: int = 1) -> None:
        """Count one value."""
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + times
        self.total += value * times
        self.maximum = max(self.maximum, value)

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts; percentiles are never averaged."""
        mine = self.counts
        for bucket, count in other.counts.items():
            mine[bucket] = mine.get(bucket, 0) + count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def percentile(self, share: float) -> float | None:
        """The value below which ``share`` (0 to 1) of the counts lie; None without any.

        At most 0.8 % off the exact one, by rank ``ceil(share * count)``; never above the maximum.
        """
        count = self.count
        if not count:
            return None
        wanted = max(1, -int(-share * count // 1))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                return min(bucket_middle(index), float(self.maximum))
        return float(self.maximum)

    def at_most(self, value: int) -> int:
        """How many counts lie at or below ``value``, by whole buckets."""
        last = bucket_of(value)
        return sum(count for bucket, count in self.counts.items() if bucket <= last)
