"""What reads a store by other ways than ``get``: it sees whole entries too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import (
    Keeper,
    Store,
    check,
    open_store,
    recover,
    recovery_candidates,
    set_blobs,
    undo,
)
from sessionstore.backup import create_backup, plan_restore, restore
from sessionstore.errors import CorruptEntryError
from sessionstore.migration import Mirror, enable_mirror
from tests.sessionstore.helpers import entry, file_of

BIG = {"prompt": "skill é\n" * 3000}
A, ODD = "agent:main:a", ".odd"


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    """A store with blobs on and two sessions."""
    with open_store(store_file) as store:
        set_blobs(store, True)
        for key in (A, ODD):
            store.put(key, entry(skillsSnapshot=BIG))
        yield store


def test_version_holds_the_whole_entry_and_can_be_taken_back(store: Store) -> None:
    keeper = Keeper(reason="try", by="ada")
    store.keeping(keeper).patch(A, {"skillsSnapshot": {"prompt": "other " * 1000}})
    (version,) = keeper.kept
    assert (version.entry or {})["skillsSnapshot"] == BIG
    undo(store, version.id)
    assert (store.get(A) or {})["skillsSnapshot"] == BIG
    assert file_of(store, A).stat().st_size < 700


def test_restore_in_place_leaves_no_second_copy_of_what_the_backup_holds(
    store: Store, tmp_path: Path
) -> None:
    backup = create_backup(store, root=tmp_path / "backups", reason="test")
    before = store.load()
    store.patch(A, {"label": "newer"})
    restore(plan_restore(backup, store), root=tmp_path / "backups", gateway_lock_dir=tmp_path)
    assert store.load() == before
    assert list(store.path.parent.glob("*.bak.*")) == []
    store.patch(A, {"label": "folds again"})
    assert file_of(store, A).stat().st_size < 700


def test_quarantined_file_is_recovered_whole(store: Store, tmp_path: Path) -> None:
    path = file_of(store, A)
    (blob,) = [p for p in (store.paths.sidecar / "blobs").rglob("*") if p.is_file()]
    hidden = blob.rename(tmp_path / "hidden")
    with open_store(store.path) as fresh:
        with pytest.raises(CorruptEntryError):
            fresh.get(A)
        fresh.put(A, entry(label="anew"))
    assert path.stat().st_size < 700
    hidden.rename(blob)
    (found,) = [c for c in recovery_candidates(store) if c.kind == "quarantine"]
    assert (found.key, found.readable) == (A, True)
    recover(found, store, tmp_path / "target" / "sessions.json")
    with open_store(tmp_path / "target" / "sessions.json") as recovered:
        assert (recovered.get(A) or {})["skillsSnapshot"] == BIG


def test_mirror_writes_whole_entries(store: Store) -> None:
    enable_mirror(store)
    mirror = Mirror(store)
    try:
        assert mirror.tick(100.0)
    finally:
        mirror.close()
    written = json.loads(store.path.read_bytes())
    assert {key: one["skillsSnapshot"] for key, one in written.items()} == {A: BIG, ODD: BIG}


def test_check_of_a_store_with_blobs_finds_no_damage(store: Store) -> None:
    rules = {finding.rule for finding in check(store)}
    assert not rules & {"damaged-entry", "foreign-file", "damaged-marker", "unsafe-file"}
