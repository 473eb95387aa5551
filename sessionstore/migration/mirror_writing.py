"""Replacing, removing and setting aside the mirror's copy, so that nobody's file is lost.

Three locks, in this order: ``mirror-state.lock`` for the state; one that no session has, so that
nobody takes the whole store (a migration, a rollback) while the copy is replaced; and OpenClaw's
own ``sessions.json.lock``. The digest of a copy is on disk before its name is, so that a process
killed anywhere leaves a file that is recognised.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from ..errors import ConflictError, Finding, UnsafeFileError
from ..files import close_directory, open_directory, remove_file
from ..layout import is_marked
from ..locks import LegacyLock
from ..locks.alone import alone
from ..locks.legacylock import sweep_asides
from ..locks.staging import Staging
from ..mirrorfile import (
    MAX_COPY_BYTES,
    MirrorState,
    digest_of,
    foreign_change,
    put_file,
    read_mirror,
    write_mirror,
)
from ..paths import StorePaths
from ..quarantine import set_aside
from ..recording import open_reported_locks
from .mirror_problems import guarded, is_directory, is_stopped, refuse_foreign

STATE_LOCK = "mirror-state"

_HOLD = " mirror"  # keys are trimmed, so no session has this one
_TIMEOUT_S = 2.0
_LEGACY_TIMEOUT_S = 0.25  # whoever wants the whole store waits for us meanwhile


class Copy(NamedTuple):
    """One ``sessions.json`` to be written. ``as_of_ms``: when the look at the entries began."""

    data: bytes
    as_of_ms: int
    sessions: int
    left_out: int


class CopyWriter:
    """Works on the mirror's copy of one store. Not thread-safe; close it."""

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self._locks = open_reported_locks(paths.sidecar)
        self._staging = Staging(paths.sidecar)
        self._swept = False

    def close(self) -> None:
        """Let go of descriptors and the staging folder."""
        self._staging.close()
        self._locks.close()

    def write(self, copy: Copy) -> bool | None:
        """Replace the copy: True when that was done, False where the same is there already, None
        where the mirror is off or has a problem, which the state then says.

        Raises:
            FileNotFoundError: there is no adopted ``sessions.d``.
            LockTimeoutError: somebody else kept one of the locks.
            ConflictError: OpenClaw took its lock away meanwhile.
            StoreIOError, UnsafeFileError: the copy is as it was.
        """
        with self.state() as state:
            if not state.enabled or is_stopped(state):
                return None
            if not self._swept:
                sweep_asides(self.paths.store_path)
                self._swept = True
            with self._held():
                problem = self._obstacle(copy)
                if problem is not None:
                    if problem != state.problem:
                        self.save(replace(state, problem=problem))
                    return None
                with LegacyLock(self.paths.store_path).hold(_LEGACY_TIMEOUT_S) as lock:
                    return self._replace(state, copy, lock)

    def _replace(self, state: MirrorState, copy: Copy, lock: LegacyLock) -> bool | None:
        path = self.paths.store_path
        current = digest_of(path)
        if current is not None and current not in state.digests:
            self.save(replace(state, problem=foreign_change(self.paths)))
            return None
        digest = hashlib.sha256(copy.data).hexdigest()
        if current != digest:
            both = (digest,) if current is None else (digest, current)
            self.save(replace(state, digests=both))
            if not lock.is_ours():
                raise ConflictError(
                    f"another program took {lock.path} away; the copy was not written",
                    path=lock.path,
                    hint="it is tried again",
                )
            put_file(path, self._staging, copy.data)
        self.save(
            replace(
                state,
                digests=(digest,),
                as_of_ms=copy.as_of_ms,
                written_at_ms=state.written_at_ms if current == digest else _now_ms(),
                sessions=copy.sessions,
                size_bytes=len(copy.data),
                left_out=copy.left_out,
                problem=None,
            )
        )
        return current != digest

    def _obstacle(self, copy: Copy) -> Finding | None:
        if is_directory(self.paths):
            return guarded(self.paths)
        if len(copy.data) > MAX_COPY_BYTES:
            return Finding(
                "mirror-too-large",
                "error",
                None,
                str(self.paths.store_path),
                f"the copy would have {len(copy.data):,} bytes of at most {MAX_COPY_BYTES:,}",
                "remove sessions that nobody needs, or switch the mirror off",
            )
        return None

    def notice(self) -> None:
        """Look whether the file in the copy's place is one that was written here; reads it.

        Raises:
            LockTimeoutError, StoreIOError: that cannot be told now.
        """
        with self.state() as state:
            if state.enabled and not is_stopped(state) and self.foreign(state):
                self.save(replace(state, problem=foreign_change(self.paths)))

    def note(self, problem: Finding) -> None:
        """Keep a problem in the state; it goes with the next copy that is written."""
        with self.state() as state:
            if state.enabled and not is_stopped(state) and state.problem != problem:
                self.save(replace(state, problem=problem))

    def foreign(self, state: MirrorState) -> bool:
        """Whether something stands in the copy's place that was not written here."""
        if is_directory(self.paths):
            return False  # a guard is no change of a copy
        try:
            digest = digest_of(self.paths.store_path)
        except UnsafeFileError:
            return True
        return digest is not None and digest not in state.digests

    def remove(self, state: MirrorState) -> None:
        """Remove the copy; there may be none.

        Raises:
            ConflictError: the file there is not the copy.
        """
        with self._held(), LegacyLock(self.paths.store_path).hold(_TIMEOUT_S):
            if self.foreign(state):
                raise refuse_foreign(self.paths)
            remove_file(self.paths.store_path)

    def set_aside(self, state: MirrorState) -> bool:
        """Move a file that is not the copy to quarantine; False when there is none."""
        path = self.paths.store_path
        with self._held(), LegacyLock(path).hold(_TIMEOUT_S):
            if not self.foreign(state):
                return False
            fd = open_directory(path.parent, named=True)
            try:
                reason = "another program wrote it in the place of the mirror's copy"
                return set_aside(
                    self.paths.sidecar,
                    self._staging,
                    path.name,
                    from_fd=fd,
                    key=None,
                    reason=reason,
                )
            finally:
                close_directory(fd)

    @contextmanager
    def state(self) -> Iterator[MirrorState]:
        """The state, which nobody else changes meanwhile."""
        with alone(self.paths.sidecar, STATE_LOCK, timeout=_TIMEOUT_S):
            yield read_mirror(self.paths)

    def save(self, state: MirrorState) -> None:
        """Write the state; only inside :meth:`state`."""
        write_mirror(self.paths, self._staging, state)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep the layout as it is: nobody takes the whole store meanwhile."""
        with self._locks.key(_HOLD, "mirror", _TIMEOUT_S):
            if not is_marked(self.paths):
                raise FileNotFoundError(self.paths.directory)
            yield


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
