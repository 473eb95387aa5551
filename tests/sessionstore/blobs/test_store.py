"""A store with blobs: what it takes, what it costs, and what damage does."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import CorruptEntryError, InvalidEntryError, Store, open_store
from sessionstore.backup import open_archive
from sessionstore.blobs import unreferenced
from sessionstore.blobswitch import blob_status, set_blobs
from sessionstore.index import Index, Query
from sessionstore.migration import export_legacy, plan_rollback, rollback
from tests.sessionstore.backup.taking import entries_of, take
from tests.sessionstore.helpers import entry, file_of, quarantined, write_unadopted

BIG = {"prompt": "skill é\n" * 6000, "skills": [{"name": "a"}, {"name": "b"}]}
KEYS = ("agent:main:a", "agent:main:b", ".odd key é")
A = KEYS[0]


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    """A store with blobs on, and three sessions that share one large value."""
    with open_store(store_file) as store:
        set_blobs(store, True)
        for number, key in enumerate(KEYS):
            store.put(key, entry(skillsSnapshot=BIG, n=number))
        yield store


def blobs_of(store: Store) -> list[Path]:
    return [path for path in (store.paths.sidecar / "blobs").rglob("*") if path.is_file()]


def disk_bytes(store: Store) -> int:
    return sum(p.stat().st_blocks * 512 for p in store.path.parent.rglob("*") if p.is_file())


def test_240_entries_with_one_shared_60_kb_value_take_less_than_1_mb(store_file: Path) -> None:
    shared = {"prompt": "x" * 60_000}
    with open_store(store_file) as store:
        set_blobs(store, True)
        for number in range(240):
            store.put(f"agent:main:{number}", entry(skillsSnapshot=shared, n=number))
        files = [path for path in store.path.parent.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < 1_000_000
        assert disk_bytes(store) < 240 * 4096 + 200_000
        assert all(one["skillsSnapshot"] == shared for one in store.load().values())
        status = blob_status(store.paths)
        assert (status.state, status.folded, status.blobs) == ("on", 240, 1)
        assert 13_500_000 < status.saved_bytes < 240 * 60_020


def test_get_load_and_etag_are_those_of_whole_entries(store: Store, tmp_path: Path) -> None:
    (blob,) = blobs_of(store)
    assert blob.name == hashlib.sha256(blob.read_bytes()).hexdigest()
    assert blob.stat().st_mode & 0o7777 == 0o600
    with open_store(tmp_path / "plain" / "sessions.json") as plain:
        for key in KEYS:
            assert file_of(store, key).stat().st_size < 700
            plain.put(key, store.get(key) or {})
            assert store.etag(key) == plain.etag(key)
        assert store.load() == plain.load()
    assert store.problems() == []


def test_patch_of_an_entry_leaves_its_blobs_alone(store: Store) -> None:
    (blob,) = blobs_of(store)
    os.utime(blob, (1, 1))
    store.patch(A, {"n": 9}, if_match=store.etag(A))
    store.patch(A, {"n": 10})
    assert blobs_of(store) == [blob] and blob.stat().st_mtime == 1
    assert (store.get(A) or {})["n"] == 10 and (store.get(A) or {})["skillsSnapshot"] == BIG


def test_writer_that_refers_anew_touches_the_blob(store: Store) -> None:
    (blob,) = blobs_of(store)
    os.utime(blob, (1, 1))
    store.put("agent:main:new", entry(skillsSnapshot=BIG))
    assert blob.stat().st_mtime > 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The last part of every name that is opened, in order."""
    names: list[str] = []
    real = os.open

    def noted(path: Any, *args: Any, **kwargs: Any) -> int:
        names.append(str(path).rpartition("/")[2])
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", noted)
    return names


def test_get_opens_each_blob_once_per_process(
    store: Store, store_file: Path, opened: list[str]
) -> None:
    (blob,) = blobs_of(store)
    with open_store(store_file) as fresh:
        for key in KEYS:
            fresh.get(key)
        assert opened.count(blob.name) == 1
        opened.clear()
        fresh.get(A)
        assert opened == ["agent%3Amain%3Aa.json"]


def test_patch_of_a_folded_entry_opens_the_marker_more_and_no_blob(
    store: Store, opened: list[str]
) -> None:
    store.get(A)
    opened.clear()
    store.patch(A, {"n": 5})
    assert opened[:2] == ["agent%3Amain%3Aa.json", ".store.json"]
    assert len(opened) == 3  # and the new file


def test_foreign_folders_keep_nobody_from_looking(store: Store) -> None:
    (store.paths.directory / "a" / "b" / "c" / "d").mkdir(parents=True)
    os.mkfifo(store.paths.directory / "a" / "pipe")
    assert blob_status(store.paths).folded == 3
    assert unreferenced(store.paths, older_than_s=0) == []


def test_store_without_blobs_writes_none(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry(skillsSnapshot=BIG))
        store.patch(A, {"n": 1})
        assert not (store.paths.sidecar / "blobs").exists()
        assert file_of(store, A).stat().st_size > 48_000


