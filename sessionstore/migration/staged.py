"""The new ``sessions.d``, filled where nobody sees it.

No lock is held meanwhile, and no file is synced by itself: nothing refers to the folder until it
is renamed, so one ``syncfs`` before that is as safe (performance.md §5). Bytes are stored as they
were collected, never normalised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import adoption
from ..entries import decode, etag
from ..entryfiles import read_entry, refuse_reserved, wrap
from ..errors import CorruptEntryError, InvalidEntryError, SessionStoreError, StoreIOError
from ..files import (
    folder_of,
    io_error,
    make_directory_at,
    remove_file,
    sync_descriptor,
    sync_file_system,
    sync_named_file,
    write_new,
)
from ..keys import MARKER_NAME, SIDE_AREA, locate
from ..opened import OpenDirectory, read_marker
from .shapes import PlannedSession, Progress
from .sources import Row
from .workspace import STAGED_NAME, Workspace


class Staged:
    """A ``sessions.d`` below a run's folder. ``rows`` are those in it, by key."""

    def __init__(self, work: Workspace, *, max_entry_bytes: int) -> None:
        self._work = work
        self._max_bytes = max_entry_bytes
        make_directory_at(STAGED_NAME, dir_fd=work.fd)
        self.opened = OpenDirectory(replace(work.paths, directory=work.path / STAGED_NAME))
        self.rows: dict[str, Row] = {}
        self.taken: dict[str, str] = {}
        self.blocked: dict[str, PlannedSession] = {}

    def renew(self, rows: Mapping[str, Row], progress: Progress | None = None) -> list[str]:
        """Let it hold exactly these rows; only those that differ are written. Their keys.

        A row that cannot be written is blocked and stops no other (requirement E5). ``progress``
        counts to twice the rows: staging is the first half, :meth:`verify` the second.

        Raises:
            StoreIOError: the disk refused.
        """
        for key in self.rows.keys() - rows.keys():
            remove_file(locate(key).file_name, dir_fd=self.opened.fd)
            del self.rows[key], self.taken[key]
        self.blocked = {key: one for key, one in self.blocked.items() if key in rows}
        changed = []
        for number, (key, row) in enumerate(rows.items(), 1):
            known = self.rows.get(key)
            if known is None or known.data != row.data:
                self._write(row)
                changed.append(key)
            if progress is not None:
                progress(number, 2 * len(rows), key)
        return changed

    def _write(self, row: Row) -> None:
        name = locate(row.key).file_name
        try:
            data = row.data
            refuse_reserved(row.key, data)
            if "/" in name:
                data = wrap(row.key, data, max_bytes=self._max_bytes)
        except InvalidEntryError as error:
            self.blocked[row.key] = PlannedSession(
                row.key, "blocked", row.source, len(row.data), name, error.message
            )
            return
        try:
            if "/" in name:
                make_directory_at(SIDE_AREA, dir_fd=self.opened.fd)
            if row.key in self.rows:
                remove_file(name, dir_fd=self.opened.fd)
            with folder_of(name, self.opened.fd) as (folder_fd, last):
                write_new(last, data, dir_fd=folder_fd)
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("write", self.opened.path_of(name), error) from error
        self.rows[row.key] = row
        self.taken[row.key] = etag(decode(row.data))

    def verify(self, keys: Sequence[str] | None = None, progress: Progress | None = None) -> None:
        """Read these (else all) sessions back and compare them byte for byte.

        Also that there is no file too many and none too few.

        Raises:
            StoreIOError: something differs. The source is untouched.
        """
        chosen = list(self.rows) if keys is None else [key for key in keys if key in self.rows]
        for number, key in enumerate(chosen, 1):
            try:
                same = read_entry(self.opened, locate(key), self._max_bytes) == self.rows[key].data
            except CorruptEntryError:
                same = False
            if not same:
                raise self._differs(locate(key).file_name)
            if progress is not None:
                progress(len(chosen) + number, 2 * len(chosen), key)
        for name in self._names() ^ {locate(key).file_name for key in self.rows}:
            raise self._differs(name)

    def _names(self) -> set[str]:
        names = set(self.opened.names()) - {SIDE_AREA, MARKER_NAME}
        return names | {f"{SIDE_AREA}/{name}" for name in self.opened.side_names()}

    def _differs(self, name: str) -> StoreIOError:
        return StoreIOError(
            f"{self.opened.path_of(name)} does not read back as it was written",
            path=self.opened.path_of(name),
            hint="the disk or another program changed it; the store itself is as it was, try again",
        )

    def seal(self, imports: Sequence[Mapping[str, Any]]) -> None:
        """Write the marker, or a new one over it: the directory is now whole."""
        if read_marker(self.opened) is not None:
            remove_file(MARKER_NAME, dir_fd=self.opened.fd)
        work = self._work
        adoption.write_marker(
            work.paths, self.opened, work.staging, protocol=work.locks.protocol, imports=imports
        )

    def sync(self) -> None:
        """Make all of it durable: one call, or one for each file where there is no such call."""
        if sync_file_system(self.opened.fd, self.opened.path):
            return
        for name in [*self._names(), MARKER_NAME]:
            with folder_of(name, self.opened.fd) as (folder_fd, last):
                sync_named_file(last, dir_fd=folder_fd)
        if SIDE_AREA in self.opened.names():
            with folder_of(f"{SIDE_AREA}/", self.opened.fd) as (folder_fd, _):
                sync_descriptor(folder_fd, self.opened.path / SIDE_AREA)
        sync_descriptor(self.opened.fd, self.opened.path)
        sync_descriptor(self._work.fd, self._work.path)
