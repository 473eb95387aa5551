"""Killed anywhere and started again, a migration ends as if it had not been interrupted.

Children die with SIGKILL before chosen system calls: around every rename, link and removal, and
evenly between. Before the second run a reader must find every session.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import open_store
from tests.sessionstore.children import migrating
from tests.sessionstore.children.migrating import OPERATIONS, RENAMES
from tests.sessionstore.helpers import Child, child, sound
from tests.sessionstore.migration.runs import (
    backups,
    leftovers,
    loaded,
    marker,
    run,
    stored,
)
from tests.sessionstore.migration.stores import (
    LEGACY,
    MERGED,
    B,
    Make,
    legacy,
    merging,
    migrated,
    migrated_with_guard,
    state_file,
    unadopted,
)

AT_LEAST = 20  # points of each scenario
MOST = 32  # points of one scenario, so that all of them take seconds

MIGRATIONS: dict[str, tuple[Make, str, dict[str, Any], int]] = {
    "fresh": (legacy, "migrate_store", LEGACY, 1),
    "fresh with guard": (legacy, "migrate_guarded", LEGACY, 1),
    "merge": (merging, "migrate_store", MERGED, 1),
    "adoption and merge": (unadopted, "migrate_store", MERGED, 1),
    "another program's directory": (state_file, "migrate_store", MERGED, 2),
    "no exchange": (state_file, "migrate_without_exchange", MERGED, 2),
}


def points(forker: Child, folder: Path, make: Make, operation: str) -> list[int]:
    """At which steps to die: before and after every rename, and evenly between."""
    path = folder / "dry" / "sessions.json"
    path.parent.mkdir()
    make(path)
    names_to = folder / "names.json"
    forker.say((path, operation, 0, names_to))
    assert forker.hear() == 0
    names = json.loads(names_to.read_text())
    around = [n for n, name in enumerate(names, 1) if name in RENAMES]
    chosen = {n for at in around for n in (at, at + 1) if n <= len(names)}
    for stride in range(1, len(names)):
        evenly = set(range(1, len(names) + 1, stride))
        if len(evenly) + len(chosen) <= max(MOST, len(chosen) + 12):
            assert len(chosen | evenly) >= AT_LEAST
            return sorted(chosen | evenly)
    raise AssertionError("too few steps")


def killed(folder: Path, make: Make, operation: str) -> Iterator[Path]:
    """Stores in which a child was killed, each at another step."""
    template = folder / "template"
    template.mkdir()
    make(template / "sessions.json")
    with child(migrating.serve) as forker:
        for step in points(forker, folder, make, operation):
            copy = folder / "copy"
            shutil.copytree(template, copy, symlinks=True)
            path = copy / "sessions.json"
            forker.say((path, operation, step, None))
            assert forker.hear() == -signal.SIGKILL, f"step {step}"
            yield path
            shutil.rmtree(copy)


def check_lists(path: Path) -> None:
    """Only the lists of runs that the marker names are left."""
    named = {row["run"] for row in marker(path)["imports"]}
    runs = path.parent / ".sessionstore" / "sessions" / "runs"
    assert {one.name.removesuffix(".taken.json") for one in runs.iterdir()} == named


@pytest.mark.parametrize("name", MIGRATIONS)
def test_killed_migration_ends_like_an_uninterrupted_one(folder: Path, name: str) -> None:
    make, operation, expected, kept = MIGRATIONS[name]
    whole = folder / "whole" / "sessions.json"
    whole.parent.mkdir()
    make(whole)
    # A directory of PR 51946 can be read by nobody of ours before it is migrated.
    seen_before = None if make is state_file else loaded(whole).keys()
    OPERATIONS[operation](whole)
    assert loaded(whole) == expected
    for path in killed(folder, make, operation):
        if seen_before is not None:
            assert loaded(path).keys() >= seen_before
        OPERATIONS[operation](path)
        assert loaded(path) == expected
        assert stored(path) == stored(whole)
        assert len(backups(path)) == kept
        assert leftovers(path) == []
        check_lists(path)
        with open_store(path) as store:
            assert sound(store)


@pytest.mark.parametrize("make", [migrated, migrated_with_guard])
def test_killed_rollback_is_finished_by_the_next_call(folder: Path, make: Make) -> None:
    for path in killed(folder, make, "roll_back"):
        assert loaded(path) == LEGACY
        OPERATIONS["roll_back"](path)
        assert loaded(path) == LEGACY
        (source,) = [one for one in backups(path) if one.is_file()]
        assert path.read_bytes() == source.read_bytes()
        assert [one.name[:15] for one in backups(path) if one.is_dir()] == ["sessions.d.bak."]
        assert leftovers(path) == []
        runs = path.parent / ".sessionstore" / "sessions" / "runs"
        assert list(runs.iterdir()) == []


@pytest.mark.parametrize("make", [migrated, migrated_with_guard])
def test_migration_after_a_killed_rollback_imports_no_copy_of_ours(
    folder: Path, make: Make
) -> None:
    for path in killed(folder, make, "roll_back"):
        was_back = not path.with_suffix(".d").exists()
        with open_store(path, gateway_lock_dir=folder) as store:
            store.delete(B)
        run(path)
        assert loaded(path).keys() == LEGACY.keys() - {B}
        assert leftovers(path) == []
        sources = [one for one in backups(path) if one.is_file()]
        assert len(sources) == (2 if was_back else 1)
        assert path.is_dir() == (make is migrated_with_guard and not was_back)
        assert path.is_dir() or not path.exists()
