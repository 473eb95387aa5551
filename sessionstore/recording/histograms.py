"""Log-linear histograms that merge by adding.

A histogram has 64 buckets per power of two. The values of a bucket lie within 1/64 of its lowest
one, so its middle, which stands for all of them, is at most 1/128 = 0.79 % off (docs/performance.md
says why half as many are not enough for 1.1 %). Values are non-negative integers: nanoseconds or
bytes.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import Meta

STEPS_BITS = 6
STEPS = 1 << STEPS_BITS
MOST_VALUE = (1 << 63) - 1
MOST_BUCKETS = (63 - STEPS_BITS + 1) * STEPS

Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Bucket = Annotated[int, Meta(ge=0, le=MOST_BUCKETS - 1)]


def bucket_of(value: int) -> int:
    """Index of the bucket of a non-negative integer; more than :data:`MOST_VALUE` counts as it."""
    if value < STEPS:
        return max(value, 0)
    exponent = min(value, MOST_VALUE).bit_length() - STEPS_BITS - 1
    return (exponent << STEPS_BITS) + (min(value, MOST_VALUE) >> exponent)


def bucket_low(index: int) -> int:
    """The smallest value of a bucket."""
    if index < STEPS:
        return index
    exponent = (index >> STEPS_BITS) - 1
    return (STEPS + (index & (STEPS - 1))) << exponent


def bucket_middle(index: int) -> float:
    """The value in the middle of a bucket."""
    if index < STEPS:
        return float(index)
    return bucket_low(index) + ((1 << ((index >> STEPS_BITS) - 1)) - 1) / 2


class Histogram(msgspec.Struct, array_like=True):
    """Counts by bucket (sparse), with their sum and maximum. Not locked."""

    counts: Annotated[dict[Bucket, Number], Meta(max_length=MOST_BUCKETS)] = {}
    total: Number = 0
    maximum: Number = 0

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

        That of rank ``ceil(share * count)``, at most 0.79 % off; never above the maximum.
        """
        count = self.count
        if not count:
            return None
        # 0.07 * 100 is 7.000000000000001 in floating point, and its rank is 7
        wanted = max(1, math.ceil(round(share * count, 6)))
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
