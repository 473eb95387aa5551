"""Children of the tests of backups: writers that count, and runs that are killed at a step."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from sessionstore import Store, open_store
from sessionstore.backup import (
    RetentionPolicy,
    apply_retention,
    create_backup,
    default_root,
    delete_backup,
    hold_backup,
    list_backups,
    plan_retention,
    verify_backup,
)
from tests.sessionstore.children import crashing

NOW_MS = 4_000_000_000_000


def count_through(path: Path, keys: list[str], pipe: Any) -> None:
    """Write 1 to each key in order, then 2, and so on, until somebody kills us."""
    with open_store(path, timeout=30, gateway_lock_dir=path.parent / "gateway") as store:
        for number in itertools.count(1):
            for key in keys:
                store.patch(key, {"n": number}, return_entry=False)
            if number == 2:
                pipe.send("on")


def create(store: Store) -> None:
    create_backup(store, reason="killed", transcripts=True)


def verify(store: Store) -> None:
    [backup] = list_backups(default_root(store.paths))
    assert verify_backup(backup).ok


def hold(store: Store) -> None:
    hold_backup(list_backups(default_root(store.paths))[0])


def delete(store: Store) -> None:
    delete_backup(list_backups(default_root(store.paths))[0])


def prune(store: Store) -> None:
    backups = list_backups(default_root(store.paths))
    apply_retention(plan_retention(backups, RetentionPolicy(keep_last=1), now_ms=NOW_MS))


OPERATIONS = {call.__name__: call for call in (create, verify, hold, delete, prune)}


def run_killed(path: Path, operation: str, kill_at: int) -> None:
    """Do the operation and die right before its n-th call to the system."""
    store = open_store(path, gateway_lock_dir=path.parent / "gateway")
    for name in ("pread", "scandir", "statvfs", "posix_fadvise"):
        if name not in crashing.STEPS[os]:
            crashing.STEPS[os].append(name)
    crashing.arm(kill_at)
    OPERATIONS[operation](store)
    os._exit(0)
