"""Window files of this process: ``<sidecar>/stats/<host>-<pid>-<start>[.<n>].windows``.

Append-only, one write(2) per frame, 0600 in a folder of 0700, reached through no link. While the
owner has a file open it keeps it locked (``flock``), so a reader that gets that lock has proof
that nothing more will come. The sidecar itself is never made here: who removed it meant it.
"""

from __future__ import annotations

import contextlib
import errno
import time
from pathlib import Path

from ..errors import StoreIOError
from ..files import close_directory, make_directory_at, open_directory
from ..locks.identity import Identity
from ..locks.owning import Owning, own
from ..locks.table import table_name
from .records import FOLDER, SUFFIX

MOST_BYTES = 4 << 20
MOST_AGE_S = 600.0
_MOST_NAMES = 10_000


class Segments:
    """The file that frames go to now. Not thread-safe."""

    def __init__(self, sidecar: Path) -> None:
        self._sidecar = sidecar
        self._file: Owning | None = None
        self._name = ""
        self._size = 0
        self._began = 0.0
        self._number = 0
        self.is_new = False
        """Set when a file was made, so that others may have to be tidied up."""

    @property
    def is_open(self) -> bool:
        """Whether a file is open, and locked."""
        return self._file is not None

    def append(self, frame: bytes, identity: Identity) -> None:
        """Write one frame, whole or not at all.

        Raises:
            FileNotFoundError: there is no sidecar (any more).
            OSError: the system refused; nothing of the frame stays that a reader would take.
        """
        if self._file is not None and (self._is_full() or not self._is_still(self._file)):
            self.close()
            self._name = ""
        file = self._file or self._open(identity)
        try:
            file.append(frame)
        finally:
            self._size = file.size
            if not file.is_open:
                # A part of a frame ends what is read of a file, so go on in another.
                self._file, self._name = None, ""

    def _is_full(self) -> bool:
        return self._size >= MOST_BYTES or time.monotonic() - self._began >= MOST_AGE_S

    def _is_still(self, file: Owning) -> bool:
        """A store can be removed under its writers."""
        return file.is_at(self._sidecar / FOLDER / self._name)

    def _open(self, identity: Identity) -> Owning:
        top = open_directory(self._sidecar)
        try:
            make_directory_at(FOLDER, dir_fd=top)
            folder = open_directory(FOLDER, dir_fd=top)
        finally:
            close_directory(top)
        try:
            self._file = self._reopen(folder) or self._create(folder, table_name(identity))
        finally:
            close_directory(folder)
        return self._file

    def _reopen(self, folder: int) -> Owning | None:
        """Go on in the file that was closed last, if nobody has begun to merge it."""
        if not self._name or self._is_full():
            return None
        with contextlib.suppress(OSError):
            return own(self._name, dir_fd=folder, create=False)
        return None

    def _create(self, folder: int, stem: str) -> Owning:
        for _ in range(_MOST_NAMES):
            self._number += 1
            name = f"{stem}{'' if self._number == 1 else f'.{self._number}'}{SUFFIX}"
            try:
                file = own(name, dir_fd=folder, create=True)
            except FileExistsError:
                continue  # a process of another container may have the name
            if file is not None:
                self._name, self._began, self.is_new = name, time.monotonic(), True
                return file
        raise StoreIOError(f"no name for {stem} is free", errno=errno.EEXIST, path=self._sidecar)

    def close(self) -> None:
        """Let go of the file; the next frame opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def forget_after_fork(self) -> None:
        """In a forked child: the file is the parent's, and so is its lock."""
        self.close()
        self._name, self._number = "", 0
