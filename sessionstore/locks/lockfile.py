"""The lock file of a store: created once, never deleted, naming the protocol of its locks.

Its content is one JSON line, for example::

    {"format":"sessionstore-lock","version":1,"protocol":"ofd-ranges-1"}

Programs that would lock by another protocol must not write the store: the two would not see
each other. Whoever finds the file empty (new, or its creator died in between) writes the line
under an ``flock``, so two creators cannot write two lines.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from pathlib import Path

from ..errors import StoreIOError, UnsafeFileError, UnsupportedStoreError
from ..files import ensure_directory, io_error

NAME = "lock"
_FORMAT = "sessionstore-lock"
_VERSION = 1
_MAX_BYTES = 4096
_WRITE_LIMIT_S = 5.0


def open_lock_file(sidecar: Path, protocol: str) -> int:
    """Open the lock file for locking, creating or completing it where needed.

    Raises:
        UnsupportedStoreError: it names another protocol or format.
        UnsafeFileError: it is a link or no regular file.
        StoreIOError: the operating system refused.
    """
    ensure_directory(sidecar)
    path = sidecar / NAME
    fd = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        found = _read(fd, path)
        if found is None:
            _write_line(fd, path, protocol)
            found = _read(fd, path)
        check_protocol(path, found, protocol)
    except OSError as error:
        os.close(fd)
        if isinstance(error, StoreIOError):
            raise
        raise io_error("prepare", path, error) from error
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_existing(sidecar: Path) -> int | None:
    """Open the lock file to look at it; None when there is none."""
    try:
        return _open(sidecar / NAME, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None


def read_protocol(sidecar: Path) -> str | None:
    """The protocol that the lock file names; None when there is none yet."""
    fd = open_existing(sidecar)
    if fd is None:
        return None
    try:
        return _read(fd, sidecar / NAME)
    finally:
        os.close(fd)


def check_protocol(path: Path, found: str | None, wanted: str) -> None:
    """Refuse a store whose writers lock in another way.

    Raises:
        UnsupportedStoreError: see above.
    """
    if found is not None and found != wanted:
        raise UnsupportedStoreError(
            f"{path} is locked by the protocol {found!r}, this process would use {wanted!r}",
            path=path,
            hint=f"open the store with protocol={found!r}, or on the system that made it",
        )


def _open(path: Path, flags: int) -> int:
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("open", path, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnsafeFileError(
            f"{path} is not a regular file", path=path, hint="move it out of the store"
        )
    return fd


def _read(fd: int, path: Path) -> str | None:
    """The protocol; None for an empty file or the first part of a line."""
    try:
        text = os.pread(fd, _MAX_BYTES, 0)
    except OSError as error:
        raise io_error("read", path, error) from error
    if not text.endswith(b"\n"):
        return None
    try:
        line = json.loads(text)
        protocol = line["protocol"]
        known = line["format"] == _FORMAT and line["version"] == _VERSION
    except (ValueError, KeyError, TypeError, RecursionError):
        known, protocol = False, None
    if not known or not isinstance(protocol, str):
        raise UnsupportedStoreError(
            f"{path} is not a lock file of a format that this version knows",
            path=path,
            hint="use the version of sessionstore that wrote it",
        )
    return protocol


def _write_line(fd: int, path: Path, protocol: str) -> None:
    line = {"format": _FORMAT, "version": _VERSION, "protocol": protocol}
    text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    _lock_briefly(fd, path)
    try:
        present = os.pread(fd, _MAX_BYTES, 0)
        if present.endswith(b"\n"):
            return
        if present and not text.startswith(present):
            raise UnsupportedStoreError(
                f"{path} has content that is not ours", path=path, hint="move it out of the store"
            )
        os.fchmod(fd, 0o600)
        os.pwrite(fd, text, 0)
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _lock_briefly(fd: int, path: Path) -> None:
    # A creator holds this for microseconds; only a stopped one makes us wait.
    limit = time.monotonic() + _WRITE_LIMIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                raise StoreIOError(
                    f"another process does not finish creating {path}",
                    path=path,
                    hint="look for a stopped process that has it open",
                ) from None
            time.sleep(0.002)
        else:
            return
