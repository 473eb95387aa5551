"""Switching blobs on and off: every entry stays the same, and any process may come in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, UnsupportedStoreError, open_store
from sessionstore.blobswitch import blob_status, collect_blobs, set_blobs
from sessionstore.opened import OpenDirectory, read_marker
from tests.sessionstore.faults import injected, onto_entry
from tests.sessionstore.helpers import entry, file_of, write_legacy

BIG = {"prompt": "skill\n" * 6000}
ENTRIES = {
    "agent:main:a": entry(skillsSnapshot=BIG, n=1),
    "agent:main:b": entry(skillsSnapshot=BIG, systemPromptReport=["x" * 9000]),
    ".odd": entry(skillsSnapshot=BIG),
    "agent:main:small": entry(),
}
A = "agent:main:a"


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    """A store without blobs, with large entries."""
    with open_store(store_file) as store:
        for key, one in ENTRIES.items():
            store.put(key, one)
        yield store


def marker_of(store: Store) -> dict[str, Any]:
    return dict(read_marker(OpenDirectory(store.paths)) or {})


def files_of(store: Store) -> dict[str, bytes]:
    return {key: file_of(store, key).read_bytes() for key in ENTRIES}


def test_on_and_off_gives_every_file_back_byte_for_byte(store: Store) -> None:
    before, marker = files_of(store), marker_of(store)
    etags = {key: store.etag(key) for key in ENTRIES}
    assert set_blobs(store, True).rewritten == 3
    assert {key: store.etag(key) for key in ENTRIES} == etags
    assert marker_of(store) == {**marker, "format": 2, "blobs": "on"}
    assert sum(map(len, files_of(store).values())) < 3000
    report = set_blobs(store, False)
    assert (report.state, report.rewritten, report.failed) == ("off", 3, {})
    assert files_of(store) == before
    assert marker_of(store) == marker
    assert collect_blobs(store, older_than_s=0).retired == 2


def test_switching_again_rewrites_nothing(store: Store) -> None:
    set_blobs(store, True)
    before = {key: file_of(store, key).stat().st_ino for key in ENTRIES}
    assert set_blobs(store, True).rewritten == 0
    assert {key: file_of(store, key).stat().st_ino for key in ENTRIES} == before


def test_process_that_had_the_store_open_follows_when_it_meets_a_folded_entry(
    store: Store, store_file: Path
) -> None:
    store.patch(A, {"n": 2})
    with open_store(store_file) as other:
        set_blobs(other, True)
    assert (store.get(A) or {})["skillsSnapshot"] == BIG
    store.patch(A, {"n": 3})
    assert file_of(store, A).stat().st_size < 700
    store.put("agent:main:new", entry(skillsSnapshot=BIG))
    assert file_of(store, "agent:main:new").stat().st_size < 700


def test_process_that_had_the_store_open_folds_nothing_once_it_is_off(
    store: Store, store_file: Path
) -> None:
    set_blobs(store, True)
    store.patch(A, {"n": 2})
    with open_store(store_file) as other:
        assert set_blobs(other, False).state == "off"
    store.patch(A, {"n": 3})
    store.put("agent:main:new", entry(skillsSnapshot=BIG))
    assert blob_status(store.paths).folded == 0
    assert file_of(store, A).stat().st_size > 36_000


def test_switch_off_that_failed_half_way_goes_on_with_the_next_call(store: Store) -> None:
    set_blobs(store, True)
    with injected("rename", 28, when=onto_entry, skip=2):  # the marker, and one entry
        report = set_blobs(store, False)
    assert report.state == "leaving" and len(report.failed) == 2
    assert blob_status(store.paths).state == "leaving"
    assert {key: one.get("skillsSnapshot") for key, one in store.load().items()} == {
        key: one.get("skillsSnapshot") for key, one in ENTRIES.items()
    }
    assert set_blobs(store, False).rewritten == 2
    assert blob_status(store.paths).state == "off"


def test_session_with_a_missing_blob_is_named_and_stops_no_other(
    store: Store, store_file: Path
) -> None:
    set_blobs(store, True)
    for path in (store.paths.sidecar / "blobs").rglob("*"):
        if path.is_file() and path.stat().st_size < 20_000:
            path.unlink()
    with open_store(store_file) as fresh:
        report = set_blobs(fresh, False)
        assert report.state == "leaving"
        assert (
            list(report.failed) == ["agent:main:b"] and "missing" in report.failed["agent:main:b"]
        )
        assert blob_status(fresh.paths).folded == 1


def test_legacy_store_is_refused_and_left_as_it_is(store_file: Path) -> None:
    write_legacy(store_file, ENTRIES)
    before = store_file.read_bytes()
    with open_store(store_file) as store, pytest.raises(UnsupportedStoreError, match="legacy"):
        set_blobs(store, True)
    assert store_file.read_bytes() == before
    assert not store_file.with_suffix(".d").exists()


def test_status_of_a_store_without_blobs_is_off(store: Store) -> None:
    status = blob_status(store.paths)
    assert (status.state, status.folded, status.blobs, status.saved_bytes) == ("off", 0, 0, 0)


def test_marker_of_a_later_format_is_refused(store: Store) -> None:
    path = store.paths.directory / ".store.json"
    path.write_bytes(json.dumps({**marker_of(store), "format": 3}).encode())
    with open_store(store.path) as fresh, pytest.raises(UnsupportedStoreError, match="formats 1"):
        fresh.get(A)
