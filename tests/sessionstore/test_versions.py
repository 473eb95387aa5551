"""Keeping what a change replaces, listing it and taking it back, in every layout and the twin."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest

from sessionstore import (
    ABSENT,
    ConflictError,
    CorruptEntryError,
    EntryNotFoundError,
    FieldEdit,
    InvalidKeyError,
    Keeper,
    LockTimeoutError,
    OverlapError,
    Store,
    Version,
    merging,
    undo,
    versions,
)
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import (
    NOW,
    SyncedStore,
    data_picture,
    entry,
    file_of,
    in_threads,
    picture,
    quarantined,
    temporary_files,
)

A, B, ODD = "agent:main:main", "agent:main:telegram:group:-100", ".odd"
Entry = dict[str, Any]


def listed(store: Any, key: str) -> list[Version]:
    """What the store's own way of listing gives."""
    found: list[Version] = (
        store.versions(key) if isinstance(store, SyncedStore) else versions(store, key)
    )
    return found


def undone(store: Any, version_id: str, **options: Any) -> Entry | None:
    """Take a change back in the store's own way."""
    if isinstance(store, SyncedStore):
        result: Entry | None = store.undo(version_id, **options)
        return result
    return undo(store, version_id, **options)


def kept(store: Store, change: Callable[[Store], object], **keeper: Any) -> str:
    """The id of the version that one change leaves."""
    noting = Keeper(**keeper)
    change(store.keeping(noting))
    (version_id,) = noting.ids
    return version_id


def set_label(store: Store, label: str, key: str = A) -> str:
    return kept(store, lambda kept: kept.patch(key, {"label": label}))


