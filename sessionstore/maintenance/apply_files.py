"""Moving files out of a store and back: renames inside one file system, never over anything."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from .. import transcripts
from ..errors import GatewayRunningError, SessionStoreError, StoreIOError, UnsafeFileError
from ..files import (
    close_directory,
    make_directory_at,
    open_directory,
    rename_new,
    status_of,
    sync_descriptor,
)
from ..locks.staging import is_in_use
from ..paths import StorePaths
from .runs import TRASH, opened_run

OUT = f"{TRASH}/"
"""What a name begins with that is in the run's trash, not beside the store."""

GONE = "It is gone already."


@dataclass(frozen=True, slots=True)
class Mover:
    """Moves files of one store for one run."""

    paths: StorePaths
    run_id: str

    def stamp(self, name: str) -> str | None:
        """Size and time of a file as :func:`plan_draft.stamp_of` tells them; None: it is gone.

        Anything but a plain file or folder has the stamp of nothing that was planned.
        """
        try:
            with self._folder_of(name) as (fd, last):
                status = status_of(last, dir_fd=fd)
        except (FileNotFoundError, UnsafeFileError):
            return None
        if status is None:
            return None
        modified = status.st_mtime_ns // 1_000_000
        if stat.S_ISDIR(status.st_mode):
            return f"folder:{modified}"
        return f"{status.st_size}:{modified}" if stat.S_ISREG(status.st_mode) else "odd"

    def size(self, name: str, target: str) -> int | None:
        """Bytes of a file that was moved, where it is now; None when it is not there."""
        with self._place_of(target, name) as (fd, last):
            status = status_of(last, dir_fd=fd)
        return None if status is None else status.st_size

    def is_locked(self, name: str) -> bool:
        """Whether a run may be writing the transcript, or a process has the staging folder."""
        try:
            with self._folder_of(name) as (fd, last):
                status = status_of(last, dir_fd=fd)
                if status is not None and stat.S_ISDIR(status.st_mode):
                    return is_in_use(last, dir_fd=fd)
                return status_of(f"{last}.lock", dir_fd=fd) is not None
        except FileNotFoundError:
            return False  # gone, which the move tells

    def move(self, name: str, target: str) -> bool:
        """Move a file to its archive's name or to the trash; False when it is gone. Durable.

        Raises:
            UnsafeFileError: it is locked by now, or no plain file.
            StoreIOError: the target is taken, or the system refused.
        """
        if not target.startswith(OUT):
            return transcripts.set_aside(self.paths, name, target)
        if self.stamp(name) is None:
            return False
        with self._folder_of(name) as (fd, last), opened_run(self.paths, self.run_id) as run:
            trash = _open_trash(run)
            try:
                moved = rename_new(last, _name_in_trash(target), dir_fd=fd, to_fd=trash)
                sync_descriptor(trash, self.paths.sidecar / target)
                sync_descriptor(fd, self.paths.store_path.parent)
                return moved
            finally:
                close_directory(trash)

    def move_back(self, name: str, target: str) -> bool:
        """Undo :meth:`move`; False when the moved file is gone. Never overwrites.

        Raises:
            UnsafeFileError, StoreIOError: as :meth:`move`.
        """
        if not target.startswith(OUT):
            return transcripts.take_back(self.paths, name, target)
        with (
            self._place_of(target, name) as (trash, moved),
            self._folder_of(name, make=True) as (fd, last),
        ):
            is_back = rename_new(moved, last, dir_fd=trash, to_fd=fd)
            sync_descriptor(fd, self.paths.store_path.parent)
            return is_back

    @contextmanager
    def _place_of(self, target: str, name: str) -> Iterator[tuple[int, str]]:
        if not target.startswith(OUT):
            with self._folder_of(target) as found:
                yield found
            return
        with opened_run(self.paths, self.run_id) as run:
            trash = _open_trash(run)
            try:
                yield trash, _name_in_trash(target)
            finally:
                close_directory(trash)

    @contextmanager
    def _folder_of(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder that a name below the store's is in, reached through no link."""
        *folders, last = PurePosixPath(name).parts
        if ".." in (*folders, last) or name.startswith("/") or "\0" in name:
            raise UnsafeFileError(
                f"{name!a} is no name below the store's folder",
                path=self.paths.store_path.parent,
                hint="nothing was moved; plan anew",
            )
        fd = open_directory(self.paths.store_path.parent, named=True)
        try:
            for part in folders:
                if make:
                    make_directory_at(part, dir_fd=fd)
                inner = open_directory(part, dir_fd=fd)
                close_directory(fd)
                fd = inner
            yield fd, last
        finally:
            close_directory(fd)


def _open_trash(run: int) -> int:
    """The trash of an open run; an empty one where somebody removed it to have room."""
    try:
        return open_directory(TRASH, dir_fd=run)
    except FileNotFoundError:
        make_directory_at(TRASH, dir_fd=run)
        return open_directory(TRASH, dir_fd=run)


def _name_in_trash(target: str) -> str:
    name = target.removeprefix(OUT)
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise UnsafeFileError(
            f"{target!a} is no name in the trash of a run",
            hint="somebody changed the record of the run; move its files back by hand",
        )
    return name


_STOPPING = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])


def stops_all(error: SessionStoreError) -> bool:
    """Whether nothing more can be done now, here or for the next item."""
    if isinstance(error, StoreIOError):
        return error.errno in _STOPPING
    return isinstance(error, GatewayRunningError)


def refusal_of(error: SessionStoreError) -> str:
    """An error as the sentence of an item."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def carried(mover: Mover, name: str, target: str, stamp: str | None) -> str:
    """Move one file of a session if it still has that stamp; what kept it from it, if anything.

    Raises:
        GatewayRunningError, StoreIOError: nothing more can be done now (:func:`stops_all`).
    """
    try:
        if mover.size(name, target) is not None:
            return ""  # an earlier attempt did it
        now = mover.stamp(name)
        if now not in (None, stamp):  # a run that goes on may come days later
            return "it was written since the plan was made."
        if now is not None and mover.is_locked(name):
            return "it is locked, a run may be writing it."
        return "" if mover.move(name, target) else GONE
    except SessionStoreError as error:
        if stops_all(error):
            raise
        return refusal_of(error)
