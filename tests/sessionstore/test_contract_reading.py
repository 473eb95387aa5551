"""What reading promises, in every layout and through the asyncio twin (DESIGN §5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import InvalidKeyError, Store, UnsupportedStoreError, aio, open_store
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.helpers import NOW, entry, picture, sound, write_legacy, write_unadopted

A, B = "agent:main:main", "agent:main:telegram:group:-100"


def test_get_returns_the_entry(make: MakeStore) -> None:
    assert make({A: entry(label="a"), B: entry()}).get(A) == entry(label="a")


def test_get_returns_none_without_an_entry(make: MakeStore) -> None:
    assert make({A: entry()}).get(B) is None


def test_get_returns_a_copy(make: MakeStore) -> None:
    store = make({A: entry(tags=["a"])})
    first = store.get(A)
    assert first is not None
    first["tags"].append("b")
    assert store.get(A) == entry(tags=["a"])


def test_get_folds_the_key(make: MakeStore) -> None:
    assert make({A: entry()}).get(" AGENT:Main:MAIN ") == entry()


def test_get_moves_legacy_field_names(make: MakeStore) -> None:
    found = make({A: entry(provider="slack", room="#ops")}).get(A)
    assert found is not None
    assert (found["channel"], found["groupChannel"]) == ("slack", "#ops")


def test_updated_at_returns_epoch_milliseconds(make: MakeStore) -> None:
    assert make({A: entry()}).updated_at(A) == NOW


@pytest.mark.parametrize("value", ['"2026-01-01T00:00:00Z"', "null", "true", "[]", "1e400"])
def test_updated_at_is_none_for_what_is_no_finite_number(make: MakeStore, value: str) -> None:
    store = make({B: entry()})
    store.put(B, entry(label="x"))
    raw = f'{{"sessionId": "x", "updatedAt": {value}}}'
    if store.layout == "legacy":
        store.path.write_text(f'{{"{A}": {raw}}}')
    else:
        (store.paths.directory / "agent%3Amain%3Amain.json").write_text(raw)
    assert store.updated_at(A) is None


def test_updated_at_is_none_without_an_entry(make: MakeStore) -> None:
    assert make().updated_at(A) is None


def test_keys_are_sorted(make: MakeStore) -> None:
    names = ["b", "a", "naïve", ".hidden", "c"]
    assert make({name: entry() for name in names}).keys() == sorted(names)


def test_load_returns_every_entry_by_key(make: MakeStore) -> None:
    assert make({A: entry(label="a"), B: entry()}).load() == {A: entry(label="a"), B: entry()}


def test_load_keeps_entries_without_a_session_id(make: MakeStore) -> None:
    assert make({A: {"updatedAt": NOW, "sessionFile": ""}}).load() == {
        A: {"updatedAt": NOW, "sessionFile": ""}
    }


def test_keys_and_load_agree_after_each_change(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    store.put("new", entry())
    store.delete(B)
    assert store.keys() == sorted(store.load()) == [A, "new"]


def test_reading_changes_nothing_on_disk(make: MakeStore, tmp_path: Path) -> None:
    store = make({A: entry(provider="x"), B: entry()})
    before = picture(tmp_path)
    store.get(A)
    store.load()
    store.keys()
    store.etag(A)
    store.updated_at(A)
    store.history(A)
    store.problems()
    assert picture(tmp_path) == before


def test_sound_store_has_no_problems(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    store.patch(A, {"label": "x"})
    assert sound(store)


def test_history_is_empty_before_any_reset(make: MakeStore) -> None:
    assert make({A: entry()}).history(A) == []


def test_etag_is_none_without_an_entry(make: MakeStore) -> None:
    assert make().etag(A) is None


def test_etag_stays_while_the_entry_does(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    before = store.etag(A)
    store.patch(B, {"label": "x"})
    assert store.etag(A) == before
    store.patch(A, {"label": "x"})
    assert store.etag(A) != before


def test_write_of_another_store_object_is_seen_at_once(make: MakeStore) -> None:
    store = make({A: entry()})
    assert store.get(A) == entry()
    with open_store(store.path) as other:
        other.put(A, entry(label="theirs"))
    assert store.get(A) == entry(label="theirs")


@pytest.mark.parametrize("key", ["", "  ", "a\0b", "\ud800", "x" * 4097, None, 5, b"a"])
@pytest.mark.parametrize("call", ["get", "updated_at", "etag", "history", "delete", "reset"])
def test_invalid_key_raises_everywhere(make: MakeStore, call: str, key: object) -> None:
    with pytest.raises(InvalidKeyError):
        getattr(make({A: entry()}), call)(key)


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800", None])
def test_invalid_key_raises_in_every_write(make: MakeStore, key: Any) -> None:
    store = make({A: entry()})
    calls: list[Callable[[], object]] = [
        lambda: store.update(key, lambda old: entry()),
        lambda: store.patch(key, {"a": 1}),
        lambda: store.put(key, entry()),
        lambda: store.get_or_create(key, entry),
        lambda: store.update_last_route(key, channel="slack"),
        lambda: store.save({A: entry(label="x"), key: entry()}),
        lambda: store.update_all(lambda all_entries: all_entries.update({key: entry()})),
    ]
    for call in calls:
        with pytest.raises(InvalidKeyError):
            call()
    assert store.load() == {A: entry()}


def test_layout_is_empty_before_the_first_write(store: Store, tmp_path: Path) -> None:
    assert store.layout == "empty"
    assert (store.get(A), store.keys(), store.load(), store.problems()) == (None, [], {}, [])
    assert not (tmp_path / "state").exists()


def test_fresh_store_starts_in_the_directory_layout(store: Store) -> None:
    store.put(A, entry())
    assert store.layout == "directory"
    assert not store.path.exists()


def test_layout_names_what_is_on_disk(make_blocking: MakeStore, layout_kind: Kind) -> None:
    store = make_blocking({A: entry()})
    assert store.layout == ("legacy" if layout_kind == "legacy" else "directory")


def test_empty_unmarked_directory_never_hides_a_legacy_file(store_file: Path) -> None:
    write_legacy(store_file, {A: entry()})
    store_file.with_suffix(".d").mkdir()
    with open_store(store_file) as store:
        assert store.layout == "legacy"
        assert store.get(A) == entry()
        store.patch(B, {"label": "x"})
        assert store.keys() == sorted([A, B])


def test_directory_with_entries_comes_before_a_legacy_file(store_file: Path) -> None:
    write_legacy(store_file, {A: entry(label="legacy")})
    write_unadopted(store_file, {A: entry(label="directory")})
    with open_store(store_file) as store:
        assert store.layout == "directory"
        assert store.get(A) == entry(label="directory")
        assert [found.rule for found in store.problems()] == ["both-layouts"]


def test_guard_directory_in_place_of_the_store_file_reads_as_empty(store_file: Path) -> None:
    store_file.mkdir(parents=True)
    with open_store(store_file) as store:
        assert store.layout == "empty"
        store.put(A, entry())
        assert store.keys() == [A]
    assert store_file.is_dir()


@pytest.mark.parametrize("name", ["sessions.json", "", "sessions.d"])
def test_open_store_takes_file_folder_or_directory(store_file: Path, name: str) -> None:
    write_unadopted(store_file, {A: entry()})
    with open_store(store_file.parent / name) as store:
        assert store.path == store_file
        assert store.agent_id == "main"
        assert store.get(A) == entry()


@pytest.mark.parametrize("path", ["(multiple)", "/x/{agentId}/sessions.json", ""])
@pytest.mark.parametrize("opener", [open_store, aio.open_store])
def test_open_store_refuses_what_is_no_path_of_a_store(path: str, opener: object) -> None:
    with pytest.raises(UnsupportedStoreError):
        opener(path)  # type: ignore[operator]


def test_opening_a_store_creates_nothing(store_file: Path, tmp_path: Path) -> None:
    open_store(store_file).close()
    assert list(tmp_path.iterdir()) == []
