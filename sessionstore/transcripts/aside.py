"""Setting a transcript aside under its archive's name, and taking it back.

Stricter than reading (openclaw-format §6.4): only a regular file directly in the store's own
folder, never one that is locked, never over another file.
"""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import StoreIOError, UnsafeFileError
from ..files import (
    close_directory,
    open_directory,
    real_path,
    rename_new,
    status_of,
    sync_descriptor,
)
from ..paths import StorePaths
from .lookup import Transcript
from .names import classify, lock_name


def archivable(paths: StorePaths, found: Transcript) -> str | None:
    """The transcript's name in the store's directory if it may be set aside, else None.

    Stricter than reading: a regular file directly in this store's own directory that is not
    locked (openclaw-format §6.4, §7.2: an active transcript is never touched).
    """
    if found.path is None or not found.is_there or found.locked:
        return None
    home = Path(real_path(paths.store_path.parent))
    if Path(real_path(found.path.parent)) != home or classify(found.path.name).reason:
        return None
    return found.path.name


def set_aside(paths: StorePaths, name: str, archived: str) -> bool:
    """Rename a transcript to its archive's name; False when it is gone. Never overwrites.

    Raises:
        UnsafeFileError: a name that leads elsewhere, or a transcript that is locked by now.
        StoreIOError: the archive's name is taken, or the system refused.
    """
    _check_names(paths, name, archived)
    if status_of(paths.store_path.with_name(lock_name(name))) is not None:
        raise UnsafeFileError(
            f"the transcript {name} is locked, so it was not moved",
            path=paths.store_path.with_name(name),
            hint="a run may be writing it; archive it when the run is over",
        )
    return _rename(paths, name, archived)


def take_back(paths: StorePaths, name: str, archived: str) -> bool:
    """Undo :func:`set_aside`; False when the archive is gone. Never overwrites a transcript.

    Raises:
        UnsafeFileError, StoreIOError: as :func:`set_aside`.
    """
    _check_names(paths, name, archived)
    return _rename(paths, archived, name)


def _check_names(paths: StorePaths, *names: str) -> None:
    for name in names:
        if "/" in name or "\0" in name or name in ("", ".", "..") or ".jsonl" not in name:
            raise UnsafeFileError(
                f"{name!r} is not the name of a transcript",
                path=paths.store_path.parent,
                hint="nothing was moved",
            )


def _rename(paths: StorePaths, name: str, target: str) -> bool:
    folder = paths.store_path.parent
    fd = open_directory(folder, named=True)
    try:
        status = status_of(name, dir_fd=fd)
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise UnsafeFileError(
                f"{name} is not a regular file, so it was not moved",
                path=folder / name,
                hint="look at it and move it out of the store",
            )
        moved = rename_new(name, target, dir_fd=fd)
        sync_descriptor(fd, folder)
        return moved
    except StoreIOError as error:
        if error.path == name:
            error.message = error.message.replace(name, str(folder / name), 1)
            error.path = str(folder / name)
        raise
    finally:
        close_directory(fd)
