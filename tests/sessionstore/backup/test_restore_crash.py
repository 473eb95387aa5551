"""Killed at any step and run again, a restore ends the same; between, nothing is half."""

from __future__ import annotations

import itertools
import shutil
import signal
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, open_store, versions
from sessionstore.backup import (
    Backup,
    create_backup,
    default_root,
    drill,
    list_backups,
    plan_restore,
    restore,
    restore_to,
)
from tests.sessionstore.backup.taking import entries_of
from tests.sessionstore.children import restoring
from tests.sessionstore.conftest import Kind, fill
from tests.sessionstore.helpers import child, entry, sound, temporary_files

A, B, C, ODD = "agent:main:a", "agent:main:b", "agent:main:c", ".odd"
OLD = {A: entry(label="a", sessionId="s-a"), B: entry(label="b"), ODD: entry(label="odd")}
TEXT = b'{"type":"session"}\n'


@pytest.fixture
def template(tmp_path: Path) -> Callable[[Kind], Path]:
    """Return a maker: kind -> a state directory whose store changed since its only backup."""

    def make(kind: Kind) -> Path:
        state = tmp_path / "template"
        path = store_file(state)
        fill(kind, path, OLD)
        path.with_name("s-a.jsonl").write_bytes(TEXT)
        with opened(path) as store:
            create_backup(store, reason="test", transcripts=True)
            store.patch(A, {"label": "newer"})
            store.delete(B)
            store.put(C, entry(label="c"))
        path.with_name("s-a.jsonl").unlink()
        return state

    return make


def store_file(state: Path) -> Path:
    return state / "agents" / "main" / "sessions" / "sessions.json"


def opened(path: Path) -> Store:
    return open_store(path, gateway_lock_dir=path.parent / "gateway", timeout=60)


def only_backup(store: Store) -> Backup:
    (backup,) = [one for one in list_backups(default_root(store.paths)) if one.reason == "test"]
    return backup


def copies(state: Path, tmp_path: Path) -> Iterator[tuple[int, Store]]:
    """A fresh copy for each step, until whoever walks them stops."""
    for step in itertools.count(1):
        copy = tmp_path / f"step-{step}"
        shutil.copytree(state, copy, symlinks=True)
        with opened(store_file(copy)) as store:
            yield step, store
        shutil.rmtree(copy)


Run = Callable[..., bool]


@pytest.fixture
def run() -> Iterator[Run]:
    """Return a runner: (function of ``restoring``, its arguments) -> whether it came to its end."""
    with child(restoring.fork_when_told) as forker:

        def run(target: Callable[..., None], *arguments: Any) -> bool:
            forker.say((target.__name__, arguments))
            exit_code = forker.hear(60)
            assert exit_code in (0, -signal.SIGKILL), exit_code
            return bool(exit_code == 0)

        yield run


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_restore_of_everything_is_old_or_new_and_ends_the_same(
    template: Callable[[Kind], Path], tmp_path: Path, run: Run, kind: Kind
) -> None:
    seen = set()
    for step, store in copies(template(kind), tmp_path):
        now = store.load()
        plan = plan_restore(only_backup(store), store)
        finished = run(restoring.restore_killed, plan, store.path.parent / "gateway", step)
        between = store.load()
        assert between in (now, OLD)
        assert sound(store)
        seen.add(between == OLD)
        restore(plan, gateway_lock_dir=store.path.parent / "gateway", timeout=60)
        check_restored(store)
        kept = [one for one in list_backups(default_root(store.paths)) if one.reason != "test"]
        assert now in [entries_of(one) for one in kept]
        if finished:
            assert step > 8
            break
    assert seen == {True, False}


