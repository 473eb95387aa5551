"""Renaming, swapping and second names. Source: rename(2)."""

from __future__ import annotations

import errno
import os
import time

from ..errors import SessionStoreError
from .directories import folder_of
from .looking import status_of
from .refusing import io_error
from .removing import remove_quietly
from .renames import exchange_names, rename_exclusively

# Sharing violations of virus scanners and network shares pass within milliseconds; after the
# last pause the error travels (issue 112504: it was swallowed after five tries).
_REPLACE_PAUSES_S = (0.001, 0.002, 0.005, 0.01, 0.02)

# A directory, or a file system that has no hard links; a full disk is neither.
_NO_SECOND_NAME = frozenset(
    [errno.EPERM, errno.EISDIR, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV]
)


def move_into(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Rename between two open directories; False when there is nothing of that name."""
    try:
        with (
            folder_of(name, from_fd) as (source_fd, source),
            folder_of(target, to_fd) as (target_fd, last),
        ):
            os.rename(source, last, src_dir_fd=source_fd, dst_dir_fd=target_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise io_error("move", name, error) from error
    return True


def copy_name(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Give a file a second name in another directory; a link is kept as a link.

    Where that cannot be (a directory, or a file system without hard links) the file is moved.
    False when there is nothing of that name.
    """
    try:
        with (
            folder_of(name, from_fd) as (source_fd, source),
            folder_of(target, to_fd) as (target_fd, last),
        ):
            os.link(source, last, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        if error.errno in _NO_SECOND_NAME:
            return move_into(name, target, from_fd=from_fd, to_fd=to_fd)
        raise io_error("keep a copy of", name, error) from error
    return True


def rename_new(name: str, target: str, *, dir_fd: int, to_fd: int | None = None) -> bool:
    """Rename inside an open directory, or into another one (``to_fd``), never over anything.

    False when ``name`` is not there. In one step where the system can. Elsewhere a second name
    comes first, then the old one goes, so there is no moment without the file; where both are
    left by a process that died in between, the next call finishes it. Without hard links the
    target is looked for first.

    Raises:
        StoreIOError: the target exists (``EEXIST``), or the system refused.
    """
    end_fd = dir_fd if to_fd is None else to_fd
    try:
        try:
            if not rename_exclusively(name, target, from_fd=dir_fd, to_fd=end_fd):
                _rename_in_steps(name, target, dir_fd, end_fd)
        except FileExistsError:
            if not _are_one_file(name, target, dir_fd, end_fd):
                raise
            os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("rename", name, error) from error
    return True


def _rename_in_steps(name: str, target: str, from_fd: int, to_fd: int) -> None:
    try:
        os.link(name, target, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_SECOND_NAME:
            raise
        if status_of(target, dir_fd=to_fd) is not None:
            raise FileExistsError(errno.EEXIST, "exists", target) from error
        os.rename(name, target, src_dir_fd=from_fd, dst_dir_fd=to_fd)
        return
    os.unlink(name, dir_fd=from_fd)


def _are_one_file(name: str, target: str, from_fd: int, to_fd: int) -> bool:
    first = os.lstat(name, dir_fd=from_fd)
    return os.path.samestat(first, os.lstat(target, dir_fd=to_fd))


def exchange(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Let two names change places at once; False where the file system cannot do that.

    Raises:
        StoreIOError: one of them is not there, or the system refused.
    """
    try:
        return exchange_names(name, target, from_fd=from_fd, to_fd=to_fd)
    except OSError as error:
        raise io_error("exchange", target, error) from error


def replace_patiently(source: str, target: str, *, from_fd: int, to_fd: int) -> None:
    """Rename over ``target`` after a PermissionError: five more tries, then it is raised.

    Raises:
        OSError: the temporary file is removed and the target is as it was.
    """
    for pause_s in _REPLACE_PAUSES_S:
        time.sleep(pause_s)
        try:
            os.rename(source, target, src_dir_fd=from_fd, dst_dir_fd=to_fd)
            return
        except OSError as error:
            last = error
            if not isinstance(error, PermissionError):
                break
    remove_quietly(source, dir_fd=from_fd)
    raise last
