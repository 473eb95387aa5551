"""Restoring in place: exactly what the plan shows, with a way back, and never over a writer."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    CorruptEntryError,
    GatewayRunningError,
    LockTimeoutError,
    StalePlanError,
    Store,
    StoreIOError,
    open_store,
    undo,
    versions,
)
from sessionstore.backup import Backup, create_backup, list_backups, plan_restore, restore
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import entry, file_of, quarantined, sound, temporary_files

A, B, C, ODD = "agent:main:a", "agent:main:b", "agent:main:c", ".odd"
OLD = {A: entry(label="a", n=1), B: entry(label="b"), ODD: entry(label="odd")}
TEXT = b'{"type":"session"}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def options(root: Path, tmp_path: Path) -> dict[str, Any]:
    """What every restore here is called with."""
    return {"root": root, "gateway_lock_dir": tmp_path / "gateway", "timeout": 10.0}


def changed_since(store: Store) -> None:
    """One session changed, one gone, one new."""
    store.patch(A, {"label": "newer", "extra": True})
    store.delete(B)
    store.put(C, entry(label="c"))


@pytest.fixture
def backed_up(make_blocking: MakeStore, root: Path) -> tuple[Store, Backup]:
    store = make_blocking(OLD)
    backup = create_backup(store, root=root, reason="test")
    changed_since(store)
    return store, backup


def left_over(store: Store) -> list[str]:
    """What a restore may not leave behind."""
    restores = store.paths.sidecar / "restores"
    left = [str(path) for path in restores.iterdir()] if restores.exists() else []
    return left + [path.name for path in store.path.parent.glob("*.bak.*")]


# -- everything ----------------------------------------------------------------------------


def test_everything_is_as_it_was(backed_up: tuple[Store, Backup], options: Any) -> None:
    store, backup = backed_up
    report = restore(plan_restore(backup, store), **options)
    assert store.load() == OLD
    assert sound(store)
    assert (report.sessions, report.verified) == (3, 3)
    assert report.exclusive_s > 0
    assert left_over(store) == []
    assert temporary_files(store) == []


def test_what_was_there_is_in_an_automatic_backup(
    backed_up: tuple[Store, Backup], options: Any, root: Path
) -> None:
    store, backup = backed_up
    before = store.load()
    report = restore(plan_restore(backup, store), **options)
    (kept,) = [one for one in list_backups(root) if one.id == report.replaced_backup]
    assert kept.reason == "before restore"
    restore(plan_restore(kept, store), **options)
    assert store.load() == before


def test_a_legacy_store_gets_the_very_bytes_back(
    legacy_store: MakeStore, root: Path, options: Any
) -> None:
    store = legacy_store(OLD)
    store.path.write_bytes(json.dumps(OLD, indent=4).encode())
    before = store.path.read_bytes()
    backup = create_backup(store, root=root, reason="test")
    changed_since(store)
    restore(plan_restore(backup, store), **options)
    assert store.path.read_bytes() == before


def test_a_directory_gets_the_very_bytes_back(store: Store, root: Path, options: Any) -> None:
    store.save(OLD)
    file_of(store, A).write_bytes(b'{"label":  "by hand",\n "updatedAt": 1}')
    before = {key: file_of(store, key).read_bytes() for key in OLD}
    backup = create_backup(store, root=root, reason="test")
    changed_since(store)
    restore(plan_restore(backup, store), **options)
    assert {key: file_of(store, key).read_bytes() for key in OLD} == before


@pytest.mark.parametrize(("was", "now"), [("legacy", "directory"), ("directory", "legacy")])
def test_a_backup_of_one_layout_restores_into_the_other(
    open_kind: MakeStore, root: Path, options: Any, was: Any, now: Any, tmp_path: Path
) -> None:
    with open_store(tmp_path / "first" / "sessions.json") as first:
        if was == "legacy":
            first.path.parent.mkdir()
            first.path.write_bytes(json.dumps(OLD).encode())
        first.save(OLD)
        backup = create_backup(first, root=root, reason="test")
    store = open_kind(now, {A: entry(label="mine"), C: entry()})
    restore(plan_restore(backup, store), **options)
    assert store.layout == now
    assert store.load() == OLD


def test_a_missing_store_comes_back_in_its_layout(
    make_blocking: MakeStore, root: Path, options: Any, tmp_path: Path
) -> None:
    store = make_blocking(OLD)
    layout = store.layout
    backup = create_backup(store, root=root, reason="test")
    gone = store.path if layout == "legacy" else store.paths.directory
    gone.rename(tmp_path / "gone")
    report = restore(plan_restore(backup, store), **options)
    assert (store.layout, store.load()) == (layout, OLD)
    assert report.replaced_backup is None


def test_a_damaged_store_file_is_replaced_and_kept(
    legacy_store: MakeStore, root: Path, options: Any
) -> None:
    store = legacy_store(OLD)
    backup = create_backup(store, root=root, reason="test")
    store.path.write_bytes(b"[1, 2")
    restore(plan_restore(backup, store), **options)
    assert store.load() == OLD
    assert [file.read_bytes() for _, file in quarantined(store)] == [b"[1, 2"]


def test_a_damaged_session_is_replaced_and_is_in_the_automatic_backup(
    store: Store, root: Path, options: Any
) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    file_of(store, A).write_bytes(b"{")
    restore(plan_restore(backup, store), **options)
    assert store.load() == OLD
    assert left_over(store) == []


def test_a_session_damaged_in_the_backup_stays_as_it_is(
    store: Store, root: Path, options: Any
) -> None:
    store.save(OLD)
    file_of(store, A).write_bytes(b"{")
    file_of(store, ODD).write_bytes(b"{")
    backup = create_backup(store, root=root, reason="test")
    store.put(A, entry(label="repaired"))
    store.delete(B)
    report = restore(plan_restore(backup, store), **options)
    assert store.load() == {A: entry(label="repaired"), B: OLD[B]}
    with pytest.raises(CorruptEntryError):
        store.get(ODD)
    assert {one.key for one in report.findings} == {A}
    assert left_over(store) == []


def test_files_that_no_backup_holds_stay_beside_the_store(
    store: Store, root: Path, options: Any
) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    (store.paths.directory / "notes.txt").write_text("mine")
    store.patch(A, {"label": "newer"})
    report = restore(plan_restore(backup, store), **options)
    (kept,) = store.path.parent.glob("sessions.d.bak.*")
    assert [path.name for path in kept.iterdir() if path.name[0] not in ".x"] == ["notes.txt"]
    assert [one.rule for one in report.findings] == ["replaced-kept"]
    assert store.load() == OLD


def test_the_marker_keeps_what_it_said(store: Store, root: Path, options: Any) -> None:
    store.save(OLD)
    marker = store.paths.directory / ".store.json"
    marker.write_text(json.dumps({**json.loads(marker.read_bytes()), "imports": [{"run": "1"}]}))
    backup = create_backup(store, root=root, reason="test")
    store.delete(A)
    restore(plan_restore(backup, store), **options)
    after = json.loads(marker.read_bytes())
    assert after["imports"] == [{"run": "1"}]
    assert after["restored"]["backup"] == backup.id


def test_a_restore_that_is_done_already_does_nothing(
    backed_up: tuple[Store, Backup], options: Any, root: Path
) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store)
    restore(plan, **options)
    count = len(list_backups(root))
    report = restore(plan, **options)
    assert (report.verified, report.replaced_backup) == (3, None)
    assert len(list_backups(root)) == count


@pytest.mark.parametrize("moved", ["changed", "unchanged", "removed", "created", "new", "gone"])
def test_a_store_that_moved_since_is_left_alone(
    backed_up: tuple[Store, Backup], options: Any, moved: str
) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store)
    key = {"changed": A, "unchanged": ODD, "removed": C, "created": B, "new": "n", "gone": ODD}
    if moved == "gone":
        store.delete(ODD)
    else:
        store.put(key[moved], entry(label="by a writer"))
    before = store.load()
    with pytest.raises(StalePlanError) as caught:
        restore(plan, **options)
    assert caught.value.keys == (key[moved],)
    assert store.load() == before
    assert left_over(store) == []


def test_a_write_while_it_is_staged_is_noticed(
    backed_up: tuple[Store, Backup], options: Any
) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store)

    def write(done: int, total: int, item: str) -> None:
        store.patch(ODD, {"label": f"at {done}"})

    with pytest.raises(StalePlanError):
        restore(plan, progress=write, **options)
    assert (store.get(ODD) or {})["label"].startswith("at ")
    assert (store.get(A) or {})["label"] == "newer"


def test_a_reader_sees_every_session_at_every_moment(
    store: Store, root: Path, options: Any
) -> None:
    old = {f"agent:main:{n}": entry(n=n) for n in range(40)} | {
        f".odd{n}": entry() for n in range(9)
    }
    store.save(old)
    backup = create_backup(store, root=root, reason="test")
    store.update_all(lambda every: [one.update(n=-1) for one in every.values()])
    now = create_backup(store, root=root, reason="test")
    stop, missing = threading.Event(), list[Any]()

    def read() -> None:
        with open_store(store.path) as reader:
            while not stop.is_set():
                missing.append(old.keys() - reader.load().keys())
                missing.extend(key for key in list(old)[-5:] if reader.get(key) is None)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        restore(plan_restore(backup, store), **options)
        restore(plan_restore(now, store), **options)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(missing) > 10
    assert [each for each in missing if each] == []


def test_a_held_session_times_out_and_nothing_is_changed(
    store: Store, root: Path, options: Any
) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    store.delete(B)
    plan = plan_restore(backup, store)
    held = []

    def hold(now: dict[str, Any] | None) -> None:
        thread = threading.Thread(target=try_to_restore)
        thread.start()
        thread.join()

    def try_to_restore() -> None:
        try:
            restore(plan, **{**options, "timeout": 0.3})
        except LockTimeoutError as error:
            held.append(error)

    with open_store(store.path) as other:
        other.update(A, hold)
    assert len(held) == 1
    assert store.get(B) is None
    assert left_over(store) == []


def test_a_legacy_store_beside_a_gateway_is_refused(
    legacy_store: MakeStore, root: Path, options: Any, tmp_path: Path
) -> None:
    store = legacy_store(OLD)
    backup = create_backup(store, root=root, reason="test")
    changed_since(store)
    plan = plan_restore(backup, store)
    folder = tmp_path / "gateway" / f"openclaw-{os.getuid()}"
    folder.mkdir(parents=True)
    lock = {"pid": os.getpid(), "createdAt": "2026-01-01T00:00:00Z"}
    (folder / "gateway.0123abcd.lock").write_text(json.dumps(lock))
    before = store.path.read_bytes()
    for chosen in (plan, plan_restore(backup, store, keys=[A])):
        with pytest.raises(GatewayRunningError):
            restore(chosen, **options)
    assert store.path.read_bytes() == before


def test_missing_transcripts_come_back_and_others_stay(
    store: Store, root: Path, options: Any
) -> None:
    store.save({**OLD, A: entry(sessionId="s-a")})
    for name in ("s-a.jsonl", "s-b.jsonl"):
        store.path.with_name(name).write_bytes(TEXT)
    backup = create_backup(store, root=root, reason="test", transcripts=True)
    store.path.with_name("s-a.jsonl").unlink()
    store.path.with_name("s-b.jsonl").write_bytes(TEXT * 2)
    store.delete(A)
    report = restore(plan_restore(backup, store, keys=[A]), **options)
    assert report.transcripts == 1
    assert store.path.with_name("s-a.jsonl").read_bytes() == TEXT
    assert store.path.with_name("s-b.jsonl").read_bytes() == TEXT * 2


# -- a selection ---------------------------------------------------------------------------


def test_a_selection_leaves_all_other_sessions(
    backed_up: tuple[Store, Backup], options: Any
) -> None:
    store, backup = backed_up
    report = restore(plan_restore(backup, store, keys=[A]), **options)
    assert store.load() == {A: OLD[A], ODD: OLD[ODD], C: entry(label="c")}
    assert (report.sessions, report.verified, report.replaced_backup) == (1, 1, None)


def test_a_selection_can_be_undone(backed_up: tuple[Store, Backup], options: Any) -> None:
    store, backup = backed_up
    before = store.load()
    plan = plan_restore(backup, store, keys=[A, B])
    report = restore(plan, by="ada", reason="too much", **options)
    (version,) = versions(store, A)
    assert (version.by, version.reason, version.action) == ("ada", "too much", "restore")
    assert version.note == {"backup": backup.id}
    for version_id in report.versions:
        undo(store, version_id)
    assert {**store.load(), A: {**(store.get(A) or {}), "updatedAt": 0}} == {
        **before,
        A: {**before[A], "updatedAt": 0},
    }


def test_a_session_with_another_id_keeps_the_transcript_that_it_names(
    make_blocking: MakeStore, root: Path, options: Any
) -> None:
    old = entry(sessionId="s-1", sessionFile="one.jsonl")
    store = make_blocking({A: old})
    backup = create_backup(store, root=root, reason="test")
    store.update(A, lambda now: {**(now or {}), "sessionId": "s-2", "sessionFile": "one.jsonl"})
    restore(plan_restore(backup, store, keys=[A]), **options)
    assert store.get(A) == old


def test_a_damaged_session_of_a_selection_goes_to_quarantine(
    store: Store, root: Path, options: Any
) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    file_of(store, ODD).write_bytes(b"{")
    restore(plan_restore(backup, store, keys=[ODD]), **options)
    assert store.load() == OLD
    assert [file.read_bytes() for _, file in quarantined(store)] == [b"{"]


def test_a_selection_that_moved_is_refused_as_a_whole(
    backed_up: tuple[Store, Backup], options: Any
) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A, B])
    store.patch(A, {"label": "by a writer"})
    before = store.load()
    with pytest.raises(StalePlanError) as caught:
        restore(plan, **options)
    assert caught.value.keys == (A,)
    assert store.load() == before
    assert versions(store, B) == []


def test_a_session_that_moves_in_the_last_moment_is_left_and_named(
    store: Store, root: Path, options: Any
) -> None:
    store.save(OLD)
    backup = create_backup(store, root=root, reason="test")
    for key in (A, B):
        store.patch(key, {"label": "newer"})

    def write(done: int, total: int, item: str) -> None:
        if done == 1:
            store.patch(B, {"label": "by a writer"})

    with pytest.raises(StalePlanError) as caught:
        restore(plan_restore(backup, store, keys=[A, B]), progress=write, **options)
    assert caught.value.keys == (B,)
    assert getattr(caught.value.report, "sessions", None) == 1
    assert store.get(A) == OLD[A]
    assert (store.get(B) or {})["label"] == "by a writer"


def test_a_selection_run_twice_ends_the_same(backed_up: tuple[Store, Backup], options: Any) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A, B])
    restore(plan, **options)
    after = store.load()
    assert restore(plan, **options).versions == ()
    assert store.load() == after


# -- fields --------------------------------------------------------------------------------


def test_fields_come_back_and_what_writers_wrote_stays(
    backed_up: tuple[Store, Backup], options: Any
) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A], fields=["label", "extra"])
    store.patch(A, {"totalTokens": 7})
    fresh = store.get(A) or {}
    report = restore(plan, **options)
    expected = {name: value for name, value in fresh.items() if name != "extra"}
    assert store.get(A) == {**expected, "label": "a"}
    assert (report.sessions, report.verified) == (1, 1)
    undo(store, report.versions[0])
    assert {**(store.get(A) or {}), "updatedAt": 0} == {**fresh, "updatedAt": 0}


def test_a_field_that_moved_is_refused(backed_up: tuple[Store, Backup], options: Any) -> None:
    store, backup = backed_up
    plan = plan_restore(backup, store, keys=[A], fields=["label", "extra"])
    store.patch(A, {"label": "by a writer"})
    before = store.load()
    with pytest.raises(StalePlanError):
        restore(plan, **options)
    assert store.load() == before


# -- the disk says no ----------------------------------------------------------------------

CALLS = ["open", "write", "fsync", "rename", "mkdir", "link", "listdir", "lstat", "unlink", "rmdir"]


def beside_the_lock(path: Any = "", *arguments: Any, **_: Any) -> bool:
    """Any call but those on OpenClaw's lock file, which a broken disk keeps from its removal."""
    is_nameless = bool(arguments) and isinstance(arguments[0], int) and arguments[0] & os.O_TMPFILE
    return ".lock" not in str(path) and is_nameless != os.O_TMPFILE


