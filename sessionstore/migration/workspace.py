"""The folder of one run, and what a run works with.

Everything that is not the store's yet lives in ``<sidecar>/runs/<run id>/`` and goes with it. One
run per store at a time (``locks.alone``), so whoever holds that lock may look at what a killed run
left and knows that nobody is at work in it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from ..changes import now_ms
from ..errors import LockTimeoutError, SessionStoreError, StoreIOError
from ..files import (
    close_directory,
    ensure_directory,
    list_names,
    open_directory,
    remove_tree,
    status_of,
    sync_descriptor,
)
from ..locks import LegacyLock, StoreLocks
from ..locks.alone import alone
from ..locks.staging import Staging
from ..paths import StorePaths
from ..recording import open_reported_locks
from .ours import RUNS_NAME

COPY_NAME = "source.json"
STAGED_NAME = "sessions.d"
REPLACED_NAME = "replaced.d"
GUARD_NAME = "guard"
MERGED_NAME = "merged.jsonl"
FILE_NAME = "sessions.json"


@dataclass(slots=True)
class Workspace:
    """What a run of one store works with.

    ``fd`` is the run's own folder, ``runs_fd`` the one of all runs, ``home_fd`` the store's.
    """

    paths: StorePaths
    run_id: str
    path: Path
    fd: int
    home_fd: int
    runs_fd: int
    locks: StoreLocks
    staging: Staging
    timeout: float
    started: float
    exclusive_s: float = 0.0

    @property
    def store_name(self) -> str:
        return self.paths.store_path.name

    @property
    def directory_name(self) -> str:
        return self.paths.directory.name

    def sync_home(self) -> None:
        """Make the names in the store's folder durable."""
        sync_descriptor(self.home_fd, self.paths.store_path.parent)

    def free_name(self, name: str) -> str:
        """``<name>.bak.<ms>`` that nothing has yet."""
        at = now_ms()
        while status_of(f"{name}.bak.{at}", dir_fd=self.home_fd) is not None:
            at += 1
        return f"{name}.bak.{at}"

    @contextmanager
    def alone_with_store(self, operation: str, *, legacy: bool = True) -> Iterator[None]:
        """Exclusive mode and OpenClaw's own lock, held together for as short as can be.

        ``legacy`` False: the caller holds OpenClaw's lock already.

        Raises:
            LockTimeoutError: a session or OpenClaw's lock was held all the time.
        """
        timeout = max(self.timeout, 1.0)
        hold = self.locks.acquire_exclusive(operation, timeout)
        try:
            # A program of the JSON era that waits for its own lock keeps it for milliseconds.
            legacy_lock = LegacyLock(self.paths.store_path)
            with legacy_lock.hold(min(timeout, 5.0)) if legacy else nullcontext():
                yield
        finally:
            self.locks.release(hold)
            self.exclusive_s += (time.perf_counter_ns() - hold.acquired_ns) / 1e9

    def remove(self) -> None:
        """Remove the run's folder with all that is in it."""
        remove_tree(self.run_id, dir_fd=self.runs_fd)


def run_names(paths: StorePaths) -> list[str]:
    """Folders that runs left below ``runs/``, oldest first; none where nothing ever ran."""
    runs = paths.sidecar / RUNS_NAME
    try:
        names = list_names(runs)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if "." not in name)


@contextmanager
def one_run(paths: StorePaths, *, timeout: float) -> Iterator[Workspace]:
    """The only run of this store; its folder is removed at the end unless it must stay.

    Raises:
        LockTimeoutError: another run took all that time.
        SessionStoreError: the folder cannot be made.
    """
    started = time.monotonic()
    try:
        turn = alone(paths.sidecar, "migration", timeout=timeout)
        with turn:
            work = _opened(paths, timeout, started)
            try:
                yield work
            finally:
                _closed(work)
    except LockTimeoutError as error:
        if error.path == str(paths.sidecar / "migration.lock"):
            error.hint = (
                "another run is at work on this store: look at its progress, then try again"
            )
        raise


def _opened(paths: StorePaths, timeout: float, started: float) -> Workspace:
    runs = paths.sidecar / RUNS_NAME
    run_id = f"{now_ms()}-{secrets.token_hex(4)}"
    ensure_directory(runs / run_id)
    return Workspace(
        paths=paths,
        run_id=run_id,
        path=runs / run_id,
        fd=open_directory(runs / run_id),
        home_fd=open_directory(paths.store_path.parent, named=True),
        runs_fd=open_directory(runs),
        locks=open_reported_locks(paths.sidecar),
        staging=Staging(paths.sidecar),
        timeout=timeout,
        started=started,
    )


def _closed(work: Workspace) -> None:
    # why: an empty folder is removed here; one that must stay is the next run's to settle
    with suppress(SessionStoreError):
        if not list_names(work.fd):
            work.remove()
    for fd in (work.fd, work.home_fd, work.runs_fd):
        close_directory(fd)
    work.staging.close()
    work.locks.close()


def as_store_error(error: OSError, path: Path) -> SessionStoreError:
    """An error of the system in the words of the store."""
    if isinstance(error, SessionStoreError):
        return error
    return StoreIOError(f"cannot go on with {path}: {error}", errno=error.errno, path=path)
