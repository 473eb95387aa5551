"""The file that holds an entry: name, place, mode, owner, times. Opens nothing."""

from __future__ import annotations

import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from sessionstore.databasefile import database_path
from sessionstore.files import status_of
from sessionstore.paths import StorePaths

from .tree import shown


@dataclass(frozen=True, slots=True)
class EntryFile:
    """One file's facts. ``shared`` says that other entries are in the same file."""

    path: str
    name: str
    kind: str
    size_bytes: int
    mode: str
    mode_octal: str
    owner: str
    inode: int
    links: int
    modified_at_ms: int
    open_to_others: bool
    shared: bool


def entry_file(paths: StorePaths, key: str, file_name: str) -> EntryFile | None:
    """Facts of the file behind a row; None when it is not there any more."""
    place = _place(paths, file_name)
    status = status_of(place)
    if status is None:
        return None
    mode = status.st_mode
    return EntryFile(
        path=shown(str(place)),
        name=shown(file_name),
        kind=_kind(mode),
        size_bytes=status.st_size,
        mode=stat.filemode(mode),
        mode_octal=f"{stat.S_IMODE(mode):04o}",
        owner=_owner(status.st_uid),
        inode=status.st_ino,
        links=status.st_nlink,
        modified_at_ms=status.st_mtime_ns // 1_000_000,
        open_to_others=bool(mode & 0o077) and not stat.S_ISLNK(mode),
        shared=place in (paths.store_path, database_path(paths)),
    )


def _place(paths: StorePaths, file_name: str) -> Path:
    if file_name == paths.store_path.name:
        return paths.store_path
    database = database_path(paths)
    return database if file_name == database.name else paths.directory / file_name


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "regular file"
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if stat.S_ISDIR(mode):
        return "directory"
    return "special file"


def _owner(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return str(uid)
