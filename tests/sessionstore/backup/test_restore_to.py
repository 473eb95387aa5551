"""A backup restored to a new place: equal by hash, or nothing that looks like a store."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import (
    EntryNotFoundError,
    Store,
    StoreIOError,
    UnsafeFileError,
    UnsupportedStoreError,
    discover,
    export_legacy,
    migrate,
    open_store,
    plan_migration,
)
from sessionstore.backup import Backup, create_backup, restore_to
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import entry, sound

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
LONG = "agent:main:" + "l" * 110
OLD = {A: entry(label="a", sessionId="s-a"), B: entry(label="b"), ODD: entry(), LONG: entry(n=2)}
SAMPLES = ("openclaw-2026.3.31", "openclaw-2026.6.11", "openclaw-2026.7.1-2")
TEXT = b'{"type":"session"}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "place" / "sessions.json"


@pytest.fixture
def backup(store: Store, root: Path) -> Backup:
    """Of a directory store with one transcript."""
    store.save(OLD)
    store.path.with_name("s-a.jsonl").write_bytes(TEXT)
    return create_backup(store, root=root, reason="test", transcripts=True)


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder but our own, by its name there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".sessionstore" not in path.parts and path.name != ".store.json"
    }


def stores_in(folder: Path) -> list[str]:
    """Names below a folder that anything would take for a store or part of one."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if ".sessionstore" not in path.parts and (path.is_file() or path.name.endswith(".d"))
    )


def test_every_kind_of_store_is_restored_equal(
    make_blocking: MakeStore, root: Path, target: Path
) -> None:
    store = make_blocking(OLD)
    report = restore_to(create_backup(store, root=root, reason="test"), target)
    with open_store(target) as restored:
        assert restored.layout == ("legacy" if store.layout == "legacy" else "directory")
        assert restored.load() == store.load()
        assert sound(restored)
    assert (report.sessions, report.verified, report.target) == (len(OLD), len(OLD), target)
    assert report.findings == ()


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("agent", ["main", "work"])
def test_samples_are_restored_equal_by_hash(
    copy_sample: Callable[[str], Path], root: Path, target: Path, sample: str, agent: str
) -> None:
    state = copy_sample(sample)
    (paths,) = [one for one in discover(state) if one.agent_id == agent]
    with open_store(paths) as store:
        restore_to(create_backup(store, root=root, reason="test", transcripts=True), target)
    assert digests(target.parent) == digests(paths.store_path.parent)


def test_directories_are_restored_equal_by_hash(store: Store, backup: Backup, target: Path) -> None:
    report = restore_to(backup, target)
    assert digests(target.parent) == digests(store.path.parent)
    assert (report.sessions, report.transcripts) == (4, 1)


def test_restored_files_are_for_their_owner_only(backup: Backup, target: Path) -> None:
    restore_to(backup, target)
    modes = {path.stat().st_mode & 0o077 for path in target.parent.rglob("*")}
    assert modes == {0}


def test_a_selection_takes_its_transcripts_along(backup: Backup, target: Path) -> None:
    assert restore_to(backup, target, keys=[B]).transcripts == 0
    assert stores_in(target.parent) == [
        "sessions.d",
        "sessions.d/.store.json",
        f"sessions.d/{name(B)}",
    ]


def name(key: str) -> str:
    return key.replace(":", "%3A") + ".json"


def test_a_selection_of_a_legacy_backup_is_a_file(
    legacy_store: MakeStore, root: Path, target: Path
) -> None:
    backup = create_backup(legacy_store(OLD), root=root, reason="test")
    restore_to(backup, target, keys=[A, ODD])
    with open_store(target) as restored:
        assert restored.layout == "legacy"
        assert restored.load() == {A: OLD[A], ODD: OLD[ODD]}


def test_a_session_that_is_not_in_the_backup_is_refused(backup: Backup, target: Path) -> None:
    with pytest.raises(EntryNotFoundError):
        restore_to(backup, target, keys=["agent:main:none"])
    assert not target.parent.parent.exists()


def test_another_name_needs_only_to_be_free_itself(
    make_blocking: MakeStore, root: Path, tmp_path: Path
) -> None:
    store = make_blocking(OLD)
    (tmp_path / "notes.txt").touch()
    restore_to(create_backup(store, root=root, reason="test"), tmp_path / "restored.json")
    with open_store(tmp_path / "restored.json") as restored:
        assert restored.load() == store.load()


