"""Many values at once into a histogram, at the speed of C.

Taking a value's bucket in Python costs a third of a microsecond, and an update has a dozen
values. Here a whole column becomes ``double`` numbers, of which sign, exponent and the first
six bits of the fraction are exactly the bucket (64 per power of two), and ``Counter`` counts
those. Exact below 2**53 (104 days in nanoseconds), above that to one bucket.
"""

from __future__ import annotations

import struct
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from .histograms import MOST_BUCKETS, STEPS, Histogram

_HIGH = 1 if sys.byteorder == "little" else 0
_DROPPED_BITS = 20 - (STEPS.bit_length() - 1)
_MOST_VALUES = 4096
_MOST_WAITING_BYTES = 8 * 2048
_LANE = (1 << (32 - _DROPPED_BITS)) - 1


@lru_cache(maxsize=64)
def _mask(length: int) -> int:
    return int.from_bytes(_LANE.to_bytes(4, sys.byteorder) * length, sys.byteorder)


def packed(values: Sequence[int]) -> bytes:
    """The values as ``double`` numbers."""
    return struct.pack(f"{len(values)}d", *values)


def codes_of(numbers: bytes | bytearray) -> memoryview:
    """The upper bits of each ``double``: the same for all values of a bucket."""
    length = len(numbers) // 8
    high = memoryview(numbers).cast("I")[_HIGH::2].tobytes()
    lanes = (int.from_bytes(high, sys.byteorder) >> _DROPPED_BITS) & _mask(length)
    return memoryview(lanes.to_bytes(4 * length, sys.byteorder)).cast("I")


_SMALL = {codes_of(packed((value,)))[0]: value for value in range(STEPS)}
_OFFSET = codes_of(packed((STEPS,)))[0] - STEPS


class Column:
    """One histogram in the making. Not locked.

    Values wait, packed, until there are so many that counting them is cheap: its code and tables
    are not in the processor's caches when a batch comes.
    """

    __slots__ = ("codes", "maximum", "total", "waiting")

    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.waiting = bytearray()
        self.total = 0
        self.maximum = 0

    def add(self, values: Sequence[int], times: int = 1) -> int:
        """Count each ``times``; none is negative, there is at least one. Returns the largest."""
        largest = max(values)
        self.total += sum(values) * times
        if largest > self.maximum:
            self.maximum = largest
        if times == 1:
            self.waiting += packed(values)
            if len(self.waiting) >= _MOST_WAITING_BYTES:
                self._count()
        else:
            counted = Counter(codes_of(packed(values)))
            self.codes.update({code: count * times for code, count in counted.items()})
        return largest

    def _count(self) -> None:
        self.codes.update(codes_of(self.waiting))
        self.waiting = bytearray()

    def histogram(self) -> Histogram:
        """What was counted."""
        self._count()
        counts: dict[int, int] = {}
        for code, count in self.codes.items():
            index = _SMALL.get(code, -1)
            if index < 0:
                index = min(code - _OFFSET, MOST_BUCKETS - 1)
            counts[index] = counts.get(index, 0) + count
        return Histogram(counts, self.total, self.maximum)


class Sizes:
    """A histogram of values of which few differ, as the sizes of one store's entries do."""

    __slots__ = ("_known", "_values")

    def __init__(self) -> None:
        self._values: Counter[int] = Counter()
        self._known = Histogram({})

    def add(self, values: Sequence[int]) -> None:
        """Count all of them, none negative."""
        self._values.update(values)
        if len(self._values) > _MOST_VALUES:
            self._settle()

    def _settle(self) -> None:
        for value, count in self._values.items():
            self._known.add(value, count)
        self._values.clear()

    def histogram(self) -> Histogram:
        """What was counted."""
        self._settle()
        return self._known
