"""Reading a regular file whole: never through a link, never blocked by a special file."""

from __future__ import annotations

import hashlib
import os
import stat

from ..errors import SessionStoreError
from .directories import folder_of
from .refusing import io_error, kind_of, refuse_open, too_large, unsafe

DEFAULT_MAX_BYTES = 8 * 1024 * 1024
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CHUNK_BYTES = 1 << 20


def read_file(
    path: str | os.PathLike[str],
    *,
    dir_fd: int | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> bytes:
    """Read one regular file; four system calls.

    Raises:
        FileNotFoundError: there is none.
        UnsafeFileError: a link, a special file, or more than ``max_bytes``.
        StoreIOError: any other refusal; never mistaken for absence.
    """
    return read_file_stat(path, dir_fd=dir_fd, max_bytes=max_bytes)[0]


def read_file_stat(
    path: str | os.PathLike[str],
    *,
    dir_fd: int | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[bytes, os.stat_result]:
    """As :func:`read_file`, with the stat of the descriptor that was read."""
    if dir_fd is not None and "/" in (name := os.fspath(path)):
        with folder_of(name, dir_fd) as (folder_fd, base):
            return read_file_stat(base, dir_fd=folder_fd, max_bytes=max_bytes)
    try:
        fd = os.open(path, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        refuse_open(path, error)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise unsafe(path, f"is a {kind_of(status.st_mode)}, not a regular file")
        if status.st_size > max_bytes:
            raise too_large(path, f"has {status.st_size:,} bytes of at most {max_bytes:,}")
        data = os.read(fd, status.st_size + 1)
        if len(data) != status.st_size:
            data = _read_changing(fd, data, path, max_bytes)
        return data, status
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("read", path, error) from error
    finally:
        os.close(fd)


def _read_changing(fd: int, data: bytes, path: str | os.PathLike[str], max_bytes: int) -> bytes:
    # Only a foreign program that writes in place gets here: our own files never change size.
    while len(data) <= max_bytes and (more := os.read(fd, 1 << 20)):
        data += more
    if len(data) > max_bytes:
        raise too_large(path, f"grew past {max_bytes:,} bytes while it was read")
    return data


def digest_of(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> str:
    """SHA-256 of a regular file of any size, as hex digits.

    Raises:
        FileNotFoundError, UnsafeFileError (a link or special file), StoreIOError.
    """
    try:
        fd = os.open(path, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        refuse_open(path, error)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise unsafe(path, f"is a {kind_of(status.st_mode)}, not a regular file")
        digest = hashlib.sha256()
        while chunk := os.read(fd, CHUNK_BYTES):
            digest.update(chunk)
        return digest.hexdigest()
    except OSError as error:
        raise io_error("read", path, error) from error
    finally:
        os.close(fd)
