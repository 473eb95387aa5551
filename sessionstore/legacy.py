"""LegacyStore: all sessions in one ``sessions.json``, as the JSON-era OpenClaw keeps them.

Every write rewrites the whole file: that is what this project replaces. Until a store is
migrated we write it as safely as it can be: in our exclusive mode, under OpenClaw's own lock
file, never while a live gateway could write without locks, and only over the version we read.
Sources: openclaw-interop.md ("Locking: the facts"), openclaw-format §4 and §7.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
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
    Spent,
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
from .recording.telling import Stamps, Telling, times_of

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
        self.telling = Telling(recorder, scope="store", layout=self.name)
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

    def change(
        self, place: Place, transform: Transform, terms: Terms, *, spent: Spent | None = None
    ) -> None:
        """Replace one entry: the whole file is rewritten under both locks."""
        run = _Run(place.key)

        def edit(file: LegacyFile) -> bool:
            run.changed = 0
            changed = self._apply(file, place.key, transform, terms, run)
            if changed and spent is not None and spent.changed_bytes:
                run.changed = spent.changed_bytes
            return changed

        self._rewrite(edit, terms, run)

    def change_many(
        self, changes: dict[str, Transform], terms: Terms
    ) -> dict[str, SessionStoreError]:
        """Change several entries in one rewrite; returns the conflicts by key."""
        conflicts: dict[str, SessionStoreError] = {}
        run = _Run(None)

        def edit(file: LegacyFile) -> bool:
            changed = False
            run.changed = 0
            conflicts.clear()
            for key, transform in sorted(changes.items()):
                try:
                    changed |= self._apply(file, key, transform, terms, run)
                except (ConflictError, CorruptEntryError) as error:
                    conflicts[key] = error
            return changed

        self._rewrite(edit, terms, run)
        for error in conflicts.values():
            self.telling.outcome_of(error, terms.operation)
        return conflicts

    def mutate_all(self, compute: Bulk, terms: Terms) -> None:
        """Apply ``compute`` to all entries in one rewrite."""
        run = _Run(None)

        def edit(file: LegacyFile) -> bool:
            run.changed = 0
            entries = {
                found.key: found.data
                for found in file.scan()
                if found.key is not None and found.problem is None
            }
            healing = terms._replace(heal=True)
            changed = False
            for key, new in compute(entries).items():
                changed |= self._apply(file, key, _always(new), healing, run)
            return changed

        self._rewrite(edit, terms, run)

    def _apply(
        self, file: LegacyFile, key: str, transform: Transform, terms: Terms, run: _Run
    ) -> bool:
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
        run.changed += len(new if isinstance(new, bytes) else old or b"")
        file.set(key, new if isinstance(new, bytes) else None)
        return True

    def _rewrite(self, edit: Edit, terms: Terms, run: _Run) -> None:
        outcome: Outcome | None = "failed"
        with self._exclusive(terms, run) as hold:
            try:
                left_s = hold.left_s() if terms.timeout else 0.0
                if detect_layout(self.paths) != "legacy":
                    raise LayoutMovedError
                self._refuse_beside_gateway()
                asked = perf_counter_ns()
                with LegacyLock(self.paths.store_path).hold(max(left_s, 0.0)) as lock:
                    self._note_lock(run, lock, perf_counter_ns() - asked)
                    self._edit_file(edit, terms, hold, lock, run)
                outcome = "written" if run.written else "unchanged"
            except LayoutMovedError:
                outcome = None
                raise
            except SessionStoreError as error:
                outcome = self.telling.outcome_of(error, terms.operation)
                raise
            finally:
                if outcome is not None:
                    self._tell(hold, terms, outcome, run)

    @contextmanager
    def _exclusive(self, terms: Terms, run: _Run) -> Iterator[Hold]:
        try:
            hold = self.locks.acquire_exclusive(terms.operation, terms.timeout, tell=False)
        except LockTimeoutError as error:
            self.telling.tell_timeout(
                run.key,
                terms.operation,
                error,
                terms.limit_s or terms.timeout,
                queued_ns=terms.queued_ns,
            )
            raise
        try:
            yield hold
        finally:
            self.locks.release(hold)

    def _note_lock(self, run: _Run, lock: LegacyLock, waited_ns: int) -> None:
        run.file_wait_ns = waited_ns
        if lock.took_over and self.telling.reporter is not None:
            self.telling.reporter.count("reclaims:owner_gone")

    def _edit_file(self, edit: Edit, terms: Terms, hold: Hold, lock: LegacyLock, run: _Run) -> None:
        """Read, edit and replace the file; again if a foreign program got in between."""
        for attempt in range(_TRIES):
            if attempt and self.telling.reporter is not None:
                self.telling.reporter.count(f"conflicts:{terms.operation}:retried")
            file = self._file()
            run.times.read = perf_counter_ns()
            if not edit(file):
                return
            self._check(file, terms, hold)
            run.times.merged = perf_counter_ns()
            data = file.to_bytes()
            status = status_of(self.paths.store_path)
            if not lock.is_ours():
                raise self._robbed(lock)
            if status is not None and identity_of(status) == file.identity:
                run.times.started = perf_counter_ns()
                self._replace(data, terms, run)
                run.written = len(data)
                return
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

    def _check(self, file: LegacyFile, terms: Terms, hold: Hold) -> None:
        if not file.writable:
            raise CorruptStoreError(
                f"{self.paths.store_path} is not strict JSON, so rewriting it could lose data",
                path=self.paths.store_path,
                hint="migrate the store, which reads it tolerantly and keeps the file",
            )
        spent_s = (perf_counter_ns() - hold.asked_ns) / 1e9
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

    def _replace(self, data: bytes, terms: Terms, run: _Run) -> None:
        path = self.paths.store_path
        fd = open_directory(path.parent, named=True)
        try:
            # All sessions are in this one file, so at least its bytes are on disk before the
            # name is (OpenClaw syncs it as well): no call may stake the others' entries.
            durability = "relaxed" if terms.durability == "none" else terms.durability
            self.staging.put(
                data,
                path.name,
                to_fd=fd,
                durability=durability,
                created=True,
                marks=run.times,
            )
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("write", path, error) from error
        finally:
            close_directory(fd)

    def _tell(self, hold: Hold, terms: Terms, outcome: Outcome, run: _Run) -> None:
        if not self.telling.is_heard:
            return
        times = times_of(hold, queued_ns=terms.queued_ns)
        got = run.times
        times.read, times.merged, times.started = got.read, got.merged, got.started
        times.file_wait_ns, times.staged = run.file_wait_ns, got.staged_ns
        times.note_syncs(got)
        times.ended = perf_counter_ns()
        written = run.written
        changed = run.changed if written else 0
        self.telling.tell(run.key, terms.operation, outcome, times, written, changed)


@dataclass(slots=True)
class _Run:
    """One rewrite in progress; ``key`` is None where it changes many sessions."""

    key: str | None
    times: Stamps = field(default_factory=Stamps)
    file_wait_ns: int = 0
    written: int = 0
    changed: int = 0


def _always(new: New) -> Transform:
    return lambda current: new


def _is_entry(data: bytes) -> bool:
    try:
        decode(data)
    except NotAnEntryError:
        return False
    return True
