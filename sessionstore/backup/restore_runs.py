"""The folder that one restore works in, and what a killed one left there.

``<sidecar>/restores/<run id>/`` holds everything that is not the store's yet and, after the switch,
what was replaced. One restore per store at a time, none beside a migration: whoever holds that lock
knows that nobody is at work in the folders that are there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..changes import now_ms
from ..errors import SessionStoreError
from ..files import (
    close_directory,
    ensure_directory,
    list_names,
    open_directory,
    remove_tree,
    rename_new,
    status_of,
    sync_descriptor,
)
from ..locks.alone import alone
from ..paths import StorePaths

FOLDER = "restores"
LOCK_NAME = "migration"
"""The same as a migration's: each of them replaces the whole store."""


@dataclass(frozen=True, slots=True)
class Run:
    """A restore at work. ``fd`` is its own folder, ``home_fd`` the store's."""

    paths: StorePaths
    id: str
    path: Path
    fd: int
    home_fd: int
    root_fd: int

    def sync(self) -> None:
        """Make the names in both folders durable."""
        sync_descriptor(self.fd, self.path)
        sync_descriptor(self.home_fd, self.paths.store_path.parent)

    def publish(self, name: str) -> None:
        """Give what was staged its name beside the store, durably; nothing may be there.

        Raises:
            StoreIOError: it is back in the run's folder.
        """
        rename_new(name, name, dir_fd=self.fd, to_fd=self.home_fd)
        try:
            self.sync()
        except BaseException:
            # why: the first error travels; where this fails too, the new store is whole
            with suppress(SessionStoreError, OSError):
                rename_new(name, name, dir_fd=self.home_fd, to_fd=self.fd)
            raise

    def set_aside(self, name: str) -> str:
        """Move a thing out of the run's folder: it is ``<directory>.bak.<ms>`` beside the store."""
        at = now_ms()
        directory = self.paths.directory.name
        while status_of(f"{directory}.bak.{at}", dir_fd=self.home_fd) is not None:
            at += 1
        kept = f"{directory}.bak.{at}"
        rename_new(name, kept, dir_fd=self.fd, to_fd=self.home_fd)
        self.sync()
        return kept

    def discard(self, name: str) -> None:
        """Remove a thing in the run's folder with all that is in it."""
        remove_tree(name, dir_fd=self.fd)

    def discard_quietly(self) -> None:
        """Remove everything in the run's folder, on the way out of an error."""
        # why: the first error travels; the next restore removes what is left
        with suppress(SessionStoreError, OSError):
            for name in list_names(self.fd):
                self.discard(name)


@contextmanager
def one_run(paths: StorePaths, *, timeout: float) -> Iterator[Run]:
    """The only restore of this store. Its folder goes at the end, unless it holds something.

    Raises:
        LockTimeoutError: another restore or a migration was at work all that time.
        SessionStoreError: the folder cannot be made.
    """
    with alone(paths.sidecar, LOCK_NAME, timeout=timeout):
        run_id = f"{now_ms()}-{secrets.token_hex(4)}"
        ensure_directory(paths.sidecar / FOLDER / run_id)
        with _opened(paths, run_id) as run:
            yield run


def left_runs(paths: StorePaths) -> list[str]:
    """Names of the folders that killed restores left, oldest first; ours is among them."""
    try:
        return sorted(list_names(paths.sidecar / FOLDER))
    except FileNotFoundError:
        return []


def discard_left_runs(run: Run) -> None:
    """Remove what killed restores to a place without a store left; nothing was replaced there."""
    for run_id in left_runs(run.paths):
        if run_id != run.id:
            remove_tree(run_id, dir_fd=run.root_fd)


@contextmanager
def left_run(paths: StorePaths, run_id: str) -> Iterator[Run]:
    """A killed restore's folder, for settling it. The caller holds the lock of :func:`one_run`."""
    with _opened(paths, run_id) as run:
        yield run


@contextmanager
def _opened(paths: StorePaths, run_id: str) -> Iterator[Run]:
    root = paths.sidecar / FOLDER
    fds: list[int] = []
    try:
        fds.append(open_directory(root / run_id))
        fds.append(open_directory(paths.store_path.parent, named=True))
        fds.append(open_directory(root))
        yield Run(paths, run_id, root / run_id, *fds)
    finally:
        if len(fds) == 3 and not list_names(fds[0]):
            remove_tree(run_id, dir_fd=fds[2])
        for fd in fds:
            close_directory(fd)
