"""What the system refuses, said with the path and the next step."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import NoReturn

from ..errors import FileTooLargeError, StoreIOError, UnsafeFileError

HINTS = {
    errno.ENOSPC: "free some space, then try again",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "check the owner and mode of this path",
    errno.EPERM: "check the owner and mode of this path",
    errno.EROFS: "the file system is mounted read-only",
    errno.EIO: "the disk reported an error; check the kernel log",
    errno.EXDEV: "the store and its .sessionstore folder must be on one file system",
    errno.EMFILE: "raise the limit of open files",
    errno.EEXIST: "something has this name already; look at it, and move one of them away",
}


def io_error(action: str, path: str | os.PathLike[str], error: OSError) -> StoreIOError:
    """Wrap an OSError with the path and, where there is one, the next step."""
    code = error.errno or 0
    return StoreIOError(
        f"cannot {action} {os.fspath(path)}: {os.strerror(code)}",
        errno=code,
        path=path,
        hint=HINTS.get(code, ""),
    )


def refuse_open(path: str | os.PathLike[str], error: OSError) -> NoReturn:
    if error.errno in (errno.ELOOP, errno.EMLINK):
        raise unsafe(path, "is a symbolic link") from error
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP):
        raise unsafe(path, "is a socket or device") from error
    raise io_error("open", path, error) from error


def unsafe(path: str | os.PathLike[str], why: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{os.fspath(path)} {why}",
        path=path,
        hint="look at it and move it out of the store",
    )


def too_large(path: str | os.PathLike[str], why: str) -> FileTooLargeError:
    return FileTooLargeError(
        f"{os.fspath(path)} {why}",
        path=path,
        hint="open the store with a larger limit, or move the file out of the store",
    )


def kind_of(mode: int) -> str:
    names: list[tuple[Callable[[int], bool], str]] = [
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
    ]
    return next((name for test, name in names if test(mode)), "device")
