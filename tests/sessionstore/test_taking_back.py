"""Versions as files, and undo when a writer was quicker than the person who chose."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sessionstore import aio, open_store, undo
from sessionstore.editing import ABSENT, OverlapError
from sessionstore.entries import Entry
from sessionstore.errors import CorruptStoreError
from sessionstore.kept import Keeper
from sessionstore.store import Store
from sessionstore.versionfiles import (
    folder_of,
    keys_with_versions,
    read_version,
    version_ids,
)
from sessionstore.versions import find_version, sweep, undone
from tests.sessionstore.helpers import run_async

KEY = "agent:main:main"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(tmp_path)
    store.put(KEY, {"updatedAt": 5, "label": "old", "totalTokens": 1})
    return store


def change(store: Store, **fields: object) -> str:
    keeper = Keeper(by="bob")
    store.keeping(keeper).patch(KEY, fields)
    return keeper.ids[0]


def test_ids_are_newest_first_and_name_what_is_there(store: Store) -> None:
    first, second = change(store, label="a"), change(store, label="b")
    assert version_ids(store.paths, KEY) == [second, first]
    assert read_version(store.paths, first) is not None
    assert read_version(store.paths, first[:-1] + "x") is None
    assert read_version(store.paths, "../../etc/passwd") is None


def test_a_gone_session_is_found_by_the_start_of_its_digest(store: Store) -> None:
    change(store, label="a")
    store.delete(KEY)
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    assert keys_with_versions(store.paths, digest[:16]) == [KEY]
    assert keys_with_versions(store.paths, digest) == [KEY]
    assert keys_with_versions(store.paths, digest[:-1] + "x") == []


def test_a_damaged_newest_version_does_not_hide_the_key(store: Store) -> None:
    change(store, label="a")
    damaged = folder_of(store.paths, KEY) / "9999999999999-00000000.json"
    damaged.write_bytes(b'{"at": 1')
    assert keys_with_versions(store.paths, folder_of(store.paths, KEY).name) == [KEY]


@pytest.mark.parametrize("at", ["Infinity", "NaN", '"x"', "null"])
def test_a_version_without_a_time_is_damaged_and_nothing_else(store: Store, at: str) -> None:
    version_id = change(store, label="a")
    path = next(folder_of(store.paths, KEY).iterdir())
    text = path.read_text()
    begin = text.index('"at":')
    path.write_text(f'{text[:begin]}"at": {at}{text[text.index(",", begin) :]}')
    with pytest.raises(CorruptStoreError):
        read_version(store.paths, version_id)


def test_sweeping_removes_what_is_too_many_and_too_old(store: Store) -> None:
    ids = [change(store, label=str(number)) for number in range(4)]
    newest = int(ids[-1].split("-")[1])
    assert sweep(store.paths, now_ms=newest, keep_count=3) == 1
    assert version_ids(store.paths, KEY) == ids[:0:-1]
    assert sweep(store.paths, now_ms=newest + 10_001, keep_for_s=10) == 3
    assert version_ids(store.paths, KEY) == []


def test_what_an_undo_would_leave_is_what_it_leaves(store: Store) -> None:
    version_id = change(store, label="new", category="x")
    store.patch(KEY, {"totalTokens": 7})
    version = find_version(store, version_id)
    expected, overlaps = undone(version, store.get(KEY))
    assert overlaps == ()
    assert undo(store, version_id) == expected
    assert expected is not None
    assert expected["totalTokens"] == 7
    assert "category" not in expected


def test_a_choice_does_not_count_for_a_value_that_nobody_saw(store: Store) -> None:
    version_id = change(store, label="new")
    store.patch(KEY, {"label": "theirs"})
    seen = "theirs"
    store.patch(KEY, {"label": "theirs again"})
    with pytest.raises(OverlapError) as caught:
        undo(store, version_id, choices={"label": "mine"}, still=lambda _name, now: now == seen)
    assert caught.value.overlaps[0].now == "theirs again"
    assert (store.get(KEY) or {})["label"] == "theirs again"


def test_keeping_what_is_there_needs_no_second_look(store: Store) -> None:
    version_id = change(store, label="new", category="x")
    store.patch(KEY, {"label": "theirs"})
    entry = undo(store, version_id, choices={"label": "now"}, still=lambda _name, _now: False)
    assert entry is not None
    assert entry["label"] == "theirs"
    assert "category" not in entry


def test_undoing_a_creation_asks_about_every_field_used_since(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    keeper = Keeper()
    store.keeping(keeper).put(KEY, {"label": "made", "updatedAt": 5})
    store.patch(KEY, {"label": "theirs", "category": "x"})
    with pytest.raises(OverlapError) as caught:
        undo(store, keeper.ids[0], choices={"label": "mine"})
    assert [(o.name, o.opened, o.yours) for o in caught.value.overlaps] == [
        ("category", ABSENT, ABSENT)
    ]
    undo(store, keeper.ids[0], choices={"label": "mine", "category": "mine"})
    assert store.get(KEY) is None


def test_a_check_sees_both_entries_and_stops_an_undo(store: Store) -> None:
    version_id = change(store, label="new")
    seen = []

    def refuse(before: Entry | None, after: Entry) -> None:
        seen.append(((before or {})["label"], after["label"]))
        raise PermissionError

    with pytest.raises(PermissionError):
        undo(store, version_id, check=refuse)
    assert seen == [("new", "old")]
    assert (store.get(KEY) or {})["label"] == "new"
    assert len(version_ids(store.paths, KEY)) == 1


def test_the_asyncio_twin_takes_the_same_check(store: Store) -> None:
    version_id = change(store, label="new")

    def refuse(_before: Entry | None, _after: Entry) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        run_async(aio.open_store(store.path).undo(version_id, check=refuse))
