"""Which blobs there are, and which of them any file of the store refers to.

Everything that may be read again counts: the sessions, directories that a restore or a rollback
set aside, what is in quarantine, and the folders of runs. A reference is found by its text in
the raw bytes, so one in a file that is damaged or nobody's counts too: too much is kept, never
too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import StoreIOError, UnsafeFileError
from ..files import close_directory, list_names, open_directory, read_file, status_of
from ..paths import StorePaths
from .folder import RETIRED, open_folder
from .form import digests_in

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST: Final = 1 << 30
_DEEPEST: Final = 64
"""Levels of folders; a path of the system ends long before."""

_AREAS: Final = ("quarantine", "runs", "restores", "maintenance")
"""Folders of the sidecar that may hold entries' files."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob file. ``touched_ns`` is when a writer last referred to it anew, or when it was
    retired (``is_retired``); with ``inode`` it tells whether it is still as it was seen."""

    sha256: str
    size_bytes: int
    touched_ns: int
    inode: int
    is_retired: bool = False


class Reference(NamedTuple):
    """A blob that some file names."""

    sha256: str
    size_bytes: int


def list_blobs(paths: StorePaths) -> list[Blob]:
    """Every blob, retired ones included. One ``lstat`` each; other names are passed over.

    Raises:
        UnsafeFileError, StoreIOError: a folder is a link or cannot be listed.
    """
    return [*_blobs_in(paths, retired=False), *list_retired(paths)]


def list_retired(paths: StorePaths) -> list[Blob]:
    """The blobs that are retired. One ``lstat`` each.

    Raises:
        UnsafeFileError, StoreIOError: the folder is a link or cannot be listed.
    """
    return list(_blobs_in(paths, retired=True))


def find_blob(paths: StorePaths, sha256: str, *, is_retired: bool = False) -> Blob | None:
    """One blob where it is, or among the retired; None when it is not there.

    Raises:
        UnsafeFileError, StoreIOError: a folder is a link or cannot be opened.
    """
    try:
        fd = open_folder(paths.sidecar, RETIRED if is_retired else sha256[:2])
    except FileNotFoundError:
        return None
    try:
        return look_at(sha256, fd, is_retired=is_retired)
    finally:
        close_directory(fd)


def _blobs_in(paths: StorePaths, *, retired: bool) -> Iterator[Blob]:
    try:
        top = open_folder(paths.sidecar)
    except FileNotFoundError:
        return
    try:
        folders = [RETIRED] if retired else [n for n in list_names(top) if len(n) == 2]
        for folder in folders:
            try:
                fd = open_directory(folder, dir_fd=top)
            except FileNotFoundError:
                continue
            try:
                yield from _in_folder(fd, None if retired else folder)
            finally:
                close_directory(fd)
    finally:
        close_directory(top)


def _in_folder(fd: int, begins: str | None) -> Iterator[Blob]:
    for name in list_names(fd):
        if not _SHA256.fullmatch(name) or not name.startswith(begins or ""):
            continue
        blob = look_at(name, fd, is_retired=begins is None)
        if blob is not None:
            yield blob


def look_at(sha256: str, fd: int, *, is_retired: bool = False) -> Blob | None:
    """One blob as it is now, None when it is gone."""
    status = status_of(sha256, dir_fd=fd)
    if status is None:
        return None
    return Blob(sha256, status.st_size, status.st_mtime_ns, status.st_ino, is_retired)


def references_in(paths: StorePaths) -> Iterator[Reference]:
    """Every reference in every file that may be read again. Reads all of them, one at a time.

    Raises:
        StoreIOError: something cannot be read, so nobody can say what it refers to.
    """
    for folder in _folders(paths):
        for data in _files_below(folder, _DEEPEST):
            for sha256, size in digests_in(data):
                yield Reference(sha256, size)


def entry_files(paths: StorePaths) -> Iterator[bytes]:
    """The bytes of every file of ``sessions.d``, one at a time, references as they are."""
    return _files_below(paths.directory, _DEEPEST)


def _folders(paths: StorePaths) -> Iterator[Path]:
    yield paths.directory
    begins = f"{paths.directory.name}."
    try:
        names = list_names(paths.directory.parent)
    except FileNotFoundError:
        names = []
    yield from (paths.directory.with_name(n) for n in sorted(names) if n.startswith(begins))
    yield from (paths.sidecar / area for area in _AREAS)


def _files_below(folder: Path, levels: int) -> Iterator[bytes]:
    try:
        fd = open_directory(folder)
    except (FileNotFoundError, UnsafeFileError):
        return  # a link or a file is nothing that the store reads through
    try:
        yield from _below(fd, folder, levels)
    finally:
        close_directory(fd)


def _below(fd: int, folder: Path, levels: int) -> Iterator[bytes]:
    for name in list_names(fd, shown=folder):
        try:
            yield read_file(name, dir_fd=fd, max_bytes=_LARGEST)
        except FileNotFoundError:
            continue
        except UnsafeFileError:
            try:
                inner = open_directory(name, dir_fd=fd)
            except (FileNotFoundError, UnsafeFileError):
                continue  # a link or special file
            try:
                if levels == 0:
                    raise StoreIOError(f"{folder / name} is too deep to be read", path=folder)
                yield from _below(inner, folder / name, levels - 1)
            finally:
                close_directory(inner)
