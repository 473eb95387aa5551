"""Trees of files: link, copy, stream, and work folders that a dead process leaves provably dead.

Beside ``files`` and ``locks`` the only code of the store that touches the file system. What is
here serves work on many files at once (backups); a single session's files are ``files``'s.
Nothing is followed through a link, no final name is opened for writing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from .errors import SessionStoreError, StoreIOError, UnsafeFileError
from .files import (
    CREATE_FLAGS,
    DIRECTORY_MODE,
    FILE_MODE,
    READ_FLAGS,
    ensure_directory,
    io_error,
    list_names,
    open_directory,
    remove_quietly,
    status_of,
    sync_all,
    sync_descriptor,
    write_all,
)

CHUNK_BYTES = 256 * 1024

_NO_LINKS = frozenset(
    [errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV]
)


# -- linking and copying -------------------------------------------------------------------


def link_file(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Give a file a second name in another open directory; False where links are refused.

    A link is linked itself, never what it points to.

    Raises:
        FileNotFoundError: there is no such file.
        StoreIOError: the system refused for another reason; ``EEXIST`` when the name is taken.
    """
    try:
        os.link(name, target, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise io_error("link", name, error) from error
    return True


def copy_file(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Copy a regular file's bytes to a new name; False when it is no regular file.

    Raises:
        FileNotFoundError: there is no such file.
        StoreIOError: nothing was left at ``target``.
    """
    try:
        source = os.open(name, READ_FLAGS, dir_fd=from_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return False
        raise io_error("open", name, error) from error
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            return False
        made = os.open(target, CREATE_FLAGS, FILE_MODE, dir_fd=to_fd)
        try:
            while chunk := os.read(source, CHUNK_BYTES):
                write_all(made, chunk)
        except BaseException:
            remove_quietly(target, dir_fd=to_fd)
            raise
        finally:
            os.close(made)
    except OSError as error:
        raise io_error("copy", name, error) from error
    finally:
        os.close(source)
    return True


def free_bytes(path: str | os.PathLike[str]) -> int:
    """Bytes that an ordinary process can still write on this file system."""
    try:
        status = os.statvfs(path)
    except OSError as error:
        raise io_error("look at the space of", path, error) from error
    return status.f_bavail * status.f_frsize


def identity(name: str, *, dir_fd: int) -> tuple[int, int, int, int] | None:
    """What tells one version of a file from the next; None when there is none."""
    status = status_of(name, dir_fd=dir_fd)
    if status is None:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


# -- streams -------------------------------------------------------------------------------


class Reader:
    """One regular file, read from where it is told to; never through a link."""

    def __init__(self, name: str | os.PathLike[str], *, dir_fd: int | None = None) -> None:
        """Raises FileNotFoundError, UnsafeFileError or StoreIOError."""
        self.path = os.fspath(name)
        try:
            self.fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV):
                raise UnsafeFileError(f"{self.path} is no regular file", path=name) from error
            raise io_error("open", name, error) from error
        self.status = os.fstat(self.fd)
        if not stat.S_ISREG(self.status.st_mode):
            self.close()
            raise UnsafeFileError(f"{self.path} is no regular file", path=name)

    @property
    def size_bytes(self) -> int:
        """Size when it was opened."""
        return self.status.st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
        try:
            return os.pread(self.fd, size, offset)
        except OSError as error:
            raise io_error("read", self.path, error) from error

    def close(self) -> None:
        """Close the descriptor; once more does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def detach(self) -> int:
        """Give the descriptor away; the caller closes it."""
        fd, self.fd = self.fd, -1
        return fd

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class Writer:
    """A new file of mode 0600 in an open directory, written front to back."""

    def __init__(self, name: str, *, dir_fd: int, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.size_bytes = 0
        try:
            self.fd = os.open(name, CREATE_FLAGS, FILE_MODE, dir_fd=dir_fd)
            os.fchmod(self.fd, FILE_MODE)
        except OSError as error:
            raise io_error("create", path, error) from error

    def write(self, chunk: bytes) -> None:
        """Append all of it."""
        try:
            write_all(self.fd, chunk)
        except OSError as error:
            raise io_error("write", self.path, error) from error
        self.size_bytes += len(chunk)

    def append(self, reader: Reader) -> None:
        """Append all of another file, from its start."""
        offset = 0
        while chunk := reader.read_at(offset, CHUNK_BYTES):
            self.write(chunk)
            offset += len(chunk)

    def sync(self) -> None:
        """Make the bytes durable."""
        try:
            sync_all(self.fd)
        except OSError as error:
            raise io_error("sync", self.path, error) from error

    def close(self) -> None:
        """Close the descriptor; once more does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


# -- work folders --------------------------------------------------------------------------


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
