"""A snapshot saves time at the start and never decides what is shown."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from sessionstore import files, open_store
from sessionstore.demo import fill
from sessionstore.files import reading
from sessionstore.index import Index, snapshot
from sessionstore.paths import StorePaths, store_paths
from tests.sessionstore.helpers import entry, old_name
from tests.sessionstore.index.conftest import MakeIndex
from tests.sessionstore.index.looks import fresh, shown

COUNT = 400


@pytest.fixture
def saved(store_file: Path, paths: StorePaths) -> Path:
    """A store of settled files with a snapshot; returns the snapshot's path."""
    fill(store_file, COUNT)
    with open_store(store_file) as store:
        store.put("agent:main:explicit:🦊", entry())
    time.sleep(0.1)  # file times become trustworthy
    index = Index(paths, snapshot_from=1)
    index.refresh()
    index.close()
    return snapshot.path_of(paths.sidecar)


def reads_of(index: Index, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many session files a first refresh opens."""
    names: set[str] = set()
    real = files.read_file_stat

    def counted(path: Any, **options: Any) -> Any:
        names.add(os.path.basename(path))
        return real(path, **options)

    with monkeypatch.context() as patch:
        for module in (files, reading):  # read_file calls the latter
            patch.setattr(module, "read_file_stat", counted)
        index.refresh()
    return sum(name.endswith(".json") and not name.startswith(".") for name in names)


def test_start_with_a_snapshot_opens_no_session(
    saved: Path, paths: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(paths)
    assert reads_of(index, monkeypatch) == 0
    assert shown(index) == fresh(paths)
    index.close()


def test_stale_snapshot_reads_only_what_changed(
    saved: Path, paths: StorePaths, store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(store_file) as store:
        keys = store.keys()
        store.patch(keys[0], {"label": "changed"})
        store.delete(keys[1])
        store.put("agent:main:direct:new", entry())
    index = Index(paths)
    assert reads_of(index, monkeypatch) == 2
    assert shown(index) == fresh(paths)
    index.close()


def test_rewrite_within_one_clock_tick_is_not_believed(store_file: Path, paths: StorePaths) -> None:
    fill(store_file, 50)
    index = Index(paths, snapshot_from=1)
    index.refresh()  # the files are too young to be trusted
    target = paths.directory / old_name("agent:main:main")
    status = target.stat()
    same_size = target.read_bytes().replace(b"webchat", b"WEBCHAT")
    target.write_bytes(same_size)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = Index(paths)
    again.refresh()
    assert shown(again) == fresh(paths)
    again.close()
    index.close()


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "noise", "older", "link", "folder"])
def test_damaged_snapshot_is_ignored(saved: Path, paths: StorePaths, damage: str) -> None:
    data = saved.read_bytes()
    saved.unlink()
    if damage == "link":
        saved.with_name("elsewhere").write_bytes(data)
        saved.symlink_to(saved.with_name("elsewhere"))
    elif damage == "folder":
        saved.mkdir()
    else:
        middle = len(data) // 2
        saved.write_bytes(
            {
                "empty": b"",
                "cut": data[:middle],
                "bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
                "noise": os.urandom(5000),
                "older": data.replace(b"rows\n", b"rowz\n", 1),
            }[damage]
        )
    index = Index(paths)
    index.refresh()
    assert shown(index) == fresh(paths)
    index.close()


def test_snapshot_of_another_agent_or_format_is_ignored(
    saved: Path, paths: StorePaths, make_index: MakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = type(paths)(
        "other", paths.store_path, paths.directory, paths.sidecar, paths.origin, None
    )
    assert reads_of(Index(renamed), monkeypatch) == COUNT + 1
    monkeypatch.setattr(snapshot, "FORMAT", 99)
    assert reads_of(Index(paths), monkeypatch) == COUNT + 1


def test_snapshot_of_another_store_does_not_show_its_sessions(
    saved: Path, paths: StorePaths, tmp_path: Path
) -> None:
    other = store_paths(tmp_path / "copy" / "agents" / "main" / "sessions")
    fill(other.store_path, 100, seed=8)
    shutil.copytree(saved.parent, other.sidecar / snapshot.FOLDER)
    index = Index(other)
    index.refresh()
    assert shown(index) == fresh(other)
    index.close()


def test_lying_snapshot_cannot_hide_a_file(saved: Path, paths: StorePaths) -> None:
    index = Index(paths)
    index.refresh()
    rows = list(index._table.by_id.values())
    for row in rows[:50]:
        row.restamp(row.stamp ^ 1)
    saved.write_bytes(snapshot.encode(rows[:200], agent_id="main"))
    again = Index(paths)
    again.refresh()
    assert shown(again) == fresh(paths)
    index.close()
    again.close()


def test_files_damaged_since_are_found(saved: Path, paths: StorePaths) -> None:
    victim = next(iter(sorted(paths.directory.glob("agent*"))))
    victim.write_bytes(b"{")
    index = Index(paths)
    index.refresh()
    assert index.summary().problems == 1
    index.close()


def test_snapshot_is_not_written_without_leave_or_a_sidecar(
    store_file: Path, paths: StorePaths
) -> None:
    fill(store_file, 20)
    Index(paths, use_snapshot=False, snapshot_from=1).refresh()
    Index(paths).refresh()  # too few rows to be worth it
    assert not snapshot.path_of(paths.sidecar).exists()
    shutil.rmtree(paths.sidecar)
    Index(paths, snapshot_from=1).refresh()
    assert not paths.sidecar.exists()


def test_snapshot_is_written_at_a_bounded_rate(
    saved: Path, paths: StorePaths, store_file: Path
) -> None:
    before = saved.stat().st_ino
    index = Index(paths, snapshot_from=1)
    index.refresh()
    with open_store(store_file) as store:
        store.put("agent:main:direct:new", entry())
    index.refresh()
    assert saved.stat().st_ino == before
    os.utime(saved, (1, 1))
    with open_store(store_file) as store:
        store.put("agent:main:direct:newer", entry())
    index.refresh()
    assert saved.stat().st_ino != before
    index.close()


def test_snapshot_is_left_to_the_process_that_writes_it(saved: Path, paths: StorePaths) -> None:
    before = saved.stat().st_ino
    with FileLock(saved.with_name("lock")):
        assert snapshot.save(paths.sidecar, [], agent_id="main") is False
    assert saved.stat().st_ino == before


def test_rows_read_just_after_their_write_are_saved_with_a_usable_stamp(
    saved: Path, paths: StorePaths, store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(paths, snapshot_from=1)
    index.refresh()
    with open_store(store_file) as store:
        for key in store.keys()[:50]:
            store.patch(key, {"label": "new"})
            index.refresh()
    time.sleep(0.1)
    os.utime(saved, (1, 1))
    index.close()
    again = Index(paths)
    assert reads_of(again, monkeypatch) == 0
    assert shown(again) == fresh(paths)
    again.close()


def test_snapshot_is_readable_by_its_owner_only(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
