"""Opening and making directories; none is reached through a link that is not a person's own."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .looking import status_of
from .refusing import io_error, kind_of, unsafe

SIDECAR_ROOT = ".sessionstore"
"""Our own folder beside a store; nothing in it is ever reached through a link."""

DIRECTORY_MODE = 0o700
DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_directory(
    path: str | os.PathLike[str], *, dir_fd: int | None = None, named: bool = False
) -> int:
    """Open a real directory; the caller closes the descriptor.

    ``named``: a person gave this path, so a link in its last part is theirs and is followed.

    Raises:
        FileNotFoundError, UnsafeFileError (a link or no directory), StoreIOError.
    """
    try:
        flags = DIRECTORY_FLAGS & ~os.O_NOFOLLOW if named else DIRECTORY_FLAGS
        return os.open(path, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
            raise unsafe(path, "is not a directory of its own") from error
        raise io_error("open", path, error) from error


def open_below(sidecar: Path, name: str) -> int:
    """Open a folder of a store's sidecar, from the topmost folder of ours down, through no link.

    Raises:
        FileNotFoundError, UnsafeFileError (a link or no directory), StoreIOError.
    """
    top = sidecar.parent if sidecar.parent.name == SIDECAR_ROOT else sidecar
    fd = open_directory(top)
    for part in (*sidecar.parts[len(top.parts) :], name):
        try:
            inner = open_directory(part, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


def close_directory(fd: int) -> None:
    """Close a descriptor from :func:`open_directory`."""
    os.close(fd)


@contextlib.contextmanager
def folder_of(name: str, dir_fd: int) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder that a name below ``dir_fd`` is in, and its last part.

    ``O_NOFOLLOW`` speaks of the last part of a path only, so ``x/name`` would be reached through
    a link that somebody put in the place of ``x`` (CWE-59).

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError: as :func:`open_directory`.
    """
    folder, _, base = name.rpartition("/")
    if not folder:
        yield dir_fd, base
        return
    fd = open_directory(folder, dir_fd=dir_fd)
    try:
        yield fd, base
    finally:
        os.close(fd)


def restrict_directory(fd: int) -> None:
    """Give an open directory mode 0700 (older programs left 0755)."""
    try:
        os.fchmod(fd, DIRECTORY_MODE)
    except OSError as error:
        raise io_error("change the mode of", "the directory", error) from error


def ensure_directory(path: Path) -> None:
    """Make a directory of mode 0700, parents included; existing ones stay as they are.

    Raises:
        UnsafeFileError: something else, or a link, stands at ``path`` or at one of our own
            folders above it, through which we would write elsewhere.
    """
    if SIDECAR_ROOT in path.parts[:-1]:
        ensure_directory(path.parent)
    try:
        _make_directory(path)
    except FileNotFoundError:
        ensure_directory(path.parent)
        _make_directory(path)


def _make_directory(path: Path) -> None:
    try:
        os.mkdir(path, DIRECTORY_MODE)
        os.chmod(path, DIRECTORY_MODE)  # mkdir obeys the umask, which may strip even ours
    except FileExistsError:
        status = status_of(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise unsafe(path, f"is a {kind_of(status.st_mode)}, not a directory") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("create", path, error) from error


def make_directory_at(name: str, *, dir_fd: int) -> bool:
    """Make a directory of mode 0700 below an open one; False when something is there already.

    Raises:
        FileNotFoundError: the open directory has been removed.
    """
    try:
        os.mkdir(name, DIRECTORY_MODE, dir_fd=dir_fd)
        os.chmod(name, DIRECTORY_MODE, dir_fd=dir_fd)
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("create", name, error) from error
    return True
