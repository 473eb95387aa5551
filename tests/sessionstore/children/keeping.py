"""Children that change sessions as an operator does, keeping what they replace.

Run by name, and killed at the n-th step like those of ``crashing``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sessionstore import ABSENT, FieldEdit, Keeper, Store, merging, open_store, undo, versions
from sessionstore.transcripts import (
    ArchiveReason,
    archivable,
    archive_name,
    find_transcript,
    set_aside,
    take_back,
)

from .crashing import A, arm

ARCHIVED_AT_MS = 1_790_000_000_123
EDITS = (FieldEdit("label", "old a", "new"), FieldEdit("extra", ABSENT, {"n": [1]}))


def edit(store: Store) -> None:
    store.keeping(Keeper(by="ada")).update(A, merging(A, EDITS))


def edit_strictly(store: Store) -> None:
    store.keeping(Keeper()).update(A, merging(A, EDITS), durability="strict")


def create(store: Store) -> None:
    store.keeping(Keeper()).put("agent:main:new", {"sessionId": "s-new", "label": "made"})


def delete(store: Store) -> None:
    _end(store, "deleted", lambda kept: kept.delete(A))


def reset(store: Store) -> None:
    _end(store, "reset", lambda kept: kept.reset(A, session_id="s-9"))


def undo_newest(store: Store) -> None:
    """Take the newest change back, with the transcript that it set aside."""
    version = versions(store, A)[0]
    undo(store, version.id)
    if "transcript" in version.note:
        take_back(store.paths, *version.note["transcript"])


def _end(store: Store, reason: ArchiveReason, change: Callable[[Store], object]) -> None:
    """End an incarnation as the console does: the archive's name is noted before anything."""
    name = archivable(store.paths, find_transcript(store.paths, A, store.get(A) or {}))
    note: dict[str, Any] = {}
    if name is not None:
        note["transcript"] = [name, archive_name(name, reason, at_ms=ARCHIVED_AT_MS)]
    change(store.keeping(Keeper(action=reason, note=note)))
    if name is not None:
        set_aside(store.paths, *note["transcript"])


OPERATIONS: dict[str, Callable[[Store], None]] = {
    call.__name__: call for call in (edit, edit_strictly, create, delete, reset, undo_newest)
}


def opened(path: Path, **options: Any) -> Store:
    return open_store(path, gateway_lock_dir=path.parent / "gateway", timeout=60, **options)


def run_killed(path: Path, operation: str, kill_at: int, warm: str | None) -> None:
    """Open the store, perhaps write another key first, then do the operation and die in it."""
    store = opened(path)
    if warm is not None:
        store.patch(warm, {"warm": True})
    arm(kill_at)
    OPERATIONS[operation](store)
    os._exit(0)


def edit_in_turn(path: Path, key: str, name: str, rounds: int, keep: int) -> None:
    """Count one field up, as an operator whose changes keep what they replace."""
    with opened(path) as store:
        for number in range(rounds):
            keeper = Keeper(by=name, keep_count=keep)
            edits = [FieldEdit(name, number if number else ABSENT, number + 1)]
            store.keeping(keeper).update(key, merging(key, edits))


def edit_until_told(path: Path, key: str, pipe: Connection) -> None:
    """Edit and undo for as long as nobody says anything."""
    with opened(path) as store:
        pipe.send("started")
        number = 0
        while not pipe.poll():
            number += 1
            keeper = Keeper()
            store.keeping(keeper).patch(key, {"mine": number})
            undo(store, keeper.ids[0])
    pipe.send(number)
