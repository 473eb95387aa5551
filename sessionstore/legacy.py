"""LegacyStore: all sessions in one ``sessions.json``, as the JSON-era OpenClaw keeps them.

Every write rewrites the whole file: that is what this project replaces. Until a store is
migrated we write it as safely as it can be: in our exclusive mode, under OpenClaw's own lock
file, never while a live gateway could write without locks, and only over the version we read.
Sources: openclaw-interop.md ("Locking: the facts"), openclaw-format §4 and §7.4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from .entries import NotAnEntryError, decode
from .errors import (
    ConflictError,
    CorruptEntryError,
    CorruptStoreError,
    GatewayRunningError,
    LockTimeoutError,
    SessionStoreError,
    UnsafeFileError,
)
from .files import close_directory, io_error, open_directory, status_of
from .keys import Place
from .layout import (
    DAMAGED,
    Bulk,
    LayoutMovedError,
    New,
    Scanned,
    Terms,
    Transform,
    detect_layout,
)
from .legacyfile import LegacyFile, identity_of, read_legacy_file
from .locks import Hold, LegacyLock, StoreLocks, gateway_running
from .locks.staging import Staging
from .paths import StorePaths
from .quarantine import keep_bytes
from .recorder import Outcome, Recorder

Edit = Callable[[LegacyFile], bool]
"""Changes the parsed file; False when nothing changed."""

_TRIES = 3


class LegacyStore:
    """The legacy layout; implements ``layout.Layout``. Use it through ``Store``."""

    name: Literal["legacy"] = "legacy"

    def __init__(
        self,
        paths: StorePaths,
        locks: StoreLocks,
        staging: Staging,
        *,
        recorder: Recorder | None,
        gateway_lock_dir: Path | None,
    ) -> None:
        self.paths = paths
        self.locks = locks
        self.staging = staging
        self.recorder = recorder
        self.gateway_lock_dir = gateway_lock_dir

    def read(self, place: Place) -> bytes | None:
        """One entry's bytes; reads the whole file."""
        return self._file().entry(place.key)

    def _file(self) -> LegacyFile:
        try:
            return read_legacy_file(str(self.paths.store_path))
        except FileNotFoundError:
            raise LayoutMovedError from None
        except UnsafeFileError:
            if detect_layout(self.paths) != "legacy":
                raise LayoutMovedError from None  # a migration put a guard in its place
            raise

    def keys(self) -> list[str]:
        """All keys, damaged entries included."""
        return sorted(found.key for found in self.scan() if found.key is not None)

    def scan(self) -> Iterator[Scanned]:
        """Every row of the file once."""
        return self._file().scan()

    def change(self, place: Place, transform: Transform, terms: Terms) -> None:
        """Replace one entry: the whole file is rewritten under both locks."""

        def edit(file: LegacyFile) -> bool:
            return self._apply(file, place.key, transform, terms)

        self._rewrite(edit, terms)

    def change_many(
        self, changes: dict[str, Transform], terms: Terms
    ) -> dict[str, SessionStoreError]:
        """Change several entries in one rewrite; returns the conflicts by key."""
        conflicts: dict[str, SessionStoreError] = {}

        def edit(file: LegacyFile) -> bool:
            changed = False
            conflicts.clear()
            for key, transform in sorted(changes.items()):
                try:
                    changed |= self._apply(file, key, transform, terms)
                except (ConflictError, CorruptEntryError) as error:
                    conflicts[key] = error
            return changed

        self._rewrite(edit, terms)
        return conflicts

    def mutate_all(self, compute: Bulk, terms: Terms) -> None:
        """Apply ``compute`` to all entries in one rewrite."""

        def edit(file: LegacyFile) -> bool:
            entries = {
                found.key: found.data
                for found in file.scan()
                if found.key is not None and found.problem is None
            }
            healing = terms._replace(heal=True)
            changed = False
            for key, new in compute(entries).items():
                changed |= self._apply(file, key, _always(new), healing)
            return changed

        self._rewrite(edit, terms)

    def _apply(self, file: LegacyFile, key: str, transform: Transform, terms: Terms) -> bool:
        old = file.entry(key)
        is_damaged = terms.heal and old is not None and not _is_entry(old)
        new = transform(DAMAGED if is_damaged else old)
        if new is None:
            return False
        if is_damaged and old is not None:
            keep_bytes(self.paths.sidecar, self.staging, old, key=key, reason="not an entry")
        for spelt in file.claims(key):
            if spelt != file.winner(key):
                reason = f"an older spelling {spelt!r}"
                row = file.entry_bytes(spelt)
                keep_bytes(self.paths.sidecar, self.staging, row, key=key, reason=reason)
        file.set(key, new if isinstance(new, bytes) else None)
        return True

    def _rewrite(self, edit: Edit, terms: Terms) -> None:
        outcome: Outcome = "failed"
        written = write_ns = 0
        started = time.perf_counter_ns()
        with self._exclusive(terms) as hold:
            try:
                left_s = terms.timeout - (time.perf_counter_ns() - started) / 1e9
                if detect_layout(self.paths) != "legacy":
                    raise LayoutMovedError
                self._refuse_beside_gateway()
                with LegacyLock(self.paths.store_path).hold(max(left_s, 0.0)) as lock:
                    written, write_ns = self._edit_file(edit, terms, started, lock)
                outcome = "written" if written else "unchanged"
            except LockTimeoutError:
                outcome = "timeout"
                raise
            finally:
                self._record(hold, terms, outcome, write_ns, written)

    @contextmanager
    def _exclusive(self, terms: Terms) -> Iterator[Hold]:
        try:
            hold = self.locks.acquire_exclusive(terms.operation, terms.timeout)
        except LockTimeoutError as error:
            if self.recorder is not None:
                waited_ns = int(error.waited_s * 1e9)
                self.recorder.record(terms.operation, "timeout", waited_ns, 0, 0, 0, True)
            raise
        try:
            yield hold
        finally:
            self.locks.release(hold)

    def _edit_file(
        self, edit: Edit, terms: Terms, started: int, lock: LegacyLock
    ) -> tuple[int, int]:
        """Read, edit and replace the file; again if a foreign program got in between."""
        for _ in range(_TRIES):
            file = self._file()
            if not edit(file):
                return 0, 0
            self._check(file, terms, started)
            data = file.to_bytes()
            status = status_of(self.paths.store_path)
            if not lock.is_ours():
                raise self._robbed(lock)
            if status is not None and identity_of(status) == file.identity:
                begun = time.perf_counter_ns()
                self._replace(data, terms)
                return len(data), time.perf_counter_ns() - begun
        raise ConflictError(
            f"{self.paths.store_path} changed under its lock {_TRIES} times; nothing was written",
            path=self.paths.store_path,
            hint="a program writes it without taking the lock; stop it, or write through it",
        )

    def _robbed(self, lock: LegacyLock) -> ConflictError:
        return ConflictError(
            f"another program took {lock.path} away while the change was computed; nothing was "
            "written",
            path=lock.path,
            hint="OpenClaw does so after 30 s: do slow work before the update",
        )

    def _check(self, file: LegacyFile, terms: Terms, started: int) -> None:
        if not file.writable:
            raise CorruptStoreError(
                f"{self.paths.store_path} is not strict JSON, so rewriting it could lose data",
                path=self.paths.store_path,
                hint="migrate the store, which reads it tolerantly and keeps the file",
            )
        spent_s = (time.perf_counter_ns() - started) / 1e9
        if spent_s > terms.timeout > 0:
            raise LockTimeoutError(
                f"the {terms.operation} took {spent_s:.1f} s of {terms.timeout:.3g} s allowed; "
                "nothing was written",
                path=self.paths.store_path,
                waited_s=spent_s,
                hint="do slow work before the update, or allow more time",
            )

    def _refuse_beside_gateway(self) -> None:
        gateway = gateway_running(self.paths.store_path, lock_dir=self.gateway_lock_dir)
        if gateway is not None:
            raise GatewayRunningError(
                f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory and "
                f"may rewrite {self.paths.store_path} without a lock",
                path=self.paths.store_path,
                hint="stop the gateway, or change the session through it",
            )

    def _replace(self, data: bytes, terms: Terms) -> None:
        path = self.paths.store_path
        fd = open_directory(path.parent, named=True)
        try:
            # All sessions are in this one file, so at least its bytes are on disk before the
            # name is (OpenClaw syncs it as well): no call may stake the others' entries.
            durability = "relaxed" if terms.durability == "none" else terms.durability
            self.staging.put(data, path.name, to_fd=fd, durability=durability, created=True)
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("write", path, error) from error
        finally:
            close_directory(fd)

    def _record(
        self, hold: Hold, terms: Terms, outcome: Outcome, write_ns: int, written: int
    ) -> None:
        if self.recorder is not None:
            self.recorder.record(
                terms.operation,
                outcome,
                hold.acquired_ns - hold.asked_ns,
                time.perf_counter_ns() - hold.acquired_ns,
                write_ns,
                written,
                hold.contended,
            )


def _always(new: New) -> Transform:
    return lambda current: new


def _is_entry(data: bytes) -> bool:
    try:
        decode(data)
    except NotAnEntryError:
        return False
    return True
