"""Work folders that a dead process leaves provably dead, and the space of a disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ..errors import SessionStoreError, StoreIOError, UnsafeFileError
from ..files import (
    DIRECTORY_MODE,
    ensure_directory,
    io_error,
    list_names,
    open_directory,
    status_of,
    sync_descriptor,
)


class WorkFolder:
    """A folder of one run, locked for as long as the run lives.

    A folder whose lock can be had belongs to a dead process: :func:`dead_folders`.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def remove(self) -> None:
        """Remove the folder with all that is in it and let go of it."""
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        try:
            _empty(fd, self.path)
            _remove_directory(self.path)
        finally:
            os.close(fd)

    def __enter__(self) -> WorkFolder:
        return self

    def __exit__(self, *details: object) -> None:
        self.remove()


def make_work_folder(root: Path, prefix: str) -> WorkFolder:
    """Make and lock ``<root>/<prefix><random>/``, mode 0700."""
    ensure_directory(root)
    for _ in range(16):
        path = root / f"{prefix}{secrets.token_hex(6)}"
        try:
            os.mkdir(path, DIRECTORY_MODE)
            os.chmod(path, DIRECTORY_MODE)
            fd = open_directory(path)
        except FileNotFoundError:
            ensure_directory(root)  # a sweeper met the folder, or somebody removed the root
            continue
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("create", path, error) from error
        if _lock_now(fd) and _is_still(path, fd):
            return WorkFolder(path, fd)
        os.close(fd)
    raise StoreIOError(f"cannot keep a folder in {root}: each was swept at once", path=root)


def dead_folders(root: Path, prefix: str) -> Iterator[WorkFolder]:
    """Each folder that a dead process left, locked by us now; the caller removes it."""
    try:
        names = list_names(root)
    except FileNotFoundError:
        return
    for name in sorted(names):
        if not name.startswith(prefix):
            continue
        path = root / name
        try:
            fd = open_directory(path)
        except (FileNotFoundError, UnsafeFileError):
            continue  # gone by now, or no folder of ours
        if _lock_now(fd) and _is_still(path, fd):
            yield WorkFolder(path, fd)
        else:
            os.close(fd)


def _lock_now(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, fd: int) -> bool:
    status = status_of(path)
    return status is not None and os.path.samestat(status, os.fstat(fd))


def _empty(fd: int, path: Path) -> None:
    for name in list_names(fd):
        try:
            os.unlink(name, dir_fd=fd)
        except (IsADirectoryError, PermissionError):
            below = open_directory(name, dir_fd=fd)
            try:
                _empty(below, path / name)
            finally:
                os.close(below)
            _remove_directory(name, dir_fd=fd)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise io_error("remove", path / name, error) from error


def _remove_directory(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> None:
    # why: gone already is what was wanted
    with contextlib.suppress(FileNotFoundError):
        try:
            os.rmdir(path, dir_fd=dir_fd)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise io_error("remove", path, error) from error


def sync_names(fd: int, path: str | os.PathLike[str]) -> None:
    """Make the names in an open directory durable."""
    sync_descriptor(fd, path)


def empty_folder(folder: WorkFolder) -> None:
    """Remove all that is in a work folder; the folder stays ours."""
    _empty(folder.fd, folder.path)


def remove_below(folder: WorkFolder, name: str) -> None:
    """Remove one folder in a work folder, with all that is in it; it need not be there."""
    try:
        fd = open_directory(name, dir_fd=folder.fd)
    except FileNotFoundError:
        return
    try:
        _empty(fd, folder.path / name)
    finally:
        os.close(fd)
    _remove_directory(name, dir_fd=folder.fd)


def free_bytes(path: str | os.PathLike[str]) -> int:
    """Bytes that an ordinary process can still write on this file system."""
    try:
        status = os.statvfs(path)
    except OSError as error:
        raise io_error("look at the space of", path, error) from error
    return status.f_bavail * status.f_frsize