def check_restored(store: Store) -> None:
    """As the backup has it, with nothing left of the dead run once somebody wrote."""
    assert store.load() == OLD
    assert store.path.with_name("s-a.jsonl").read_bytes() == TEXT
    store.patch(A, {"label": "after"})
    assert temporary_files(store) == []
    assert sound(store)
    assert not list((store.paths.sidecar / "restores").iterdir())
    assert not list(store.path.parent.glob("*.bak.*"))


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_restore_of_a_selection_ends_the_same_and_can_be_undone(
    template: Callable[[Kind], Path], tmp_path: Path, run: Run, kind: Kind
) -> None:
    for step, store in copies(template(kind), tmp_path):
        now = store.load()
        plan = plan_restore(only_backup(store), store, keys=[A, B])
        finished = run(restoring.restore_killed, plan, store.path.parent / "gateway", step)
        for key in (A, B):
            assert store.load().get(key) in (now.get(key), OLD[key])
            changed = store.get(key) != now.get(key)
            assert [one.entry for one in versions(store, key)] == (
                [now.get(key)] if changed else []
            )
        restore(plan, gateway_lock_dir=store.path.parent / "gateway", timeout=60)
        assert store.load() == {**OLD, C: now[C]}
        assert {key: len(versions(store, key)) for key in (A, B, C)} == {A: 1, B: 1, C: 0}
        assert store.path.with_name("s-a.jsonl").read_bytes() == TEXT
        if finished:
            assert step > 8
            break


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_restore_to_a_new_place_is_whole_or_no_store(
    template: Callable[[Kind], Path], tmp_path: Path, run: Run, kind: Kind
) -> None:
    seen = set()
    with opened(store_file(template(kind))) as store:
        backup = only_backup(store)
    for step in itertools.count(1):
        target = tmp_path / f"new-{step}" / "sessions.json"
        finished = run(restoring.restore_to_killed, backup, target, step)
        with opened(target) as restored:
            is_there = restored.layout != "empty"
            if not is_there:
                restore_to(backup, target)
            assert restored.load() == OLD
            assert sound(restored)
        assert target.with_name("s-a.jsonl").read_bytes() == TEXT
        seen.add(is_there)
        if finished:
            assert step > 5
            break
    assert seen == {True, False}


def test_killed_drill_is_swept_by_the_next(
    template: Callable[[Kind], Path], tmp_path: Path, run: Run
) -> None:
    with opened(store_file(template("directory"))) as store:
        backup = only_backup(store)
    scratch = tmp_path / "scratch"
    for step in itertools.count(1, 3):
        finished = run(restoring.drill_killed, backup, scratch, step)
        assert drill(backup, scratch=scratch).ok
        assert list(scratch.iterdir()) == []
        if finished:
            assert step > 5
            break


def test_a_replaced_directory_whose_backup_is_gone_is_kept(
    template: Callable[[Kind], Path], tmp_path: Path, run: Run
) -> None:
    """Killed right after the switch; then somebody removes the automatic backup."""
    state = template("directory")

    def is_switched(step: int) -> bool:
        copy = tmp_path / f"step-{step}"
        shutil.copytree(state, copy, symlinks=True)
        with opened(store_file(copy)) as store:
            plan = plan_restore(only_backup(store), store)
            run(restoring.restore_killed, plan, store.path.parent / "gateway", step)
            return store.load() == OLD

    with opened(store_file(state)) as store:
        now = store.load()
        plan = plan_restore(only_backup(store), store)
    first = bisect_left(range(100), True, lo=1, key=is_switched)
    run(restoring.restore_killed, plan, tmp_path / "gateway", first)
    with opened(store_file(state)) as store:
        assert store.load() == OLD
        for one in list_backups(default_root(store.paths)):
            if one.reason != "test":
                one.path.unlink()
        report = restore(plan, gateway_lock_dir=tmp_path / "gateway", timeout=60)
        assert [one.rule for one in report.findings] == ["replaced-kept"]
        (kept,) = store.path.parent.glob("sessions.d.bak.*")
        with open_store(replace(store.paths, directory=kept)) as old:
            assert old.load() == now
