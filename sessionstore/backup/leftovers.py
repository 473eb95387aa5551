"""What killed runs left: removed, or finished where everything was there already."""

from __future__ import annotations

from pathlib import Path

from ..errors import SessionStoreError
from ..files import (
    close_directory,
    move_into,
    open_directory,
    read_file,
    status_of,
)
from ..treefiles import WorkFolder, dead_folders, sync_names
from . import sidecars
from .places import NEW_PREFIX, RUN_PREFIX
from .removing import finish_deletions

NOTE = "note.json"
"""A sidecar before it has its name."""


def sweep(runs: Path, folder: Path) -> None:
    """Clear up after dead runs of a store (``runs``) and in one agent's folder of backups.

    Removes their trees and work folders, finishes deletions, and gives a backup its sidecar whose
    archive already has its name: that one was whole.
    """
    for dead in dead_folders(runs, RUN_PREFIX):
        dead.remove()
    for dead in dead_folders(folder, NEW_PREFIX):
        with dead:
            _finish(dead, folder)
    finish_deletions(folder)


def _finish(dead: WorkFolder, folder: Path) -> None:
    try:
        data = read_file(NOTE, dir_fd=dead.fd, max_bytes=sidecars.MAX_BYTES)
        backup = sidecars.decode(data, folder).backup
    except (FileNotFoundError, SessionStoreError):
        return  # it was killed before; nothing of it has a name
    status = status_of(backup.path)
    if status is None or status.st_size != backup.size_bytes:
        return
    fd = open_directory(folder)
    try:
        move_into(NOTE, sidecars.note_path(backup).name, from_fd=dead.fd, to_fd=fd)
        sync_names(fd, folder)
    finally:
        close_directory(fd)
