"""Large files, read from any place and written front to back."""

from __future__ import annotations

import errno
import os
import stat

from ..errors import UnsafeFileError
from ..files import CREATE_FLAGS, FILE_MODE, READ_FLAGS, io_error, sync_all, write_all

CHUNK_BYTES = 256 * 1024


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

    def sync(self) -> None:
        """Make the bytes durable, and let the next reader get them from the disk."""
        try:
            sync_all(self.fd)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)
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
