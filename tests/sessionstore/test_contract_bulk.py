"""Bulk saves are differences: what nobody changed is not written (DESIGN §5, requirement E12)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from sessionstore import ConflictError, InvalidEntryError, Store, open_store
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import data_picture, entry, file_of

A, B, C = "agent:main:a", "agent:main:b", ".odd"
Entry = dict[str, Any]


def three() -> dict[str, Entry]:
    return {key: entry(label=key) for key in (A, B, C)}


def test_save_writes_new_and_changed_entries(make: MakeStore) -> None:
    store = make({A: entry()})
    store.save({A: entry(label="x"), B: entry()})
    assert store.load() == {A: entry(label="x"), B: entry()}


def test_save_without_base_removes_nothing(make: MakeStore) -> None:
    store = make(three())
    store.save({A: entry(label="x")})
    assert store.load() == {**three(), A: entry(label="x")}


def test_save_with_base_removes_what_the_caller_removed(make: MakeStore) -> None:
    store = make(three())
    base = store.load()
    store.save({A: base[A], C: base[C]}, base=base)
    assert store.keys() == sorted([A, C])


def test_save_with_base_keeps_sessions_created_meanwhile(make: MakeStore) -> None:
    store = make(three())
    base = store.load()
    with open_store(store.path) as other:
        other.put("new", entry())
    store.save({key: {**value, "seen": 1} for key, value in base.items()}, base=base)
    assert store.keys() == sorted([A, B, C, "new"])


def test_save_with_base_keeps_what_others_changed(make: MakeStore) -> None:
    store = make(three())
    base = store.load()
    with open_store(store.path) as other:
        other.patch(B, {"label": "theirs"})
    store.save({**base, A: entry(label="mine")}, base=base)
    loaded = store.load()
    assert (loaded[A]["label"], loaded[B]["label"]) == ("mine", "theirs")


def test_save_names_a_key_that_both_sides_changed_after_writing_the_others(
    make: MakeStore,
) -> None:
    store = make(three())
    base = store.load()
    with open_store(store.path) as other:
        other.patch(A, {"label": "theirs"})
        other.delete(B)
    with pytest.raises(ConflictError) as caught:
        store.save({key: entry(label="mine") for key in (A, B, C)}, base=base)
    assert caught.value.keys == (A, B)
    assert caught.value.path
    assert caught.value.hint
    loaded = store.load()
    assert loaded[A]["label"] == "theirs"
    assert B not in loaded
    assert loaded[C]["label"] == "mine"


def test_save_refuses_to_remove_what_others_changed(make: MakeStore) -> None:
    store = make(three())
    base = store.load()
    with open_store(store.path) as other:
        other.patch(B, {"label": "theirs"})
    with pytest.raises(ConflictError) as caught:
        store.save({A: base[A]}, base=base)
    assert caught.value.keys == (B,)
    assert store.keys() == sorted([A, B])


def test_save_accepts_a_change_that_both_sides_made_alike(make: MakeStore) -> None:
    store = make(three())
    base = store.load()
    changed = {**base, A: entry(label="same")}
    with open_store(store.path) as other:
        other.put(A, entry(label="same"))
        other.delete(B)
    del changed[B]
    store.save(changed, base=base)
    assert store.load() == changed


def test_save_folds_keys_and_keeps_the_newer_of_two_spellings(make: MakeStore) -> None:
    store = make()
    store.save({"FOO": entry(updatedAt=2, label="new"), "foo": entry(updatedAt=1, label="old")})
    assert store.load() == {"foo": entry(updatedAt=2, label="new")}


@pytest.mark.parametrize("bad", [None, 5, [], {"a": b"x"}, {1: 2}, {"a": float("nan")}])
def test_save_with_a_bad_entry_writes_nothing(make: MakeStore, bad: Any) -> None:
    store = make(three())
    with pytest.raises(InvalidEntryError) as caught:
        store.save({A: entry(label="x"), B: bad})
    assert caught.value.key == B
    assert store.load() == three()


def test_save_of_unchanged_entries_writes_nothing(make: MakeStore) -> None:
    store = make(three())
    store.put("adopts", entry())
    before = data_picture(store)
    loaded = store.load()
    store.save(loaded)
    store.save(loaded, base=loaded)
    assert data_picture(store) == before


def test_save_of_one_changed_entry_touches_one_file(make: MakeStore) -> None:
    store = make(three())
    store.put("adopts", entry())
    before = data_picture(store)
    loaded = store.load()
    store.save({**loaded, B: entry(label="x")}, base=loaded)
    changed = {path for path, found in data_picture(store).items() if before.get(path) != found}
    legacy = store.layout == "legacy"
    assert {path for path in changed if not path.endswith((".d", "sessions", "/x"))} == {
        str(store.path if legacy else file_of(store, B))
    }


def test_save_leaves_damaged_and_foreign_files_alone(store: Store) -> None:
    store.save(three())
    file_of(store, B).write_bytes(b"{damaged")
    foreign = [store.paths.directory / name for name in ("notes.txt", "UPPER.json", "x/y.json")]
    for path in foreign:
        path.write_text("theirs")
    loaded = store.load()
    assert sorted(loaded) == sorted([A, C])
    store.save({A: entry(label="x")}, base=loaded)
    assert store.keys() == sorted([A, B])
    assert (store.paths.directory / "agent%3Amain%3Ab.json").read_bytes() == b"{damaged"
    assert [path.read_text() for path in foreign] == ["theirs"] * 3


def test_update_all_writes_changes_and_removals(make: MakeStore) -> None:
    store = make(three())

    def mutate(every: dict[str, Entry]) -> str:
        every[A]["label"] = "x"
        del every[B]
        every["NEW"] = entry()
        return "result"

    assert store.update_all(mutate) == "result"
    assert store.load() == {A: entry(label="x"), C: entry(label=C), "new": entry()}


def test_update_all_touches_only_what_changed(make: MakeStore) -> None:
    store = make(three())
    store.put("adopts", entry())
    before = data_picture(store)
    store.update_all(lambda every: None)
    assert data_picture(store) == before


def test_update_all_that_raises_writes_nothing(make: MakeStore) -> None:
    store = make(three())

    def fail(every: dict[str, Entry]) -> None:
        every.clear()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update_all(fail)
    assert store.load() == three()


def test_update_all_leaves_damaged_files_alone(store: Store) -> None:
    store.save(three())
    file_of(store, B).write_bytes(b"{damaged")
    store.update_all(lambda every: every.clear())
    assert store.keys() == [B]
    assert file_of(store, B).read_bytes() == b"{damaged"


@pytest.fixture
def many(store: Store) -> dict[str, Entry]:
    """5,000 entries that the store holds."""
    mapping = {f"agent:main:{number}": entry(label="x" * 600) for number in range(5000)}
    store.save(mapping)
    return mapping


def test_saving_5000_unchanged_entries_writes_nothing_and_takes_seconds(
    store: Store, many: dict[str, Entry]
) -> None:
    before = data_picture(store)
    begun = time.perf_counter()
    store.save(many)
    store.save(many, base=many)
    assert time.perf_counter() - begun < 8  # 1 s each where the machine is not shared
    assert data_picture(store) == before


def test_saving_5000_changed_entries_takes_seconds_and_holds_no_lock_of_others(
    store: Store, many: dict[str, Entry]
) -> None:
    changed = {key: {**value, "label": "y" * 600} for key, value in many.items()}
    waits: list[float] = []
    over = threading.Event()

    def patch_another() -> None:
        with open_store(store.path) as other:
            while not over.wait(0.01):
                begun = time.perf_counter()
                other.patch("agent:main:another", {"n": len(waits)})
                waits.append(time.perf_counter() - begun)

    patching = threading.Thread(target=patch_another)
    patching.start()
    begun = time.perf_counter()
    store.save(changed)
    took_s = time.perf_counter() - begun
    over.set()
    patching.join(30)
    assert took_s < 15  # 3 s where the machine is not shared
    assert len(waits) > 2
    assert max(waits) < took_s
    assert {key: store.get(key) for key in changed} == changed
