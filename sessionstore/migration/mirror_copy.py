"""The entries of a directory layout in memory, as the mirror writes them.

Only what changed is read again: what the watch names or, after a look at all files, those whose
inode, times or size are not as they were. Memory: the store's size.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..blobs import BlobError
from ..entries import NotAnEntryError
from ..entryfiles import canonical_key, expanded, unwrap
from ..errors import SessionStoreError, StoreIOError
from ..files import list_names, read_file_stat, status_of
from ..index.watching import Watch, identity_stamp, stamp_of, watch
from ..keys import SIDE_AREA, is_side_name
from ..opened import Directory, OpenDirectory
from ..paths import StorePaths
from .legacy_writer import legacy_bytes, strict_bytes


class Copied(NamedTuple):
    """One file as it was read. ``data`` is None where it is no entry that can be copied;
    ``stamp`` is 0 while its times are too young to be trusted."""

    key: str
    data: bytes | None
    stamp: int


class DirectoryCopy:
    """One open, adopted ``sessions.d``, watched from before its first listing.

    Raises:
        FileNotFoundError: there is none, or it is not adopted.
        OSError, SessionStoreError: it cannot be read or watched.
    """

    def __init__(self, paths: StorePaths, *, max_entry_bytes: int) -> None:
        opened = Directory(paths).current()
        if opened is None or not opened.marked:
            raise FileNotFoundError(paths.directory)
        self._opened: OpenDirectory = opened
        self._max_bytes = max_entry_bytes
        self._files: dict[str, Copied] = {}
        self._changed: set[str] = set()
        self._rescan = True
        self._watch: Watch = watch(paths.directory, opened.fd, "auto")

    def poll(self) -> bool:
        """Whether anything changed since the last :meth:`refresh`. A few system calls.

        Raises:
            FileNotFoundError: the directory was swapped or removed; make a new copy.
        """
        changes = self._watch.poll()
        if changes.reopen:
            raise FileNotFoundError(self._opened.path)
        self._changed |= changes.names
        self._rescan |= changes.rescan
        return self._rescan or bool(self._changed)

    def refresh(self) -> None:
        """Read what changed. Cost: a file per change, and after a rescan a stat per session.

        Raises:
            StoreIOError, UnsafeFileError: a file or folder cannot be read; it is tried again.
        """
        changed = self._stale() if self._rescan else set(self._changed)
        for name in changed:
            self._read(name)
            self._changed.discard(name)
        self._rescan = False
        self._changed.clear()

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """(key, entry bytes) of all that can be copied, sorted by key."""
        sound = ((file.key, file.data) for file in self._files.values() if file.data is not None)
        return iter(sorted(sound))

    def to_bytes(self) -> bytes:
        """The ``sessions.json`` of these entries."""
        return legacy_bytes(self.rows())

    @property
    def sessions(self) -> int:
        """How many entries are copied."""
        return len(self._files) - self.left_out

    @property
    def left_out(self) -> int:
        """How many files hold no entry that strict JSON can carry."""
        return sum(file.data is None for file in self._files.values())

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()

    def _stale(self) -> set[str]:
        """Names whose file is not the one that was read; those without a file are forgotten."""
        names = [name for name in self._opened.names() if canonical_key(name) is not None]
        names += [f"{SIDE_AREA}/{name}" for name in self._opened.side_names() if is_side_name(name)]
        for gone in self._files.keys() - set(names):
            del self._files[gone]
        return {name for name in names if not self._is_as_known(name)}

    def _is_as_known(self, name: str) -> bool:
        known = self._files.get(name)
        if known is None or not known.stamp or name in self._changed:
            return False
        status = status_of(name, dir_fd=self._opened.fd)
        return status is not None and identity_stamp(status) == known.stamp

    def _read(self, name: str) -> None:
        if not self._is_session(name):
            return
        looked_ns = time.time_ns()
        try:
            data, status = read_file_stat(name, dir_fd=self._opened.fd, max_bytes=self._max_bytes)
        except FileNotFoundError:
            self._files.pop(name, None)
            return
        except StoreIOError:
            raise  # it may be there in a moment, and leaving it out would look like a deletion
        except SessionStoreError:
            self._files[name] = Copied(canonical_key(name) or name, None, 0)
            return
        self._files[name] = self._copied(name, data, stamp_of(status, looked_ns))

    def _copied(self, name: str, data: bytes, stamp: int) -> Copied:
        key = canonical_key(name)
        try:
            if key is None:
                key, data = unwrap(data, name, self._opened)
            whole = expanded(self._opened, data, self._max_bytes)
            return Copied(key, strict_bytes(whole), stamp)
        except StoreIOError:
            raise  # of a blob: it may be readable in a moment
        except (NotAnEntryError, BlobError, SessionStoreError):
            return Copied(key or name, None, stamp)

    @staticmethod
    def _is_session(name: str) -> bool:
        folder, _, base = name.rpartition("/")
        return is_side_name(base) if folder else canonical_key(name) is not None


def changed_since(paths: StorePaths, since_ns: int, *, exactly: bool) -> int | None:
    """When the oldest change after ``since_ns`` was made, of those that still show.

    None without one. Costs two ``stat``, and to tell it exactly one per session where something
    changed; otherwise ``since_ns`` itself stands for it.

    Raises:
        StoreIOError: the directory cannot be looked at.
    """
    folders = (paths.directory, paths.directory / SIDE_AREA)
    moved = [at for folder in folders if (at := _changed_ns(folder)) and at > since_ns]
    if not moved or not exactly:
        return since_ns if moved else None
    changed = [at for path in _files_of(folders) if (at := _changed_ns(path)) and at > since_ns]
    return min(changed, default=min(moved))


def _files_of(folders: Iterable[os.PathLike[str]]) -> Iterator[str]:
    for folder in folders:
        try:
            yield from (f"{os.fspath(folder)}/{name}" for name in list_names(folder))
        except FileNotFoundError:
            continue


def _changed_ns(path: str | os.PathLike[str]) -> int | None:
    status = status_of(path)
    return None if status is None else status.st_ctime_ns
