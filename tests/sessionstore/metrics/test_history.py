"""What History tells of the reports of a store, and what it reads to do so."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import SessionStoreError, open_store
from sessionstore.files import status_of
from sessionstore.metrics import History, Window, loading, merge
from sessionstore.recording.records import FOLDER, pack_frame
from sessionstore.recording.segments import names_in
from sessionstore.recording.thinning import thin
from tests.sessionstore.faults import injected
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    figures,
    keep_open,
    paths_in,
    report,
    touch,
    window,
)


def history_of(folder: Path, now_ms: int = NOW) -> History:
    history = History(paths_in(folder))
    history.refresh(now_ms=now_ms)
    return history


def updates(total: Window | None) -> int:
    return 0 if total is None else sum(group.count for group in total.groups)


def append(path: Path, *windows: Window) -> None:
    with path.open("ab") as file:
        file.write(b"".join(pack_frame(one) for one in windows))


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


def test_refresh_takes_up_what_was_appended(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - 20 * SECOND)])
    history = history_of(tmp_path)
    for n in (2, 1):
        append(path, window(NOW - n * 5 * SECOND))
        history.refresh(now_ms=NOW)
    assert updates(history.total(0, NOW)) == 3


def test_a_report_that_is_half_written_is_taken_up_when_it_is_whole(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - 20 * SECOND)])
    frame = pack_frame(window(NOW - 5 * SECOND))
    owner = keep_open(path)
    history = history_of(tmp_path)
    os.write(owner, frame[:50])
    history.refresh(now_ms=NOW)
    assert (updates(history.total(0, NOW)), history.refused) == (1, 0)
    os.write(owner, frame[50:])
    history.refresh(now_ms=NOW)
    assert (updates(history.total(0, NOW)), history.refused) == (2, 0)
    os.close(owner)


def test_refresh_without_news_opens_nothing(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for pid in range(50):
        report(paths, [window(NOW - 10 * MINUTE, pid=pid)], pid=pid)
    history = history_of(tmp_path)
    with injected("pread", errno.EIO) as fault:
        history.refresh(now_ms=NOW)
    assert fault.struck == 0
    assert updates(history.total(0, NOW)) == 50


def test_refresh_reads_no_byte_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - 20 * SECOND)] * 100)
    history = history_of(tmp_path)
    read: list[int] = []
    real = os.pread

    def counted(fd: int, count: int, offset: int) -> bytes:
        data = real(fd, count, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    new = window(NOW - 5 * SECOND)
    append(path, new)
    history.refresh(now_ms=NOW)
    assert read == [len(pack_frame(new))]


def test_a_file_that_went_is_forgotten(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - MINUTE)])
    gone = report(paths, [window(NOW - MINUTE, pid=2)], pid=2)
    history = history_of(tmp_path)
    assert updates(history.total(0, NOW)) == 2
    gone.unlink()
    history.refresh(now_ms=NOW)
    assert updates(history.total(0, NOW)) == 1
    (paths.sidecar / FOLDER).rename(tmp_path / "elsewhere")
    history.refresh(now_ms=NOW)
    assert updates(history.total(0, NOW)) == 0
    assert history.coverage() == []


def test_a_file_that_took_anothers_name_is_read_anew(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - MINUTE)])
    history = history_of(tmp_path)
    other = path.with_name("other")
    other.write_bytes(pack_frame(window(NOW - MINUTE, holds=[1, 2, 3])))
    other.rename(path)
    history.refresh(now_ms=NOW)
    assert updates(history.total(0, NOW)) == 3


def test_thinning_changes_no_total_of_one_who_watches(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    start = NOW - 8 * HOUR
    for hour in range(7):
        for pid in range(4):
            ends = [start + hour * HOUR + n * MINUTE for n in range(1, 40)]
            report(paths, [window(end, pid=pid) for end in ends], pid=pid, part=f".{hour}")
    history = history_of(tmp_path)
    expected = 7 * 4 * 39
    seen = {updates(history.total(0, NOW))}
    ended = threading.Event()

    def work() -> None:
        for hours in range(20):
            thin(paths.sidecar, now_ms=NOW + hours * HOUR)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not ended.is_set():
        history.refresh(now_ms=NOW + 20 * HOUR)
        seen.add(updates(history.total(0, NOW)))
    thread.join()
    history.refresh(now_ms=NOW + 20 * HOUR)
    seen.add(updates(history.total(0, NOW)))
    assert seen == {expected}


def test_a_merge_between_listing_and_reading_goes_unnoticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = paths_in(tmp_path)
    for pid in (1, 2):
        report(paths, [window(NOW - 5 * HOUR, pid=pid)], pid=pid)
    real = names_in

    def slow(folder_fd: int) -> list[str]:
        names = real(folder_fd)
        thin(paths.sidecar, now_ms=NOW)
        return names

    monkeypatch.setattr(loading, "names_in", slow)
    assert updates(history_of(tmp_path).total(0, NOW)) == 2


def test_a_file_that_appears_while_others_are_read_is_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing may miss both a merged file that comes and its source that goes."""
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 5 * HOUR)])
    real, calls = names_in, list[int]()

    def blind(folder_fd: int) -> list[str]:
        calls.append(folder_fd)
        return [] if len(calls) == 1 else real(folder_fd)

    monkeypatch.setattr(loading, "names_in", blind)
    assert updates(history_of(tmp_path).total(0, NOW)) == 1


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


def test_memory_is_bounded_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - n * MINUTE) for n in range(20, 0, -1)])
    monkeypatch.setattr(loading, "MOST_BYTES", path.stat().st_size // 2)
    history = history_of(tmp_path)
    assert 8 <= updates(history.total(0, NOW)) <= 10
    assert history.refused == 20 - updates(history.total(0, NOW))
    assert updates(history.total(NOW - 5 * MINUTE, NOW)) == 4


def test_no_folder_is_no_history(tmp_path: Path) -> None:
    history = history_of(tmp_path)
    (paths_in(tmp_path).sidecar / FOLDER).rmdir()
    history.refresh(now_ms=NOW)
    assert history.total(0, NOW).until_ms == 0
    assert history.steps(NOW - HOUR, NOW, HOUR)[0].window is None
    assert status_of(history.paths.sidecar / FOLDER) is None


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    history = history_of(tmp_path)
    with injected("listdir", errno.EIO), pytest.raises(SessionStoreError):
        history.refresh(now_ms=NOW)


def test_touching_a_file_does_not_count_it_twice(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - HOUR)])
    history = history_of(tmp_path)
    touch(path, NOW)
    history.refresh(now_ms=NOW)
    history.refresh(now_ms=NOW)
    assert updates(history.total(0, NOW)) == 1
