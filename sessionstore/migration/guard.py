"""Putting the guard in the place of ``sessions.json``, whole and at once (``guarding``)."""

from __future__ import annotations

import stat

from ..errors import SessionStoreError
from ..files import (
    close_directory,
    io_error,
    make_directory_at,
    move_into,
    open_directory,
    status_of,
    write_new,
)
from .guarding import GUARD_NOTE_NAME, guard_note
from .workspace import GUARD_NAME, Workspace


def prepare_guard(work: Workspace) -> None:
    """Make the guard in the run's folder, whole, so that it can appear at once."""
    if not make_directory_at(GUARD_NAME, dir_fd=work.fd):
        return
    fd = open_directory(GUARD_NAME, dir_fd=work.fd)
    try:
        write_new(GUARD_NOTE_NAME, guard_note(work.paths), dir_fd=fd, sync="strict")
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("write", work.path / GUARD_NAME / GUARD_NOTE_NAME, error) from error
    finally:
        close_directory(fd)


def put_guard(work: Workspace) -> bool:
    """Put it in the place of ``sessions.json``; False when something is there, which stays."""
    if status_of(work.store_name, dir_fd=work.home_fd) is not None:
        return False
    return move_into(GUARD_NAME, work.store_name, from_fd=work.fd, to_fd=work.home_fd)


def has_directory_there(work: Workspace) -> bool:
    """Whether a directory stands in the place of ``sessions.json``, a guard or not."""
    status = status_of(work.store_name, dir_fd=work.home_fd)
    return status is not None and stat.S_ISDIR(status.st_mode)
