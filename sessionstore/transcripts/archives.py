"""The files that hang on one session in the store's folder: archives, checkpoints, traces."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection
from dataclasses import dataclass

from ..errors import SessionStoreError
from ..files import close_directory, list_names, open_directory, status_of
from ..paths import StorePaths
from .names import Named, classify

MOST = 200


@dataclass(frozen=True, slots=True)
class SessionFile:
    """One file by its name. ``size_bytes`` is None for what is no regular file."""

    name: str
    named: Named
    size_bytes: int | None
    modified_at_ms: int

    @property
    def at_ms(self) -> int:
        """When it was set aside or made, as far as its name says; else when it was changed."""
        return self.named.archived_at_ms or self.named.forked_at_ms or self.modified_at_ms


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """Newest first, at most :data:`MOST`; ``left_out`` is how many more there are."""

    files: tuple[SessionFile, ...]
    left_out: int = 0


def files_of(paths: StorePaths, session_ids: Collection[str]) -> SessionFiles:
    """List what beside the store has one of these ids in its name: one listing, nothing opened.

    A session that was reset has several: its own, and those of its earlier incarnations.

    Raises:
        StoreIOError, UnsafeFileError: the folder cannot be listed.
    """
    if not session_ids:
        return SessionFiles(())
    # Most names are other sessions'; telling that from the text is cheaper than parsing.
    likely = re.compile("|".join(map(re.escape, session_ids)))
    try:
        fd = open_directory(paths.store_path.parent, named=True)
    except FileNotFoundError:
        return SessionFiles(())
    try:
        names = list_names(fd, shown=paths.store_path.parent)
        mine = [
            (name, classify(name, paths.store_path.name)) for name in names if likely.search(name)
        ]
        found = [
            _looked_at(name, named, fd) for name, named in mine if named.session_id in session_ids
        ]
    finally:
        close_directory(fd)
    there = sorted(
        (one for one in found if one is not None), key=lambda one: (-one.at_ms, one.name)
    )
    return SessionFiles(tuple(there[:MOST]), max(0, len(there) - MOST))


def _looked_at(name: str, named: Named, fd: int) -> SessionFile | None:
    try:
        status = status_of(name, dir_fd=fd)
    except SessionStoreError:
        return SessionFile(name, named, None, 0)
    if status is None:
        return None
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    return SessionFile(name, named, size, status.st_mtime_ns // 1_000_000)
