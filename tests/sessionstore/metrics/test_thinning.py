"""What becomes of reports as they grow old."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionstore.metrics import Window
from sessionstore.recording import thinning
from sessionstore.recording.merging import merge
from sessionstore.recording.tiers import COARSEST_MS, KEPT_MS, TIERS
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    figures,
    history_of,
    names_of,
    paths_in,
    report,
    thin_all,
    window,
)

EVER = 10 * KEPT_MS


def windows_of(folder: Path, now_ms: int = NOW) -> list[Window]:
    return history_of(folder, now_ms).between(now_ms - EVER, now_ms)


@st.composite
def reports(draw: st.DrawFn) -> list[list[Window]]:
    """Files of some processes over three days, each within ten minutes, as writers rotate them."""
    files = []
    for pid in range(1, draw(st.integers(1, 5)) + 1):
        age = draw(st.integers(11 * MINUTE, KEPT_MS - HOUR))
        ends = draw(st.sets(st.integers(0, 119), min_size=1, max_size=12))
        start = NOW - age - 10 * MINUTE
        files.append(
            [
                window(start + 5 * SECOND * (end + 1), pid=pid, holds=[draw(st.integers(0, 10**9))])
                for end in sorted(ends)
            ]
        )
    return files


@given(files=reports())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_totals_stay_what_they_were(
    files: list[list[Window]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("thinned")
    paths = paths_in(folder)
    for pid, windows in enumerate(files, 1):
        report(paths, windows, pid=pid)
    before = figures(merge(one for windows in files for one in windows))
    thin_all(paths.sidecar)
    assert figures(history_of(folder).total(NOW - EVER, NOW)) == before


@pytest.mark.parametrize("age_and_step", TIERS)
def test_windows_are_as_long_as_their_age_says(
    tmp_path: Path, age_and_step: tuple[int, int]
) -> None:
    limit, step = age_and_step
    paths = paths_in(tmp_path)
    for pid in (1, 2):
        start = NOW - limit + HOUR // 2
        windows = [
            window(start + n * 5 * SECOND, pid=pid) for n in range(1, COARSEST_MS // 5_000 + 1)
        ]
        report(paths, windows, pid=pid)
    thin_all(paths.sidecar)
    found = windows_of(tmp_path)
    assert len(found) == COARSEST_MS // step
    assert all(step <= one.until_ms - one.from_ms < step + 6 * SECOND for one in found)
    assert {one.pid for window in found for one in window.processes} == {1, 2}


def test_what_is_older_than_three_days_goes(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    old = NOW - KEPT_MS - COARSEST_MS
    report(paths, [window(old), window(old + 2 * HOUR)])
    report(paths, [window(old - HOUR)], pid=2)
    thin_all(paths.sidecar)
    assert [one.until_ms for one in windows_of(tmp_path)] == [old + 2 * HOUR]
    thin_all(paths.sidecar, NOW + 2 * HOUR + COARSEST_MS)
    assert names_of(paths) == set()


def test_a_gap_of_a_third_of_a_step_stays_a_gap(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    start = NOW - 30 * HOUR
    report(paths, [window(start + MINUTE), window(start + 14 * MINUTE)])
    thin_all(paths.sidecar)
    assert len(windows_of(tmp_path)) == 2
    history = history_of(tmp_path)
    assert not history.is_covered(start + 2 * MINUTE, start + 13 * MINUTE)


def test_many_short_lives_become_one_file(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for pid in range(1, 71):
        report(paths, [window(NOW - MINUTE, pid=pid)], pid=pid)
    thin_all(paths.sidecar)
    assert len(names_of(paths)) == 1
    assert sum(group.count for group in history_of(tmp_path).total(0, NOW).groups) == 70


def test_a_later_file_of_an_hour_joins_it(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 3 * HOUR - MINUTE)])
    thin_all(paths.sidecar)
    report(paths, [window(NOW - 3 * HOUR - 2 * MINUTE, pid=2)], pid=2)
    thin_all(paths.sidecar)
    assert len(names_of(paths)) == 1
    assert sum(group.count for group in history_of(tmp_path).total(0, NOW).groups) == 2


def test_a_name_that_is_used_again_is_another_file(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 3 * HOUR)])
    thin_all(paths.sidecar)
    report(paths, [window(NOW - 2 * HOUR)])
    assert sum(group.count for group in history_of(tmp_path).total(0, NOW).groups) == 2
    thin_all(paths.sidecar)
    assert sum(group.count for group in history_of(tmp_path).total(0, NOW).groups) == 2


def test_the_folder_has_a_bound_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = paths_in(tmp_path)
    sizes = []
    for hour in range(2, 12):
        path = report(paths, [window(NOW - hour * HOUR)], pid=hour)
        sizes.append(path.stat().st_size)
    monkeypatch.setattr(thinning, "MOST_FOLDER_BYTES", sum(sizes[:4]) + sizes[0] * 9 // 10)
    thin_all(paths.sidecar)
    assert [NOW - one.until_ms for one in windows_of(tmp_path)] == [
        hour * HOUR for hour in (5, 4, 3, 2)
    ]


def test_three_days_of_eight_processes_stay_small(tmp_path: Path) -> None:
    """Every hour as it goes by: what is kept at the end is within the stated resolution."""
    paths = paths_in(tmp_path)
    choose = random.Random(7)
    start = NOW - 80 * HOUR
    for hour in range(80):
        for pid in range(1, 9):
            ends = [start + hour * HOUR + n * 10 * MINUTE for n in range(1, 7)]
            windows = [window(end, pid=pid, holds=[choose.randrange(10**7)]) for end in ends]
            report(paths, windows, pid=pid, part=f".{hour}")
        thin_all(paths.sidecar, start + (hour + 1) * HOUR + 11 * MINUTE)
    thin_all(paths.sidecar, NOW + 11 * MINUTE)
    assert len(names_of(paths)) <= 75
    total = history_of(tmp_path, NOW + 11 * MINUTE).total(NOW - 70 * HOUR, NOW)
    assert sum(group.count for group in total.groups) == 70 * 6 * 8


@pytest.fixture(autouse=True)
def _no_litter(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob(".merging-*"))
