"""Where a backup may be restored to: a new place, outside every store and every backup.

Nothing that is there already is ever written over, so a wrong path costs nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import StoreIOError, UnsafeFileError, UnsupportedStoreError
from ..files import SIDECAR_ROOT, digest_of, list_names, real_path, status_of
from ..keys import MARKER_NAME
from ..paths import STORE_NAME, StorePaths, store_paths
from .places import agent_folder
from .restore_runs import FOLDER, LOCK_NAME
from .shapes import Backup, BackupTranscript

# What a killed restore leaves in the new store's own folder, and what any process makes there.
_OURS = frozenset([FOLDER, f"{LOCK_NAME}.lock", "tmp"])


def target_paths(path: str | os.PathLike[str], forbidden: Iterable[tuple[Path, str]]) -> StorePaths:
    """The paths of the new store; looks at names only and makes nothing.

    ``forbidden`` are folders that it may not be in, and what they are.

    Raises:
        UnsupportedStoreError: ``path`` names no store, or is inside a store or among backups.
        UnsafeFileError: a link stands there.
    """
    paths = store_paths(path)
    folder = paths.store_path.parent
    _refuse_links(folder)
    real = Path(real_path(folder))
    for place, what in forbidden:
        if real.is_relative_to(real_path(place)):
            raise _refused(paths, f"is {what}")
    if SIDECAR_ROOT in real.parts:
        raise _refused(paths, "is in a store's own folder")
    for above in (real, *real.parents):
        if status_of(above / MARKER_NAME) is not None:
            raise _refused(paths, f"is inside the store {above}")
    return paths


def _refuse_links(folder: Path) -> None:
    status = status_of(folder)
    if status is not None and stat.S_ISLNK(status.st_mode):
        raise UnsafeFileError(
            f"{folder} is a symbolic link",
            path=folder,
            hint="name the real folder; nothing was written",
        )


def places_of(backup: Backup) -> Iterator[tuple[Path, str]]:
    """Folders that its restore may not go to. What a backup says of itself is only text."""
    yield backup.path.parent, "among the backups"
    if backup.path.parent == agent_folder(backup.path.parents[1], backup.agent_id):
        yield backup.path.parents[1], "among the backups"
    if os.path.isabs(backup.store_path) and "\0" not in backup.store_path:
        yield Path(backup.store_path).parent, "inside the store that was backed up"


def _refused(paths: StorePaths, why: str) -> UnsupportedStoreError:
    return UnsupportedStoreError(
        f"{paths.store_path} {why}, so nothing is restored there",
        path=paths.store_path,
        hint="name a store file in a new or empty folder elsewhere",
    )


def check_free(paths: StorePaths, transcripts: list[BackupTranscript]) -> None:
    """Refuse a target where something is already; what a killed restore left does not count.

    The folder of a store that has the usual name, or that gets transcripts, is the target as a
    whole and must be empty; another name must only be free itself.

    Raises:
        StoreIOError: something is there (``EEXIST``). UnsafeFileError: a link.
    """
    folder = paths.store_path.parent
    for path in (paths.store_path, paths.directory):
        if status_of(path) is not None:
            raise _taken(path)
    for name in _names(paths.sidecar):
        if name not in _OURS:
            raise _taken(paths.sidecar / name)
    if paths.store_path.name != STORE_NAME and not transcripts:
        return
    known = {one.name: one.sha256 for one in transcripts}
    for name in _names(folder):
        if name != SIDECAR_ROOT and not _is_ours(folder / name, known.get(name)):
            raise _taken(folder / name)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(list_names(folder))
    except FileNotFoundError:
        return []


def _is_ours(path: Path, digest: str | None) -> bool:
    """Whether a killed restore put this transcript here."""
    if digest is None:
        return False
    try:
        return digest_of(path) == digest
    except (FileNotFoundError, UnsafeFileError):
        return False


def _taken(path: Path) -> StoreIOError:
    return StoreIOError(
        f"{path} is there already, so nothing is restored over it",
        errno=errno.EEXIST,
        path=path,
        hint="name a store file in a new or empty folder",
    )
