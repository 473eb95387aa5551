"""What a damaged store can be recovered from is listed with what it gives; nothing is repaired."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessionstore import (
    EntryNotFoundError,
    Keeper,
    Store,
    StoreIOError,
    UnsupportedStoreError,
    open_store,
)
from sessionstore.backup import (
    Candidate,
    create_backup,
    plan_restore,
    recover,
    recovery_candidates,
    restore,
)
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry, file_of, json_bytes, picture, write_unadopted

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
OLD = {A: entry(label="a"), B: entry(label="b", updatedAt=5), ODD: entry(label="odd")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "sessions.json"


def of_kind(found: list[Candidate], kind: str) -> Candidate:
    (candidate,) = [one for one in found if one.kind == kind]
    return candidate


def damage_everything(store: Store, root: Path) -> None:
    """A store of whose every kind of copy there is one, and whose own file is empty."""
    create_backup(store, root=root, reason="before the storm")
    home = store.path.parent
    (home / "sessions.json.bak.1790000000000").write_bytes(json_bytes({A: OLD[A]}))
    (home / "sessions.json.4711.tmp").write_bytes(b'{"agent:main:a": {')
    write_unadopted(home / "sessions.d.bak.json", {B: OLD[B], A: OLD[A]})
    (home / "sessions.d.bak.d").rename(home / "sessions.d.bak.1790000000001")
    run = store.paths.sidecar / "runs" / "1790000000002-0a"
    run.mkdir(parents=True)
    (run / "source.json").write_bytes(json_bytes(OLD))
    store.keeping(Keeper()).patch(A, {"label": "newer"})
    store.path.write_bytes(b"{")


def test_every_candidate_says_what_it_would_give(legacy_store: MakeStore, root: Path) -> None:
    store = legacy_store(OLD)
    damage_everything(store, root)
    found = recovery_candidates(store, root=root)
    backup = of_kind(found, "backup")
    assert (backup.sessions, backup.readable, backup.note) == (3, True, "before the storm")
    directory = of_kind(found, "directory")
    assert (directory.name, directory.sessions) == ("sessions.d.bak.1790000000001", 2)
    assert directory.newest_updated_at_ms == OLD[A]["updatedAt"]
    leftover = of_kind(found, "leftover")
    assert (leftover.name, leftover.sessions) == ("runs/1790000000002-0a/source.json", 3)
    version = of_kind(found, "version")
    assert (version.key, version.sessions, version.readable) == (A, 1, True)
    files = {one.name: one for one in found if one.kind == "file"}
    assert files["sessions.json.bak.1790000000000"].sessions == 1
    torn = files["sessions.json.4711.tmp"]
    assert (torn.readable, torn.sessions, torn.size_bytes) == (False, 0, 18)
    assert torn.note


def test_listing_changes_nothing(legacy_store: MakeStore, root: Path) -> None:
    store = legacy_store(OLD)
    damage_everything(store, root)
    before = picture(store.path.parent, root)
    recovery_candidates(store, root=root)
    recovery_candidates(store, root=root, key=A)
    assert picture(store.path.parent, root) == before


def test_the_newest_come_first(legacy_store: MakeStore, root: Path) -> None:
    store = legacy_store(OLD)
    damage_everything(store, root)
    times = [one.at_ms or 0 for one in recovery_candidates(store, root=root)]
    assert times == sorted(times, reverse=True)


def test_a_missing_store_has_candidates_too(store: Store, root: Path, tmp_path: Path) -> None:
    store.save(OLD)
    create_backup(store, root=root, reason="test")
    store.paths.directory.rename(tmp_path / "gone")
    assert [one.kind for one in recovery_candidates(store, root=root)] == ["backup"]


def test_a_sound_new_store_has_none(store: Store, root: Path) -> None:
    assert recovery_candidates(store, root=root) == []


def test_a_file_beside_the_directory_that_is_in_use_is_one(store: Store, root: Path) -> None:
    store.save(OLD)
    store.path.write_bytes(json_bytes({A: OLD[A]}))
    (candidate,) = recovery_candidates(store, root=root)
    assert (candidate.kind, candidate.name, candidate.sessions) == ("file", "sessions.json", 1)


def test_candidates_of_one_session_are_those_that_hold_it(
    legacy_store: MakeStore, root: Path
) -> None:
    store = legacy_store(OLD)
    damage_everything(store, root)
    kinds = {one.kind for one in recovery_candidates(store, root=root, key=ODD) if one.readable}
    assert kinds == {"backup", "leftover"}
    kinds = {one.kind for one in recovery_candidates(store, root=root, key=B) if one.readable}
    assert kinds == {"backup", "leftover", "directory"}


def test_what_was_set_aside_is_one(store: Store, root: Path, target: Path) -> None:
    store.save(OLD)
    path = file_of(store, A)
    path.write_bytes(json_bytes(OLD[A]) + b"}")
    store.put(A, entry(label="new"))
    path.with_name("q").touch()
    note = next((store.paths.sidecar / "quarantine").glob("*.json"))
    note.with_suffix(".file").write_bytes(json_bytes(OLD[A]))
    candidate = of_kind(recovery_candidates(store, root=root, key=A), "quarantine")
    assert (candidate.key, candidate.sessions, candidate.readable) == (A, 1, True)
    assert "set aside" in candidate.note
    recover(candidate, store, target)
    with open_store(target) as recovered:
        assert recovered.load() == {A: OLD[A]}


def test_damage_set_aside_is_listed_as_unreadable(store: Store, root: Path) -> None:
    store.save(OLD)
    file_of(store, A).write_bytes(b"{")
    store.put(A, entry())
    candidate = of_kind(recovery_candidates(store, root=root), "quarantine")
    assert (candidate.readable, candidate.size_bytes) == (False, 1)


@pytest.mark.parametrize("kind", ["directory", "leftover", "version", "backup"])
def test_any_candidate_can_be_copied_to_a_new_place(
    legacy_store: MakeStore, root: Path, target: Path, kind: str
) -> None:
    store = legacy_store(OLD)
    damage_everything(store, root)
    before = picture(store.path.parent)
    candidate = of_kind(recovery_candidates(store, root=root), kind)
    report = recover(candidate, store, target)
    assert (report.sessions, report.verified) == (candidate.sessions, candidate.sessions)
    with open_store(target) as recovered:
        found = recovered.load()
    assert found == {key: OLD[key] for key in found}
    assert len(found) == candidate.sessions
    assert picture(store.path.parent) == before


def test_a_damaged_store_comes_back_in_place_by_a_plan(
    legacy_store: MakeStore, root: Path, tmp_path: Path
) -> None:
    store = legacy_store(OLD)
    damage_everything(store, root)
    candidate = of_kind(recovery_candidates(store, root=root), "backup")
    assert candidate.backup is not None
    restore(plan_restore(candidate.backup, store), root=root, gateway_lock_dir=tmp_path / "none")
    assert store.load() == OLD


def test_an_unreadable_candidate_cannot_be_copied(
    legacy_store: MakeStore, root: Path, target: Path
) -> None:
    store = legacy_store(OLD)
    (store.path.parent / "sessions.json.bak.1").write_bytes(b"")
    (candidate,) = recovery_candidates(store, root=root)
    with pytest.raises(Exception, match=r"sessions\.json\.bak\.1"):
        recover(candidate, store, target)
    assert not target.exists()


def test_an_empty_candidate_has_nothing_to_copy(
    legacy_store: MakeStore, root: Path, target: Path
) -> None:
    store = legacy_store(OLD)
    (store.path.parent / "sessions.json.bak.1").write_bytes(b"{}")
    (candidate,) = recovery_candidates(store, root=root)
    with pytest.raises(EntryNotFoundError):
        recover(candidate, store, target)


def test_nothing_is_copied_into_the_store_or_over_anything(
    legacy_store: MakeStore, root: Path, target: Path
) -> None:
    store = legacy_store(OLD)
    (store.path.parent / "sessions.json.bak.1").write_bytes(json_bytes(OLD))
    (candidate,) = recovery_candidates(store, root=root)
    with pytest.raises(UnsupportedStoreError):
        recover(candidate, store, store.path.with_name("other.json"))
    target.parent.mkdir()
    target.write_text("{}")
    with pytest.raises(StoreIOError):
        recover(candidate, store, target)
    assert json.loads(target.read_text()) == {}


def test_links_are_not_followed(store: Store, root: Path, tmp_path: Path) -> None:
    store.save(OLD)
    secret = tmp_path / "secret.json"
    secret.write_bytes(json_bytes(OLD))
    store.path.with_name("sessions.json.bak.1").symlink_to(secret)
    store.path.with_name("sessions.d.bak.1").symlink_to(store.paths.directory)
    found = recovery_candidates(store, root=root)
    assert [(one.readable, one.sessions) for one in found] == [(False, 0), (False, 0)]
