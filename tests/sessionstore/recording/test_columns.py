"""Columns put each value where a histogram does, and sketches keep what they say."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore.metrics import Histogram
from sessionstore.recording.columns import Column, Sizes
from sessionstore.recording.sketch import MOST_TRACKED, Sketch

VALUES = st.lists(
    st.one_of(
        st.integers(0, 70),
        st.integers(0, 2**53 - 1),
        st.integers(6, 52).flatmap(lambda bits: st.integers(2**bits - 2, 2**bits + 2)),
    ),
    min_size=1,
    max_size=60,
)


def one_by_one(values: list[int], times: int = 1) -> Histogram:
    found = Histogram({})
    for value in values:
        found.add(value, times)
    return found


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_columns_count_as_one_by_one(batches: list[list[int]]) -> None:
    column = Column()
    largest = [column.add(batch) for batch in batches]
    assert largest == [max(batch) for batch in batches]
    assert column.histogram() == one_by_one([value for batch in batches for value in batch])


@given(VALUES, st.integers(2, 9))
def test_values_can_stand_for_several(values: list[int], times: int) -> None:
    column = Column()
    column.add(values, times)
    assert column.histogram() == one_by_one(values, times)


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=200), st.floats(0.001, 1))
def test_percentiles_are_within_one_per_cent_of_the_exact_ones(
    values: list[int], share: float
) -> None:
    column = Column()
    column.add(values)
    exact = sorted(values)[max(1, math.ceil(round(share * len(values), 6))) - 1]
    found = column.histogram().percentile(share)
    assert found is not None
    assert abs(found - exact) <= exact * 0.011


def test_sizes_of_which_many_differ_are_counted_in_bounded_memory() -> None:
    sizes = Sizes()
    for start in range(0, 50_000, 500):
        sizes.add(range(start, start + 500))
    assert sizes.histogram() == one_by_one(list(range(50_000)))
    assert len(sizes._values) <= 5_000


KEYS = st.lists(
    st.lists(st.integers(0, 6000).map(lambda n: f"key-{n * n // 6000}"), max_size=300), max_size=30
)


@settings(max_examples=40)
@given(KEYS, st.integers(1, 40))
def test_true_counts_lie_within_what_the_sketch_says(batches: list[list[str]], many: int) -> None:
    sketch, exact = Sketch(), Counter[str]()
    batches += [[f"other-{number}-{n}" for n in range(200)] for number in range(many)]
    for batch in batches:
        sketch.add(batch)
        exact.update(batch)
    sessions = sketch.sessions()
    assert len(sessions) <= 64
    for one in sessions:
        assert one.count - one.over_count <= exact[one.key] <= one.count


def test_sketch_finds_the_hot_session_among_many() -> None:
    sketch = Sketch()
    for number in range(100):
        sketch.add([f"once-{number}-{n}" for n in range(200)] + ["hot"] * 20)
        sketch.add_costs(["hot"], [7], [5])
    hottest = sketch.sessions()[0]
    assert hottest.key == "hot"
    assert hottest.count - hottest.over_count <= 2_000 <= hottest.count
    assert hottest.hold_ns == 700
    assert hottest.written_bytes == 500
    assert len(sketch._count) <= MOST_TRACKED


def test_few_sessions_are_exact() -> None:
    sketch = Sketch()
    sketch.add(["a", "b", "a"])
    sketch.add_costs(["a", "b", "a"], [1, 2, 3], [10, 20, 30])
    sketch.add_waits(["b"], [9])
    found = {one.key: one for one in sketch.sessions()}
    assert (found["a"].count, found["a"].hold_ns, found["a"].written_bytes) == (2, 4, 40)
    assert (found["b"].contended, found["b"].wait_ns, found["b"].over_count) == (1, 9, 0)
