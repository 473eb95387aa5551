"""Files that their owner keeps locked for life: read one, and tell whether it still lives.

The lock is an exclusive ``flock``. Whoever gets a shared one has proof that the owner, on this
kernel, has let go or is dead. What is behind a link is never looked at.
"""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass

from ..files import READ_FLAGS, io_error


@dataclass(frozen=True, slots=True)
class Owned:
    """Part of a regular file. What is ``is_locked`` false was complete when it was read."""

    data: bytes
    status: os.stat_result
    is_locked: bool


def read_owned(name: str, *, dir_fd: int, offset: int = 0, max_bytes: int = 0) -> Owned | None:
    """At most ``max_bytes`` from ``offset`` on; None for a link, a special or an unreadable file.

    Four system calls, or five. Never blocks.

    Raises:
        FileNotFoundError: there is none.
        StoreIOError: the disk refused.
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        is_locked = _is_locked(fd)
        data = os.pread(fd, max_bytes, offset) if max_bytes else b""
        return Owned(data, os.fstat(fd), is_locked)
    except OSError as error:
        raise io_error("read", name, error) from error
    finally:
        os.close(fd)


class Held:
    """Files that no owner can come back to while they are being replaced.

    The lock is shared: others still see that the owner has let go.
    """

    def __init__(self) -> None:
        self._fds: list[int] = []

    def read(self, name: str, *, dir_fd: int, max_bytes: int) -> bytes | None:
        """Hold a file and read it; None where it is gone, odd or its owner has it again.

        Raises:
            StoreIOError: the disk refused.
        """
        try:
            fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
        except OSError:
            return None
        self._fds.append(fd)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode) or _is_locked(fd):
                return None
            return os.pread(fd, max_bytes, 0)
        except OSError as error:
            raise io_error("read", name, error) from error

    def release(self) -> None:
        """Let go of all of them."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
