"""Keys, by property: any text a gateway may send survives, and no two keys share a file."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessionstore import InvalidKeyError, Store, open_store
from sessionstore.keys import check_key, file_name, fold, key_from_name, lock_offset
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.helpers import entry, old_name, scaled

PARTS = st.sampled_from(
    [
        "agent:",
        "main",
        "Signal:Group:",
        "matrix:channel:",
        "MATRIX:group:",
        ":thread:",
        ":Thread:",
        " ",
        ":",
        ".",
        "%3A",
        "%",
        "/",
        "\\",
        "İ",
        "ΑΣ",
        "Σ",
        "ß",
        "K",
        "ſ",
        "__proto__",
        ".json",
    ]
)
MIXED = st.lists(PARTS | st.text(max_size=4), max_size=8).map("".join)
KEYS = st.text(max_size=60) | MIXED


def valid(text: str) -> bool:
    try:
        check_key(text)
    except InvalidKeyError:
        return False
    return True


VALID = KEYS.filter(valid)


@given(KEYS)
@settings(max_examples=scaled(1000))
@example("signal:group: :X")
@example("agent:M:matrix:channel::thread:")
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(VALID)
@settings(max_examples=scaled(1000))
def test_valid_key_has_a_short_plain_relative_name(text: str) -> None:
    name = file_name(fold(text))
    assert name.isascii()
    assert len(name) <= 140
    assert name.removeprefix("x/").count("/") == 0
    assert not name.startswith(".")
    assert name == name.lower().replace("%3a", "%3A").replace("%2f", "%2F").replace("%5c", "%5C")


@given(VALID)
@settings(max_examples=scaled(1000))
def test_inline_name_round_trips(text: str) -> None:
    key = fold(text)
    name = file_name(key)
    assert name.startswith("x/") or key_from_name(name) == key


@given(VALID, VALID)
@settings(max_examples=scaled(1000))
def test_different_keys_have_different_names_and_locks(left: str, right: str) -> None:
    same = fold(left) == fold(right)
    assert (file_name(fold(left)) == file_name(fold(right))) is same
    assert (lock_offset(fold(left)) == lock_offset(fold(right))) is same


@given(VALID)
@settings(max_examples=scaled(300))
def test_names_differ_on_a_case_insensitive_volume_as_well(text: str) -> None:
    # APFS also folds normal forms; ASCII names have only one.
    name = file_name(fold(text))
    assert unicodedata.normalize("NFD", name) == name


@given(st.text(max_size=40))
@settings(max_examples=scaled(1000))
def test_key_from_name_gives_only_what_encodes_back(stem: str) -> None:
    key = key_from_name(f"{stem}.json")
    assert key is None or old_name(key) == f"{stem}.json"


def random_keys(seed: int) -> Iterator[str]:
    """Unicode text of all planes, lengths 1 to 300, no surrogates."""
    rng = random.Random(seed)
    planes = [(0x20, 0x7F), (0x01, 0x20), (0x80, 0x2FF), (0x370, 0xD7FF), (0xE000, 0x10FFFF)]
    while True:
        low, high = rng.choice(planes)
        length = rng.choice([1, 2, 5, 20, 80, 300])
        text = "".join(chr(rng.randrange(low, high)) for _ in range(length))
        if valid(text):
            yield text


BATCH = 500


@pytest.mark.parametrize("batch", range(20))
def test_random_unicode_keys_round_trip_through_a_directory(store: Store, batch: int) -> None:
    stream = random_keys(batch)
    keys = {fold(key): key for key in (next(stream) for _ in range(BATCH))}
    store.save({key: entry(label=key) for key in keys.values()})

    assert store.keys() == sorted(keys)
    assert {key: value["label"] for key, value in store.load().items()} == keys
    assert all(store.get(key) is not None for key in keys.values())


@pytest.mark.parametrize("batch", range(2))
def test_random_unicode_keys_round_trip_through_a_legacy_file(
    open_kind: MakeStore, batch: int
) -> None:
    stream = random_keys(100 + batch)
    keys = {fold(key): key for key in (next(stream) for _ in range(BATCH))}
    store = open_kind("legacy")
    store.save({key: entry(label=key) for key in keys.values()})

    assert store.keys() == sorted(keys)
    assert {key: value["label"] for key, value in store.load().items()} == keys


AWKWARD = [".foo", "..", "...", ".", ".json", ".store.json", "x", "state", "con", "a" * 4096]
PROTOTYPES = ["__proto__", "constructor", "prototype", "__class__", "__dict__", "tostring"]
WIDE = ["😀" * 1024, "a\nb", "\x7f", "日本:語", "*?<>|", "trailing.", "../../esc", "a\\b/c"]


@pytest.mark.parametrize("key", AWKWARD + PROTOTYPES + WIDE, ids=lambda key: ascii(key[:20]))
def test_awkward_key_lives_a_whole_life(open_kind: MakeStore, layout_kind: Kind, key: str) -> None:
    store = open_kind(layout_kind)
    store.put(key, entry(label="a"))
    with open_store(store.path) as again:
        assert again.keys() == [key]
        assert again.load()[key]["label"] == "a"
        assert again.patch(key, {"label": "b"}) == store.get(key)
        assert again.delete(key) is True
        assert again.keys() == []
    assert store.get(key) is None


def test_deleting_awkward_keys_leaves_no_file(store: Store) -> None:
    keys = AWKWARD + PROTOTYPES + WIDE
    for key in keys:
        store.put(key, entry())
    for key in keys:
        assert store.delete(key)
    left = [path.name for path in store.paths.directory.rglob("*") if not path.is_dir()]
    assert left == [".store.json"]


def test_two_stores_of_one_directory_share_nothing(store: Store) -> None:
    folder = store.path.parent
    with open_store(folder / "a.json") as a, open_store(folder / "b.json") as b:
        a.put("k", entry(label="a"))
        b.put("k", entry(label="b"))
        assert (a.get("k"), b.get("k"), store.get("k")) == (
            entry(label="a"),
            entry(label="b"),
            None,
        )
        assert a.paths.directory != b.paths.directory
        assert a.paths.sidecar != b.paths.sidecar
        assert a.delete("k")
        assert b.get("k") is not None
