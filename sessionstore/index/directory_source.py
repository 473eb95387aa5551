"""Rows of the directory layout: what changed since the last look, read file by file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .. import entryfiles, files
from ..entries import NotAnEntryError, decode, etag
from ..errors import (
    CorruptEntryError,
    Finding,
    SessionStoreError,
    StoreIOError,
    UnsafeFileError,
    UnsupportedStoreError,
)
from ..keys import SIDE_AREA
from ..layout import STATE_FILE, foreign_layout
from ..opened import Directory
from ..paths import StorePaths
from .fields import parse
from .loading import load_each, names_by_inode
from .naming import Named, classify, printable, usual_key
from .reading import Rows
from .rows import Row
from .table import Delta
from .watching import Changes, WatchMode, identity_stamp, stamp_of, watch


class Fetched(NamedTuple):
    """One file as it was read: its bytes or why not, and what identifies this version."""

    data: bytes
    error: SessionStoreError | None
    size: int
    stamp: int


class DirectorySource:
    """One open ``sessions.d``, watched from before its first listing.

    Raises:
        FileNotFoundError: there is none any more.
        SessionStoreError: it cannot be read, or another version or program wrote it.
    """

    layout = "directory"

    def __init__(
        self, paths: StorePaths, rows: Rows, *, max_entry_bytes: int, mode: WatchMode
    ) -> None:
        opened = Directory(paths).current()
        if opened is None:
            raise FileNotFoundError(paths.directory)
        self.opened = opened
        self._rows = rows
        self._max_bytes = max_entry_bytes
        self._watch = watch(paths.directory, opened.fd, mode)

    def poll(self) -> Changes:
        """What changed since the last call; call before reading, never after."""
        changes = self._watch.poll()
        if not self.opened.marked and any(map(self._may_be_foreign, changes.names)):
            changes.reopen = True
        return changes

    def _may_be_foreign(self, name: str) -> bool:
        if name == STATE_FILE:
            return True
        named = classify(name, marked=False)
        return named is not None and not named.session and "/" not in name

    def close(self) -> None:
        """Stop watching; the descriptor goes with the object."""
        self._watch.close()

    # -- looking -----------------------------------------------------------------------

    def read(self, names: Iterable[str]) -> Delta:
        """Read the named files again."""
        delta = Delta(tie=self._tie)
        classified = ((name, classify(name, marked=self.opened.marked)) for name in names)
        self._read({name: named for name, named in classified if named is not None}, delta)
        return delta

    def scan(self, known: Mapping[str, Row], *, trusted: Mapping[str, Row]) -> Delta:
        """Look at every file; read those whose stamp is not that of the trusted row.

        A known row without a file is reported as gone. Cost: a ``stat`` per trusted row, a read
        per other file.
        """
        delta = Delta(findings=[], tie=self._tie)
        try:
            names = self._names()
            self._refuse_foreign(names)
            if SIDE_AREA in names:
                side_names, delta.findings = self._side_names()
                names += side_names
        except SessionStoreError as error:
            delta.findings = [finding_of(error, str(self.opened.path))]
            names = []
        present: set[str] = set()
        stale: dict[str, Named] = {}
        for name in names:
            key = usual_key(name)
            row = trusted.get(key)
            if row is not None and self._is_as_known(name, row):
                present.add(key)
                continue
            named = classify(name, marked=self.opened.marked)
            if named is not None:
                present.add(named.id)
                row = trusted.get(named.id)
                if row is None or not self._is_as_known(name, row):
                    stale[name] = named
        self._read(stale, delta)
        delta.rows.update(dict.fromkeys(known.keys() - present))
        return delta

    def _names(self) -> list[str]:
        try:
            names = names_by_inode(self.opened.fd)
        except OSError as error:
            raise files.io_error("list", self.opened.path, error) from error
        return names

    def _side_names(self) -> tuple[list[str], list[Finding]]:
        """Names below ``x/``. What is wrong with it concerns the sessions below it only."""
        try:
            return [f"{SIDE_AREA}/{name}" for name in self.opened.side_names()], []
        except SessionStoreError as error:
            return [], [finding_of(error, self.opened.path_of(SIDE_AREA))]

    def _refuse_foreign(self, names: list[str]) -> None:
        if self.opened.marked:
            return
        if kind := foreign_layout(self.opened.path, names):
            raise UnsupportedStoreError(
                f"{self.opened.path} is in another layout: {kind}",
                path=self.opened.path,
                hint="import it by a migration; nothing was changed",
            )

    def _is_as_known(self, name: str, row: Row) -> bool:
        # A stamp that was settled when it was taken, and is the same now, is still settled.
        if not row.stamp:
            return False
        try:
            status = os.stat(name, dir_fd=self.opened.fd, follow_symlinks=False)
        except OSError:
            return False  # reading it says what is wrong
        return identity_stamp(status) == row.stamp

    def stamp(self, name: str) -> int:
        """Stamp of the file as it is now; 0 when it is too young or cannot be looked at."""
        looked_ns = time.time_ns()
        try:
            status = os.stat(name, dir_fd=self.opened.fd, follow_symlinks=False)
        except OSError:
            return 0  # reading it says what is wrong
        return stamp_of(status, looked_ns)

    # -- reading -----------------------------------------------------------------------

    def _read(self, names: Mapping[str, Named], delta: Delta) -> None:
        for name, fetched in load_each(list(names), self._fetch):
            named = names[name]
            delta.rows[named.id] = None if fetched is None else self._row(name, named, fetched)

    def _fetch(self, name: str) -> Fetched | None:
        """Runs in loader threads too, so it only reads."""
        looked_ns = time.time_ns()
        error: SessionStoreError
        try:
            data, status = files.read_file_stat(
                name, dir_fd=self.opened.fd, max_bytes=self._max_bytes
            )
            return Fetched(data, None, status.st_size, stamp_of(status, looked_ns))
        except FileNotFoundError:
            return None
        except SessionStoreError as caught:
            error = caught
        try:
            found = files.status_of(name, dir_fd=self.opened.fd)
        except SessionStoreError:
            return Fetched(b"", error, 0, 0)
        if found is None:
            return None
        return Fetched(b"", error, found.st_size, stamp_of(found, looked_ns))

    def _row(self, name: str, named: Named, fetched: Fetched) -> Row:
        problem: Finding
        key = named.key
        if not named.session:
            problem = entryfiles.foreign_file(self.opened.path_of(printable(name)))
            return self._problem_row(name, named, None, fetched, problem)
        try:
            if fetched.error is not None:
                raise fetched.error
            data = fetched.data
            if key is None:
                key, data = entryfiles.unwrap(data, name, self.opened)
            return self._rows.row(
                key,
                parse(data),
                size=fetched.size,
                place=None if named.id == key else name,
                stamp=fetched.stamp,
                awkward=named.awkward,
            )
        except (NotAnEntryError, SessionStoreError) as error:
            problem = self._problem(name, key, error)
        return self._problem_row(name, named, key, fetched, problem)

    def _problem_row(
        self, name: str, named: Named, key: str | None, fetched: Fetched, problem: Finding
    ) -> Row:
        return self._rows.problem_row(
            key or named.id,
            problem,
            size=fetched.size,
            place=None if named.id == key else printable(name),
            stamp=fetched.stamp,
            flags=() if key else ("no-key",),
        )

    def _problem(self, name: str, key: str | None, error: Exception) -> Finding:
        path = self.opened.path_of(printable(name))
        if isinstance(error, NotAnEntryError):
            hint = entryfiles.HINT
            return Finding("damaged-entry", "error", key, path, f"{path} {error}", hint)
        assert isinstance(error, SessionStoreError)
        found = finding_of(error, path)
        message = found.message if path in found.message else found.message.replace(name, path, 1)
        return Finding(found.rule, "error", key, path, message, found.hint)

    def _tie(self, row: Row) -> tuple[str, str]:
        """Greater wins between two files of equal ``updatedAt``; same rule as ``adoption``."""
        name = row.file_name
        try:
            data = files.read_file(name, dir_fd=self.opened.fd, max_bytes=self._max_bytes)
            if name.startswith(SIDE_AREA + "/"):
                data = entryfiles.unwrap(data, name, self.opened)[1]
            return etag(decode(data)), name
        except (FileNotFoundError, NotAnEntryError, SessionStoreError):
            return "", name


def finding_of(error: SessionStoreError, path: str) -> Finding:
    """An error as a finding; the slugs are those of ``Store.problems``."""
    rules: tuple[tuple[type[SessionStoreError], str], ...] = (
        (CorruptEntryError, "damaged-entry"),
        (UnsafeFileError, "unsafe-file"),
        (StoreIOError, "unreadable"),
        (UnsupportedStoreError, "unsupported-store"),
    )
    rule = next((slug for kind, slug in rules if isinstance(error, kind)), "damaged-store")
    return Finding(rule, "error", error.key, error.path or path, error.message, error.hint)
