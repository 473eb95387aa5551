"""The rules of one entry through the public calls (openclaw-format §3.4, §4.4, §4.5)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sessionstore import Store
from sessionstore.entries import equal
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import NOW, data_picture, entry

A, B = "agent:main:main", "agent:main:telegram:group:-100"
Entry = dict[str, Any]
FUTURE = 4_000_000_000_000


def now() -> int:
    return time.time_ns() // 1_000_000


# -- nothing changed, nothing written -------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"label": "a"},
        {"absent": None},
        {},
        {"n": 1.0},
        {"zero": -0.0},
        {"nested": {"b": [1, 2], "a": 1}},
        {"big": 2**70},
    ],
    ids=str,
)
def test_patch_that_changes_nothing_writes_nothing(make: MakeStore, fields: Entry) -> None:
    stored = entry(label="a", n=1, zero=0, nested={"a": 1, "b": [1, 2]}, big=2**70)
    store = make({A: stored, B: entry()})
    store.put(B, entry(label="adopts"))
    before = data_picture(store)
    assert equal(store.patch(A, fields), stored)
    assert data_picture(store) == before


@pytest.mark.parametrize("reorder", [False, True])
def test_equal_entry_writes_nothing(make: MakeStore, reorder: bool) -> None:
    stored = entry(label="a", n=1, nested={"a": 1, "b": 2}, provider="slack")
    store = make({A: stored, B: entry()})
    store.put(B, entry(label="adopts"))
    before = data_picture(store)
    again = dict(reversed(stored.items())) if reorder else stored
    again = {**again, "n": 1.0, "nested": {"b": 2, "a": 1}}
    store.put(A, again)
    store.update(A, lambda old: again)
    store.update(A, lambda old: old)
    store.save({A: again, B: entry(label="adopts")})
    store.update_all(lambda every: every.update({A: again}))
    assert data_picture(store) == before


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), ("é", "e\u0301"), ("1", 1)])
def test_different_json_values_are_written(make: MakeStore, old: Any, new: Any) -> None:
    store = make({A: entry(v=old)})
    store.patch(A, {"v": new})
    found = store.get(A)
    assert found is not None
    assert found["v"] == new
    assert type(found["v"]) is type(new)


# -- updatedAt ------------------------------------------------------------------------------


def test_patch_sets_updated_at_to_now(make: MakeStore) -> None:
    store = make({A: entry(updatedAt=5)})
    begun = now()
    store.patch(A, {"label": "x"})
    assert begun <= (store.updated_at(A) or 0) <= now()


def test_patch_never_moves_updated_at_back(make: MakeStore) -> None:
    store = make({A: entry(updatedAt=FUTURE)})
    store.patch(A, {"label": "x", "updatedAt": 5})
    assert store.updated_at(A) == FUTURE


def test_patch_takes_a_later_updated_at(make: MakeStore) -> None:
    store = make({A: entry()})
    store.patch(A, {"updatedAt": FUTURE})
    assert store.updated_at(A) == FUTURE


@pytest.mark.parametrize("given", [None, "tomorrow", True])
def test_patch_ignores_an_updated_at_that_is_no_number(make: MakeStore, given: Any) -> None:
    store = make({A: entry(updatedAt="2026-01-01")})
    store.patch(A, {"updatedAt": given, "label": "x"})
    assert abs((store.updated_at(A) or 0) - now()) < 60_000


def test_update_and_put_store_the_updated_at_they_are_given(make: MakeStore) -> None:
    store = make({A: entry(updatedAt=FUTURE)})
    store.put(A, entry(updatedAt=7))
    assert store.updated_at(A) == 7
    store.update(A, lambda old: {**(old or {}), "updatedAt": 6})
    assert store.updated_at(A) == 6


@pytest.mark.parametrize("given", ["absent", "text", None, True])
def test_update_and_put_set_a_missing_updated_at_to_now(make: MakeStore, given: Any) -> None:
    store = make()
    odd = {"sessionId": "s"} if given == "absent" else {"sessionId": "s", "updatedAt": given}
    store.put(A, odd)
    store.update(B, lambda old: dict(odd))
    for key in (A, B):
        assert abs((store.updated_at(key) or 0) - now()) < 60_000


def test_update_last_route_keeps_updated_at(make: MakeStore) -> None:
    store = make({A: entry()})
    store.update_last_route(A, channel="slack", to="C1")
    assert store.updated_at(A) == NOW


# -- session id and transcript --------------------------------------------------------------


@pytest.mark.parametrize("call", ["patch", "update", "put"])
def test_changed_session_id_never_keeps_the_old_session_file(make: MakeStore, call: str) -> None:
    old = entry(sessionFile="/old/s-1.jsonl")
    store = make({A: old})
    if call == "patch":
        store.patch(A, {"sessionId": "s-2"})
    elif call == "update":
        store.update(A, lambda seen: {**(seen or {}), "sessionId": "s-2"})
    else:
        store.put(A, {**old, "sessionId": "s-2"})
    found = store.get(A)
    assert found is not None
    assert (found["sessionId"], found.get("sessionFile")) == ("s-2", None)


def test_changed_session_id_takes_the_session_file_it_comes_with(make: MakeStore) -> None:
    store = make({A: entry(sessionFile="/old/s-1.jsonl")})
    stored = store.patch(A, {"sessionId": "s-2", "sessionFile": "/new/s-2.jsonl"})
    assert (stored or {})["sessionFile"] == "/new/s-2.jsonl"


def test_same_session_id_keeps_the_session_file(make: MakeStore) -> None:
    store = make({A: entry(sessionFile="/old/s-1.jsonl")})
    stored = store.patch(A, {"sessionId": "s-1", "label": "x"})
    assert (stored or {})["sessionFile"] == "/old/s-1.jsonl"


# -- delivery and model ---------------------------------------------------------------------

ROUTED = {
    "lastChannel": "slack",
    "lastTo": "C1",
    "lastAccountId": "acc",
    "lastThreadId": "t1",
    "deliveryContext": {"channel": "slack", "to": "C1", "accountId": "acc", "threadId": "t1"},
}


def routed(store: Store) -> tuple[Any, ...]:
    """(channel, to, account, thread), which both places must agree on."""
    found = store.get(A)
    assert found is not None
    last = tuple(found.get(f"last{part}") for part in ("Channel", "To", "AccountId", "ThreadId"))
    context = found.get("deliveryContext", {})
    assert last == tuple(context.get(part) for part in ("channel", "to", "accountId", "threadId"))
    return last


def test_update_last_route_sets_both_places_trimmed(make: MakeStore) -> None:
    store = make({A: entry()})
    store.update_last_route(A, channel=" Slack ", to=" C9 ", account_id=" Acc ", thread_id=7)
    assert routed(store) == ("slack", "C9", "Acc", 7)


def test_update_last_route_creates_an_entry_with_a_session_id(make: MakeStore) -> None:
    store = make()
    stored = store.update_last_route(A, channel="slack")
    assert (stored or {})["sessionId"]


def test_update_last_route_clears_the_thread_with_a_new_target(make: MakeStore) -> None:
    store = make({A: entry(**ROUTED)})
    store.update_last_route(A, to="C2")
    assert routed(store) == ("slack", "C2", "acc", None)


def test_update_last_route_keeps_what_is_not_given(make: MakeStore) -> None:
    store = make({A: entry(**ROUTED)})
    store.update_last_route(A, account_id="other")
    assert routed(store) == ("slack", "C1", "other", "t1")


def test_update_last_route_inherits_nothing_from_another_channel(make: MakeStore) -> None:
    store = make({A: entry(**ROUTED)})
    store.update_last_route(A, channel="telegram")
    assert routed(store) == ("telegram", None, None, None)


def test_update_last_route_takes_a_delivery_context(make: MakeStore) -> None:
    store = make({A: entry(**ROUTED)})
    store.update_last_route(A, delivery_context={"channel": "telegram", "to": "9", "threadId": 3})
    assert routed(store) == ("telegram", "9", None, 3)


@pytest.mark.parametrize(
    ("fields", "route"),
    [
        ({"lastTo": "C2"}, ("slack", "C2", "acc", "t1")),
        ({"lastChannel": " Slack "}, ("slack", "C1", "acc", "t1")),
        ({"lastThreadId": None}, ("slack", "C1", "acc", None)),
        ({"deliveryContext": {"channel": "slack", "to": "C3"}}, ("slack", "C3", None, None)),
        ({"deliveryContext": None}, (None, None, None, None)),
    ],
    ids=str,
)
def test_patch_keeps_both_places_in_agreement(
    make: MakeStore, fields: Entry, route: tuple[Any, ...]
) -> None:
    store = make({A: entry(**ROUTED)})
    store.patch(A, fields)
    assert routed(store) == route


def test_patch_that_removes_the_model_removes_the_provider(make: MakeStore) -> None:
    store = make({A: entry(model="m", modelProvider="p")})
    stored = store.patch(A, {"model": None})
    assert stored is not None
    assert stored.keys().isdisjoint({"model", "modelProvider"})
