"""Switching a store's mirror on and off, what it is up to, and deciding about a foreign file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..errors import ConflictError, Finding, UnsupportedStoreError
from ..files import status_of
from ..layout import detect_layout, is_marked
from ..locks.alone import is_claimed
from ..mirrorfile import MirrorState, foreign_change, read_mirror
from ..paths import StorePaths
from ..store import Store
from .mirror import INTERVAL_S, RUNNING
from .mirror_copy import changed_since
from .mirror_problems import guarded, is_directory, refuse_foreign, refuse_guarded
from .mirror_writing import CopyWriter


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """What a store's mirror is up to.

    ``running``: a process keeps it up now. ``lag_s`` is how long ago the oldest change was made
    that the copy does not have, 0 where it has all; up to the mirror's interval it may be an
    upper bound. None: it is off, or there is no copy or no directory. ``written_at_ms`` (epoch)
    is None before the first copy. ``left_out`` counts damaged entries, which are not copied.
    """

    enabled: bool
    running: bool
    lag_s: float | None
    written_at_ms: int | None
    sessions: int
    size_bytes: int
    left_out: int
    problem: Finding | None


def mirror_status(store: Store) -> MirrorStatus:
    """Look at a store's mirror. A few small reads; where nobody keeps the mirror up the copy is
    read as well, and where changes are pending for long every session's file is looked at.

    Raises:
        StoreIOError, UnsafeFileError: that cannot be told.
    """
    paths = store.paths
    state = read_mirror(paths)
    running = is_claimed(paths.sidecar, RUNNING)
    return MirrorStatus(
        enabled=state.enabled,
        running=running,
        lag_s=_lag_s(paths, state),
        written_at_ms=state.written_at_ms or None,
        sessions=state.sessions,
        size_bytes=state.size_bytes,
        left_out=state.left_out,
        problem=state.problem or _problem(paths, state, running),
    )


def enable_mirror(store: Store) -> MirrorStatus:
    """Switch the mirror on; a running :class:`~.mirror.Mirror` then writes the copy.

    Raises:
        UnsupportedStoreError: the store is not in the directory layout, or has a guard.
        ConflictError: a file that the mirror did not write is in the copy's place.
        LockTimeoutError, StoreIOError, UnsafeFileError.
    """
    paths = store.paths
    if detect_layout(paths) != "directory" or not is_marked(paths):
        raise UnsupportedStoreError(
            f"{paths.store_path.name} is not the copy of an adopted directory",
            path=paths.store_path,
            hint="migrate the store first; a directory is adopted by the first write to it",
        )
    with _writer(paths) as writer, writer.state() as state:
        if is_directory(paths):
            raise refuse_guarded(paths)
        if writer.foreign(state):
            raise refuse_foreign(paths)
        writer.save(replace(state, enabled=True, problem=None))
    return mirror_status(store)


def disable_mirror(store: Store, *, remove: bool) -> MirrorStatus:
    """Switch the mirror off; with ``remove`` its copy goes, without it stays as it is.

    Call it before taking the whole store: a pass of the mirror may have to end first.

    Raises:
        ConflictError: to be removed, but not the copy that the mirror wrote, or, without an
            adopted directory beside it, the store itself; nothing was changed.
        LockTimeoutError, StoreIOError, UnsafeFileError.
    """
    paths = store.paths
    with _writer(paths) as writer, writer.state() as state:
        if remove and not is_directory(paths) and status_of(paths.store_path) is not None:
            _remove(writer, state)
            state = replace(state, digests=())
        if state != MirrorState():
            writer.save(replace(state, enabled=False, problem=None))
    return mirror_status(store)


def forget_mirror(paths: StorePaths) -> bool:
    """Switch off a mirror whose directory is gone; whether it was on. Its copy is the store now,
    so the digests that tell a copy must not be known any more once there is a directory again.

    Raises:
        LockTimeoutError, StoreIOError, UnsafeFileError.
    """
    if read_mirror(paths) == MirrorState():
        return False
    with _writer(paths) as writer, writer.state() as state:
        writer.save(MirrorState())
    return state.enabled


def set_aside_foreign(store: Store) -> MirrorStatus:
    """Decide about a file that another program wrote in the copy's place: it goes to
    ``quarantine/`` as it is, nothing of it is taken over, and mirroring goes on.

    Raises:
        ConflictError: there is no adopted directory, so that file is the store itself.
        LockTimeoutError, StoreIOError, UnsafeFileError.
    """
    paths = store.paths
    with _writer(paths) as writer, writer.state() as state:
        try:
            writer.set_aside(state)
        except FileNotFoundError:
            raise _is_the_store(paths) from None
        writer.save(replace(state, problem=None))
    return mirror_status(store)


def _remove(writer: CopyWriter, state: MirrorState) -> None:
    try:
        writer.remove(state)
    except FileNotFoundError:
        raise _is_the_store(writer.paths) from None


def _is_the_store(paths: StorePaths) -> ConflictError:
    return ConflictError(
        f"{paths.directory.name} is not there or not adopted, so {paths.store_path.name} may be "
        "the store itself; it was not touched",
        path=paths.store_path,
        hint="look which layout the store is in",
    )


@contextmanager
def _writer(paths: StorePaths) -> Iterator[CopyWriter]:
    writer = CopyWriter(paths)
    try:
        yield writer
    finally:
        writer.close()


def _problem(paths: StorePaths, state: MirrorState, running: bool) -> Finding | None:
    """What a running mirror would find, where none runs."""
    if not state.enabled:
        return None
    if is_directory(paths):
        return guarded(paths)
    if running:
        return None
    with _writer(paths) as writer:
        if writer.foreign(state):
            return foreign_change(paths)
    return Finding(
        "mirror-not-running",
        "warning",
        None,
        str(paths.store_path),
        "the mirror is on, but no process keeps it up",
        "start the program that mirrors this store",
    )


def _lag_s(paths: StorePaths, state: MirrorState) -> float | None:
    if not state.enabled or not state.as_of_ms or not is_marked(paths):
        return None
    now_ns = time.time_ns()
    as_of_ns = state.as_of_ms * 1_000_000
    exactly = now_ns - as_of_ns > INTERVAL_S * 1e9
    since_ns = changed_since(paths, as_of_ns, exactly=exactly)
    return 0.0 if since_ns is None else max(now_ns - since_ns, 0) / 1e9
