"""Collecting blobs: only what no file refers to, and nothing that anybody may still read."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import Store, UnsafeFileError, open_store
from sessionstore.blobs import Blob, collecting, references_in, unreferenced
from sessionstore.blobswitch import collect_blobs, set_blobs
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import entry, file_of

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
FIRST, SECOND = "first " * 1000, "second " * 1000


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    """Two sessions with a blob each; the first blob's entry is replaced, so nobody needs it."""
    with open_store(store_file) as store:
        set_blobs(store, True)
        store.put(A, entry(big=FIRST))
        store.put(ODD, entry(big=SECOND))
        store.patch(A, {"big": None})
        yield store


def blobs_of(store: Store) -> dict[str, str]:
    """The beginnings of all blobs, and whether they are in place or retired."""
    root = store.paths.sidecar / "blobs"
    return {
        path.read_text()[1:6]: "retired" if path.parent.name == "retired" else "kept"
        for path in root.rglob("*")
        if path.is_file()
    }


def age(store: Store, seconds: float) -> None:
    for path in (store.paths.sidecar / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_unreferenced_blob_is_retired_then_removed(store: Store) -> None:
    age(store, 100_000)
    (found,) = unreferenced(store.paths)
    assert found.size_bytes == len(FIRST) + 2 and not found.is_retired
    first = collect_blobs(store)
    assert (first.retired, first.retired_bytes, first.removed) == (1, len(FIRST) + 2, 0)
    assert blobs_of(store) == {"first": "retired", "secon": "kept"}
    assert collect_blobs(store) == collecting.Collected()
    age(store, 100_000)
    second = collect_blobs(store)
    assert (second.removed, second.removed_bytes) == (1, len(FIRST) + 2)
    assert blobs_of(store) == {"secon": "kept"}
    assert (store.get(ODD) or {})["big"] == SECOND


def test_blob_that_is_younger_than_the_grace_stays(store: Store) -> None:
    age(store, 80_000)
    assert unreferenced(store.paths) == []
    assert collect_blobs(store) == collecting.Collected()


def test_looking_changes_nothing(store: Store) -> None:
    age(store, 100_000)
    before = {p: p.lstat() for p in store.path.parent.rglob("*")}
    unreferenced(store.paths)
    after = {p: p.lstat() for p in store.path.parent.rglob("*")}
    assert {p: (s.st_ino, s.st_mtime_ns) for p, s in after.items()} == {
        p: (s.st_ino, s.st_mtime_ns) for p, s in before.items()
    }


def test_blob_that_a_writer_took_up_meanwhile_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(store, 100_000)
    real = references_in

    def then_write(paths: object) -> list[object]:
        marked: list[object] = list(real(store.paths))
        store.put(B, entry(big=FIRST))
        return marked

    monkeypatch.setattr(collecting, "references_in", then_write)
    assert collect_blobs(store, older_than_s=60).retired == 0
    assert (store.get(B) or {})["big"] == FIRST


def test_retired_blob_is_still_read_and_put_back_where_a_file_refers_to_it(store: Store) -> None:
    store.put(B, entry(big=FIRST))
    path = file_of(store, B)
    kept = path.read_bytes()
    store.delete(B)
    assert collect_blobs(store, older_than_s=0).retired == 1
    path.write_bytes(kept)  # somebody brings a copy of the file back
    with open_store(store.path) as fresh:
        assert (fresh.get(B) or {})["big"] == FIRST
        assert collect_blobs(fresh).put_back == 1
    assert blobs_of(store) == {"first": "kept", "secon": "kept"}


def test_writer_writes_a_retired_blob_anew(store: Store) -> None:
    collect_blobs(store, older_than_s=0)
    store.put(B, entry(big=FIRST))
    assert "kept" in blobs_of(store)["first"] or len(list_of(store, "first")) == 2
    collect_blobs(store, older_than_s=0)
    with open_store(store.path) as fresh:
        assert (fresh.get(B) or {})["big"] == FIRST


def list_of(store: Store, begins: str) -> list[Path]:
    root = store.paths.sidecar / "blobs"
    files = [path for path in root.rglob("*") if path.is_file()]
    return [path for path in files if path.read_text()[1:].startswith(begins)]


@pytest.mark.parametrize(
    "place", ["sessions.d.bak.1", "quarantine", "runs/b-1/entries/x", "maintenance/1/trash"]
)
def test_blob_of_a_file_that_was_set_aside_stays(store: Store, place: str) -> None:
    store.put(B, entry(big=FIRST))
    folder = store.path.parent if place.startswith("sessions") else store.paths.sidecar
    (folder / place).mkdir(parents=True, exist_ok=True)
    shutil.copy(file_of(store, B), folder / place / "1-a.file")
    store.delete(B)
    assert collect_blobs(store, older_than_s=0).retired == 0


def test_file_that_cannot_be_read_stops_the_collector(store: Store) -> None:
    with (
        injected("open", 13, when=lambda path, *_, **__: str(path).endswith(".json")),
        pytest.raises(OSError, match="cannot"),
    ):
        collect_blobs(store, older_than_s=0)
    assert blobs_of(store) == {"first": "kept", "secon": "kept"}


def test_link_in_place_of_the_blobs_is_not_followed(store: Store, tmp_path: Path) -> None:
    root = store.paths.sidecar / "blobs"
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFileError):
        collect_blobs(store, older_than_s=0)
    assert len([p for p in (tmp_path / "elsewhere").rglob("*") if p.is_file()]) == 2


def test_blob_that_is_not_as_it_was_listed_is_not_retired(store: Store) -> None:
    (found,) = unreferenced(store.paths, older_than_s=0)
    other = Blob(found.sha256, found.size_bytes, found.touched_ns - 1, found.inode)
    assert collecting.retire(store.paths, [other]) == []
    assert collecting.retire(store.paths, [found]) == [found]


def test_store_that_left_the_directory_layout_gets_rid_of_its_blobs(store: Store) -> None:
    shutil.rmtree(store.paths.directory)
    assert collect_blobs(store, older_than_s=0).retired == 2
    assert collect_blobs(store, older_than_s=0).removed == 2
