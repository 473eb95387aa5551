"""What a look at folders collects: one ``lstat`` per name, through no link, nothing opened."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .. import files
from ..errors import Finding, SessionStoreError, UnsafeFileError
from ..index.naming import printable
from ..transcripts import Named
from .shapes import FileFacts, FileKind, FolderFacts

_MOST_DEPTH = 8


@dataclass(slots=True)
class Found:
    """What a look at the folders has found so far."""

    at_ms: int
    base: str = ""
    is_listed: bool = True
    files: dict[str, FileFacts] = field(default_factory=dict)
    named: dict[str, Named] = field(default_factory=dict)
    folders: dict[str, FolderFacts] = field(default_factory=dict)
    odd: list[Finding] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)

    def note_folder(self, shown: str, fd: int) -> None:
        """Note an open folder's mode and owner."""
        status = files.status_of(".", dir_fd=fd)
        if status is not None:
            mode = stat.S_IMODE(status.st_mode)
            self.folders[shown] = FolderFacts(printable(shown), mode, status.st_uid)

    def cannot(self, path: Path | str, error: SessionStoreError) -> None:
        """Note a folder or file that could not be looked at."""
        rule = "unsafe-file" if isinstance(error, UnsafeFileError) else "unreadable"
        where = self.odd if rule == "unsafe-file" else self.unreadable
        shown = printable(str(Path(self.base, path)))
        where.append(Finding(rule, "error", None, shown, printable(error.message), error.hint))


@contextmanager
def folder(
    found: Found, path: Path | str, shown: str, *, dir_fd: int | None = None, named: bool = False
) -> Iterator[int | None]:
    """The open folder, noted; None when it is not there or cannot be looked at."""
    fd: int | None = None
    try:
        fd = files.open_directory(path, dir_fd=dir_fd, named=named)
        found.note_folder(shown, fd)
    except FileNotFoundError:
        pass
    except SessionStoreError as error:
        found.cannot(shown or path, error)
    try:
        yield fd
    finally:
        if fd is not None:
            files.close_directory(fd)


def names_in(found: Found, fd: int, shown: str) -> list[str]:
    try:
        return files.list_names(fd, shown=shown or "the store's folder")
    except FileNotFoundError:
        return []
    except SessionStoreError as error:
        found.cannot(shown, error)
        return []


def facts_of(
    found: Found, name: str, shown: str, kind: FileKind, dir_fd: int, *, folders: bool = True
) -> FileFacts | None:
    """Status of one name; a folder's is that of what is in it. None: gone, or no plain file."""
    try:
        status = files.status_of(name, dir_fd=dir_fd)
    except SessionStoreError as error:
        found.cannot(shown, error)
        return None
    if status is None:
        return None
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode) and kind != "quarantined":
        if kind not in ("store-file", "entry"):  # the scan tells of those
            found.odd.append(_not_plain(found, shown, status.st_mode))
        return None
    if is_folder and (not folders or kind == "store-file"):
        return None
    size = _size_below(found, name, shown, dir_fd) if is_folder else status.st_size
    modified = status.st_mtime_ns // 1_000_000
    mode = stat.S_IMODE(status.st_mode)
    return FileFacts(
        printable(shown), kind, size, modified, mode, status.st_uid, is_folder=is_folder
    )


def add(found: Found, name: str, shown: str, kind: FileKind, fd: int) -> None:
    facts = facts_of(found, name, shown, kind, fd, folders=kind not in ("entry", "marker"))
    if facts is not None:
        found.files[shown] = facts


def _not_plain(found: Found, shown: str, mode: int) -> Finding:
    what = "a symbolic link" if stat.S_ISLNK(mode) else "a special file"
    return Finding(
        "odd-file",
        "warning",
        None,
        printable(str(Path(found.base, shown))),
        f"{printable(shown)} is {what}, which is neither followed nor opened",
        "look at what put it there, and put the real file in its place or move it away",
    )


def _size_below(found: Found, name: str, shown: str, dir_fd: int, depth: int = 0) -> int:
    """Bytes of the plain files below a folder."""
    total = 0
    if depth >= _MOST_DEPTH:
        return total
    try:
        fd = files.open_directory(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return total
    except SessionStoreError as error:
        found.cannot(shown, error)
        return total
    try:
        for inner in names_in(found, fd, shown):
            status = files.status_of(inner, dir_fd=fd)
            if status is not None and stat.S_ISREG(status.st_mode):
                total += status.st_size
            elif status is not None and stat.S_ISDIR(status.st_mode):
                total += _size_below(found, inner, f"{shown}/{inner}", fd, depth + 1)
    except SessionStoreError as error:
        found.cannot(shown, error)
    finally:
        files.close_directory(fd)
    return total