# -- keeping ---------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[Store], object]] = {
    "update": lambda store: store.update(A, lambda old: {**(old or {}), "label": "new"}),
    "patch": lambda store: store.patch(A, {"label": "new"}),
    "patch-unread": lambda store: store.patch(A, {"label": "new"}, return_entry=False),
    "put": lambda store: store.put(A, entry(label="new", odd=[1])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_the_entry_that_it_replaces(make: MakeStore, name: str) -> None:
    old = entry(label="old", odd=[1])
    store = make({A: old, B: entry()})
    begun_ms = time.time_ns() // 1_000_000
    version_id = kept(store, CHANGES[name], reason="asked to", by="ada", note={"n": 1})
    (version,) = listed(store, A)
    assert (version.id, version.key, version.entry) == (version_id, A, old)
    assert (version.reason, version.by, version.note) == ("asked to", "ada", {"n": 1})
    assert "label" in version.changed
    assert version.written["label"] == "new"
    assert not version.removed
    assert not version.begun
    assert begun_ms <= version.at_ms <= time.time_ns() // 1_000_000
    assert listed(store, B) == []


def test_a_removed_field_is_changed_and_not_written(make: MakeStore) -> None:
    store = make({A: entry(label="old", odd=1)})
    kept(store, lambda kept: kept.update(A, lambda old: entry(label="old")))
    (version,) = listed(store, A)
    assert version.changed == ("odd",)
    assert version.written == {}


def test_a_deleted_entry_is_kept_whole(make: MakeStore) -> None:
    old = entry(label="old", odd={"deep": [1, None]})
    store = make({A: old})
    kept(store, lambda kept: kept.delete(A), action="delete")
    (version,) = listed(store, A)
    assert (version.removed, version.entry, version.action) == (True, old, "delete")
    assert store.get(A) is None


@pytest.mark.parametrize("call", ["put", "update", "get_or_create"])
def test_a_creation_is_kept_as_a_version_without_an_entry(make: MakeStore, call: str) -> None:
    store = make()
    change = {"put": entry(), "update": lambda old: entry(), "get_or_create": entry}[call]
    kept(store, lambda kept: getattr(kept, call)(A, change))
    (version,) = listed(store, A)
    assert (version.entry, version.removed) == (None, False)
    assert version.written == entry()


def test_a_reset_keeps_the_incarnation_that_it_ends(make: MakeStore) -> None:
    old = entry(sessionFile="/s-1.jsonl", totalTokens=9)
    store = make({A: old})
    kept(store, lambda kept: kept.reset(A, session_id="s-2"))
    (version,) = listed(store, A)
    assert version.entry == old
    assert [life.session_id for life in store.history(A)] == ["s-1"]


def test_a_route_is_kept_like_any_change(make: MakeStore) -> None:
    store = make({A: entry()})
    kept(store, lambda kept: kept.update_last_route(A, channel="slack", to="C1"))
    (version,) = listed(store, A)
    assert set(version.changed) == {"lastChannel", "lastTo", "deliveryContext"}


def test_fields_that_only_a_rule_spells_anew_are_no_change(make: MakeStore) -> None:
    store = make({A: entry(provider="slack", room="#x", label="old")})
    before = store.get(A)
    kept(store, CHANGES["patch-unread"])
    (version,) = listed(store, A)
    assert version.entry == before
    assert set(version.changed) == {"label", "updatedAt"}


def test_a_change_that_changes_nothing_keeps_nothing(make: MakeStore) -> None:
    store = make({A: entry(label="x")})
    keeper = Keeper()
    keeping = store.keeping(keeper)
    keeping.patch(A, {"label": "x"})
    keeping.update(A, lambda old: old)
    keeping.delete(B)
    keeping.get_or_create(A, entry)
    assert keeper.ids == []
    assert listed(store, A) == listed(store, B) == []


def test_a_refused_change_keeps_nothing(make: MakeStore) -> None:
    store = make({A: entry(label="x")})
    keeping = store.keeping(keeper := Keeper())
    with pytest.raises(ConflictError):
        keeping.patch(A, {"label": "y"}, if_match="0" * 32)
    with pytest.raises(ConflictError):
        keeping.delete(A, if_match="0" * 32)
    with pytest.raises(EntryNotFoundError):
        keeping.patch(B, {"label": "y"}, create=False)
    with pytest.raises(ZeroDivisionError):
        keeping.update(A, lambda old: {"label": 1 / 0})
    assert keeper.ids == []
    assert listed(store, A) == listed(store, B) == []
    assert temporary_files(store) == []


def test_writers_keep_nothing(make: MakeStore) -> None:
    store = make({A: entry()})
    store.keeping(Keeper())
    store.patch(A, {"label": "x"})
    assert store.keeper is None
    assert listed(store, A) == []


def test_changes_of_many_entries_keep_nothing(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    keeping = store.keeping(keeper := Keeper())
    keeping.update_all(lambda every: every[A].update(n=1))
    keeping.save({A: entry(n=2)})
    assert keeper.ids == []


def test_a_damaged_entry_goes_to_quarantine_and_keeps_no_version(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    store.patch(B, {"n": 1})
    if store.layout == "legacy":
        text = json.loads(store.path.read_bytes())
        store.path.write_text(json.dumps({**text, A: 5}))
    else:
        file_of(store, A).write_bytes(b"{damaged")
    keeping = store.keeping(keeper := Keeper())
    with pytest.raises(CorruptEntryError):
        keeping.patch(A, {"label": "x"})
    keeping.put(A, entry(label="new"))
    assert keeper.ids == []
    assert listed(store, A) == []
    assert len(quarantined(store)) == 1


def test_a_keeper_names_every_version_that_it_kept_in_order(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    keeping = store.keeping(keeper := Keeper())
    for label in "abc":
        keeping.patch(A, {"label": label})
    keeping.patch(B, {"label": "b"})
    assert [version.id for version in listed(store, A)] == keeper.ids[2::-1]
    assert [version.id for version in listed(store, B)] == keeper.ids[3:]


def test_versions_are_listed_newest_first_whatever_the_clock_says(store: Store) -> None:
    ids = [set_label(store, str(number)) for number in range(30)]
    assert [version.id for version in versions(store, A)] == ids[::-1]
    assert [(version.entry or {}).get("label") for version in versions(store, A)][:3] == [
        "28",
        "27",
        "26",
    ]


def test_versions_are_private_files_of_their_own(make: MakeStore) -> None:
    store = make({A: entry(), ODD: entry()})
    for key in (A, ODD):
        set_label(store, "x", key)
    folder = store.paths.sidecar / "versions"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    folders = [folder, *folder.iterdir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert store.keys() == sorted([A, ODD])
    assert [found for found in store.problems() if found.severity != "info"] == []


def test_listing_versions_changes_nothing(make: MakeStore) -> None:
    store = make({A: entry()})
    set_label(store, "x")
    before = picture(store.path.parent)
    listed(store, A)
    listed(store, B)
    assert picture(store.path.parent) == before


def test_keys_are_folded_and_checked(make: MakeStore) -> None:
    store = make({A: entry()})
    set_label(store, "x", "  Agent:MAIN:main ")
    assert len(listed(store, "AGENT:main:Main")) == 1
    for key in ("", "a\0b", "\ud800"):
        with pytest.raises(InvalidKeyError):
            listed(store, key)


def test_a_damaged_session_still_lists_its_versions(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="old"), B: entry()})
    version_id = set_label(store, "new")
    if store.layout == "legacy":
        text = json.loads(store.path.read_bytes())
        store.path.write_text(json.dumps({**text, A: 5}))
    else:
        file_of(store, A).write_bytes(b"{damaged")
    (version,) = versions(store, A)
    assert (version.id, version.entry) == (version_id, entry(label="old"))


def test_the_timeout_of_an_undo_counts(store: Store) -> None:
    version_id = kept(store, lambda kept: kept.put(A, entry()))
    with pytest.raises(ValueError, match="timeout"):
        undo(store, version_id, timeout=-1)


# -- taking back -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHANGES)
def test_undo_brings_every_field_back_but_the_time(make: MakeStore, name: str) -> None:
    old = entry(label="old", odd=[1])
    store = make({A: old})
    version_id = kept(store, CHANGES[name])
    found = undone(store, version_id)
    assert found == store.get(A)
    assert {**(found or {}), "updatedAt": NOW} == old


def test_undo_of_a_deletion_brings_back_exactly_what_was_there(make: MakeStore) -> None:
    old = entry(label="old", odd=[1])
    store = make({A: old, B: entry()})
    version_id = kept(store, lambda kept: kept.delete(A))
    assert undone(store, version_id) == store.get(A) == old


def test_undo_of_a_creation_removes_the_session(make: MakeStore) -> None:
    store = make({B: entry()})
    version_id = kept(store, lambda kept: kept.put(A, entry()))
    assert undone(store, version_id) is None
    assert store.keys() == [B]
    assert undone(store, version_id) is None


def test_undo_of_a_creation_that_was_used_since_asks_first(make: MakeStore) -> None:
    store = make()
    version_id = kept(store, lambda kept: kept.put(A, entry()))
    store.patch(A, {"totalTokens": 7})
    with pytest.raises(OverlapError) as caught:
        undone(store, version_id)
    assert [overlap.name for overlap in caught.value.overlaps] == ["totalTokens"]
    assert undone(store, version_id, choices={"totalTokens": "mine"}) is None


def test_undo_of_a_creation_never_removes_what_it_has_not_seen(make_blocking: MakeStore) -> None:
    store = make_blocking()
    version_id = kept(store, lambda kept: kept.put(A, entry(label="made")))
    store.patch(A, {"label": "theirs"})

    def write(name: str, now: object) -> bool:
        store.patch(A, {"totalTokens": 7})
        return True

    with pytest.raises(ConflictError):
        undo(store, version_id, choices={"label": "mine"}, still=write)
    assert (store.get(A) or {})["totalTokens"] == 7


def test_undo_of_an_edit_does_not_say_that_the_session_was_active_then(make: MakeStore) -> None:
    store = make({A: entry(label="old")})
    version_id = set_label(store, "new")
    active = (store.get(A) or {})["updatedAt"]
    assert active > NOW
    assert (undone(store, version_id) or {})["updatedAt"] == active


def test_undo_of_a_reset_brings_the_incarnation_back(make: MakeStore) -> None:
    old = entry(sessionFile="/s-1.jsonl", totalTokens=9, label="x")
    store = make({A: old})
    version_id = kept(store, lambda kept: kept.reset(A, session_id="s-2"))
    found = undone(store, version_id)
    assert {**(found or {}), "updatedAt": NOW} == old
    assert "s-1" not in [life.session_id for life in store.history(A)]


def test_undo_keeps_what_writers_wrote_since(make: MakeStore) -> None:
    store = make({A: entry(label="old", totalTokens=1)})
    version_id = set_label(store, "new")
    store.patch(A, {"totalTokens": 7, "fresh": [1]})
    found = undone(store, version_id)
    assert found is not None
    assert (found["label"], found["totalTokens"], found["fresh"]) == ("old", 7, [1])


def test_undo_over_a_field_that_was_changed_since_is_refused(make: MakeStore) -> None:
    store = make({A: entry(label="old")})
    version_id = set_label(store, "new")
    store.patch(A, {"label": "theirs"})
    before = data_picture(store)
    with pytest.raises(OverlapError) as caught:
        undone(store, version_id)
    (overlap,) = caught.value.overlaps
    assert (overlap.name, overlap.opened, overlap.now, overlap.yours) == (
        "label",
        "new",
        "theirs",
        "old",
    )
    assert caught.value.key == A
    assert caught.value.etag == store.etag(A)
    assert caught.value.hint
    assert data_picture(store) == before
    assert len(listed(store, A)) == 1


@pytest.mark.parametrize(("choice", "label"), [("mine", "old"), ("now", "theirs")])
def test_undo_obeys_the_choice_made_for_an_overlap(
    make: MakeStore, choice: str, label: str
) -> None:
    store = make({A: entry(label="old", odd=1)})
    version_id = kept(store, lambda kept: kept.patch(A, {"label": "new", "odd": 2}))
    store.patch(A, {"label": "theirs"})
    found = undone(store, version_id, choices={"label": choice})
    assert found is not None
    assert (found["label"], found["odd"]) == (label, 1)


def test_undo_of_a_deletion_over_a_new_session_asks_for_every_field(make: MakeStore) -> None:
    store = make({A: entry(label="old", odd=1)})
    version_id = kept(store, lambda kept: kept.delete(A))
    store.put(A, {"sessionId": "s-2", "label": "theirs", "more": 1})
    with pytest.raises(OverlapError) as caught:
        undone(store, version_id)
    assert {overlap.name for overlap in caught.value.overlaps} == {"sessionId", "label"}
    found = undone(store, version_id, choices={"sessionId": "now", "label": "mine"})
    assert found is not None
    assert (found["sessionId"], found["label"], found["odd"], found["more"]) == (
        "s-2",
        "old",
        1,
        1,
    )


def test_undo_of_a_change_of_a_session_that_was_deleted_since_is_refused(make: MakeStore) -> None:
    store = make({A: entry(label="old")})
    version_id = set_label(store, "new")
    store.delete(A)
    with pytest.raises(EntryNotFoundError) as caught:
        undone(store, version_id)
    assert caught.value.key == A
    assert store.get(A) is None


def test_an_undo_is_a_version_that_can_be_undone(make: MakeStore) -> None:
    store = make({A: entry(label="old")})
    first = set_label(store, "new")
    undone(store, first)
    second = listed(store, A)[0]
    assert (second.action, second.note) == ("undo", {"undoes": first})
    undone(store, second.id)
    assert (store.get(A) or {})["label"] == "new"


def test_undoing_twice_changes_nothing_the_second_time(make: MakeStore) -> None:
    store = make({A: entry(label="old")})
    version_id = set_label(store, "new")
    undone(store, version_id)
    before = data_picture(store)
    undone(store, version_id)
    assert data_picture(store) == before
    assert len(listed(store, A)) == 2


def test_an_older_change_is_undone_without_the_newer_ones(make: MakeStore) -> None:
    store = make({A: entry(label="old", odd=1)})
    first = set_label(store, "new")
    kept(store, lambda kept: kept.patch(A, {"odd": 2}))
    found = undone(store, first)
    assert found is not None
    assert (found["label"], found["odd"]) == ("old", 2)


def test_undo_of_an_unknown_version_says_what_may_help(make: MakeStore) -> None:
    store = make({A: entry()})
    with pytest.raises(EntryNotFoundError) as caught:
        undone(store, "0" * 32 + "-1790000000000-00000000")
    assert "backup" in caught.value.hint
    assert caught.value.path == str(store.paths.sidecar / "versions")


# -- merging under the lock ------------------------------------------------------------------


def test_merging_keeps_what_writers_wrote_since_it_was_opened(make: MakeStore) -> None:
    store = make({A: entry(label="old", totalTokens=1)})
    store.patch(A, {"totalTokens": 7})
    edits = [FieldEdit("label", "old", "new"), FieldEdit("odd", ABSENT, {"x": 1})]
    found = store.update(A, merging(A, edits))
    assert found is not None
    assert (found["label"], found["odd"], found["totalTokens"]) == ("new", {"x": 1}, 7)


def test_merging_refuses_an_overlap_and_writes_nothing(make: MakeStore) -> None:
    store = make({A: entry(label="theirs", odd=1)})
    store.delete(B)  # adopts a directory that is not ours yet
    before = data_picture(store)
    with pytest.raises(OverlapError) as caught:
        store.update(A, merging(A, [FieldEdit("label", "old", "mine"), FieldEdit("odd", 1, 2)]))
    assert [overlap.name for overlap in caught.value.overlaps] == ["label"]
    assert (caught.value.key, caught.value.keys) == (A, (A,))
    assert caught.value.etag == store.etag(A)
    assert data_picture(store) == before


def test_merging_what_is_there_already_writes_nothing(make: MakeStore) -> None:
    store = make({A: entry(label="new")})
    store.delete(B)
    before = data_picture(store)
    store.update(A, merging(A, [FieldEdit("label", "old", "new"), FieldEdit("x", 1, ABSENT)]))
    assert data_picture(store) == before


def test_merging_makes_a_session_only_where_that_is_wanted(make: MakeStore) -> None:
    store = make({B: entry()})
    edits = [FieldEdit("sessionId", ABSENT, "s-9")]
    with pytest.raises(EntryNotFoundError):
        store.update(A, merging(A, edits), create=False)
    found = store.update(A, merging(A, edits))
    assert (found or {})["sessionId"] == "s-9"


def test_merging_asks_the_check_with_both_entries_and_obeys_it(make: MakeStore) -> None:
    store = make({A: entry(label="old")})
    store.delete(B)
    before = data_picture(store)
    seen: list[tuple[Entry | None, Entry]] = []

    def refuse(old: Entry | None, new: Entry) -> None:
        seen.append((old, new))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.update(A, merging(A, [FieldEdit("label", "old", "new")], check=refuse))
    assert seen == [(entry(label="old"), entry(label="new"))]
    assert data_picture(store) == before


def test_edits_of_one_session_by_many_at_once_are_all_merged(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry()})
    names = [f"f{number}" for number in range(12)]

    def edit(number: int) -> None:
        keeping = store.keeping(Keeper(by=names[number]))
        keeping.update(A, merging(A, [FieldEdit(names[number], ABSENT, number)]))

    in_threads(len(names), edit)
    assert {name: (store.get(A) or {}).get(name) for name in names} == {
        name: number for number, name in enumerate(names)
    }
    found = versions(store, A)
    assert {version.by for version in found} == set(names)
    assert [len(version.entry or {}) for version in found] == list(range(13, 1, -1))


# -- what happens under the change -----------------------------------------------------------


def version_files(store: Store) -> list[str]:
    """Every file below the folder of versions."""
    folder = store.paths.sidecar / "versions"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_change_that_took_too_long_keeps_nothing(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="old")})
    store.patch(B, {"n": 1})

    def slow(old: Entry | None) -> Entry:
        time.sleep(0.2)
        return {**(old or {}), "label": "new"}

    with pytest.raises(LockTimeoutError):
        store.keeping(keeper := Keeper()).update(A, slow, timeout=0.1)
    assert keeper.ids == version_files(store) == []
    assert store.get(A) == entry(label="old")


