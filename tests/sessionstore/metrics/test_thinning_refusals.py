"""What thinning leaves alone, and what a disk that refuses makes of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore.locks.alone import claim
from sessionstore.recording.records import FOLDER
from sessionstore.recording.thinning import LOCK, Tidied, thin, tidy
from tests.sessionstore.faults import ERRNOS, injected
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    figures,
    history_of,
    keep_open,
    names_of,
    paths_in,
    report,
    thin_all,
    touch,
    window,
)


def test_the_current_file_of_a_living_owner_is_left_alone(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - 5 * HOUR)])
    before = path.read_bytes()
    owner = keep_open(path)
    try:
        assert thin_all(paths.sidecar) == Tidied()
        assert path.read_bytes() == before
    finally:
        os.close(owner)
    assert thin_all(paths.sidecar).sources == [path.name]


def test_a_file_that_has_just_been_written_rests(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - MINUTE)])
    assert thin_all(paths.sidecar) == Tidied()


def test_a_file_that_its_owner_is_about_to_lock_is_not_looked_at(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [])
    touch(path, NOW)
    with injected("open", errno.EIO, when=lambda name, *rest, **more: name == path.name) as fault:
        assert thin(paths.sidecar, now_ms=NOW) == Tidied()
    assert fault.struck == 0
    touch(path, NOW - HOUR)
    assert thin_all(paths.sidecar).dropped == [path.name]


def test_a_file_of_another_host_rests_longer(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [window(NOW - HOUR // 2)], host="elsewhere")
    assert thin_all(paths.sidecar) == Tidied()
    touch(path, NOW - 2 * HOUR)
    assert thin_all(paths.sidecar).sources == [path.name]


def test_one_at_a_time(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 5 * HOUR)])
    release = claim(paths.sidecar, LOCK)
    assert release is not None
    try:
        assert thin(paths.sidecar, now_ms=NOW) is None
    finally:
        release()
    assert thin_all(paths.sidecar).made


def test_nothing_reported_is_nothing_to_do(tmp_path: Path) -> None:
    assert thin(tmp_path / ".sessionstore" / "sessions", now_ms=NOW) == Tidied()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ERRNOS)
@pytest.mark.parametrize("call", ["write", "rename", "unlink", "listdir", "open", "fdatasync"])
def test_no_refusal_of_the_disk_reaches_a_writer_or_costs_a_report(
    tmp_path: Path, call: str, code: str
) -> None:
    paths = paths_in(tmp_path)
    for pid in (1, 2):
        report(paths, [window(NOW - 5 * HOUR, pid=pid)], pid=pid)
    before = figures(history_of(tmp_path).total(0, NOW))

    with injected(call, getattr(errno, code)):
        tidy(paths.sidecar, now_ms=NOW)
    assert figures(history_of(tmp_path).total(0, NOW)) == before
    thin_all(paths.sidecar)
    assert figures(history_of(tmp_path).total(0, NOW)) == before
    assert len(names_of(paths)) == 1


def test_what_would_not_go_is_not_counted_twice_ever(tmp_path: Path) -> None:

    paths = paths_in(tmp_path)
    stuck = report(paths, [window(NOW - 5 * HOUR)])

    def is_stuck(name: object, **kwargs: object) -> bool:
        return str(name) == stuck.name

    with injected("unlink", errno.EPERM, when=is_stuck):
        for hours in range(4):
            report(paths, [window(NOW - 5 * HOUR + MINUTE, pid=2 + hours)], pid=2 + hours)
            tidy(paths.sidecar, now_ms=NOW + hours * HOUR)
            total = history_of(tmp_path, NOW + hours * HOUR).total(0, NOW)
            assert sum(group.count for group in total.groups) == 2 + hours
    assert stuck.exists()


def test_merged_files_are_private(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 5 * HOUR)])
    thin_all(paths.sidecar)
    (path,) = (paths.sidecar / FOLDER).iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_clock_that_is_far_behind_removes_nothing(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 5 * HOUR)])
    before = names_of(paths)
    tidy(paths.sidecar, now_ms=NOW - 1000 * HOUR)
    assert names_of(paths) == before


@pytest.fixture(autouse=True)
def _no_litter(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob(".merging-*"))
