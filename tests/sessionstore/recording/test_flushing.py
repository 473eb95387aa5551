"""Reports reach the disk however a process ends, and never stand in the way of an update."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.recording import flusher, reporter_of
from sessionstore.recording.records import unpack_frames
from tests.sessionstore.children import reporting
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import child, entry, in_processes
from tests.sessionstore.recording.reports import (
    counts,
    files_of,
    folder_of,
    group,
    total,
    windows,
)

A = reporting.KEY
REPOSITORY = Path(__file__).resolve().parents[3]
CHILDREN = Path(reporting.__file__)


def until(reached: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    ends = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)


@pytest.mark.parametrize("how", reporting.HOW)
def test_every_way_out_of_the_interpreter_reports(store_file: Path, how: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(CHILDREN), str(store_file), how, "70"]
    subprocess.run(command, env=environment, check=True, timeout=60)
    assert group(store_file, "patch").count == (140 if how == "pool" else 70)
    assert {one.program for w in windows(store_file) for one in w.processes} == {"reporting.py"}


def test_processes_add_up_exactly(store_file: Path) -> None:
    in_processes(reporting.write_and_leave, *((store_file, 400 + n, f"{A}:{n}") for n in range(4)))
    assert group(store_file, "patch").count == 400 + 401 + 402 + 403
    assert len({one.pid for w in windows(store_file) for one in w.processes}) == 4


def test_killed_process_has_reported_all_up_to_its_last_flush(store_file: Path) -> None:
    with child(reporting.write_and_wait, store_file, 300) as killed:
        assert killed.hear() == "written"
        killed.kill()
    assert group(store_file, "patch").count == 300


def test_forked_child_reports_its_own_updates_and_none_of_its_parents(store_file: Path) -> None:
    in_processes(reporting.fork_and_write, (store_file, 100))
    assert group(store_file, "patch").count == 100 + 100 + 200
    by_pid = [(w.processes[0].pid, sum(g.count for g in w.groups)) for w in windows(store_file)]
    assert len(files_of(store_file)) == 2
    assert len({pid for pid, _ in by_pid}) == 2


def test_burst_that_is_followed_by_silence_is_reported(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher, "WINDOW_S", 0.05)
    store = open_store(store_file)
    reporting.patch_times(store, 40)
    until(lambda: bool(windows(store_file)) and group(store_file, "patch").count == 40)
    size = sum(file.stat().st_size for file in files_of(store_file))
    until(lambda: not reporter_of(store.paths.sidecar).is_armed)  # nothing to wake for
    reporting.patch_times(store, 5)
    until(lambda: group(store_file, "patch").count == 45)
    assert sum(file.stat().st_size for file in files_of(store_file)) > size
    store.close()


def test_silence_of_a_living_reporter_is_covered(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher, "WINDOW_S", 0.05)
    with open_store(store_file) as store:
        reporting.patch_times(store, 1)
        until(lambda: len(windows(store_file)) == 1)
        until(lambda: not reporter_of(store.paths.sidecar).is_armed)
        time.sleep(0.3)
        reporting.patch_times(store, 1)
    first, second = (window for window in windows(store_file) if window.groups)
    assert second.covered_from_ms == first.until_ms
    assert second.from_ms >= first.until_ms + 250
    assert first.from_ms <= first.until_ms <= second.from_ms <= second.until_ms


def test_stores_of_one_process_share_a_file(store_file: Path) -> None:
    for number in range(5):
        with open_store(store_file) as store, open_store(store_file) as other:
            store.put(A, entry(n=number))
            other.patch(A, {"m": number})
    assert len(files_of(store_file)) == 1
    assert counts(store_file) == {
        ("adopt", "held"): 1,
        ("put", "written"): 5,
        ("patch", "written"): 5,
    }


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("call", ["open", "mkdir", "write"])
def test_disk_that_refuses_reports_fails_no_update(store_file: Path, call: str, code: int) -> None:
    def of_reports(target: object, *args: object, **kwargs: object) -> bool:
        if call == "write":
            return bytes(args[0][:4]) == b"SSW1"  # type: ignore[index]
        return str(target).endswith(".windows") or target == "stats"

    with open_store(store_file) as store:
        store.put(A, entry())
        store.close()
        with injected(call, code, when=of_reports) as fault:
            store.patch(A, {"n": -1})
            store.close()
        assert fault.struck
        reporting.patch_times(store, 3)
    assert counts(store_file) == {
        ("adopt", "held"): 1,
        ("put", "written"): 1,
        ("patch", "written"): 4,
    }


def test_disk_that_refuses_for_long_costs_reports_which_are_counted(store_file: Path) -> None:
    def of_reports(fd: int, data: bytes) -> bool:
        return bytes(data[:4]) == b"SSW1"

    with open_store(store_file) as store:
        with injected("write", errno.ENOSPC, when=of_reports):
            for _ in range(40):
                reporting.patch_times(store, 2)
                store.close()
        reporting.patch_times(store, 1)
    found = total(store_file)
    written = group(store_file, "patch").count
    assert written < 81
    assert written + found.counters["dropped"] == 81 + 1  # one is the adoption


def test_frame_that_was_written_in_part_is_taken_back(store_file: Path) -> None:
    real = os.write

    def partly(fd: int, data: bytes) -> int:
        return real(fd, data[: len(data) // 2] if bytes(data[:4]) == b"SSW1" else data)

    with open_store(store_file) as store:
        reporting.patch_times(store, 2)
        store.close()
        reporting.patch_times(store, 2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", partly)
            store.close()
        reporting.patch_times(store, 2)
    assert group(store_file, "patch").count == 6


def test_file_cut_at_any_byte_keeps_its_whole_frames(store_file: Path) -> None:
    with open_store(store_file) as store:
        for _ in range(3):
            reporting.patch_times(store, 1)
            store.close()
    (file,) = files_of(store_file)
    data = file.read_bytes()
    ends = [end for end, _ in unpack_frames(data)]
    assert len(ends) == 3
    for cut in range(len(data)):
        assert [end for end, _ in unpack_frames(data[:cut])] == [e for e in ends if e <= cut]


def test_removed_store_does_not_come_back(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        shutil.rmtree(store_file.parent)
    assert not store_file.parent.exists()


def test_link_in_place_of_the_folder_is_not_followed(store_file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with open_store(store_file) as store:
        folder_of(store_file).parent.mkdir(parents=True)
        folder_of(store_file).symlink_to(elsewhere)
        store.put(A, entry())
        store.close()
        assert store.get(A) == entry()
    assert list(elsewhere.iterdir()) == []


def test_file_is_locked_while_its_owner_lives(store_file: Path) -> None:
    import fcntl

    with child(reporting.write_and_wait, store_file, 3) as living:
        living.hear()
        (file,) = files_of(store_file)
        with file.open("rb") as opened:
            with pytest.raises(BlockingIOError):
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            living.kill()
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_one_thread_flushes_all_stores_of_a_process(tmp_path: Path) -> None:
    before = threading.active_count()
    stores = [open_store(tmp_path / f"{n}" / "sessions.json") for n in range(5)]
    for store in stores:
        store.put(A, entry())
    assert threading.active_count() <= before + 1
    for store in stores:
        store.close()
