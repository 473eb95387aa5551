"""Facts about a store that are not in its index: locks held now, its disk, its files.

Everything here may wait for a disk, so it runs in the reader's thread (``Reader.read``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sessionstore.databasefile import holds_sessions
from sessionstore.files import read_file, status_of
from sessionstore.locks import HeldLock, held_locks
from sessionstore.mirrorfile import FOREIGN_CHANGE, read_mirror
from sessionstore.paths import StorePaths

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "ncpfs",
            "afs",
            "ceph",
            "lustre",
            "9p",
            "virtiofs",
        ),
        *("ocfs2", "gfs2", "beegfs", "orangefs", "davfs", "glusterfs"),
        *("fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs"),
    )
)


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system below a store. ``kind`` is empty where the system does not tell."""

    free_bytes: int
    kind: str
    read_only: bool

    @property
    def is_network(self) -> bool:
        """Whether locks of other hosts may not be seen here."""
        return self.kind in NETWORK_FILE_SYSTEMS


@dataclass(frozen=True, slots=True)
class StoreFiles:
    """Which of the two layouts have something on disk, their sizes, and their modes."""

    legacy_bytes: int | None
    legacy_at_ms: int | None
    directory_at_ms: int | None
    open_to_others: bool
    mirrored: bool = False
    """The file is the mirror's copy of the directory, as far as its running process knows."""
    has_database: bool = False
    """OpenClaw's own database is there and may hold sessions."""

    @property
    def forms(self) -> int:
        """How many forms of the store there are something of."""
        return sum(
            (self.legacy_bytes is not None, self.directory_at_ms is not None, self.has_database)
        )


def locks_of(paths: StorePaths, *, transcripts: bool = False) -> list[HeldLock]:
    """Locks held or waited for now, from the live tables and the kernel.

    ``transcripts`` adds OpenClaw's locks of transcripts, which costs one listing of the directory.
    """
    return held_locks(paths.sidecar, store_path=paths.store_path, transcripts=transcripts)


def every_lock_of(paths: StorePaths) -> list[HeldLock]:
    """The same with the lock files of transcripts. Lists the store's directory."""
    return held_locks(paths.sidecar, store_path=paths.store_path, transcripts=True)


def disk_of(paths: StorePaths) -> Disk:
    """Free space and kind of the file system that holds the store."""
    place = _nearest(paths.store_path.parent)
    figures = os.statvfs(place)
    return Disk(
        free_bytes=figures.f_bavail * figures.f_frsize,
        kind=_mounts().get(_mount_point(place), ""),
        read_only=bool(figures.f_flag & os.ST_RDONLY),
    )


def files_of(paths: StorePaths) -> StoreFiles:
    """Look at the store file and the directory; opens nothing."""
    legacy = status_of(paths.store_path)
    directory = status_of(paths.directory)
    if legacy is not None and not stat.S_ISREG(legacy.st_mode):
        legacy = None
    modes = [found.st_mode for found in (legacy, directory) if found is not None]
    return StoreFiles(
        legacy_bytes=None if legacy is None else legacy.st_size,
        legacy_at_ms=None if legacy is None else legacy.st_mtime_ns // 1_000_000,
        directory_at_ms=None if directory is None else directory.st_mtime_ns // 1_000_000,
        open_to_others=any(mode & 0o077 for mode in modes),
        mirrored=legacy is not None and directory is not None and _is_mirrored(paths),
        has_database=holds_sessions(paths),
    )


def _is_mirrored(paths: StorePaths) -> bool:
    state = read_mirror(paths)
    is_foreign = state.problem is not None and state.problem.rule == FOREIGN_CHANGE
    return state.enabled and bool(state.digests) and not is_foreign


def _nearest(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.resolve()


def _mount_point(path: Path) -> str:
    while not os.path.ismount(path) and path != path.parent:
        path = path.parent
    return str(path)


def _mounts() -> Mapping[str, str]:
    """Mount point to file system kind; empty where there is no Linux mount table."""
    try:
        table = read_file("/proc/self/mounts").decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    rows = (line.split(" ") for line in table.splitlines())
    return {_unescaped(row[1]): row[2] for row in rows if len(row) > 2}


def _unescaped(path: str) -> str:
    """Undo the octal escapes of the mount table (fstab(5))."""
    for escaped, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(escaped, plain)
    return path