@pytest.mark.parametrize("kind", ["directory", "legacy"])
@pytest.mark.parametrize("keys", [None, [A, B]])
def test_an_error_at_any_call_leaves_each_session_old_or_restored(
    open_kind: MakeStore, root: Path, options: Any, kind: Any, keys: list[str] | None
) -> None:
    store = open_kind(kind, OLD)
    backup = create_backup(store, root=root, reason="test")
    changed_since(store)
    now = store.load()
    failed = 0
    for call in CALLS:
        for skip in steps():
            code = errno.ENOSPC if skip % 2 else errno.EIO
            with injected(call, code, when=beside_the_lock, skip=skip) as fault:
                try:
                    restore(plan_restore(backup, store, keys=keys), **options)
                except StoreIOError as error:
                    failed += 1
                    assert (error.errno, bool(error.path)) == (code, True)
            check_between(store, now, keys)
            if store.load() != now:
                store.save(now)
                for key in store.load().keys() - now.keys():
                    store.delete(key)
            if not fault.struck:
                break
    assert failed > 20
    restore(plan_restore(backup, store, keys=keys), **options)
    assert left_over(store) == []


def steps() -> Iterator[int]:
    """Every call at first, then some of the many that repeat."""
    yield from range(6)
    yield from range(6, 2000, 13)


def check_between(store: Store, now: dict[str, Any], keys: list[str] | None) -> None:
    seen = store.load()
    if keys is None:
        assert seen in (now, OLD)
        return
    for key in (A, B):
        assert seen.get(key) in (now.get(key), OLD[key])
    assert {key: seen[key] for key in (ODD, C)} == {key: now[key] for key in (ODD, C)}
