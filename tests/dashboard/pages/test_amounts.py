"""Amounts are written alike everywhere: never 1000 ms, never 60.0 s, no digits that say nothing."""

from __future__ import annotations

import pytest

from dashboard.services.amounts import duration, latency, trimmed
from dashboard.services.threshold_units import MILLISECONDS, TIMES
from dashboard.services.threshold_words import said


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"), (999.4, "999 ms"), (999.6, "1.0 s"), (59_940, "59.9 s"),
        (59_960, "1:00 min"), (3_599_600, "1 h 0 min"), (90_000_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_a_duration_goes_over_to_the_next_unit_where_it_rounds_to_it(
    milliseconds: float, words: str
) -> None:
    assert duration(milliseconds) == words


def test_a_latency_of_nothing_has_no_digits() -> None:
    assert (latency(0), latency(0.032), latency(3.04)) == ("0 ms", "0.032 ms", "3.0 ms")


@pytest.mark.parametrize(
    ("words", "short"),
    [
        ("1.0 s", "1 s"), ("1.5 s", "1.5 s"), ("30:00 min", "30 min"), ("30:05 min", "30:05 min"),
        ("30 d 0 h", "30 d"), ("1 d 2 h", "1 d 2 h"), ("10.0 MiB", "10 MiB"), ("never", "never"),
    ],
)  # fmt: skip
def test_a_limit_has_no_digits_that_say_nothing(words: str, short: str) -> None:
    assert trimmed(words) == short


def test_what_a_rule_finds_keeps_microseconds_and_no_absurd_multiples() -> None:
    assert said(MILLISECONDS, 0.000042) == "0.042 ms"
    assert said(TIMES, 132_760.0) == "over 1,000 × the stores"
