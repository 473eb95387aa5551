"""Removing files and folders of our own; no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat

from ..errors import SessionStoreError
from .directories import folder_of, open_directory
from .looking import list_names, status_of
from .refusing import io_error


def remove_quietly(name: str, *, dir_fd: int | None = None) -> None:
    """Remove a temporary file on the way out of an error, without hiding that error."""
    # why: the first error travels; the sweep of dead staging folders takes what is left
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=dir_fd)


def remove_file(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> bool:
    """Remove a file; False when there was none."""
    try:
        if dir_fd is None:
            os.unlink(path)
        else:
            with folder_of(os.fspath(path), dir_fd) as (folder_fd, base):
                os.unlink(base, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("remove", path, error) from error
    return True


def remove_tree(name: str, *, dir_fd: int) -> bool:
    """Remove a file, link or directory with all that is in it; False when there was nothing.

    Only for folders of our own; no link is followed.

    Raises:
        StoreIOError: something could not be removed; the rest is gone.
    """
    status = status_of(name, dir_fd=dir_fd)
    if status is None:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return remove_file(name, dir_fd=dir_fd)
    fd = open_directory(name, dir_fd=dir_fd)
    try:
        for inner in list_names(fd):
            remove_tree(inner, dir_fd=fd)
    finally:
        os.close(fd)
    try:
        os.rmdir(name, dir_fd=dir_fd)
    except OSError as error:
        raise io_error("remove", name, error) from error
    return True
