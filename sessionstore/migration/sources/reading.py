"""Reading the files of a directory that other programs wrote. Links are never followed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ...errors import SessionStoreError, UnsafeFileError
from ...files import (
    close_directory,
    list_names,
    open_directory,
    read_file_stat,
    status_of,
)


class Folder(NamedTuple):
    """An open directory and what messages call it: its path relative to the store's folder."""

    fd: int
    name: str

    def path_of(self, name: str) -> str:
        """Relative path of a name in it."""
        return f"{self.name}/{name}"

    def names(self) -> list[str]:
        """All names, sorted, so that findings have an order of their own."""
        return sorted(list_names(self.fd, shown=self.name))

    def is_folder(self, name: str) -> bool:
        """Whether a real directory, no link, has this name."""
        status = status_of(name, dir_fd=self.fd)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def is_there(self, name: str) -> bool:
        """Whether anything has this name."""
        return status_of(name, dir_fd=self.fd) is not None


class Bytes(NamedTuple):
    """One file's bytes, or the ``trouble`` that kept it from being read."""

    data: bytes
    mtime_ns: int
    trouble: str = ""
    unsafe: bool = False


@contextmanager
def opened(path: Path, name: str, *, named: bool = False) -> Iterator[Folder | None]:
    """A directory, open; None when there is none. ``named``: as in ``files.open_directory``.

    Raises:
        UnsafeFileError: a link or a file stands there.
        StoreIOError: it cannot be opened.
    """
    try:
        fd = open_directory(path, named=named)
    except FileNotFoundError:
        yield None
        return
    try:
        yield Folder(fd, name)
    finally:
        close_directory(fd)


@contextmanager
def below(folder: Folder, name: str) -> Iterator[Folder]:
    """A directory below an open one.

    Raises:
        FileNotFoundError, UnsafeFileError (a link or no directory), StoreIOError.
    """
    fd = open_directory(name, dir_fd=folder.fd)
    try:
        yield Folder(fd, folder.path_of(name))
    finally:
        close_directory(fd)


def read(folder: Folder, name: str, max_bytes: int) -> Bytes | None:
    """One file; None when it is gone by now. Never raises for what is wrong with it."""
    try:
        data, status = read_file_stat(name, dir_fd=folder.fd, max_bytes=max_bytes)
    except FileNotFoundError:
        return None
    except SessionStoreError as error:
        trouble = error.message.removeprefix(name).strip()
        return Bytes(b"", 0, trouble, isinstance(error, UnsafeFileError))
    return Bytes(data, status.st_mtime_ns)
