"""Which layout serves a call right now, and starting over when it moved meanwhile.

Another process may adopt, migrate or swap the directory between two calls, or between looking
and locking. A layout notices under the lock and says so; the call then looks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from . import locks
from .changes import Change
from .directory import DirectoryStore, UnadoptedDirectory
from .errors import LockTimeoutError, SessionStoreError, StoreIOError
from .files import ensure_directory, sync_directory
from .history import Incarnation, incarnations
from .keys import locate
from .layout import Layout, LayoutMovedError, Readable, Terms, Transform, detect_layout
from .legacy import LegacyStore
from .locks.staging import Staging
from .paths import StorePaths
from .recorder import Recorder
from .recording.reporter import Reporter
from .sqlitestore import SqliteStore, read_only_error

T = TypeVar("T")
_TRIES = 4


class Backing:
    """Both layouts of one store, with the locks and the staging folder that they share."""

    def __init__(
        self,
        paths: StorePaths,
        *,
        max_entry_bytes: int,
        recorder: Recorder | None,
        gateway_lock_dir: Path | None,
    ) -> None:
        self.paths = paths
        self.reporter = recorder if isinstance(recorder, Reporter) else None
        told = None if self.reporter is None else self.reporter.exclusive
        self.locks = locks.open_locks(paths.sidecar, told=told)
        self.staging = Staging(paths.sidecar, on_lost=self._check_lock_file)
        self._directory = DirectoryStore(
            paths, self.locks, self.staging, max_entry_bytes=max_entry_bytes, recorder=recorder
        )
        self._unadopted = UnadoptedDirectory(paths, max_entry_bytes=max_entry_bytes)
        self._legacy = LegacyStore(
            paths,
            self.locks,
            self.staging,
            recorder=recorder,
            gateway_lock_dir=gateway_lock_dir,
        )
        self._sqlite = SqliteStore(paths, max_entry_bytes=max_entry_bytes)
        self._ready = False

    def close(self) -> None:
        """Write what is still to be reported; let go of descriptors and the staging folder."""
        self.staging.close()
        self.locks.close()
        if self.reporter is not None:
            self.reporter.close()

    def _check_lock_file(self) -> None:
        if not self.locks.is_current():
            raise LayoutMovedError

    def _start_over(self) -> None:
        self._ready = False
        if not self.locks.is_current():
            # Our folder was removed or replaced: a lock on the old file excludes nobody.
            self.locks.abandon()

    def path_of(self, key: str) -> str:
        """The file that holds a folded key, for messages."""
        if self._ready:
            return f"{self.paths.directory}/{locate(key).file_name}"
        if detect_layout(self.paths) == "sqlite":
            return str(self._sqlite.path)
        return str(self.paths.store_path)

    def incarnations(self, key: str) -> list[Incarnation]:
        """What is known of a folded key's incarnations, oldest first."""
        if not self._ready and detect_layout(self.paths) == "sqlite":
            return [window.as_incarnation() for window in self._sqlite.history(key)]
        return incarnations(self.paths, key)

    def read(self, read: Callable[[Readable], T], nothing: T) -> T:
        """What ``read`` makes of the layout that is there now; ``nothing`` of an empty store."""
        for _ in range(_TRIES):
            try:
                if self._ready:
                    return read(self._directory)
                layout = self._readable()
                return nothing if layout is None else read(layout)
            except LayoutMovedError:
                self._start_over()
        raise self._keeps_moving()

    def _readable(self) -> Readable | None:
        name = detect_layout(self.paths)
        if name == "empty":
            return None
        if name == "legacy":
            return self._legacy
        if name == "sqlite":
            return self._sqlite
        self._ready = self._directory.is_ready()
        return self._directory if self._ready else self._unadopted

    def _keeps_moving(self) -> StoreIOError:
        return StoreIOError(
            f"the layout of {self.paths.store_path} keeps changing",
            path=self.paths.store_path,
            hint="another program replaces sessions.d; try again",
        )

    def run(self, change: Change, transform: Transform, terms: Terms) -> None:
        """Change one entry."""
        place = locate(change.key)
        try:
            if self._ready:
                try:
                    self._directory.change(place, transform, terms, spent=change)
                    return
                except LayoutMovedError:
                    self._start_over()
            self.write(
                lambda layout, left: layout.change(place, transform, left, spent=change), terms
            )
        except SessionStoreError as error:
            error.key = error.key or change.key  # what lies below may know only a path
            raise

    def tell_late(self, operation: str, error: LockTimeoutError) -> None:
        """Report a change that never got as far as a layout; a legacy store is looked for."""
        is_legacy = not self._ready and detect_layout(self.paths) == "legacy"
        layout = self._legacy if is_legacy else self._directory
        layout.telling.tell_timeout(error.key, operation, error, error.waited_s)

    def write(self, write: Callable[[Layout, Terms], T], terms: Terms) -> T:
        """Let ``write`` work on a layout that can be written; adopts or creates it first.

        The layout gets the terms with the time that is left.

        Raises:
            UnsupportedStoreError: the sessions are in OpenClaw's database.
        """
        ends = time.monotonic() + terms.timeout
        for _ in range(_TRIES):
            try:
                layout = self._directory if self._ready else self._writable(terms)
                return write(layout, terms.until(ends))
            except LayoutMovedError:
                self._start_over()
        raise self._keeps_moving()

    def _writable(self, terms: Terms) -> Layout:
        if (found := self._other_layout()) is not None:
            return found
        if not self._directory.is_ready():
            with self.locks.exclusive("adopt", terms.timeout):
                if (found := self._other_layout()) is not None:
                    return found
                ensure_directory(self.paths.directory)
                self._directory.adopt()
                sync_directory(self.paths.directory.parent, named=True)
        self._ready = True
        return self._directory

    def _other_layout(self) -> Layout | None:
        name = detect_layout(self.paths)
        if name == "sqlite":
            raise read_only_error(self.paths)
        return self._legacy if name == "legacy" else None
