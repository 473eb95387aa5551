"""Reset and history, and the laws of merging, through the public calls."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import EntryNotFoundError, Store
from sessionstore.entries import equal
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import NOW, entry, file_of, scaled

A, B = "agent:main:main", "agent:main:telegram:group:-100"
Entry = dict[str, Any]
FUTURE = 4_000_000_000_000


def now() -> int:
    return time.time_ns() // 1_000_000


# -- reset and history ----------------------------------------------------------------------


def test_reset_starts_a_new_incarnation(make: MakeStore) -> None:
    old = entry(sessionFile="/s-1.jsonl", totalTokens=9, label="x", thinkingLevel="high", odd=[1])
    store = make({A: old})
    fresh = store.reset(A, session_id="s-2")
    assert fresh == store.get(A)
    assert (fresh["sessionId"], fresh["totalTokens"]) == ("s-2", 0)
    assert "sessionFile" not in fresh
    assert (fresh["label"], fresh["thinkingLevel"], fresh["odd"]) == ("x", "high", [1])


def test_reset_makes_a_new_session_id(make: MakeStore) -> None:
    store = make({A: entry()})
    assert store.reset(A)["sessionId"] not in ("", "s-1", store.reset(A)["sessionId"])


def test_history_lists_earlier_incarnations_oldest_first(make: MakeStore) -> None:
    store = make({A: entry(sessionStartedAt=5, label="first")})
    store.reset(A, session_id="s-2")
    store.reset(A, session_id="s-3")
    first, second = store.history(A)
    assert (first.session_id, second.session_id) == ("s-1", "s-2")
    assert (first.started_at_ms, first.updated_at_ms, first.label) == (5, NOW, "first")
    assert first.transcript == str(store.path.parent / "s-1.jsonl")
    assert first.ended_at_ms <= second.ended_at_ms <= now()


def test_history_is_no_session(make: MakeStore) -> None:
    store = make({A: entry()})
    store.reset(A)
    assert store.keys() == list(store.load()) == [A]
    assert store.get(f"{A}:session:s-1") is None


def test_reset_of_a_missing_session_raises(make: MakeStore) -> None:
    store = make({B: entry()})
    with pytest.raises(EntryNotFoundError) as caught:
        store.reset(A)
    assert caught.value.key == A
    assert store.history(A) == []


# -- laws -----------------------------------------------------------------------------------

FIELD_NAMES = st.sampled_from(["label", "a", "b", "naïve", "x y", "n"])
FIELD_VALUES = st.none() | st.booleans() | st.integers(-9, 2**70) | st.text(max_size=5)
PATCHES = st.dictionaries(
    FIELD_NAMES, FIELD_VALUES | st.lists(FIELD_VALUES, max_size=2), max_size=4
)


def without_time(entry: Entry | None) -> Entry:
    return {name: value for name, value in (entry or {}).items() if name != "updatedAt"}


@given(st.lists(PATCHES, min_size=1, max_size=4))
@settings(max_examples=scaled(100))
def test_patches_merge_like_dictionaries(store: Store, patches: list[Entry]) -> None:
    store.put(A, entry())
    wanted = without_time(entry())
    for fields in patches:
        store.patch(A, fields)
        wanted = {n: v for n, v in {**wanted, **fields}.items() if v is not None}
    assert equal(without_time(store.get(A)), wanted)


@given(PATCHES, PATCHES)
@settings(max_examples=scaled(100))
def test_patches_of_different_fields_commute(store: Store, left: Entry, right: Entry) -> None:
    right = {f"other {name}": value for name, value in right.items()}
    results = []
    for first, second in ((left, right), (right, left)):
        store.put(A, entry(label="start"))
        store.patch(A, first)
        store.patch(A, second)
        results.append(without_time(store.get(A)))
    assert equal(*results)


UNUSUAL = (
    '{ "keep":  [1,2 ,{"x":1.50}],\n "esc": "\\u00e9\\/", "big": 123456789012345678901234567890,'
    ' "exp": 1E5, "sur": "\\ud83d", "sessionId": "s-1", "updatedAt": 1 }'
)


def test_patch_keeps_the_bytes_of_values_it_does_not_name(store: Store) -> None:
    store.put(A, entry())
    file_of(store, A).write_text(UNUSUAL.replace(', "sur": "\\ud83d"', ""))
    store.patch(A, {"label": "x"})
    text = file_of(store, A).read_text()
    for untouched in ('[1,2 ,{"x":1.50}]', '"\\u00e9\\/"', "1E5", "123456789012345678901234567890"):
        assert untouched in text


def test_patch_keeps_lone_surrogates(make: MakeStore) -> None:
    store = make({B: entry()})
    store.put(A, entry(text="a\ud83d"))
    store.patch(A, {"label": "x"})
    assert (store.get(A) or {})["text"] == "a\ud83d"


def test_patch_refuses_to_rewrite_what_would_lose_something(store: Store) -> None:
    store.put(A, entry())
    path = file_of(store, A)
    path.write_text('{"sessionId": "s-1", "n": NaN}')
    with pytest.raises(ValueError, match="NaN"):
        store.patch(A, {"label": "x"})
    assert path.read_text() == '{"sessionId": "s-1", "n": NaN}'


def test_entry_in_the_side_area_does_not_grow_with_rewrites(store: Store) -> None:
    key = "Ünusual"
    store.put(key, entry(nested={"a": {"b": [1]}}))
    size = file_of(store, "ünusual").stat().st_size
    for number in range(5):
        store.patch(key, {"n": number, "updatedAt": FUTURE})
        store.patch(key, {"n": None})
    assert file_of(store, "ünusual").stat().st_size == size
    assert json.loads(file_of(store, "ünusual").read_bytes())["sessionKey"] == "ünusual"