def test_transcripts_are_never_put_among_other_files(backup: Backup, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(StoreIOError):
        restore_to(backup, tmp_path / "restored.json")
    assert not (tmp_path / "restored.d").exists()


@pytest.mark.parametrize(
    "there", ["sessions.json", "sessions.d/", "notes.txt", ".sessionstore/sessions/versions/"]
)
def test_a_target_with_anything_in_it_is_refused(backup: Backup, target: Path, there: str) -> None:
    path = target.parent / there
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if there.endswith("/") else path.write_bytes(b"mine")
    before = sorted(target.parent.rglob("*"))
    with pytest.raises(StoreIOError) as caught:
        restore_to(backup, target)
    assert caught.value.errno == errno.EEXIST
    assert sorted(target.parent.rglob("*")) == before


def test_a_dangling_link_at_the_target_is_refused(
    backup: Backup, target: Path, tmp_path: Path
) -> None:
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(StoreIOError):
        restore_to(backup, target)
    assert not (tmp_path / "elsewhere.json").exists()


def test_a_folder_that_is_a_link_is_refused(backup: Backup, target: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target.parent.parent.mkdir()
    target.parent.symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeFileError):
        restore_to(backup, target)
    assert list((tmp_path / "real").iterdir()) == []


def test_targets_in_the_store_or_among_backups_are_refused(
    store: Store, backup: Backup, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "way").symlink_to(store.path.parent)
    for place in (
        store.path.with_name("other.json"),
        store.path.parent / "deeper" / "sessions.json",
        store.paths.directory / "sessions.json",
        store.paths.sidecar / "sessions.json",
        tmp_path / "way" / "deeper" / "sessions.json",
        backup.path.parent / "sessions.json",
        root / "deeper" / "sessions.json",
    ):
        with pytest.raises(UnsupportedStoreError) as caught:
            restore_to(backup, place)
        assert caught.value.hint
        assert not place.exists()


def test_a_target_inside_any_other_store_is_refused(backup: Backup, tmp_path: Path) -> None:
    with open_store(tmp_path / "other" / "sessions.json") as other:
        other.put(A, entry())
        with pytest.raises(UnsupportedStoreError):
            restore_to(backup, other.paths.directory / "deeper" / "sessions.json")


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["write", "fsync", "mkdir", "fchmod"])
def test_an_error_of_the_disk_leaves_nothing_that_looks_like_a_store(
    backup: Backup, target: Path, call: str, code: str
) -> None:
    number = getattr(errno, code)
    failed = 0
    for skip in range(100):
        with injected(call, number, skip=skip) as fault:
            try:
                restore_to(backup, target)
            except StoreIOError as error:
                assert error.errno == number
                failed += 1
            else:
                assert not fault.struck
                break
        assert stores_in(target.parent) in ([], ["s-a.jsonl"])
    assert failed > 1
    assert digests(target.parent).keys() >= {"s-a.jsonl", f"sessions.d/{name(A)}"}


def test_what_cannot_be_renamed_in_leaves_nothing(backup: Backup, target: Path) -> None:
    with (
        injected("write", errno.ENOSPC, skip=2),
        pytest.raises(StoreIOError),
    ):
        restore_to(backup, target)
    left = [path for path in target.parent.rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["migration.lock"]


def test_a_bad_disk_is_noticed_when_files_are_read_back(
    backup: Backup, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def forgets(fd: int, data: bytes) -> int:
        real(fd, bytes(data).replace(b"s-1", b"s-9"))
        return len(data)

    monkeypatch.setattr(os, "write", forgets)
    with pytest.raises(StoreIOError) as caught:
        restore_to(backup, target)
    assert "read back" in caught.value.message
    assert stores_in(target.parent) == []


def test_progress_that_raises_stops_it_and_nothing_stays(backup: Backup, target: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int, item: str) -> None:
        if done == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        restore_to(backup, target, progress=stop)
    assert stores_in(target.parent) == []


def test_progress_ends_with_everything_done(backup: Backup, target: Path) -> None:
    seen: list[tuple[int, int]] = []
    restore_to(backup, target, progress=lambda done, total, item: seen.append((done, total)))
    assert seen[-1] == (2 * len(OLD), 2 * len(OLD))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_restored_and_exported_is_the_file_that_was_migrated(
    copy_sample: Callable[[str], Path], root: Path, target: Path, tmp_path: Path, sample: str
) -> None:
    state = copy_sample(sample)
    (paths,) = [one for one in discover(state) if one.agent_id == "main"]
    source = without_paths(paths.store_path)
    with open_store(paths, gateway_lock_dir=tmp_path / "gateway") as store:
        migrate(plan_migration(store))
        assert store.layout == "directory"
        restore_to(create_backup(store, root=root, reason="test"), target)
    with open_store(target) as restored:
        export_legacy(restored, tmp_path / "exported.json")
    assert without_paths(tmp_path / "exported.json") == source


def without_paths(file: Path) -> dict[str, dict[str, object]]:
    """A store file without ``sessionFile``, which an export makes fit the new place."""
    rows: dict[str, dict[str, object]] = json.loads(file.read_bytes())
    for row in rows.values():
        row.pop("sessionFile", None)
    return rows
