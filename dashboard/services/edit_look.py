"""One session as it is right now, for pages that change it: the raw entry, its lock, its name."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from sessionstore import entries
from sessionstore.errors import CorruptEntryError, SessionStoreError, UnsafeFileError
from sessionstore.locks import HeldLock, held_locks
from sessionstore.paths import StorePaths
from sessionstore.store import open_store

from .entry_tags import tag_of
from .fleet import below_state, fleet, page_budget_s
from .only_read import refuse_only_read
from .problems import Problem, ProblemError, problem_of
from .readers import Reader, refresh_all
from .rows import SessionRow, gone_row, session_row
from .session import key_behind

_OVER = frozenset({"owner-gone", "pid-reused"})  # lock files that somebody left behind


@dataclass(frozen=True, slots=True)
class Look:
    """A session as it was read a moment ago. ``key`` and ``entry`` are raw: mask what is shown.

    ``entry`` is None when there is no such session any more, or when it cannot be read: then
    ``problem`` says why. ``layout`` is that of the store. Of ``etag`` only the ``tag`` is shown.
    """

    reader: Reader
    row: SessionRow
    key: str = field(repr=False)
    entry: dict[str, Any] | None = field(repr=False)
    etag: str = field(repr=False)
    layout: str
    problem: Problem | None
    lock: HeldLock | None
    at_ms: int

    @property
    def store_id(self) -> str:
        return self.reader.id

    @property
    def ref(self) -> str:
        return self.row.ref

    @property
    def tag(self) -> str:
        return tag_of(self.store_id, self.key, self.etag)

    @property
    def store_name(self) -> str:
        return self.reader.name

    @property
    def is_damaged(self) -> bool:
        """Whether there is something in its place that is no readable entry."""
        return self.problem is not None


@dataclass(frozen=True, slots=True)
class _Raw:
    entry: dict[str, Any] | None
    problem: Problem | None
    lock: HeldLock | None


def look_at(store_id: str, ref: str, *, key: str = "") -> Look:
    """Read one session now. ``key`` is its raw key where that is known already.

    Raises:
        ProblemError: there is no such store, nobody ever heard of the session, or the store does
            not answer.
    """
    key = key or key_behind(store_id, ref)
    reader = fleet().reader(store_id)
    raw = reader.read(lambda paths: _read(paths, key), budget_s=page_budget_s())
    if isinstance(raw, Problem):
        raise ProblemError(raw)
    now_ms = time.time_ns() // 1_000_000
    refresh_all([reader], budget_s=page_budget_s())
    known = reader.row(key)
    row = gone_row(store_id, ref, key, now_ms)
    if known is not None:
        row = session_row(reader, known, lock=raw.lock, now_ms=now_ms)
    return Look(
        reader=reader,
        row=row,
        key=key,
        entry=raw.entry,
        etag="" if raw.entry is None else entries.etag(raw.entry),
        layout="" if known is None else known.layout,
        problem=raw.problem and replace(raw.problem, detail=below_state(raw.problem.detail)),
        lock=raw.lock,
        at_ms=now_ms,
    )


def look_to_change(store_id: str, ref: str, *, key: str = "") -> Look:
    """As :func:`look_at`, for a page that changes the session.

    Raises:
        ProblemError: as there, and for a store that is only read.
    """
    refuse_only_read(fleet().reader(store_id))
    return look_at(store_id, ref, key=key)


def lock_of(store_id: str, key: str) -> HeldLock | None:
    """Who holds the lock of a session, or of its whole store, right now; takes none itself."""
    reader = fleet().reader(store_id)
    found = reader.read(lambda paths: _lock(paths, key), budget_s=page_budget_s())
    return None if isinstance(found, Problem) else found


def _read(paths: StorePaths, key: str) -> _Raw:
    """Visit the disk. Runs in the reader's thread."""
    lock = _lock(paths, key)
    try:
        with open_store(paths.store_path) as store:
            return _Raw(store.get(key), None, lock)
    except (CorruptEntryError, UnsafeFileError) as error:
        return _Raw(None, problem_of(error), lock)


def _lock(paths: StorePaths, key: str) -> HeldLock | None:
    try:
        locks = held_locks(paths.sidecar, store_path=paths.store_path)
    except SessionStoreError:
        return None  # only said in passing; whoever saves finds out
    mine = (
        lock
        for lock in locks
        if (lock.key in (None, key) or lock.scope != "session") and lock.verdict not in _OVER
    )
    return next(mine, None)
