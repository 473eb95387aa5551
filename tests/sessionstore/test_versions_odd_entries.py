"""Entries that JSON libraries trip over: kept and undone without loss, or refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessionstore import (
    CorruptEntryError,
    FieldEdit,
    InvalidEntryError,
    Keeper,
    SessionStoreError,
    Store,
    merging,
    undo,
    versions,
)
from sessionstore.entries import equal
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry, file_of

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
Entry = dict[str, Any]


def nested(depth: int) -> str:
    """A value of so many levels."""
    return (
        '{"a":' * (depth // 2)
        + "[" * (depth - depth // 2)
        + "1"
        + "]" * (depth - depth // 2)
        + "}" * (depth // 2)
    )


def plant(store: Store, key: str, value: str) -> str:
    """Put a field of this JSON text into the entry as another program would; the entry's text."""
    text = f'{{"sessionId": "s-1", "updatedAt": 5, "label": "old", "odd": {value}}}'
    store.put(key, entry())
    if store.layout == "legacy":
        store.path.write_text(f'{{"{key}": {text}}}')
    elif key == ODD:
        file_of(store, key).write_text(f'{{"sessionKey": "{key}", "entry": {text}}}')
    else:
        file_of(store, key).write_text(text)
    return text


def label(store: Store, key: str) -> object:
    """Change another field as the console does."""
    return store.update(key, merging(key, [FieldEdit("label", "old", "new")]))


# As deep as an entry may be, whichever file it is in.
EXACT = {
    "deep": nested(190),
    "deepest": nested(197),
    "as deep as goes": nested(199),
    "big integers": "[123456789012345678901234567890, -9223372036854775809, 18446744073709551616]",
    "floats": "[1e300, 5e-324, -0.0, 1.0, 0.1]",
    "lone surrogates": r'["\ud83d", {"\udc00x": "\ud83d\ud83d"}]',
    "escapes": r'"\u0000\u001b[31m\u2028\/\b"',
    "names": '{"__proto__": {"x": 1}, "": 2, "constructor": null, "a.b": [], "a/b": {}}',
    "nothing": "null",
    "long": json.dumps("é" * 200_000),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("key", [A, ODD])
def test_an_odd_value_survives_an_edit_of_another_field_and_its_undo(
    make_blocking: MakeStore, name: str, key: str
) -> None:
    store = make_blocking({B: entry()})
    old = json.loads(plant(store, key, EXACT[name]))
    label(store.keeping(Keeper()), key)
    assert equal(store.get(key), {**old, "label": "new"})
    (version,) = versions(store, key)
    assert equal(version.entry, old)
    undo(store, version.id)
    assert equal(store.get(key), old)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("key", [A, ODD])
def test_an_odd_entry_is_deleted_and_comes_back_whole(
    make_blocking: MakeStore, name: str, key: str
) -> None:
    store = make_blocking({B: entry()})
    old = json.loads(plant(store, key, EXACT[name]))
    store.keeping(Keeper()).delete(key)
    assert store.get(key) is None
    (version,) = versions(store, key)
    assert equal(version.entry, old)
    undo(store, version.id)
    assert equal(store.get(key), old)


@pytest.mark.parametrize("name", [name for name in EXACT if name != "nothing"])
def test_an_odd_value_is_written_and_undone_like_any(make_blocking: MakeStore, name: str) -> None:
    store = make_blocking({A: entry(odd=1)})
    value = json.loads(EXACT[name])
    keeper = Keeper()
    store.keeping(keeper).update(A, merging(A, [FieldEdit("odd", 1, value)]))
    (version,) = versions(store, A)
    assert equal(version.written["odd"], value)
    undo(store, version.id)
    assert store.get(A) == entry(odd=1)


@pytest.mark.parametrize("value", ["NaN", "[Infinity]", '{"x": -Infinity}'])
def test_what_is_no_json_is_deleted_and_kept_as_it_is(make_blocking: MakeStore, value: str) -> None:
    store = make_blocking({B: entry()})
    text = plant(store, A, value)
    if store.layout == "legacy":
        with pytest.raises(SessionStoreError, match="not strict JSON"):
            store.keeping(Keeper()).delete(A)
        assert text in store.path.read_text()
        return
    with pytest.raises(CorruptEntryError, match="NaN") as caught:
        label(store.keeping(Keeper()), A)
    assert (caught.value.key, bool(caught.value.hint)) == (A, True)
    assert versions(store, A) == []
    assert file_of(store, A).read_text() == text
    store.keeping(keeper := Keeper()).delete(A)
    assert store.get(A) is None
    (version,) = versions(store, A)
    assert equal(version.entry, json.loads(text))
    with pytest.raises(InvalidEntryError, match="NaN") as refused:
        undo(store, keeper.ids[0])
    assert refused.value.key == A
    kept = next((store.paths.sidecar / "versions").glob("*/*.json"))
    assert json.loads(kept.read_bytes())["entry"] == text


@pytest.mark.parametrize("depth", [202, 500, 3000])
def test_what_is_nested_too_deep_is_refused_or_set_aside_but_never_a_crash(
    make_blocking: MakeStore, depth: int
) -> None:
    store = make_blocking({B: entry()})
    plant(store, A, nested(depth))
    for change in (
        lambda kept: label(kept, A),
        lambda kept: kept.patch(A, {"label": "new"}),
        lambda kept: kept.patch(A, {"label": "new"}, return_entry=False),
        lambda kept: kept.reset(A),
    ):
        with pytest.raises(SessionStoreError) as caught:
            change(store.keeping(keeper := Keeper()))
        assert keeper.ids == []
        assert caught.value.key == A or store.layout == "legacy"
        assert caught.value.hint
    assert versions(store, A) == []
    if store.layout == "directory":
        assert store.keeping(keeper).delete(A)
        assert store.keys() == [B]
        assert keeper.ids == []


@pytest.mark.parametrize("text", ["\ud83d", "\x00", "a\u2028b", "<script>", "\x1b[31m", "x" * 9000])
def test_a_keepers_own_words_may_be_any_text(store: Store, text: str) -> None:
    store.put(A, entry())
    keeper = Keeper(reason=text, by=text, action=text, note={text: [text]})
    store.keeping(keeper).patch(A, {text: text})
    (version,) = versions(store, A)
    assert (version.reason, version.by, version.action, version.note) == (
        text,
        text,
        text,
        {text: [text]},
    )
    assert text in version.changed


def test_an_entry_as_large_as_may_be_is_kept_and_comes_back(make_blocking: MakeStore) -> None:
    store = make_blocking({B: entry()})
    old = entry(text='"\\\n' * 1_300_000)
    store.put(A, old)
    store.keeping(keeper := Keeper()).delete(A)
    assert undo(store, keeper.ids[0]) == old
