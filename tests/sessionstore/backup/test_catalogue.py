"""The list of backups, holding, deleting, handing out: from sidecars only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sessionstore import ConflictError, SessionStoreError, StoreIOError
from sessionstore.backup import (
    Backup,
    default_root,
    delete_backup,
    hold_backup,
    list_backups,
    note_proven,
    open_for_download,
    release_backup,
    verify_backup,
)
from sessionstore.errors import DamagedBackupError
from tests.sessionstore.backup.taking import leftovers, listed, take
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry, picture

A = "agent:main:a"
Take = Callable[[], Backup]


@pytest.fixture
def take_one(open_kind: MakeStore) -> Take:
    """Return a maker of backups of one store."""
    store = open_kind("directory", {A: entry()})
    return lambda: take(store)


def note_of(backup: Backup) -> Path:
    return backup.path.with_name(f"{backup.id}.json")


def test_list_is_newest_first_and_what_create_returned(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()})
    taken = [take(store, reason=str(number)) for number in range(3)]
    assert sorted(listed(store), key=lambda one: one.reason) == taken
    times = [one.created_ms for one in listed(store)]
    assert times == sorted(times, reverse=True)


def test_list_opens_no_archive(open_kind: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_kind("directory", {A: entry()})
    for _ in range(3):
        take(store)
    opened: list[str] = []
    real = os.open

    def watched(path: object, *args: object, **kwargs: object) -> int:
        opened.append(str(path))
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", watched)
    assert len(listed(store)) == 3
    assert opened
    assert [path for path in opened if path.endswith(".tar.gz")] == []


def test_missing_root_has_no_backups(tmp_path: Path) -> None:
    assert list_backups(tmp_path / "none") == []


def test_root_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreIOError):
        list_backups(tmp_path / "file")


def test_foreign_files_are_neither_listed_nor_touched(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()})
    backup = take(store)
    folder = backup.path.parent
    (folder / "notes.json").write_text("{}")
    (folder / "backup.tar.gz").write_text("")
    (folder / ".gone-backup.json").write_text("")
    (folder.parent / "file").write_text("")
    (folder.parent / "link").symlink_to(folder)
    (folder.parent / "link2").symlink_to("/")
    assert listed(store) == [backup]
    delete_backup(backup)
    assert listed(store) == []
    delete_backup(take(store))
    names = {path.name for path in folder.iterdir() if not path.is_dir()}
    assert names - {"catalogue.lock"} == {"notes.json", "backup.tar.gz", ".gone-backup.json"}


def test_what_is_wrong_is_named_in_the_list(take_one: Take) -> None:
    missing, cut, no_note, bad_note, sound = (take_one() for _ in range(5))
    missing.path.unlink()
    cut.path.write_bytes(cut.path.read_bytes()[:-1])
    note_of(no_note).unlink()
    note_of(bad_note).write_bytes(note_of(bad_note).read_bytes().replace(b"test", b"tess"))
    found = {one.id: one.problem for one in list_backups(sound.path.parent.parent)}
    assert found[sound.id] == ""
    assert "missing" in found[missing.id]
    assert "bytes" in found[cut.id]
    assert "sidecar is missing" in found[no_note.id]
    assert "sidecar is damaged" in found[bad_note.id]


def test_link_in_place_of_a_sidecar_is_not_followed(take_one: Take, tmp_path: Path) -> None:
    backup = take_one()
    note_of(backup).rename(tmp_path / "note.json")
    note_of(backup).symlink_to(tmp_path / "note.json")
    [found] = list_backups(backup.path.parent.parent)
    assert "symbolic link" in found.problem


def test_held_backup_is_not_deleted_until_it_is_released(take_one: Take) -> None:
    backup = take_one()
    held = hold_backup(backup)
    assert held == replace(backup, held=True)
    with pytest.raises(ConflictError, match="held"):
        delete_backup(backup)
    assert list_backups(backup.path.parent.parent) == [held]
    assert release_backup(held) == backup
    before = backup.path.stat().st_size + note_of(backup).stat().st_size
    assert delete_backup(held) == before
    assert list_backups(backup.path.parent.parent) == []


def test_notes_of_others_are_kept(take_one: Take) -> None:
    backup = take_one()
    hold_backup(backup)
    note_proven(backup, at_ms=5)
    verify_backup(backup, deep=False)
    [now] = list_backups(backup.path.parent.parent)
    assert (now.held, now.proven_ms, now.verified_depth) == (True, 5, "structure")


def test_backup_without_a_sidecar_cannot_be_held_and_can_be_deleted(take_one: Take) -> None:
    backup = take_one()
    note_of(backup).unlink()
    with pytest.raises(DamagedBackupError, match="no sidecar"):
        hold_backup(backup)
    delete_backup(backup)
    assert not backup.path.exists()


def test_deleting_what_is_gone_frees_nothing(take_one: Take) -> None:
    backup = take_one()
    assert delete_backup(backup) > 0
    assert delete_backup(backup) == 0


def test_download_has_a_safe_name_and_the_archives_bytes(take_one: Take) -> None:
    backup = take_one()
    name, size, descriptor = open_for_download(replace(backup, agent_id='a"\r\n/../b'))
    with os.fdopen(descriptor, "rb") as file:
        assert file.read() == backup.path.read_bytes()
    assert size == backup.size_bytes
    assert name == f"sessions-a-b-{backup.id}.tar.gz"


def test_download_follows_no_link(take_one: Take, tmp_path: Path) -> None:
    backup = take_one()
    backup.path.rename(tmp_path / "moved")
    backup.path.symlink_to(tmp_path / "moved")
    with pytest.raises(SessionStoreError):
        open_for_download(backup)
    with pytest.raises(FileNotFoundError):
        open_for_download(replace(backup, path=tmp_path / "none.tar.gz"))


def test_listing_and_reading_change_nothing(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()})
    backup = take(store)
    before = picture(default_root(store.paths))
    listed(store)
    verify_backup(backup, record=False)
    os.close(open_for_download(backup)[2])
    assert picture(default_root(store.paths)) == before
    assert leftovers(store) == []
