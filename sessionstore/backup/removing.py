"""Removing backups so that a kill leaves each one in the list, or on its way out.

The sidecar is renamed first: from then on the backup is not listed, and whoever meets the mark
removes the archive, and the mark last.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import ConflictError, DamagedBackupError, UnsafeBackupError
from ..files import close_directory, list_names, move_into, open_directory, remove_file, status_of
from ..treefiles import sync_names
from . import sidecars
from .catalogue import catalogue_of
from .places import GONE_PREFIX
from .shapes import Backup
from .sidecars import NOTE_SUFFIX, SUFFIXES, read_note
from .untrusted import check_id


def delete_backup(backup: Backup) -> int:
    """Remove a backup for good; returns the bytes that were freed.

    The sidecar is marked first, so that it is either in the list or on its way out, also after a
    kill: the next backup or deletion in this folder finishes it.

    Raises:
        ConflictError: it is held.
        LockTimeoutError, StoreIOError.
    """
    folder = backup.path.parent
    with catalogue_of(folder):
        _refuse_held(backup)
        freed = sum(
            status.st_size
            for path in (backup.path, sidecars.note_path(backup))
            if (status := status_of(path)) is not None
        )
        fd = open_directory(folder)
        try:
            note = sidecars.note_path(backup).name
            if not move_into(note, GONE_PREFIX + note, from_fd=fd, to_fd=fd):
                remove_file(backup.path)
            sync_names(fd, folder)
            remove_marked(folder, backup.id)
            sync_names(fd, folder)
        finally:
            close_directory(fd)
    return freed


def _refuse_held(backup: Backup) -> None:
    try:
        held = read_note(backup.path).backup.held
    except (FileNotFoundError, DamagedBackupError):
        held = backup.held
    if held:
        raise ConflictError(
            f"the backup {backup.id} is held",
            path=backup.path,
            hint="release it first; nothing was removed",
        )


def finish_deletions(folder: Path) -> None:
    """Remove what a killed deletion had decided on: its sidecar is renamed first."""
    try:
        names = list_names(folder)
    except FileNotFoundError:
        return
    for name in names:
        if not (name.startswith(GONE_PREFIX) and name.endswith(NOTE_SUFFIX)):
            continue
        try:
            backup_id = check_id(name.removeprefix(GONE_PREFIX).removesuffix(NOTE_SUFFIX))
        except UnsafeBackupError:
            continue  # not a name that we gave
        remove_marked(folder, backup_id)


def remove_marked(folder: Path, backup_id: str) -> None:
    """Remove a backup whose sidecar is marked as gone: the archive first, the mark last."""
    for suffix in SUFFIXES.values():
        remove_file(folder / (backup_id + suffix))
    remove_file(folder / f"{GONE_PREFIX}{backup_id}{NOTE_SUFFIX}")
