"""A drill proves that a backup can be restored, or says what is wrong, and leaves nothing."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import Store, StoreIOError, discover, open_store
from sessionstore.backup import Backup, create_backup, drill, list_backups
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import entry, file_of, picture

A, ODD = "agent:main:a", ".odd"
OLD = {A: entry(label="a", sessionId="s-a"), ODD: entry(label="odd")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def backup(store: Store, root: Path) -> Backup:
    store.save(OLD)
    store.path.with_name("s-a.jsonl").write_bytes(b"{}\n")
    return create_backup(store, root=root, reason="test", transcripts=True)


def noted(root: Path) -> int | None:
    (backup,) = list_backups(root)
    return backup.proven_ms


def test_an_equal_trial_is_noted_in_the_list(backup: Backup, root: Path, scratch: Path) -> None:
    assert noted(root) is None
    report = drill(backup, scratch=scratch)
    assert report.ok
    assert report.proven_ms == noted(root) is not None
    assert (report.sessions, report.transcripts, report.problems) == (2, 1, ())
    assert report.compared_bytes == backup.content_bytes


def test_every_kind_of_store_can_be_proven(make_blocking: MakeStore, root: Path) -> None:
    store = make_blocking(OLD)
    assert drill(create_backup(store, root=root, reason="test")).ok


@pytest.mark.parametrize("agent", ["main", "work"])
def test_samples_can_be_proven(copy_sample: Callable[[str], Path], root: Path, agent: str) -> None:
    (paths,) = [o for o in discover(copy_sample("openclaw-2026.3.31")) if o.agent_id == agent]
    with open_store(paths) as store:
        assert drill(create_backup(store, root=root, reason="test", transcripts=True)).ok


def test_scratch_is_removed_and_the_store_is_not_looked_at(
    store: Store, backup: Backup, scratch: Path
) -> None:
    before = picture(store.path.parent)
    drill(backup, scratch=scratch)
    assert list(scratch.iterdir()) == []
    assert picture(store.path.parent) == before


def test_without_scratch_it_works_beside_the_backup(backup: Backup, root: Path) -> None:
    assert drill(backup).ok
    assert list((backup.path.parent / ".drills").iterdir()) == []
    assert len(list_backups(root)) == 1


def test_a_damaged_backup_is_not_proven(backup: Backup, root: Path, scratch: Path) -> None:
    data = bytearray(backup.path.read_bytes())
    data[-len(data) // 4] ^= 1
    backup.path.write_bytes(bytes(data))
    report = drill(backup, scratch=scratch)
    assert not report.ok
    assert report.problems
    assert report.problems[0].message in report.sentence
    assert report.proven_ms is None
    assert noted(root) is None
    assert list(scratch.iterdir()) == []


def test_a_damaged_manifest_is_a_problem_and_no_error(backup: Backup, scratch: Path) -> None:
    data = bytearray(backup.path.read_bytes())
    data[40] ^= 1
    backup.path.write_bytes(bytes(data))
    report = drill(backup, scratch=scratch)
    assert (report.ok, report.sessions) == (False, 0)
    assert report.problems[0].hint


def test_a_backup_of_a_damaged_session_can_be_proven(
    store: Store, root: Path, scratch: Path
) -> None:
    store.save(OLD)
    file_of(store, A).write_bytes(b"{")
    report = drill(create_backup(store, root=root, reason="test"), scratch=scratch)
    assert (report.ok, report.sessions) == (True, 1)


def test_an_archive_that_is_gone_is_an_error(backup: Backup, scratch: Path) -> None:
    backup.path.unlink()
    with pytest.raises(FileNotFoundError):
        drill(backup, scratch=scratch)


@pytest.mark.parametrize("call", ["write", "mkdir"])
def test_no_scratch_space_is_an_error_and_proves_nothing(
    backup: Backup, root: Path, scratch: Path, call: str
) -> None:
    for skip in range(4):
        with (
            injected(call, errno.ENOSPC, skip=skip) as fault,
            pytest.raises(StoreIOError) as caught,
        ):
            drill(backup, scratch=scratch)
        assert fault.struck
        assert caught.value.errno == errno.ENOSPC
        assert noted(root) is None
    assert [path for path in scratch.rglob("*") if path.is_file()] == []
