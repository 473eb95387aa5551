"""What is there, without opening it: names, status, links, room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .refusing import io_error


def list_names(
    path: str | os.PathLike[str] | int, *, shown: str | os.PathLike[str] = "the directory"
) -> list[str]:
    """Names in a directory, unordered. A missing directory raises FileNotFoundError.

    ``shown`` is what a message calls an open one.
    """
    try:
        return os.listdir(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("list", shown if isinstance(path, int) else path, error) from error


def status_of(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> os.stat_result | None:
    """The path's own status (links are not followed); None when there is nothing."""
    try:
        return os.lstat(path, dir_fd=dir_fd)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise io_error("look at", path, error) from error


def link_target(path: str | os.PathLike[str]) -> str:
    """What a symbolic link says, for a message; never to follow it."""
    try:
        return os.readlink(path)
    except OSError as error:
        return os.strerror(error.errno or 0)


def real_path(path: str | os.PathLike[str]) -> str:
    """The path with every link resolved, for telling two spellings of one place."""
    return os.path.realpath(path)


class Room(NamedTuple):
    """What a file system has left. ``files`` is None where it does not count them."""

    free_bytes: int
    block_bytes: int
    files: int | None


def room_at(path: str | os.PathLike[str]) -> Room:
    """What is free, for this process's user, where ``path`` is or would be made.

    Raises:
        StoreIOError: the file system does not say.
    """
    place = Path(path)
    while True:
        try:
            status = os.statvfs(place)
        except FileNotFoundError:
            place = place.parent
            continue
        except OSError as error:
            raise io_error("look at the space of", place, error) from error
        block = status.f_frsize or status.f_bsize
        files = status.f_favail if status.f_files else None
        return Room(status.f_bavail * block, block, files)
