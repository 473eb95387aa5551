"""Percentiles of histograms beside the exact ones of the samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.metrics import Histogram, bucket_low, bucket_middle, bucket_of
from sessionstore.recording.histograms import MOST_BUCKETS, MOST_VALUE, STEPS

PROMISED = 0.011
SHARES = (0.01, 0.07, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
SAMPLES = st.lists(
    st.one_of(st.integers(0, 200), st.integers(0, 10**7), st.integers(0, 2**60)),
    min_size=1,
    max_size=200,
)


def histogram_of(values: Sequence[int]) -> Histogram:
    histogram = Histogram({})
    for value in values:
        histogram.add(value)
    return histogram


def exact(values: Sequence[int], share: float) -> int:
    rank = math.ceil(round(share * len(values), 6))
    return sorted(values)[max(rank, 1) - 1]


def assert_close(histogram: Histogram, values: Sequence[int]) -> None:
    for share in SHARES:
        found, true = histogram.percentile(share), exact(values, share)
        assert found is not None
        assert abs(found - true) <= PROMISED * true


@given(SAMPLES)
def test_percentile_is_within_the_promise_of_the_exact_one(values: list[int]) -> None:
    assert_close(histogram_of(values), values)


@given(st.lists(SAMPLES, min_size=2, max_size=5))
def test_percentile_of_merged_histograms_is_that_of_all_samples(parts: list[list[int]]) -> None:
    merged = Histogram({})
    for part in parts:
        merged.merge(histogram_of(part))
    values = [value for part in parts for value in part]
    assert merged == histogram_of(values)
    assert_close(merged, values)


def test_no_value_of_any_bucket_is_further_from_its_middle_than_promised() -> None:
    worst = 0.0
    for index in range(1, MOST_BUCKETS - 1):
        low, high = bucket_low(index), bucket_low(index + 1) - 1
        assert bucket_of(low) == bucket_of(high) == index
        middle = bucket_middle(index)
        worst = max(worst, (middle - low) / low, (high - middle) / high)
    assert worst <= 1 / 128


def test_half_as_many_buckets_could_not_keep_the_promise() -> None:
    low, high = 32 << 20, (33 << 20) - 1
    best = 2 * low * high / (low + high)  # errs equally at both ends, so no other is better
    assert min((best - low) / low, (high - best) / high) > PROMISED


@pytest.mark.parametrize("value", [MOST_VALUE, MOST_VALUE + 1, 2**80])
def test_largest_values_share_the_last_bucket(value: int) -> None:
    assert bucket_of(value) == MOST_BUCKETS - 1


def test_negative_value_counts_as_none() -> None:
    assert bucket_of(-5) == 0


def test_nothing_has_no_percentile() -> None:
    assert Histogram({}).percentile(0.5) is None


def test_percentile_is_never_above_the_maximum() -> None:
    assert histogram_of([STEPS * 4]).percentile(0.99) == STEPS * 4


def test_counts_at_most_a_value() -> None:
    assert histogram_of([1, 5, 9, 10**9]).at_most(9) == 3
