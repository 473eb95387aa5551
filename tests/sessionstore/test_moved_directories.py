"""The directory goes away or another takes its place: followed or made anew, never lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sessionstore import Store, UnsupportedStoreError, open_store
from tests.sessionstore.helpers import entry, json_bytes, picture, write_legacy, write_unadopted

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"


@pytest.fixture
def warm(store: Store) -> Store:
    """A store that has the directory open."""
    store.save({A: entry(label="a"), ODD: entry(label="odd")})
    return store


def test_deleted_directory_is_made_again(warm: Store) -> None:
    shutil.rmtree(warm.paths.directory)
    assert (warm.get(A), warm.keys(), warm.layout) == (None, [], "empty")
    warm.put(B, entry())
    warm.put(ODD, entry())
    assert warm.keys() == sorted([B, ODD])
    with open_store(warm.path) as other:
        assert other.keys() == sorted([B, ODD])


def test_deleted_side_area_is_made_again(warm: Store) -> None:
    shutil.rmtree(warm.paths.directory / "x")
    assert warm.get(ODD) is None
    warm.put(ODD, entry())
    assert warm.keys() == sorted([A, ODD])
    assert (warm.paths.directory / "x").stat().st_mode & 0o7777 == 0o700


def test_everything_deleted_is_made_again(warm: Store) -> None:
    shutil.rmtree(warm.path.parents[2])
    warm.put(B, entry())
    assert warm.load() == {B: entry()}
    with open_store(warm.path) as other:
        assert other.load() == {B: entry()}


def test_deleted_folder_of_ours_is_made_again(warm: Store) -> None:
    shutil.rmtree(warm.paths.sidecar.parent)
    warm.put(B, entry())
    warm.save({A: entry(label="x")})
    assert warm.keys() == sorted([A, B, ODD])


def test_deleted_staging_folder_is_made_again(warm: Store) -> None:
    shutil.rmtree(warm.paths.sidecar / "tmp")
    warm.put(B, entry())
    assert warm.keys() == sorted([A, B, ODD])


def test_swapped_directory_is_followed(warm: Store, tmp_path: Path) -> None:
    write_unadopted(tmp_path / "other" / "sessions.json", {B: entry(label="theirs")})
    warm.paths.directory.rename(tmp_path / "old.d")
    (tmp_path / "other" / "sessions.d").rename(warm.paths.directory)
    old = picture(tmp_path / "old.d")
    assert warm.keys() == [B]
    assert warm.get(B) == entry(label="theirs")
    warm.patch(B, {"n": 1})
    warm.put(ODD, entry(label="new"))
    assert warm.keys() == sorted([B, ODD])
    assert picture(tmp_path / "old.d") == old


def test_directory_deleted_inside_a_change_takes_the_write(warm: Store) -> None:
    calls: list[object] = []

    def delete(old: object) -> dict[str, object]:
        if not calls:
            shutil.rmtree(warm.paths.directory)
        calls.append(old)
        return entry(label="written")

    warm.update(A, delete)
    assert warm.get(A) == entry(label="written")


def test_directory_replaced_by_a_legacy_file_is_followed(warm: Store) -> None:
    shutil.rmtree(warm.paths.directory)
    write_legacy(warm.path, {B: entry(label="legacy")})
    assert warm.layout == "legacy"
    assert warm.load() == {B: entry(label="legacy")}
    warm.patch(B, {"n": 1})
    assert not warm.paths.directory.exists()


def test_legacy_file_replaced_by_a_directory_is_followed(store: Store) -> None:
    write_legacy(store.path, {A: entry()})
    assert store.load() == {A: entry()}
    store.path.unlink()
    write_unadopted(store.path, {B: entry()})
    assert store.load() == {B: entry()}
    store.patch(B, {"n": 1})
    assert not store.path.exists()


def test_deleted_legacy_file_continues_as_a_directory(store: Store) -> None:
    write_legacy(store.path, {A: entry()})
    store.patch(A, {"n": 1})
    store.path.unlink()
    assert (store.get(A), store.load()) == (None, {})
    store.put(B, entry())
    assert store.layout == "directory"


@pytest.mark.parametrize(
    "marker",
    [
        {"kind": "sessionstore", "format": 3},
        {"kind": "other", "format": 1},
        {"kind": "sessionstore"},
    ],
    ids=str,
)
def test_marker_of_another_format_is_refused(warm: Store, marker: dict[str, object]) -> None:
    path = warm.paths.directory / ".store.json"
    path.write_bytes(json_bytes(marker))
    before = picture(warm.paths.directory)
    with open_store(warm.path) as store:
        for call in (lambda: store.get(A), store.load, lambda: store.put(A, entry())):
            with pytest.raises(UnsupportedStoreError):
                call()
        assert [found.rule for found in store.problems()] == ["unsupported-store"]
    assert picture(warm.paths.directory) == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\0" * 40])
def test_damaged_marker_is_set_aside_and_written_again(warm: Store, damage: bytes) -> None:
    (warm.paths.directory / ".store.json").write_bytes(damage)
    with open_store(warm.path) as store:
        assert store.keys() == sorted([A, ODD])
        store.put(B, entry())
        assert store.keys() == sorted([A, B, ODD])
    assert b"sessionstore" in (warm.paths.directory / ".store.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "state.json",
            {"kind": "openclaw-session-store-directory", "layoutVersion": 1, "version": 3},
        ),
        ("agent--main--main/meta.json", {"sessionId": "s"}),
    ],
)
def test_directory_of_another_layout_is_refused_and_untouched(
    store: Store, name: str, content: dict[str, object]
) -> None:
    path = store.paths.directory / name
    path.parent.mkdir(parents=True)
    path.write_bytes(json_bytes(content))
    before = picture(store.paths.directory)
    for call in (lambda: store.get(A), store.load, store.keys, lambda: store.put(A, entry())):
        with pytest.raises(UnsupportedStoreError):
            call()
    assert picture(store.paths.directory) == before


def test_session_called_state_is_no_other_layout(store: Store) -> None:
    write_unadopted(store.path, {"state": entry(label="mine")})
    assert store.get("state") == entry(label="mine")
    store.patch("state", {"n": 1})
    assert store.keys() == ["state"]
