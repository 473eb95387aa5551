"""What one-session writes promise, in every layout and through the asyncio twin (DESIGN §5)."""

from __future__ import annotations

from typing import Any

import pytest

from sessionstore import (
    InvalidEntryError,
)
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import data_picture, entry, temporary_files

A, B = "agent:main:main", "agent:main:telegram:group:-100"
Entry = dict[str, Any]


def test_update_gives_the_fresh_entry_and_stores_the_result(make: MakeStore) -> None:
    store = make({A: entry(count=1), B: entry()})
    seen: list[Entry | None] = []

    def add(old: Entry | None) -> Entry:
        assert old is not None
        seen.append(dict(old))
        return {**old, "count": old["count"] + 1}

    assert store.update(A, add) == entry(count=2)
    assert seen == [entry(count=1)]
    assert store.get(A) == entry(count=2)
    assert store.get(B) == entry()


def test_update_gives_none_for_a_new_key_and_creates_it(make: MakeStore) -> None:
    store = make()
    seen: list[Entry | None] = []

    def create(old: Entry | None) -> Entry:
        seen.append(old)
        return entry()

    store.update(A, create)
    assert seen == [None]
    assert store.get(A) == entry()


def test_update_takes_an_entry_changed_in_place(make: MakeStore) -> None:
    store = make({A: entry(deliveryContext={"channel": "slack", "to": "C1"})})

    def change(old: Entry | None) -> Entry:
        assert old is not None
        old["deliveryContext"]["to"] = "C2"
        return old

    stored = store.update(A, change)
    assert stored is not None
    assert (stored["deliveryContext"]["to"], stored["lastTo"]) == ("C2", "C2")
    assert store.get(A) == stored


def test_update_returning_none_changes_nothing(make: MakeStore) -> None:
    store = make({A: entry()})
    store.delete(B)  # adopts a directory that is not ours yet
    before = data_picture(store)
    assert store.update(A, lambda old: None) == entry()
    assert store.update(B, lambda old: None) is None
    assert store.keys() == [A]
    assert data_picture(store) == before


def test_update_that_raises_leaves_the_entry_and_frees_the_lock(make: MakeStore) -> None:
    store = make({A: entry(count=1)})

    def fail(old: Entry | None) -> Entry:
        assert old is not None
        old["count"] = 99
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update(A, fail)
    assert store.get(A) == entry(count=1)
    store.patch(A, {"count": 2}, timeout=1)
    assert temporary_files(store) == []


def test_put_replaces_the_whole_entry(make: MakeStore) -> None:
    store = make({A: entry(label="a", other=1)})
    assert store.put(A, entry(label="b")) == entry(label="b")
    assert store.get(A) == entry(label="b")


def test_put_does_not_keep_the_callers_object(make: MakeStore) -> None:
    store = make()
    given = entry(tags=["a"])
    store.put(A, given)
    given["tags"].append("b")
    assert store.get(A) == entry(tags=["a"])


def test_patch_merges_and_removes(make: MakeStore) -> None:
    store = make({A: entry(label="a", gone=1, kept={"x": 1})})
    stored = store.patch(A, {"label": "b", "gone": None, "absent": None, "new": [1]})
    assert stored is not None
    assert stored == store.get(A)
    assert {name: stored.get(name) for name in ("label", "gone", "kept", "new")} == {
        "label": "b",
        "gone": None,
        "kept": {"x": 1},
        "new": [1],
    }


def test_patch_replaces_nested_objects_whole(make: MakeStore) -> None:
    store = make({A: entry(nested={"a": 1, "b": 2})})
    stored = store.patch(A, {"nested": {"c": 3}})
    assert stored is not None
    assert stored["nested"] == {"c": 3}


def test_patch_creates_an_entry(make: MakeStore) -> None:
    stored = make().patch(A, {"label": "x", "nothing": None})
    assert stored is not None
    assert stored["label"] == "x"
    assert "nothing" not in stored


@pytest.mark.parametrize("fields", [None, [("a", 1)], {1: "a"}, "text"])
def test_patch_refuses_what_is_no_mapping_of_fields(make: MakeStore, fields: Any) -> None:
    with pytest.raises(InvalidEntryError):
        make({A: entry()}).patch(A, fields)


def test_unknown_fields_survive_every_write(make: MakeStore) -> None:
    odd = {"future": {"deep": [1, {"x": None}]}, "": 1, "naïve 😀": "é", "n": 2**70}
    store = make({A: entry(**odd)})
    store.patch(A, {"label": "x"})
    store.update(A, lambda old: {**(old or {}), "label": "y"})
    store.update_last_route(A, channel="slack", to="C1")
    store.reset(A)
    found = store.get(A)
    assert found is not None
    assert {name: found[name] for name in odd} == odd


def test_get_or_create_makes_the_entry_once(make: MakeStore) -> None:
    store = make()
    calls: list[int] = []

    def factory() -> Entry:
        calls.append(1)
        return entry(label="made")

    assert store.get_or_create(A, factory) == entry(label="made")
    assert store.get_or_create(A, factory) == entry(label="made")
    assert len(calls) == 1


def test_delete_removes_the_entry_in_the_same_call(make: MakeStore) -> None:
    store = make({A: entry(), B: entry()})
    assert store.delete(A) is True
    assert (store.get(A), store.keys(), store.load()) == (None, [B], {B: entry()})
    assert store.delete(A) is False
    assert A.replace(":", "%3A") not in "".join(map(str, store.path.parent.rglob("*")))


def test_writes_fold_the_key(make: MakeStore) -> None:
    store = make({A: entry()})
    spelt = " AGENT:Main:MAIN\n"
    store.patch(spelt, {"a": 1})
    store.update(spelt, lambda old: {**(old or {}), "b": 1})
    store.update_last_route(spelt, channel="slack")
    store.get_or_create(spelt, dict)
    store.save({spelt: {**(store.get(A) or {}), "c": 1}})
    store.update_all(lambda every: every[A].update(d=1))
    found = store.get(A)
    assert found is not None
    assert [found[name] for name in "abcd"] == [1, 1, 1, 1]
    assert store.keys() == [A]
    store.reset(spelt)
    assert len(store.history(spelt)) == len(store.history(A)) == 1
    assert store.delete(spelt)
    assert store.keys() == []
