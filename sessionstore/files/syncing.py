"""Making bytes and names durable. Sources: fsync(2), performance.md §1 and §5."""

from __future__ import annotations

import fcntl
import os
from typing import Literal

from .directories import open_directory
from .reading import READ_FLAGS
from .refusing import io_error
from .renames import sync_whole

Durability = Literal["none", "relaxed", "strict"]
DURABILITIES: tuple[Durability, ...] = ("none", "relaxed", "strict")


def sync_data(fd: int) -> None:
    """Make a file's bytes durable, and of its metadata what reading them needs."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        sync_all(fd)


def sync_all(fd: int) -> None:
    """fsync; on macOS with the flush of the drive, which fsync(2) leaves out there."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync_named_file(name: str, *, dir_fd: int) -> None:
    """Make one file's bytes durable.

    Raises:
        FileNotFoundError, StoreIOError.
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
        try:
            sync_all(fd)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("sync", name, error) from error


def sync_descriptor(fd: int, path: str | os.PathLike[str]) -> None:
    """Make the names in an open directory durable."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise io_error("sync", path, error) from error


def sync_directory(path: str | os.PathLike[str], *, named: bool = False) -> None:
    """Make the names in a directory durable; ``named`` as in :func:`open_directory`."""
    fd = open_directory(path, named=named)
    try:
        sync_descriptor(fd, path)
    finally:
        os.close(fd)


def sync_file_system(fd: int, path: str | os.PathLike[str]) -> bool:
    """Make everything durable that was written to the file system of ``fd``; one call for any
    number of files (performance.md §5). False where the system has no such call.

    Raises:
        StoreIOError: something could not be written.
    """
    try:
        return sync_whole(fd)
    except OSError as error:
        raise io_error("sync", path, error) from error
