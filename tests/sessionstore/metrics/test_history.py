"""What History tells of the reports of a store, and what it reads to do so."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import open_store
from sessionstore.metrics import History, merge
from sessionstore.recording.thinning import thin
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    figures,
    history_of,
    keep_open,
    paths_in,
    report,
    updates,
    window,
)


def test_total_is_the_sum_of_all_processes(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    windows = [window(NOW - n * SECOND, pid=n % 3, holds=[n]) for n in range(1, 2000, 7)]
    for pid in range(3):
        report(paths, [one for one in windows if one.processes[0].pid == pid], pid=pid)
    history = history_of(tmp_path)
    for start, end in [(0, NOW), (NOW - 90 * SECOND, NOW - 3), (NOW - 1501 * SECOND, NOW - MINUTE)]:
        inside = [one for one in windows if start < one.until_ms <= end]
        for _ in range(2):  # the second time from what was added up before
            assert figures(history.total(start, end)) == figures(merge(inside))


@given(
    ends=st.lists(st.integers(1, 2 * HOUR), min_size=1, max_size=60),
    start=st.integers(0, 2 * HOUR),
    length=st.integers(1, 2 * HOUR),
    step=st.integers(4 * SECOND, HOUR),
)
@settings(max_examples=40, deadline=None)
def test_steps_part_any_stretch_without_losing_or_doubling(
    ends: list[int], start: int, length: int, step: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = paths_in(Path(folder))
        windows = [window(NOW - end, holds=[end]) for end in sorted(ends, reverse=True)]
        report(paths, windows)
        history = history_of(Path(folder))
        begin = NOW - 2 * HOUR + start
        steps = history.steps(begin, begin + length, step)
        assert steps[0].start_ms == begin and steps[-1].end_ms == begin + length
        inside = merge(one for one in windows if begin < one.until_ms <= begin + length)
        assert figures(merge(s.window for s in steps if s.window is not None)) == figures(inside)
        assert figures(history.total(begin, begin + length)) == figures(inside)


def test_steps_add_up_to_the_total(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - n * 5 * SECOND) for n in range(200, 0, -1)])
    steps = history_of(tmp_path).steps(NOW - 1000 * SECOND, NOW, 90 * SECOND)
    assert [step.end_ms - step.start_ms for step in steps[:-1]] == [90 * SECOND] * 11
    assert sum(updates(step.window) for step in steps) == 199


def test_nobody_there_is_a_gap_and_calm_is_not(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    calm = window(NOW - 10 * MINUTE, covered_from_ms=NOW - 20 * MINUTE)
    report(paths, [calm, window(NOW - 2 * MINUTE)])
    history = history_of(tmp_path)
    steps = history.steps(NOW - 30 * MINUTE, NOW, 5 * MINUTE)
    assert [step.window is not None for step in steps] == [False, False, True, True, False, True]
    assert [updates(step.window) for step in steps] == [0, 0, 0, 1, 0, 1]
    assert history.coverage() == [
        (NOW - 20 * MINUTE, NOW - 10 * MINUTE),
        (NOW - 2 * MINUTE - 5 * SECOND, NOW - 2 * MINUTE),
    ]
    assert history.gaps(NOW - 15 * MINUTE, NOW) == [
        (NOW - 10 * MINUTE, NOW - 2 * MINUTE - 5 * SECOND),
        (NOW - 2 * MINUTE, NOW),
    ]


def test_what_is_shorter_than_the_time_between_two_reports_is_no_gap(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - MINUTE), window(NOW - MINUTE + 8 * SECOND)])
    history = history_of(tmp_path)
    ended = NOW - MINUTE + 8 * SECOND
    assert history.gaps(NOW - MINUTE - 8 * SECOND, ended + 4 * SECOND) == []
    assert history.gaps(NOW - MINUTE, ended + 5 * SECOND) == [(ended, ended + 5 * SECOND)]
    assert history.gaps(ended, ended + SECOND) == [(ended, ended + SECOND)]


def test_nobody_is_believed_to_have_been_there_for_longer_than_reports_are_kept(
    tmp_path: Path,
) -> None:
    report(paths_in(tmp_path), [window(NOW - MINUTE, covered_from_ms=0)])
    history = history_of(tmp_path)
    assert history.coverage() == [(NOW - MINUTE - 72 * HOUR, NOW - MINUTE)]


def test_a_living_process_that_is_idle_covers_until_now(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    owner = keep_open(report(paths, [window(NOW - 10 * MINUTE)]))
    history = history_of(tmp_path)
    assert history.gaps(NOW - 10 * MINUTE, NOW) == []
    assert [one.state for one in history.reporters()] == ["alive"]
    os.close(owner)
    history.refresh(now_ms=NOW)
    assert history.gaps(NOW - 10 * MINUTE, NOW) == [(NOW - 10 * MINUTE, NOW)]
    assert [one.state for one in history.reporters()] == ["dead"]


def test_a_process_on_another_host_covers_until_its_last_report(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 10 * MINUTE)], host="elsewhere")
    history = history_of(tmp_path)
    assert history.gaps(NOW - 10 * MINUTE, NOW) == [(NOW - 10 * MINUTE, NOW)]
    (one,) = history.reporters()
    assert (one.state, one.pid, one.program) == ("unknown", 1, "gateway")
    assert one.last_report_ms == NOW - 10 * MINUTE


def test_a_process_that_closed_the_store_and_lives_is_alive(tmp_path: Path) -> None:
    with open_store(tmp_path / "sessions.json") as store:
        store.put("a", {"n": 1})
    history = History(store.paths)
    history.refresh()
    (one,) = history.reporters()
    assert (one.pid, one.state) == (os.getpid(), "alive")
    history.refresh(now_ms=time.time_ns() // 1_000_000 + HOUR)
    assert len(history.coverage()) == 1
    assert history.coverage()[0][1] <= one.last_report_ms


def test_steps_are_no_shorter_than_the_windows_they_show(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    start = NOW - 30 * HOUR
    report(paths, [window(start + n * 5 * SECOND) for n in range(1, 361)])
    assert thin(paths.sidecar, now_ms=NOW)
    history = history_of(tmp_path)
    steps = history.steps(start, start + 30 * MINUTE, MINUTE)
    assert [updates(step.window) for step in steps] == [180, 180]
    assert history.resolution_ms(start) == 15 * MINUTE
    wide = history.steps(start, start + HOUR, 20 * MINUTE)
    assert [step.end_ms - step.start_ms for step in wide] == [30 * MINUTE] * 2


@pytest.mark.parametrize("passed_s", [0, 1, 59, 899])
@pytest.mark.parametrize("hours", [1, 6, 24])
def test_the_usual_windows_have_one_resolution_throughout(
    tmp_path: Path, hours: int, passed_s: int
) -> None:
    """However long a page takes between choosing its start and looking."""
    paths = paths_in(tmp_path)
    now = NOW + passed_s * SECOND
    start = now - hours * HOUR
    ends = range(start - HOUR, start + HOUR // 2, 5 * SECOND)
    for part, first in enumerate(range(0, len(ends), 120)):
        report(paths, [window(end) for end in ends[first : first + 120]], part=f".{part}")
    for _ in range(3):
        thin(paths.sidecar, now_ms=now)
    history = history_of(tmp_path, now + 900)
    resolution = {1: 5 * SECOND, 6: MINUTE, 24: 5 * MINUTE}[hours]
    assert history.resolution_ms(start) == resolution
    inside = history.between(start, start + HOUR // 2)
    assert {one.until_ms - one.from_ms > resolution + 5 * SECOND for one in inside} == {False}


def test_a_step_has_a_length(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length"):
        history_of(tmp_path).steps(0, 10, 0)


def test_updates_of_one_session_come_newest_first(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - n * MINUTE, key="ab"[n % 2]) for n in (9, 8, 7, 6)])
    found = history_of(tmp_path).writes("a", NOW - HOUR, NOW)
    assert [one.at_ms for one in found] == [NOW - 6 * MINUTE - 1, NOW - 8 * MINUTE - 1]