def test_a_change_that_runs_twice_keeps_what_it_replaced_at_last(store: Store) -> None:
    store.put(A, entry(label="old"))
    seen: list[Entry | None] = []

    def delete(old: Entry | None) -> Entry:
        if not seen:
            shutil.rmtree(store.paths.directory)
        seen.append(old)
        return entry(label="new")

    store.keeping(keeper := Keeper()).update(A, delete)
    assert seen == [entry(label="old"), None]
    (version,) = versions(store, A)
    assert ([version.id], version.entry) == (keeper.ids, None)
    assert version_files(store) == [f"{version.id[33:]}.json"]
    undo(store, version.id)
    assert store.get(A) is None


def test_versions_outlive_the_directory_of_their_sessions(store: Store) -> None:
    store.put(A, entry(label="old"))
    version_id = kept(store, lambda kept: kept.delete(A))
    shutil.rmtree(store.paths.directory)
    assert [version.id for version in versions(store, A)] == [version_id]
    assert undo(store, version_id) == store.get(A) == entry(label="old")


def test_a_folder_of_versions_that_is_gone_is_made_again(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="old")})
    set_label(store, "one")
    shutil.rmtree(store.paths.sidecar / "versions")
    assert versions(store, A) == []
    version_id = set_label(store, "two")
    assert [version.id for version in versions(store, A)] == [version_id]


def test_a_folder_that_goes_away_in_the_change_does_not_undo_it(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="old")})
    store.patch(B, {"n": 1})
    real = os.rename

    def removing(source: Any, target: Any, **rest: Any) -> None:
        real(source, target, **rest)
        if str(target).endswith(".begun.json"):
            shutil.rmtree(store.paths.sidecar / "versions")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", removing)
        store.keeping(keeper := Keeper()).patch(A, {"label": "new"})
    assert (store.get(A) or {})["label"] == "new"
    assert len(keeper.ids) == 1
    assert versions(store, A) == []


def test_an_interrupted_change_is_told_by_what_is_there(store: Store) -> None:
    store.put(A, entry(label="old"))

    def interrupt(source: Any, target: Any, **rest: Any) -> None:
        real(source, target, **rest)
        if not str(target).endswith(".begun.json"):
            raise KeyboardInterrupt

    real = os.rename
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.keeping(keeper := Keeper()).patch(A, {"label": "new"})
    assert (store.get(A) or {})["label"] == "new"
    assert [version.id for version in versions(store, A)] == keeper.ids
    undo(store, keeper.ids[0])
    assert (store.get(A) or {})["label"] == "old"
