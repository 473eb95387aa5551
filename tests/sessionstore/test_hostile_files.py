"""Hostile and damaged files: reported, never followed, never waited for, never lost."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    CorruptEntryError,
    SessionStoreError,
    Store,
    UnsafeFileError,
    open_store,
)
from tests.sessionstore.helpers import (
    entry,
    file_of,
    json_bytes,
    old_name,
    picture,
    quarantined,
    write_unadopted,
)
from tests.sessionstore.plants import ALL, UNSAFE, Plant

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
Entry = dict[str, Any]

pytestmark = pytest.mark.timeout(20)  # a FIFO or device that is waited for never answers


def replaced(store: Store, key: str, plant: Plant) -> Path:
    """The key's file with something else in its place."""
    path = file_of(store, key)
    path.unlink()
    plant(path)
    return path


@pytest.fixture(params=["adopted", "unadopted"])
def damaged(request: pytest.FixtureRequest, store: Store) -> Callable[[str], tuple[Store, Path]]:
    """Return a maker: plant -> store with three entries, and A's file replaced by it."""

    def make(plant: str) -> tuple[Store, Path]:
        if request.param == "adopted":
            store.save({A: entry(), B: entry(), ODD: entry()})
        else:
            write_unadopted(store.path, {A: entry(), B: entry(), ODD: entry()})
        return store, replaced(store, A, ALL[plant])

    return make


@pytest.mark.parametrize("plant", ALL)
def test_bad_file_raises_from_get_and_is_left_out_of_load(
    damaged: Callable[[str], tuple[Store, Path]], tmp_path: Path, plant: str
) -> None:
    store, path = damaged(plant)
    before = picture(store.paths.directory)
    begun = time.monotonic()
    with pytest.raises((UnsafeFileError, CorruptEntryError)) as caught:
        store.get(A)
    assert (caught.value.key, caught.value.path) == (A, str(path))
    assert caught.value.hint
    assert store.load() == {B: entry(), ODD: entry()}
    assert store.get(B) == entry()
    (problem,) = [found for found in store.problems() if found.severity == "error"]
    assert (problem.key, problem.path) == (A, str(path))
    assert problem.rule in ("damaged-entry", "unsafe-file")
    assert time.monotonic() - begun < 5
    assert picture(store.paths.directory) == before


@pytest.mark.parametrize("plant", ALL)
def test_bad_file_counts_as_its_key(
    damaged: Callable[[str], tuple[Store, Path]], plant: str
) -> None:
    store, _ = damaged(plant)
    assert store.keys() == sorted([A, B, ODD])


@pytest.mark.parametrize("plant", ALL)
@pytest.mark.parametrize("call", ["update", "patch", "get_or_create", "reset", "route"])
def test_change_of_a_bad_file_raises_and_leaves_it(
    damaged: Callable[[str], tuple[Store, Path]], plant: str, call: str
) -> None:
    store, path = damaged(plant)
    before = picture(path)
    calls: dict[str, Callable[[], object]] = {
        "update": lambda: store.update(A, lambda old: entry(label="new")),
        "patch": lambda: store.patch(A, {"label": "new"}),
        "get_or_create": lambda: store.get_or_create(A, entry),
        "reset": lambda: store.reset(A),
        "route": lambda: store.update_last_route(A, channel="slack"),
    }
    with pytest.raises((UnsafeFileError, CorruptEntryError)) as caught:
        calls[call]()
    assert caught.value.key == A
    assert picture(path) == before


@pytest.mark.parametrize("plant", ALL)
@pytest.mark.parametrize("call", ["put", "delete"])
def test_put_and_delete_move_a_bad_file_to_quarantine(
    damaged: Callable[[str], tuple[Store, Path]], plant: str, call: str
) -> None:
    store, path = damaged(plant)
    targets = [*store.path.parents[3].rglob("target.json")]
    before = picture(*targets)
    inode = path.lstat().st_ino
    if call == "put":
        assert store.put(A, entry(label="new")) == entry(label="new")
        assert store.get(A) == entry(label="new")
    else:
        assert store.delete(A) is True
        assert store.get(A) is None
    ((note, moved),) = quarantined(store)
    assert moved.lstat().st_ino == inode
    assert note["key"] == A
    assert note["reason"]
    assert note["name"] == path.name
    assert isinstance(note["at"], int)
    assert picture(*targets) == before
    assert [found for found in store.problems() if found.severity == "error"] == []


def test_save_over_a_bad_file_concerns_that_session_only(store: Store) -> None:
    store.save({A: entry(), B: entry(), ODD: entry()})
    path = replaced(store, A, ALL["truncated"])
    damage = path.read_bytes()
    with suppress(SessionStoreError):
        store.save({A: entry(label="new"), B: entry(label="new"), ODD: entry(label="new")})
    assert (store.get(B) or {})["label"] == (store.get(ODD) or {})["label"] == "new"
    kept = [file.read_bytes() for _, file in quarantined(store)]
    assert damage in [path.read_bytes(), *kept]


