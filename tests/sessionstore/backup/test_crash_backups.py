"""Killed at any step: a backup is whole or not listed, and the next run clears up."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sessionstore import Store, open_store
from sessionstore.backup import default_root, list_backups, verify_backup
from tests.sessionstore.backup.taking import entries_of, leftovers, listed, take
from tests.sessionstore.children import backing_up
from tests.sessionstore.conftest import Kind, fill
from tests.sessionstore.helpers import entry, sound, temporary_files

A, ODD = "agent:main:a", ".odd"


def template(quick_path: Path, kind: Kind, backups: int) -> Path:
    """A state directory with a store, a transcript, and backups in it."""
    state = quick_path / "template"
    path = state / "agents" / "main" / "sessions" / "sessions.json"
    fill(kind, path, {A: entry(label="a"), ODD: entry(label="odd")})
    (path.parent / "s-1.jsonl").write_text("{}\n")
    with open_store(path) as store:
        for _ in range(backups):
            take(store)
    return state


def forked(run: Callable[[], None]) -> int:
    """Run it in a fork of this process, without starting an interpreter for each of many steps."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(state: Path, quick_path: Path, operation: str) -> Iterator[tuple[Store, bool]]:
    """The store after a child was killed at its next step; the last one's came to the end."""
    for step in itertools.count(1):
        copy = quick_path / f"step-{step}"
        shutil.copytree(state, copy, symlinks=True)
        path = copy / "agents" / "main" / "sessions" / "sessions.json"
        code = forked(partial(backing_up.run_killed, path, operation, step))
        assert code in (0, -signal.SIGKILL), f"step {step}: {code}"
        with open_store(path, gateway_lock_dir=quick_path) as store:
            yield store, code == 0
        shutil.rmtree(copy)
        if code == 0:
            assert step > 15, "no step was counted"
            return


def check_tidy(store: Store) -> None:
    """The next backup succeeds, and nothing of the dead run is left."""
    take(store)
    assert leftovers(store) == []
    assert temporary_files(store) == []
    assert sound(store)
    folder = default_root(store.paths) / "main"
    names = {path.name for path in folder.iterdir() if path.suffix in (".gz", ".json")}
    ids = {one.id for one in listed(store)}
    assert names == {f"{one}.tar.gz" for one in ids} | {f"{one}.json" for one in ids}


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_backup_is_whole_or_not_in_the_list(quick_path: Path, kind: Kind) -> None:
    seen = set()
    for store, finished in killed(template(quick_path, kind, 0), quick_path, "create"):
        usable = [one for one in listed(store) if not one.problem]
        assert len(usable) <= 1
        assert len(usable) == 1 or not finished
        for one in usable:
            assert verify_backup(one).ok
            assert entries_of(one) == store.load()
        seen.add(len(usable))
        there = len(listed(store))
        check_tidy(store)
        assert [one for one in listed(store) if one.problem] == []
        # One whose archive had its name is finished; nothing else appears.
        assert len(listed(store)) == there + 1
    assert seen == {0, 1}


@pytest.mark.parametrize("operation", ["verify", "hold"])
def test_killed_note_leaves_the_backup_as_sound_as_it_was(quick_path: Path, operation: str) -> None:
    held = set()
    for store, _ in killed(template(quick_path, "directory", 1), quick_path, operation):
        [backup] = listed(store)
        assert backup.problem == ""
        assert verify_backup(backup).ok
        held.add(backup.held)
        check_tidy(store)
    assert held == ({True, False} if operation == "hold" else {False})


@pytest.mark.parametrize("operation", ["delete", "prune"])
def test_killed_deletion_is_finished_by_the_next_run(quick_path: Path, operation: str) -> None:
    state = template(quick_path, "directory", 3)
    newest = list_backups(state / ".sessionstore" / "backups")[0]
    counts = set()
    for store, finished in killed(state, quick_path, operation):
        left = listed(store)
        counts.add(len(left))
        for one in left:
            assert one.problem == ""
            assert verify_backup(one, record=False).ok
        if operation == "prune":
            assert left[0].id == newest.id
            assert len(left) == 1 or not finished
        check_tidy(store)
        assert len(listed(store)) == len(left) + 1
    assert counts == ({1, 2, 3} if operation == "prune" else {2, 3})


def test_running_backup_is_not_swept_by_another(quick_path: Path) -> None:
    state = template(quick_path, "directory", 0)
    path = state / "agents" / "main" / "sessions" / "sessions.json"
    with open_store(path) as store:
        taken = []

        def take_another(done: int, total: int, item: str) -> None:
            if done == 1:
                taken.append(take(store))

        taken.append(take(store, progress=take_another))
        assert {one.id for one in listed(store)} == {one.id for one in taken}
        assert all(verify_backup(one).ok for one in taken)
        assert leftovers(store) == []
