"""Window files of this process: ``<sidecar>/stats/<host>-<pid>-<start>[.<n>].windows``.

Append-only, one write(2) per frame, 0600 in a folder of 0700, reached through no link. While the
owner has a file open it keeps it locked (``flock``), so a reader that gets that lock has proof
that nothing more will come. The sidecar itself is never made here: who removed it meant it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

from ..errors import StoreIOError
from ..files import FILE_MODE, make_directory_at, open_directory, status_of
from ..locks.identity import Identity
from ..locks.table import table_name
from .records import FOLDER, SUFFIX

MOST_BYTES = 4 << 20
MOST_AGE_S = 600.0
_MOST_NAMES = 10_000
_OPEN = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = _OPEN | os.O_CREAT | os.O_EXCL


class Segments:
    """The file that frames go to now. Not thread-safe."""

    def __init__(self, sidecar: Path) -> None:
        self._sidecar = sidecar
        self._fd = -1
        self._name = ""
        self._size = 0
        self._began = 0.0
        self._number = 0
        self.is_new = False
        """Set when a file was made, so that others may have to be tidied up."""

    @property
    def is_open(self) -> bool:
        """Whether a file is open, and locked."""
        return self._fd >= 0

    def append(self, frame: bytes, identity: Identity) -> None:
        """Write one frame, whole or not at all.

        Raises:
            FileNotFoundError: there is no sidecar (any more).
            OSError: the system refused; nothing of the frame stays that a reader would take.
        """
        if self._fd >= 0 and (self._is_full() or not self._is_still()):
            self.close()
            self._name = ""
        if self._fd < 0:
            self._open(identity)
        written = os.write(self._fd, frame)
        if written != len(frame):
            self._take_back()
            raise OSError(errno.ENOSPC, "a frame was written only in part")
        self._size += written

    def _take_back(self) -> None:
        # A part of a frame ends what is read of a file: without it, or else in another file.
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self.close()
            self._name = ""

    def _is_full(self) -> bool:
        return self._size >= MOST_BYTES or time.monotonic() - self._began >= MOST_AGE_S

    def _is_still(self) -> bool:
        """Whether the file still has its name; a store can be removed under its writers."""
        status = status_of(self._sidecar / FOLDER / self._name)
        return status is not None and os.path.samestat(status, os.fstat(self._fd))

    def _open(self, identity: Identity) -> None:
        top = open_directory(self._sidecar)
        try:
            make_directory_at(FOLDER, dir_fd=top)
            folder = open_directory(FOLDER, dir_fd=top)
        finally:
            os.close(top)
        try:
            if not self._reopen(folder):
                self._create(folder, table_name(identity))
        finally:
            os.close(folder)

    def _reopen(self, folder: int) -> bool:
        """Go on in the file that was closed last, if nobody has begun to merge it."""
        if not self._name or self._is_full():
            return False
        with contextlib.suppress(OSError):
            return self._claim(folder, self._name, _OPEN)
        return False

    def _create(self, folder: int, stem: str) -> None:
        for _ in range(_MOST_NAMES):
            self._number += 1
            name = f"{stem}{'' if self._number == 1 else f'.{self._number}'}{SUFFIX}"
            try:
                is_ours = self._claim(folder, name, _CREATE)
            except FileExistsError:
                continue  # a process of another container may have the name
            if is_ours:
                self._began = time.monotonic()
                self.is_new = True
                return
        raise StoreIOError(f"no name for {stem} is free", errno=errno.EEXIST, path=self._sidecar)

    def _claim(self, folder: int, name: str, flags: int) -> bool:
        fd = os.open(name, flags, FILE_MODE, dir_fd=folder)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(fd)
            is_ours = os.path.samestat(os.lstat(name, dir_fd=folder), status)
            if is_ours and flags & os.O_CREAT:
                os.fchmod(fd, FILE_MODE)  # the umask may strip even ours
        except FileNotFoundError:
            is_ours = False  # swept before it was locked
        except BaseException:
            os.close(fd)
            raise
        if not is_ours:
            os.close(fd)
            return False
        self._fd, self._name, self._size = fd, name, status.st_size
        return True

    def close(self) -> None:
        """Let go of the file; the next frame opens it again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def forget_after_fork(self) -> None:
        """In a forked child: the file is the parent's, and so is its lock."""
        self.close()
        self._name, self._number = "", 0
