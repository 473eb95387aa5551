"""When writers tidy up, and what becomes of a writer that comes back meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sessionstore import open_store
from sessionstore.files import open_below
from sessionstore.locks.identity import own_identity
from sessionstore.locks.owned import Held
from sessionstore.metrics import History
from sessionstore.recording.keeping import MOST_FILES, tidy_if_large
from sessionstore.recording.records import FOLDER, pack_frame
from sessionstore.recording.thinning import thin
from sessionstore.recording.windowfile import Segments
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    names_of,
    paths_in,
    report,
    touch,
    window,
)


def updates(folder: Path, now_ms: int = NOW) -> int:
    history = History(paths_in(folder))
    history.refresh(now_ms=now_ms)
    return sum(group.count for group in history.total(0, 1 << 62).groups)


def test_writers_leave_a_few_young_files_to_the_console(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for pid in range(5):
        report(paths, [window(NOW - 5 * HOUR, pid=pid)], pid=pid)
    before = names_of(paths)
    tidy_if_large(paths.sidecar, now_ms=NOW)
    assert names_of(paths) == before


def test_writers_join_files_that_have_become_many(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for pid in range(MOST_FILES + 1):
        report(paths, [window(NOW - 5 * HOUR, pid=pid)], pid=pid)
    tidy_if_large(paths.sidecar, now_ms=NOW)
    assert len(names_of(paths)) == 1
    assert updates(tmp_path) == MOST_FILES + 1


def test_writers_remove_what_is_too_old_and_merged_or_not(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - 5 * HOUR)])
    assert thin(paths.sidecar, now_ms=NOW)
    report(paths, [window(NOW)], pid=2)
    tidy_if_large(paths.sidecar, now_ms=NOW + 60 * HOUR)
    assert len(names_of(paths)) == 2
    tidy_if_large(paths.sidecar, now_ms=NOW + 70 * HOUR)
    assert updates(tmp_path, NOW + 70 * HOUR) == 1
    tidy_if_large(paths.sidecar, now_ms=NOW + 75 * HOUR)
    assert names_of(paths) == set()


def test_a_writer_that_comes_back_does_not_append_to_what_is_being_replaced(
    tmp_path: Path,
) -> None:
    paths = paths_in(tmp_path)
    writer = Segments(paths.sidecar)
    writer.append(pack_frame(window(NOW - 2 * MINUTE)), own_identity())
    writer.close()
    (name,) = names_of(paths)
    held = Held()
    folder = open_below(paths.sidecar, FOLDER)
    try:
        assert held.read(name, dir_fd=folder, max_bytes=1 << 20)
        writer.append(pack_frame(window(NOW - MINUTE)), own_identity())
    finally:
        held.release()
        os.close(folder)
        writer.close()
    assert len(names_of(paths)) == 2
    assert updates(tmp_path) == 2


def test_a_writer_whose_file_was_replaced_begins_another(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    writer = Segments(paths.sidecar)
    writer.append(pack_frame(window(NOW - 2 * HOUR)), own_identity())
    writer.close()
    (name,) = names_of(paths)
    touch(paths.sidecar / FOLDER / name, NOW - 2 * HOUR)
    assert thin(paths.sidecar, now_ms=NOW)
    writer.append(pack_frame(window(NOW - MINUTE)), own_identity())
    writer.close()
    assert updates(tmp_path) == 2


def test_a_file_that_its_owner_has_again_is_not_replaced(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    writer = Segments(paths.sidecar)
    writer.append(pack_frame(window(NOW - 2 * HOUR)), own_identity())
    folder = open_below(paths.sidecar, FOLDER)
    held = Held()
    try:
        (name,) = names_of(paths)
        assert held.read(name, dir_fd=folder, max_bytes=1 << 20) is None
    finally:
        held.release()
        os.close(folder)
        writer.close()


def test_what_a_real_store_did_is_the_same_after_thinning(tmp_path: Path) -> None:
    with open_store(tmp_path / "sessions.json") as store:
        for number in range(300):
            store.patch(f"agent:main:{number % 7}", {"n": number})
        paths = store.paths
    history = History(paths)
    history.refresh()
    now_ms = int(time.time() * 1000)
    before = history.total(0, now_ms + MINUTE)
    assert sum(g.count for g in before.groups if g.labels.scope == "session") == 300
    later = now_ms + 30 * HOUR
    assert thin(paths.sidecar, now_ms=later)
    assert all(name.startswith("merged.") for name in names_of(paths))
    history.refresh(now_ms=later)
    after = history.total(0, later)
    assert {g.labels: (g.count, g.series) for g in before.groups} == {
        g.labels: (g.count, g.series) for g in after.groups
    }
    assert {s.key: (s.count, s.over_count) for s in after.sessions} == {
        s.key: (s.count, s.over_count) for s in before.sessions
    }
