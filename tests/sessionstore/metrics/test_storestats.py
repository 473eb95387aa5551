"""``stats`` of a store whose writers have reported."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore import aio, open_store, stats
from sessionstore.metrics import CHANGED, WRITTEN, History, spread, stats_of
from tests.sessionstore.metrics.reporting import (
    MINUTE,
    NOW,
    SECOND,
    histogram,
    keep_open,
    paths_in,
    report,
    window,
)

HOURS = 3_600


def test_figures_of_a_window(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    quick = window(NOW - 2 * MINUTE, holds=[1_000_000] * 98, key="quick", length_ms=2 * MINUTE)
    slow = window(NOW - MINUTE, holds=[9_000_000] * 2, key="slow", length_ms=MINUTE)
    late = window(NOW, holds=[500], operation="delete", outcome="timeout", length_ms=MINUTE)
    for group in quick.groups:
        group.contended = 20
        group.series[WRITTEN], group.series[CHANGED] = histogram([400] * 98), histogram([10] * 98)
    report(paths, [quick, slow, late])
    history = History(paths)
    history.refresh(now_ms=NOW)
    found = stats_of(history, NOW - 4 * MINUTE, NOW)

    assert (found.is_exact, found.covered_share, found.gaps) == (False, 1.0, ())
    assert found.dropped == 3  # what these windows say of themselves
    assert found.total.count == 101
    assert found.total.outcomes == {"written": 100, "timeout": 1}
    assert (found.total.timeouts, found.operations["patch"].timeouts) == (1, 0)
    assert found.total.rate == pytest.approx(101 / 240)
    patch = found.operations["patch"]
    assert (patch.contended, patch.contended_share) == (20, 0.2)
    assert (patch.hold.n, patch.hold.maximum, patch.hold.total) == (100, 9_000_000, 116_000_000)
    assert patch.hold.p50 == pytest.approx(1_000_000, rel=0.011)
    assert patch.hold.p95 == pytest.approx(1_000_000, rel=0.011)
    assert patch.hold.p99 == pytest.approx(9_000_000, rel=0.011)
    assert patch.phases["sync"].n == 100
    assert patch.amplification == pytest.approx((400 * 98 + 18_000_000) / 980)
    assert [one.key for one in found.top_by_hold] == ["quick", "slow", "agent:main:a"]
    assert [one.key for one in found.top_by_bytes] == ["quick", "slow", "agent:main:a"]
    assert found.reads["get"].n == 3
    assert [one.pid for one in found.reporters] == [1]


def test_gaps_make_it_inexact_and_rates_are_of_covered_time(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    one = window(NOW, length_ms=MINUTE, holds=[1] * 60)
    one.counters = {}
    report(paths, [one])
    history = History(paths)
    history.refresh(now_ms=NOW)
    whole = stats_of(history, NOW - MINUTE, NOW)
    assert (whole.is_exact, whole.total.rate) == (True, 1.0)
    wide = stats_of(history, NOW - 4 * MINUTE, NOW)
    assert (wide.is_exact, wide.covered_share) == (False, 0.25)
    assert wide.gaps == ((NOW - 4 * MINUTE, NOW - MINUTE),)
    assert wide.total.rate == 1.0


def test_what_could_not_be_read_makes_it_inexact(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    one = window(NOW, length_ms=MINUTE)
    one.counters = {}
    path = report(paths, [one])
    with path.open("ab") as file:
        file.write(b"this is no report")
    history = History(paths)
    history.refresh(now_ms=NOW)
    found = stats_of(history, NOW - MINUTE, NOW)
    assert (found.is_exact, found.refused) == (False, 1)


def test_a_store_that_nobody_reports_of(tmp_path: Path) -> None:
    with open_store(tmp_path / "sessions.json") as store:
        found = stats(store, window=(NOW - MINUTE, NOW))
    assert (found.is_exact, found.covered_share) == (False, 0.0)
    assert found.gaps == ((NOW - MINUTE, NOW),)
    assert found.total.count == 0
    assert found.total.rate is None
    assert found.total.contended_share is None
    assert found.total.amplification is None
    assert found.total.hold == spread(None)
    assert found.operations == {}
    assert not found.reporters
    assert not found.top_by_hold


def test_seconds_count_back_from_now(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    now_ms = int(time.time() * 1000)
    report(paths, [window(now_ms - 50 * SECOND), window(now_ms - 5 * SECOND)])
    with open_store(tmp_path / "sessions.json") as store:
        assert stats(store, window=30).total.count == 1
        assert stats(store, window=120.5).total.count == 2
        found = stats(store, window=HOURS)
    assert found.end_ms - found.start_ms == HOURS * SECOND


def test_the_twin_tells_the_same(tmp_path: Path) -> None:
    report(paths_in(tmp_path), [window(NOW)])
    times = (NOW - MINUTE, NOW)

    async def ask() -> Any:
        async with aio.open_store(tmp_path / "sessions.json") as store:
            return await store.stats(window=times)

    with open_store(tmp_path / "sessions.json") as store:
        assert asyncio.run(ask()).total == stats(store, window=times).total


@pytest.mark.parametrize(
    "window",
    [0, -1, float("nan"), float("inf"), True, (5, 5), (9, 1), (1, 2, 3), (1.0, 2.0), "60", None],
)
def test_what_is_no_window_is_refused(tmp_path: Path, window: Any) -> None:
    with open_store(tmp_path / "sessions.json") as store, pytest.raises(ValueError, match="window"):
        stats(store, window=window)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW)])
    before = sorted(tmp_path.rglob("*"))
    with open_store(tmp_path / "sessions.json") as store:
        stats(store, window=60)
    assert sorted(tmp_path.rglob("*")) == before
    assert path.exists()


def test_a_living_process_with_nothing_to_report_is_named(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    owner = keep_open(report(paths, [window(NOW - 10 * MINUTE)]))
    dead = report(paths, [window(NOW - 10 * MINUTE, pid=2)], pid=2)
    history = History(paths)
    history.refresh(now_ms=NOW)
    found = stats_of(history, NOW - MINUTE, NOW)
    assert [(one.pid, one.state) for one in found.reporters] == [(1, "alive")]
    assert (found.covered_share, found.total.count) == (1.0, 0)
    assert dead.exists()
    os.close(owner)
