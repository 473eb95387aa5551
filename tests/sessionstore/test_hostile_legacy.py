"""Damaged and hostile ``sessions.json`` files: shown, never taken for empty, never overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    CorruptEntryError,
    CorruptStoreError,
    SessionStoreError,
    Store,
    UnsafeFileError,
    open_store,
)
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry, json_bytes, picture, quarantined
from tests.sessionstore.plants import UNSAFE

A, B = "agent:main:a", "agent:main:b"
GOOD = json_bytes({A: entry(label="a"), B: entry()})

pytestmark = pytest.mark.timeout(20)


def raw_store(store_file: Path, data: bytes) -> Store:
    store_file.parent.mkdir(parents=True, exist_ok=True)
    store_file.write_bytes(data)
    return open_store(store_file, gateway_lock_dir=store_file.parent)


def writes(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.put(A, entry(label="new")),
        lambda: store.patch(A, {"label": "new"}),
        lambda: store.update("new", lambda old: entry()),
        lambda: store.delete(A),
        lambda: store.save({A: entry(label="new")}),
        lambda: store.update_all(lambda every: every.clear()),
        lambda: store.reset(A),
    ]


NOT_ONE_OBJECT = {
    "empty": b"",
    "blank": b" ",
    "truncated": GOOD[:-9],
    "array": b"[]",
    "array-of-objects": b"[{}]",
    "null": b"null",
    "number": b"5",
    "nul-bytes": b"\0" * 64,
    "text-after-it": GOOD + b"x",
    "two-objects": GOOD * 2,
    "ten-megabytes-of-x": b"x" * 10_000_000,
    "utf-16": GOOD.decode().encode("utf-16"),
    "not-utf-8": b'{"a": "\xff"}',
    "deep": b"{" * 50_000,
    "comment": b"// c\n" + GOOD,
    "single-quotes": b"{'a': {}}",
    "trailing-comma": b'{"a": {},}',
}


@pytest.mark.parametrize("damage", NOT_ONE_OBJECT)
def test_file_that_is_not_one_json_object_is_never_written_over(
    store_file: Path, damage: str
) -> None:
    with raw_store(store_file, NOT_ONE_OBJECT[damage]) as store:
        before = picture(store_file)
        for read in (store.load, store.keys, lambda: store.get(A)):
            with pytest.raises(CorruptStoreError) as caught:
                read()
            assert caught.value.path == str(store_file)
            assert caught.value.hint
        for write in writes(store):
            with pytest.raises(CorruptStoreError):
                write()
        assert [found.rule for found in store.problems()] == ["damaged-store"]
        assert picture(store_file) == before
        assert not store_file.with_suffix(".d").exists()


@pytest.mark.parametrize("plant", ["link", "fifo", "socket", "device"])
def test_special_file_in_place_of_the_store_file_is_refused(store_file: Path, plant: str) -> None:
    store_file.parent.mkdir(parents=True)
    UNSAFE[plant](store_file)
    before = store_file.lstat()
    with open_store(store_file, gateway_lock_dir=store_file.parent) as store:
        for call in [store.load, lambda: store.get(A), *writes(store)]:
            with pytest.raises(UnsafeFileError):
                call()
        assert {found.severity for found in store.problems()} == {"error"}
    assert store_file.lstat() == before


def test_byte_order_mark_is_read_but_never_rewritten(store_file: Path) -> None:
    data = b"\xef\xbb\xbf" + GOOD
    with raw_store(store_file, data) as store:
        assert store.load() == json.loads(GOOD)
        for write in writes(store):
            with pytest.raises(SessionStoreError):
                write()
    assert store_file.read_bytes() == data


def test_duplicate_names_are_read_like_every_reader_does(store_file: Path) -> None:
    with raw_store(store_file, b'{"a": {"n": 1}, "b": {}, "a": {"n": 2}}') as store:
        assert store.get("a") == {"n": 2}
        assert store.keys() == ["a", "b"]


ROWS: dict[str, Any] = {"null": None, "number": 5, "text": "x", "list": [1], "true": True}


@pytest.mark.parametrize("row", ROWS)
def test_row_that_is_no_entry_is_reported_and_kept(legacy_store: MakeStore, row: str) -> None:
    store = legacy_store({A: entry(), "bad": ROWS[row], B: entry()})
    assert store.load() == {A: entry(), B: entry()}
    assert store.keys() == sorted([A, "bad", B])
    with pytest.raises(CorruptEntryError) as caught:
        store.get("bad")
    assert caught.value.key == "bad"
    with pytest.raises(CorruptEntryError):
        store.patch("bad", {"a": 1})
    assert [(found.rule, found.key) for found in store.problems()] == [("damaged-entry", "bad")]
    store.patch(A, {"label": "x"})
    assert json.loads(store.path.read_bytes())["bad"] == ROWS[row]


@pytest.mark.parametrize("call", ["put", "delete"])
def test_put_and_delete_keep_a_bad_row_in_quarantine(legacy_store: MakeStore, call: str) -> None:
    store = legacy_store({A: entry(), "bad": [1, 2]})
    if call == "put":
        store.put("bad", entry(label="new"))
        assert store.get("bad") == entry(label="new")
    else:
        assert store.delete("bad") is True
        assert store.get("bad") is None
        assert store.keys() == [A]
    ((note, kept),) = quarantined(store)
    assert (note["key"], json.loads(kept.read_bytes())) == ("bad", [1, 2])


def test_spellings_of_one_key_read_as_the_newest_and_are_reported(
    legacy_store: MakeStore,
) -> None:
    store = legacy_store(
        {
            "Agent:Main:A": entry(updatedAt=3, label="newest"),
            A: entry(updatedAt=2, label="older"),
            "AGENT:MAIN:A": entry(updatedAt="2030-01-01", label="text time"),
        }
    )
    assert store.keys() == [A]
    assert store.load() == {A: entry(updatedAt=3, label="newest")}
    assert store.get(A) == entry(updatedAt=3, label="newest")
    assert [found.rule for found in store.problems()] == ["duplicate-key"] * 2


def test_write_stores_one_spelling_and_removes_the_others(legacy_store: MakeStore) -> None:
    store = legacy_store(
        {B: entry(), "Agent:Main:A": entry(updatedAt=3, label="newest"), A: entry(updatedAt=2)}
    )
    store.update(A, lambda old: {**(old or {}), "n": 1})
    assert json.loads(store.path.read_bytes()) == {
        B: entry(),
        A: entry(updatedAt=3, label="newest", n=1),
    }


def test_matrix_rooms_that_differ_by_case_are_two_sessions(legacy_store: MakeStore) -> None:
    upper, lower = "agent:main:matrix:channel:!Room:Host", "agent:main:matrix:channel:!room:host"
    store = legacy_store({upper: entry(label="u"), lower: entry(label="l")})
    assert store.keys() == sorted([upper, lower])
    store.delete(lower)
    assert store.load() == {upper: entry(label="u")}


@pytest.mark.parametrize("spelt", ["", "  ", "a\0b", "x" * 5000])
def test_row_whose_name_is_no_key_is_reported_and_kept(legacy_store: MakeStore, spelt: str) -> None:
    store = legacy_store({A: entry(), spelt: entry()})
    assert store.keys() == [A]
    assert [found.rule for found in store.problems()] == ["invalid-key"]
    store.patch(A, {"label": "x"})
    assert spelt in json.loads(store.path.read_bytes())


def test_update_keeps_every_other_byte_and_the_order(legacy_store: MakeStore) -> None:
    odd = {"n": 2**70, "f": 1.5, "e": "é😀", "esc": "\u2028", "nested": {"a": [1, {"b": []}]}}
    store = legacy_store({"z": entry(**odd), A: entry(), "1": entry(), B: entry(**odd)})
    before = store.path.read_bytes()
    store.update(A, lambda old: {**(old or {}), "label": "new"})
    after = json.loads(before)
    after[A]["label"] = "new"
    assert store.path.read_bytes() == json.dumps(after, indent=2, ensure_ascii=False).encode()


def test_writing_tightens_the_mode_of_the_file(legacy_store: MakeStore) -> None:
    store = legacy_store({A: entry()})
    store.path.chmod(0o644)
    store.patch(A, {"label": "x"})
    assert store.path.stat().st_mode & 0o7777 == 0o600