@pytest.mark.parametrize("entry_over_it", [entry(label="new"), entry(text="x" * 9_000_000)])
def test_put_that_is_refused_leaves_a_bad_file_where_it_is(
    store: Store, entry_over_it: Entry
) -> None:
    store.save({A: entry(), B: entry()})
    path = replaced(store, A, ALL["truncated"])
    before = picture(path)
    with suppress(SessionStoreError):
        store.put(A, entry_over_it, create=False)
        return  # it may as well take the damaged file for an entry, and replace it
    assert picture(path) == before


@pytest.mark.parametrize("plant", ALL)
def test_bad_file_in_the_side_area_is_reported_and_healed(store: Store, plant: str) -> None:
    store.save({A: entry(), ODD: entry()})
    path = replaced(store, ODD, ALL[plant])
    with pytest.raises((UnsafeFileError, CorruptEntryError)) as caught:
        store.get(ODD)
    assert (caught.value.key, caught.value.path) == (ODD, str(path))
    assert store.load() == {A: entry()}
    assert [found.path for found in store.problems()] == [str(path)]
    store.put(ODD, entry(label="new"))
    assert store.get(ODD) == entry(label="new")
    assert len(quarantined(store)) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"sessionKey": "another", "entry": {"label": "stolen"}},
        {"sessionKey": ".ODD", "entry": {}},
        {"sessionKey": 5, "entry": {}},
        {"sessionKey": ".odd"},
        {"entry": {}},
        {"sessionKey": ".odd", "entry": 5},
        {"sessionKey": ".odd", "entry": None},
        {"sessionKey": "a\0b", "entry": {}},
        entry(label="bare"),
    ],
    ids=str,
)
def test_side_file_with_the_wrong_content_is_damaged(store: Store, content: Entry) -> None:
    store.save({A: entry(), ODD: entry()})
    path = file_of(store, ODD)
    path.write_bytes(json_bytes(content))
    with pytest.raises(CorruptEntryError):
        store.get(ODD)
    assert store.load() == {A: entry()}
    assert [(found.rule, found.path) for found in store.problems()] == [
        ("damaged-entry", str(path))
    ]


def test_one_bad_file_among_a_thousand_concerns_one_session(store: Store) -> None:
    keys = [f"agent:main:{number}" for number in range(1000)]
    store.save({key: entry(label=key) for key in keys})
    path = file_of(store, keys[500])
    path.write_bytes(b"x" * 10_000_000)
    assert sorted(store.load()) == sorted(set(keys) - {keys[500]})
    assert [(found.key, found.path) for found in store.problems()] == [(keys[500], str(path))]


@pytest.mark.parametrize("name", ["sessions.d", "x", ".store.json"])
@pytest.mark.parametrize("plant", ["link", "fifo", "socket", "device"])
def test_bad_node_in_place_of_our_own_names_is_refused_and_never_followed(
    store_file: Path, tmp_path: Path, name: str, plant: str
) -> None:
    with open_store(store_file) as store:
        store.save({A: entry(), ODD: entry()})
    outside = tmp_path / "outside"
    outside.mkdir()
    path = store_file.parent / name if name == "sessions.d" else store_file.with_suffix(".d") / name
    path.rename(tmp_path / "moved")
    path.symlink_to(outside) if plant == "link" else UNSAFE[plant](path)
    with open_store(store_file) as store:
        calls: list[Callable[[], object]] = [
            lambda: store.put(ODD, entry()),
            lambda: store.get(ODD),
        ]
        for call in calls:
            with pytest.raises(SessionStoreError):
                call()
        if name == "x":
            assert list(store.load()) == store.keys() == [A]
        else:
            with pytest.raises(SessionStoreError):
                store.load()
        assert any(found.severity == "error" for found in store.problems())
    assert list(outside.iterdir()) == []
    assert path.lstat().st_mode & 0o170000 != stat.S_IFREG


@pytest.mark.parametrize("part", [".sessionstore", ".sessionstore/sessions", "tmp", "quarantine"])
def test_linked_folder_of_ours_is_never_written_through(
    store_file: Path, tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with open_store(store_file) as store:
        store.put(A, entry())
        file_of(store, A).write_bytes(b"{damaged")
        folder = store_file.parent / part if "." in part else store.paths.sidecar / part
    if folder.exists():
        folder.rename(tmp_path / "moved")
    folder.symlink_to(outside)
    with open_store(store_file) as store, pytest.raises(SessionStoreError):
        store.put(A, entry(label="new"))
    assert list(outside.iterdir()) == []
    assert (store_file.with_suffix(".d") / old_name(A)).read_bytes() == b"{damaged"


def test_foreign_names_are_reported_and_never_removed(store: Store) -> None:
    store.save({A: entry(), ODD: entry()})
    directory = store.paths.directory
    names = [
        "notes.txt",
        "UPPER.json",
        "a%3ab.json",
        "x/notes",
        "x/" + "0" * 64 + ".txt",
        "b.json~",
    ]
    for name in names:
        (directory / name).write_bytes(json_bytes(entry(label="theirs")))
    assert store.keys() == sorted([A, ODD])
    assert store.load() == {A: entry(), ODD: entry()}
    found = {found.path: found.rule for found in store.problems()}
    assert found == {str(directory / name): "foreign-file" for name in names}
    loaded = store.load()
    store.save({A: entry(label="x")}, base=loaded)
    store.update_all(lambda every: every.clear())
    assert all((directory / name).exists() for name in names)
