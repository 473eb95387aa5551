"""Writing new files; a final name is never opened for writing (performance.md §3)."""

from __future__ import annotations

import os
import stat
from time import perf_counter_ns
from typing import Protocol

from .reading import READ_FLAGS
from .refusing import io_error
from .removing import remove_quietly
from .syncing import Durability, sync_all, sync_data

FILE_MODE = 0o600
CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Marks(Protocol):
    """Who wants to know where the time of a write went; only ever set, by whom it concerns.

    ``staged_ns`` is the ``perf_counter_ns`` just before the rename. The other two are set for
    durable writes alone: nanoseconds that syncing the file and then the directory took.
    """

    staged_ns: int
    sync_ns: int
    folder_sync_ns: int


def write_new(
    name: str,
    data: bytes,
    *,
    dir_fd: int,
    sync: Durability = "none",
    set_mode: bool = True,
    marks: Marks | None = None,
) -> None:
    """Create a file that must not exist and write all of it; on error no file stays.

    ``marks`` is told how long a sync took.
    """
    fd = os.open(name, CREATE_FLAGS, FILE_MODE, dir_fd=dir_fd)
    try:
        try:
            if set_mode:
                os.fchmod(fd, FILE_MODE)
            write_all(fd, data)
            if sync != "none":
                _sync(fd, sync, marks)
        finally:
            os.close(fd)
    except BaseException:
        remove_quietly(name, dir_fd=dir_fd)
        raise


def _sync(fd: int, sync: Durability, marks: Marks | None) -> None:
    began = perf_counter_ns()
    if sync == "relaxed":
        sync_data(fd)
    else:
        sync_all(fd)
    if marks is not None:
        marks.sync_ns = perf_counter_ns() - began


def write_all(fd: int, data: bytes) -> None:
    """Write all of it: a full disk or a signal can make write(2) take less."""
    while written := os.write(fd, data):
        if written == len(data):
            return
        data = data[written:]


def open_list(name: str, *, dir_fd: int) -> int:
    """Open a file of our own that lines are added to, or create it; the caller closes it.

    Raises:
        StoreIOError: it cannot be created.
    """
    try:
        flags = (CREATE_FLAGS & ~os.O_EXCL) | os.O_APPEND
        return os.open(name, flags, FILE_MODE, dir_fd=dir_fd)
    except OSError as error:
        raise io_error("open", name, error) from error


def append_line(fd: int, line: bytes) -> None:
    """Add one line to a file from :func:`open_list`; a killed process leaves at most a part of it.

    Raises:
        StoreIOError: the disk refused.
    """
    try:
        write_all(fd, line + b"\n")
    except OSError as error:
        raise io_error("write", "the list of merged sessions", error) from error


def restrict_file(name: str, *, dir_fd: int) -> None:
    """Give a regular file mode 0600 (older programs left it to the umask); no link is followed.

    Raises:
        StoreIOError: it is gone, or the system refused.
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                os.fchmod(fd, FILE_MODE)
        finally:
            os.close(fd)
    except OSError as error:
        raise io_error("change the mode of", name, error) from error


def touch(name: str, *, dir_fd: int) -> bool:
    """Set a file's times to now; False when there is none. A link is not followed.

    Raises:
        StoreIOError: the system refused.
    """
    try:
        os.utime(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise io_error("set the time of", name, error) from error
    return True
