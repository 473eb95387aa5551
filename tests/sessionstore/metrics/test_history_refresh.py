"""What History reads when it is refreshed, and what it holds on to."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from sessionstore import SessionStoreError
from sessionstore.files import status_of
from sessionstore.metrics import Window, loading
from sessionstore.recording.records import FOLDER, pack_frame
from sessionstore.recording.segments import names_in
from sessionstore.recording.thinning import thin
from tests.sessionstore.faults import injected
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    history_of,
    keep_open,
    paths_in,
    report,
    touch,
    updates,
    window,
)


def append(path: Path, *windows: Window) -> None:
    with path.open("ab") as file:
        file.write(b"".join(pack_frame(one) for one in windows))


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
