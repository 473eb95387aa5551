"""Stores that are odd beside their sessions: a run goes through, and an undo gives all back."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sessionstore import migrate, open_store, plan_rollback, rollback
from sessionstore.migration import Mirror, RollbackPlan, enable_mirror, mirror_status
from tests.sessionstore.children.migrating import Steps
from tests.sessionstore.helpers import entry
from tests.sessionstore.migration.older_forms import put
from tests.sessionstore.migration.runs import (
    backups,
    leftovers,
    loaded,
    marker,
    plan_of,
    run,
    write_store,
)
from tests.sessionstore.migration.stores import DIRECTORY, LEGACY, A, B


def undo(path: Path, **options: Any) -> RollbackPlan:
    with open_store(path) as store:
        plan = plan_rollback(store)
    rollback(plan, **options)
    return plan


def edit_in_one_tick(path: Path, old: bytes, new: bytes) -> None:
    """Change a file so that inode, size and mtime are as before, as two writes in a tick are."""
    before = path.stat()
    data = path.read_bytes()
    assert old in data and len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino


def at_the_end(call: Callable[[], None]) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, item: str) -> None:
        if done == total:
            call()

    return progress


def test_rows_that_could_not_be_taken_go_back_with_an_undo(store_file: Path) -> None:
    entries = {A: entry(), "agent:main:large": entry(text="x" * 3000), B: entry(), "odd": 5}
    before = write_store(store_file, entries)
    assert run(store_file, max_entry_bytes=1000).taken == 2
    plan = undo(store_file)
    assert store_file.read_bytes() == before
    (said,) = [one for one in plan.findings if one.rule == "never-taken"]
    assert said.message.startswith("2 rows of sessions.json.bak.")


def test_a_session_deleted_since_does_not_go_back_with_an_undo(store_file: Path) -> None:
    write_store(store_file, LEGACY)
    run(store_file)
    with open_store(store_file) as store:
        store.delete(A)
    undo(store_file)
    assert loaded(store_file).keys() == LEGACY.keys() - {A}


def test_rows_that_no_strict_file_can_hold_are_named_before_an_undo(store_file: Path) -> None:
    put(store_file, b'{"agent:main:a": {"updatedAt": 1}, "agent:main:b": {"n": NaN}}')
    run(store_file)
    plan = undo(store_file)
    (said,) = [one for one in plan.findings if one.rule == "not-strict"]
    assert said.severity == "warning"
    assert "agent:main:b" in said.message
    assert json.loads(store_file.read_bytes()) == {"agent:main:a": {"updatedAt": 1}}


@pytest.mark.parametrize("value", [5, {"updatedAt": 1}])
def test_a_name_that_is_no_text_does_not_stop_an_undo(store_file: Path, value: Any) -> None:
    entries = {A: entry(), "agent:main:\ud800": value}
    put(store_file, json.dumps(entries, indent=2).encode())
    run(store_file)
    undo(store_file)
    assert json.loads(store_file.read_text()) == entries


def test_a_session_written_again_within_a_tick_goes_back_as_it_is(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry(n=1))
    file = store_file.with_suffix(".d") / "agent%3Amain%3Aa.json"
    undo(store_file, progress=at_the_end(lambda: edit_in_one_tick(file, b'"n": 1', b'"n": 2')))
    assert loaded(store_file)[A]["n"] == 2


@pytest.mark.parametrize("merges", [False, True])
def test_a_source_written_again_within_a_tick_is_taken_as_it_is(
    store_file: Path, merges: bool
) -> None:
    if merges:
        with open_store(store_file) as store:
            store.put(B, entry())
    write_store(store_file, {A: entry(n=1)})
    plan = plan_of(store_file)
    changes = iter([lambda: edit_in_one_tick(store_file, b'"n": 1', b'"n": 2')])

    def progress(done: int, total: int, item: str) -> None:
        if done == total and (change := next(changes, None)):
            if merges:  # the directory's stays among equals
                edit_in_one_tick(store_file, b'"updatedAt": 1', b'"updatedAt": 2')
            change()

    report = migrate(plan, progress=progress, gateway_lock_dir=store_file.parent)
    assert report.outcome == ("merged" if merges else "migrated")
    assert loaded(store_file)[A]["n"] == 2
    assert len(backups(store_file)) == 1


@pytest.mark.parametrize("name", [".DS_Store", "README", "agent%3Amain%3Aa.json.1.tmp", "x"])
def test_a_stray_file_in_an_empty_directory_is_kept_and_stops_no_run(
    store_file: Path, name: str
) -> None:
    write_store(store_file, LEGACY)
    directory = store_file.with_suffix(".d")
    directory.mkdir()
    (directory / name).write_text("mine")
    assert run(store_file).outcome == "migrated"
    assert loaded(store_file) == LEGACY
    kept = [one for one in backups(store_file) if one.is_dir()]
    assert [(one / name).read_text() for one in kept] == ["mine"]
    assert leftovers(store_file) == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]"])
def test_a_damaged_marker_is_healed_by_a_merge(store_file: Path, data: bytes) -> None:
    with open_store(store_file) as store:
        for key, value in DIRECTORY.items():
            store.put(key, value)
    (store_file.with_suffix(".d") / ".store.json").write_bytes(data)
    write_store(store_file, LEGACY)
    assert run(store_file).outcome == "merged"
    assert loaded(store_file).keys() == LEGACY.keys() | DIRECTORY.keys()
    assert marker(store_file)["imports"][-1]["name"] == "sessions.json"


def test_odd_rows_of_a_marker_stop_no_run(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
    path = store_file.with_suffix(".d") / ".store.json"
    odd = [{"run": "../../x", "sha256": 5, "kept": "../x"}, {"run": 5}, 7]
    path.write_text(json.dumps({**marker(store_file), "imports": odd}))
    write_store(store_file, {B: entry()})
    assert run(store_file).outcome == "merged"
    assert loaded(store_file).keys() == {A, B}
    undo(store_file)
    assert loaded(store_file).keys() == {A, B}


def mirrored_then_undone(path: Path) -> None:
    with open_store(path) as store:
        store.put(A, entry())
        enable_mirror(store)
        mirror = Mirror(store)
        mirror.tick(0.0)
        mirror.tick(100.0)
        mirror.close()
        store.put(B, entry())
    undo(path)


def test_a_store_that_was_mirrored_once_is_migrated_as_any_other(folder: Path) -> None:
    """Killed anywhere, too: its source is never taken for the mirror's copy, or for a foreign."""
    for kill_at in count(40):
        path = folder / str(kill_at) / "sessions.json"
        path.parent.mkdir()
        mirrored_then_undone(path)
        status = dying(path, kill_at)
        report = run(path)
        assert loaded(path).keys() == {A, B}
        assert not path.exists()
        assert len([one for one in backups(path) if one.is_file()]) == 1
        assert leftovers(path) == []
        with open_store(path) as store:
            assert not mirror_status(store).enabled
        if status == 0:
            assert report.outcome == "already"
            return
        assert status == -signal.SIGKILL


def dying(path: Path, kill_at: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            Steps(kill_at).arm()
            run(path)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("merges", [False, True])
def test_a_source_of_another_user_is_migrated_and_its_mode_is_told(
    store_file: Path, monkeypatch: pytest.MonkeyPatch, merges: bool
) -> None:
    """Its owner only may change the mode; whoever owns the folder may rename it."""
    if merges:
        with open_store(store_file) as store:
            store.put(B, entry())
    write_store(store_file, {A: entry()})
    store_file.chmod(0o644)
    real = os.fchmod

    def refusing(fd: int, mode: int) -> None:
        if ".json.bak." in os.readlink(f"/proc/self/fd/{fd}"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        real(fd, mode)

    monkeypatch.setattr(os, "fchmod", refusing)
    report = run(store_file, guard=True)
    assert report.outcome == ("merged" if merges else "migrated")
    (said,) = [one for one in report.findings if one.rule == "kept-mode"]
    assert "0644" in said.message
    assert report.guard
    assert leftovers(store_file) == []
