"""One moment of a store as a tree of hard links, with writers kept out for microseconds.

Convergent: every file is linked while writers go on; the names that changed meanwhile are linked
again, pass after pass, until a handful is left; the last pass runs in exclusive mode. What is
linked cannot change: writers replace files, and a link pins the one that was there. Where nothing
tells which names changed (no inotify, a queue that overflowed), the last pass compares inode
numbers instead, which is exact as links pin them. Measured in performance.md §5.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from contextlib import ExitStack

from .. import files, treefiles
from ..adoption import refuse_foreign
from ..errors import StoreIOError, UnsafeFileError
from ..index.naming import classify
from ..index.watching import Changes, EventWatch
from ..keys import MARKER_NAME, SIDE_AREA, locate
from ..layout import LayoutName, detect_layout
from ..locks import LegacyLock, StoreLocks
from ..opened import Directory, OpenDirectory, check_protocol
from ..paths import StorePaths
from ..recording import open_reported_locks
from ..sqlitestore import read_only_error
from ..treefiles import WorkFolder

OPERATION = "backup"
ENTRIES, TRANSCRIPTS, STORE_FILE = "entries", "transcripts", "sessions.json"

_FEW = 8
_MOST_PASSES = 50
_DRAIN_EVERY = 1_000
_TRIES = 4


class _MovedError(Exception):
    """The directory was swapped, adopted or migrated meanwhile: start over."""


class Snapshot:
    """A tree of one moment, below ``folder``: ``entries/`` as ``sessions.d`` was, or
    ``sessions.json``. ``exclusive_s`` is how long writers were kept out."""

    def __init__(self, paths: StorePaths, folder: WorkFolder) -> None:
        self.paths = paths
        self.folder = folder
        self.layout: LayoutName = "empty"
        self.marked = False
        self.opened: OpenDirectory | None = None
        self.linked = True
        self.followed = False
        self.exclusive_s = 0.0
        self.unkept: set[str] = set()
        """Names of links and special files, which are not copied."""


def take_snapshot(
    paths: StorePaths,
    folder: WorkFolder,
    *,
    keys: Collection[str] | None = None,
    timeout: float = 10.0,
    follow: bool = True,
) -> Snapshot:
    """Link one moment of the store into an empty work folder on the same file system.

    ``keys`` are folded; None links every session. ``follow=False`` never asks inotify.

    Raises:
        LockTimeoutError: exclusive mode, or the lock of a legacy store, was not to be had.
        StoreIOError, UnsafeFileError, UnsupportedStoreError.
    """
    locks = open_reported_locks(paths.sidecar)
    try:
        for _ in range(_TRIES):
            snapshot = Snapshot(paths, folder)
            try:
                _take(snapshot, locks, keys=keys, timeout=timeout, follow=follow)
            except (_MovedError, FileNotFoundError):
                treefiles.empty_folder(folder)
                continue
            return snapshot
    finally:
        locks.close()
    raise StoreIOError(
        f"the layout of {paths.store_path} keeps changing",
        path=paths.store_path,
        hint="another program replaces sessions.d; try again",
    )


def _take(
    snapshot: Snapshot,
    locks: StoreLocks,
    *,
    keys: Collection[str] | None,
    timeout: float,
    follow: bool,
) -> None:
    snapshot.layout = detect_layout(snapshot.paths)
    if snapshot.layout == "sqlite":
        raise read_only_error(snapshot.paths)
    if snapshot.layout == "legacy":
        _take_file(snapshot, locks, timeout)
    elif snapshot.layout == "directory":
        _DirectoryRun(snapshot, locks, keys).take(timeout, follow=follow)


def _take_file(snapshot: Snapshot, locks: StoreLocks, timeout: float) -> None:
    """Pin ``sessions.json``: programs replace it, so a link is a moment of it."""
    path = snapshot.paths.store_path
    with ExitStack() as stack:
        from_fd = files.open_directory(path.parent, named=True)
        stack.callback(files.close_directory, from_fd)
        stack.enter_context(locks.exclusive(OPERATION, timeout))
        began = time.perf_counter()
        stack.enter_context(LegacyLock(path).hold(timeout))
        if detect_layout(snapshot.paths) != "legacy":
            raise _MovedError
        to_fd = snapshot.folder.fd
        if not treefiles.link_file(path.name, STORE_FILE, from_fd=from_fd, to_fd=to_fd):
            snapshot.linked = False
            treefiles.copy_file(path.name, STORE_FILE, from_fd=from_fd, to_fd=to_fd)
        snapshot.exclusive_s = time.perf_counter() - began


class _DirectoryRun:
    """Links one ``sessions.d`` and follows what writers change."""

    def __init__(self, snapshot: Snapshot, locks: StoreLocks, keys: Collection[str] | None) -> None:
        opened = Directory(snapshot.paths).current()
        if opened is None:
            raise _MovedError
        check_protocol(opened, locks.protocol)
        if not opened.marked:
            refuse_foreign(opened)
        self.snapshot = snapshot
        self.locks = locks
        snapshot.opened, snapshot.marked = opened, opened.marked
        # In a directory that nobody adopted yet several names can mean one key: take them all.
        self.only = (
            None
            if keys is None or not opened.marked
            else frozenset([MARKER_NAME, *(locate(key).file_name for key in keys)])
        )
        self.tree = treefiles.Tree(snapshot.folder, ENTRIES)

    def take(self, timeout: float, *, follow: bool) -> None:
        """Link everything, converge, and settle the rest in exclusive mode."""
        watch = self._watch() if follow else None
        try:
            pending = self._link_all(watch)
            for _ in range(_MOST_PASSES):
                if pending is None or len(pending) <= _FEW:
                    break
                self._relink(pending)
                pending = self._changed(watch)
            complete = pending is not None
            self._relink(pending or ())
            with self.locks.exclusive(OPERATION, timeout):
                began = time.perf_counter()
                last = self._changed(watch) if complete else None
                if last is None:
                    self._compare()
                else:
                    self._relink(last)
                self.snapshot.exclusive_s = time.perf_counter() - began
            self.snapshot.followed = last is not None
        finally:
            if watch is not None:
                watch.close()
            self.tree.close()

    def _watch(self) -> EventWatch | None:
        assert self.snapshot.opened is not None
        try:
            return EventWatch(self.snapshot.paths.directory, self.snapshot.opened.fd)
        except OSError:
            return None  # another system, or the limit of watches: inode numbers are compared

    def _changed(self, watch: EventWatch | None) -> set[str] | None:
        """Names that changed since the last call; None when only looking at all can tell."""
        if watch is None:
            if self._swapped():
                raise _MovedError
            return None
        changes: Changes = watch.poll()
        if changes.rescan:
            # What was lost may be the swap itself.
            if self._swapped():
                raise _MovedError
            return None
        if changes.reopen:
            raise _MovedError
        return changes.names

    def _swapped(self) -> bool:
        opened = self.snapshot.opened
        assert opened is not None
        status = files.status_of(self.snapshot.paths.directory)
        return status is None or (status.st_dev, status.st_ino) != opened.identity

    # -- linking -----------------------------------------------------------------------

    def _names(self) -> list[str]:
        opened = self.snapshot.opened
        assert opened is not None
        names = opened.names()
        if SIDE_AREA in names:
            try:
                names += [f"{SIDE_AREA}/{name}" for name in opened.side_names()]
            except UnsafeFileError:
                self.snapshot.unkept.add(SIDE_AREA)
        return [name for name in names if self._is_wanted(name)]

    def _is_wanted(self, name: str) -> bool:
        if self.only is not None:
            return name in self.only
        if name == MARKER_NAME:
            return True
        named = classify(name, marked=self.snapshot.marked)
        return named is not None and named.session

    def _link_all(self, watch: EventWatch | None) -> set[str] | None:
        """Link every name once; returns what changed meanwhile, as :meth:`_changed`."""
        pending: set[str] | None = set()
        for number, name in enumerate(self._names(), 1):
            self._link(name)
            if number % _DRAIN_EVERY == 0 and watch is not None:
                pending = _both(pending, self._changed(watch))
        return _both(pending, self._changed(watch))

    def _link(self, name: str) -> None:
        opened = self.snapshot.opened
        assert opened is not None
        how = self.tree.take(name, from_fd=opened.fd)
        if how == "copied":
            self.snapshot.linked = False
        elif how == "refused":
            self.snapshot.unkept.add(name)

    def _relink(self, names: Iterable[str]) -> None:
        for name in names:
            if self._is_wanted(name):
                self.snapshot.unkept.discard(name)
                self._link(name)

    def _compare(self) -> None:
        """Take again whatever is another file now; the caller holds exclusive mode."""
        opened = self.snapshot.opened
        assert opened is not None
        if self._swapped():
            raise _MovedError
        moved, gone = self.tree.moved(from_fd=opened.fd)
        for name in gone:
            self.tree.drop(name)
        self._relink(moved)


def _both(first: set[str] | None, second: set[str] | None) -> set[str] | None:
    return None if first is None or second is None else first | second