def test_index_opens_no_blob_and_shows_every_session(store: Store) -> None:
    opened: list[str] = []
    is_watched = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if is_watched and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    index = Index(store.paths)
    try:
        index.refresh()
        rows = index.query(Query()).rows
    finally:
        index.close()
        is_watched = False
    assert sorted(row.key for row in rows) == sorted(KEYS)
    assert [row.problem for row in rows] == [None] * len(KEYS)
    assert len(opened) > len(KEYS)
    assert not [name for name in opened if "blobs" in name or len(name) == 64]


@pytest.mark.parametrize("harm", ["missing", "torn", "changed", "link"])
def test_harmed_blob_is_named_and_other_sessions_are_as_they_were(
    store: Store, store_file: Path, tmp_path: Path, harm: str
) -> None:
    store.put(A, entry(skillsSnapshot={"prompt": "only a " * 1000}))
    store.put("agent:main:small", entry())
    (blob,) = [path for path in blobs_of(store) if b"only a" in path.read_bytes()]
    data = blob.read_bytes()
    blob.unlink()
    if harm == "torn":
        blob.write_bytes(data[:-1])
    elif harm == "changed":
        blob.write_bytes(b" " + data[1:])
    elif harm == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        blob.symlink_to(tmp_path / "elsewhere")
    before = file_of(store, A).read_bytes()
    with open_store(store_file) as fresh:
        with pytest.raises(CorruptEntryError, match=blob.name) as caught:
            fresh.get(A)
        assert caught.value.key == A and "blob" in caught.value.hint
        with pytest.raises(CorruptEntryError):
            fresh.patch(A, {"n": 1})
        assert file_of(fresh, A).read_bytes() == before
        assert sorted(fresh.load()) == sorted({*KEYS, "agent:main:small"} - {A})
        assert [found.rule for found in fresh.problems()] == ["damaged-entry"]
        fresh.put(A, entry(label="anew"))
        assert (fresh.get(A) or {})["label"] == "anew"
        assert [file.read_bytes() for _, file in quarantined(fresh)] == [before]


def test_writer_writes_a_damaged_blob_anew(store: Store, store_file: Path) -> None:
    (blob,) = blobs_of(store)
    data = blob.read_bytes()
    blob.write_bytes(data[:100])
    with open_store(store_file) as fresh:
        fresh.put("agent:main:new", entry(skillsSnapshot=BIG))
        assert blob.read_bytes() == data
        assert len(fresh.load()) == 4


def test_entry_that_begins_with_the_reserved_field_is_refused(store: Store) -> None:
    with pytest.raises(InvalidEntryError, match="uses itself"):
        store.put(A, {"$sessionstore:folded": 1, "sessionId": "s"})
    assert (store.get(A) or {})["skillsSnapshot"] == BIG
    later = {"sessionId": "s", "$sessionstore:folded": 1, "x": {"$sessionstore:blob": "y"}}
    store.put(A, later)
    got = store.get(A) or {}
    assert {name: got[name] for name in later} == later


def test_reference_in_another_folder_of_the_disk_is_not_followed(store: Store) -> None:
    (blob,) = blobs_of(store)
    folder = blob.parent
    folder.rename(folder.parent.parent / "moved")
    folder.symlink_to(folder.parent.parent / "moved")
    with open_store(store.path) as fresh, pytest.raises(CorruptEntryError, match="blob"):
        fresh.get(A)


def test_backup_holds_whole_entries(store: Store) -> None:
    backup = take(store)
    assert entries_of(backup).keys() == set(KEYS)
    with open_archive(backup) as archive:
        for read in archive.entries():
            assert json.loads(read.data or b"")["skillsSnapshot"] == BIG
            assert read.session.etag == store.etag(read.session.key)


def test_export_holds_whole_entries(store: Store, tmp_path: Path) -> None:
    export_legacy(store, tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_bytes())
    assert {key: one["skillsSnapshot"] for key, one in written.items()} == dict.fromkeys(KEYS, BIG)


def test_rollback_writes_whole_entries(store: Store) -> None:
    plan = plan_rollback(store)
    store.close()
    rollback(plan)
    written = json.loads(store.path.read_bytes())
    assert {key: one["skillsSnapshot"] for key, one in written.items()} == dict.fromkeys(KEYS, BIG)


def test_adopted_directory_can_have_blobs(store_file: Path) -> None:
    write_unadopted(store_file, {A: entry(skillsSnapshot=BIG)})
    with open_store(store_file) as store:
        report = set_blobs(store, True)
        assert (report.state, report.rewritten, report.failed) == ("on", 1, {})
        assert (store.get(A) or {})["skillsSnapshot"] == BIG
        assert file_of(store, A).stat().st_size < 700


@pytest.mark.parametrize("durability", ["none", "relaxed", "strict"])
def test_blob_is_synced_before_the_entry_is_in_place(
    store: Store, monkeypatch: pytest.MonkeyPatch, durability: Any
) -> None:
    calls: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            is_entry = name == "rename" and str(args[1]).endswith(".json")
            calls.append("entry" if is_entry else name)
            return real(*args, **kwargs)

        return call

    for name in ("rename", "fsync", "fdatasync"):
        monkeypatch.setattr(os, name, noted(name))
    store.put(A, entry(skillsSnapshot={"prompt": durability * 2000}), durability=durability)
    before = calls[: calls.index("entry")]
    synced = "fsync" if durability == "strict" else "fdatasync"
    assert synced in before[: before.index("rename")]
    if durability == "strict":
        assert "fsync" in before[before.index("rename") :]
