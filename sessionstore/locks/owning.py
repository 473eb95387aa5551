"""A file that this process appends to and keeps locked, so that others see when it has let go.

The other side is :mod:`.owned`. The lock is an exclusive ``flock``.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from ..files import CREATE_FLAGS, FILE_MODE

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Owning:
    """One such file, open. Not thread-safe."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size = size
        """Bytes that are in it."""

    @property
    def is_open(self) -> bool:
        """Whether it is still ours."""
        return self._fd >= 0

    def append(self, data: bytes) -> None:
        """Write all of it in one call, or nothing; where even that fails, let go of the file.

        Raises:
            OSError: the system refused, or took only a part.
        """
        written = os.write(self._fd, data)
        if written != len(data):
            try:
                os.ftruncate(self._fd, self.size)
            except OSError:
                self.close()
            raise OSError(errno.ENOSPC, "only a part could be written")
        self.size += written

    def is_at(self, path: Path) -> bool:
        """Whether it still has this name: files can be removed under those who use them."""
        try:
            return os.path.samestat(os.lstat(path), os.fstat(self._fd))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def close(self) -> None:
        """Let go of it. In a forked child the lock stays the parent's."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def own(name: str, *, dir_fd: int, create: bool) -> Owning | None:
    """Create a file (0600), or open one to go on in it; None where its name is another's by now.

    Raises:
        FileExistsError: it was to be created, and there is one.
        BlockingIOError: somebody has it. OSError: the system refused.
    """
    flags = CREATE_FLAGS | os.O_APPEND if create else _APPEND
    fd = os.open(name, flags, FILE_MODE, dir_fd=dir_fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(fd)
        is_ours = os.path.samestat(os.lstat(name, dir_fd=dir_fd), status)
        if is_ours and create:
            os.fchmod(fd, FILE_MODE)  # the umask may strip even ours
    except FileNotFoundError:
        is_ours = False  # removed before it was locked
    except BaseException:
        os.close(fd)
        raise
    if not is_ours:
        os.close(fd)
        return None
    return Owning(fd, status.st_size)
