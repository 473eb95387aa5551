"""A rollback that was killed: what a later run makes of it.

``runs/rollback.json`` is written before the new ``sessions.json`` is put in place and removed when
all is done. While the directory is still there it counts, and the file is only our copy of it;
when it is gone, the rollback is complete but for its cleaning up.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..entries import NotAnEntryError, decode
from ..errors import SessionStoreError, UnsafeFileError
from ..files import (
    close_directory,
    digest_of,
    exchange,
    open_directory,
    read_file,
    remove_file,
    status_of,
)
from ..paths import StorePaths
from .ours import ROLLBACK_NAME, RUNS_NAME
from .workspace import FILE_NAME, Workspace


@dataclass(frozen=True, slots=True)
class Halfway:
    """What ``rollback.json`` says. ``file_is_ours``: ``sessions.json`` is what it wrote."""

    run_id: str
    sha256: str
    sessions: int
    set_aside: str
    file_is_ours: bool


def halfway(paths: StorePaths) -> Halfway | None:
    """The rollback that was killed here; None where none was.

    Raises:
        StoreIOError: its note is there and cannot be read.
    """
    noted = _noted(paths)
    if noted is None:
        return None
    sha256 = str(noted.get("sha256", ""))
    try:
        is_ours = digest_of(paths.store_path) == sha256
    except (FileNotFoundError, UnsafeFileError):
        is_ours = False
    sessions = noted.get("sessions")
    return Halfway(
        run_id=str(noted.get("run", "")),
        sha256=sha256,
        sessions=sessions if isinstance(sessions, int) else 0,
        set_aside=str(noted.get("setAside", "")),
        file_is_ours=is_ours,
    )


def _noted(paths: StorePaths) -> dict[str, Any] | None:
    path: Path = paths.sidecar / RUNS_NAME / ROLLBACK_NAME
    try:
        return decode(read_file(path))
    except FileNotFoundError:
        return None
    except (NotAnEntryError, UnsafeFileError):
        return {}


def is_complete(paths: StorePaths) -> bool:
    """Whether nothing but cleaning up is left of it."""
    found = halfway(paths)
    return found is not None and found.file_is_ours and status_of(paths.directory) is None


def settle_rollback(work: Workspace) -> None:
    """Undo a rollback that had not moved the directory away; forget one that had.

    Raises:
        SessionStoreError: the file could not be removed; sessions are read from the directory.
    """
    found = halfway(work.paths)
    if found is None:
        return
    if status_of(work.paths.directory) is not None and found.file_is_ours:
        with work.alone_with_store("migrate"):
            again = halfway(work.paths)
            if again is not None and again.file_is_ours:
                _take_back(work, again)
            work.sync_home()
    forget(work)


def forget(work: Workspace) -> None:
    """Remove the note of a rollback."""
    remove_file(ROLLBACK_NAME, dir_fd=work.runs_fd)


def _take_back(work: Workspace, found: Halfway) -> None:
    """Remove the file, or let the guard that it had replaced stand there again."""
    try:
        fd = open_directory(found.run_id or ".", dir_fd=work.runs_fd)
    except (FileNotFoundError, SessionStoreError):
        remove_file(work.store_name, dir_fd=work.home_fd)
        return
    try:
        status = status_of(FILE_NAME, dir_fd=fd)
        has_guard = status is not None and stat.S_ISDIR(status.st_mode)
        if not has_guard or not exchange(
            FILE_NAME, work.store_name, from_fd=fd, to_fd=work.home_fd
        ):
            remove_file(work.store_name, dir_fd=work.home_fd)
    finally:
        close_directory(fd)
