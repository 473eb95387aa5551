"""Copying a file so that the copy is proven equal."""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from ..errors import StoreIOError
from .reading import CHUNK_BYTES, READ_FLAGS, digest_of
from .refusing import HINTS, io_error, kind_of, refuse_open, unsafe
from .removing import remove_quietly
from .syncing import sync_all
from .writing import CREATE_FLAGS, FILE_MODE, write_all


def copy_file(
    path: str | os.PathLike[str], target: str, *, to_fd: int
) -> tuple[str, os.stat_result]:
    """Copy a regular file to a new, synced one of mode 0600; its sha256 and status as read.

    The copy is read back: what is returned is the digest of both. On error no copy stays.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: a link or special file.
        StoreIOError: the copy could not be written, or does not read back equal.
    """
    try:
        source = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        refuse_open(path, error)
    try:
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise unsafe(path, f"is a {kind_of(status.st_mode)}, not a regular file")
        try:
            digest = _copy_into(source, target, to_fd)
        except OSError as error:
            raise io_error("copy", path, error) from error
        if digest_of(target, dir_fd=to_fd) != digest:
            remove_quietly(target, dir_fd=to_fd)
            raise StoreIOError(
                f"the copy of {os.fspath(path)} does not read back as it was written",
                errno=errno.EIO,
                path=path,
                hint=HINTS[errno.EIO],
            )
        return digest, status
    finally:
        os.close(source)


def _copy_into(source: int, target: str, to_fd: int) -> str:
    digest = hashlib.sha256()
    fd = os.open(target, CREATE_FLAGS, FILE_MODE, dir_fd=to_fd)
    try:
        try:
            os.fchmod(fd, FILE_MODE)
            while chunk := os.read(source, CHUNK_BYTES):
                digest.update(chunk)
                write_all(fd, chunk)
            sync_all(fd)
        finally:
            os.close(fd)
    except BaseException:
        remove_quietly(target, dir_fd=to_fd)
        raise
    return digest.hexdigest()
