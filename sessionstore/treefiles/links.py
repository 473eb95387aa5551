"""Second names and copies of the files of a folder. Nothing is followed through a link."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Literal

from ..errors import SessionStoreError, StoreIOError, UnsafeFileError
from ..files import (
    CREATE_FLAGS,
    FILE_MODE,
    READ_FLAGS,
    folder_of,
    io_error,
    make_directory_at,
    open_directory,
    remove_quietly,
    status_of,
    write_all,
)
from .folders import WorkFolder
from .streams import CHUNK_BYTES

_NO_LINKS = frozenset(
    [errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV]
)


def link_file(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Give a file a second name in another open directory; False where links are refused.

    A link is linked itself, never what it points to.

    Raises:
        FileNotFoundError: there is no such file.
        StoreIOError: the system refused for another reason; ``EEXIST`` when the name is taken.
    """
    try:
        os.link(name, target, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise io_error("link", name, error) from error
    return True


def copy_file(name: str, target: str, *, from_fd: int, to_fd: int) -> os.stat_result | None:
    """Copy a regular file's bytes to a new name; None when it is no regular file.

    Returns the status of what was read, as it was before.

    Raises:
        FileNotFoundError: there is no such file.
        StoreIOError: nothing was left at ``target``.
    """
    try:
        source = os.open(name, READ_FLAGS, dir_fd=from_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise io_error("open", name, error) from error
    try:
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            return None
        made = os.open(target, CREATE_FLAGS, FILE_MODE, dir_fd=to_fd)
        try:
            while chunk := os.read(source, CHUNK_BYTES):
                write_all(made, chunk)
        except BaseException:
            remove_quietly(target, dir_fd=to_fd)
            raise
        finally:
            os.close(made)
    except OSError as error:
        raise io_error("copy", name, error) from error
    finally:
        os.close(source)
    return status


Taken = Literal["linked", "copied", "refused", "gone"]


class Tree:
    """A folder that takes second names of the files of another one, and of its side folders.

    Names are relative, with at most one folder in front. A file that cannot be linked is copied;
    a link or special file that cannot is refused.
    """

    def __init__(self, folder: WorkFolder, name: str) -> None:
        self.path = folder.path / name
        make_directory_at(name, dir_fd=folder.fd)
        self.fd = open_directory(name, dir_fd=folder.fd)
        self._copied: dict[str, tuple[int, ...] | None] = {}

    def take(self, name: str, *, from_fd: int) -> Taken:
        """Take the file that has this name now; what the tree had of that name goes.

        Raises:
            StoreIOError: the disk is full, or another refusal.
        """
        try:
            with folder_of(name, from_fd) as (source_fd, last):
                return self._take(name, last, source_fd)
        except FileNotFoundError:
            self.drop(name)
            return "gone"
        except UnsafeFileError:
            return "refused"  # the folder in front is a link

    def _take(self, name: str, last: str, source_fd: int) -> Taken:
        folder, _, _ = name.rpartition("/")
        if folder:
            make_directory_at(folder, dir_fd=self.fd)
        with folder_of(name, self.fd) as (target_fd, _):
            for _ in range(2):
                try:
                    if link_file(last, last, from_fd=source_fd, to_fd=target_fd):
                        self._copied.pop(name, None)
                        return "linked"
                except StoreIOError as error:
                    if error.errno != errno.EEXIST:
                        raise
                    os.unlink(last, dir_fd=target_fd)
                    continue
                break
            remove_quietly(last, dir_fd=target_fd)
            status = copy_file(last, last, from_fd=source_fd, to_fd=target_fd)
            if status is None:
                return "refused"
            self._copied[name] = None if _is_young(status) else _identity(status)
            return "copied"

    def drop(self, name: str) -> None:
        """Forget a name; it need not be there."""
        self._copied.pop(name, None)
        try:
            with folder_of(name, self.fd) as (fd, last):
                os.unlink(last, dir_fd=fd)
        except FileNotFoundError:
            return
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("remove", self.path / name, error) from error

    def moved(self, *, from_fd: int) -> tuple[set[str], set[str]]:
        """Names of the folder open at ``from_fd`` that are other files than the tree's, and names
        that are in the tree only. Two listings, no ``stat`` per file.

        Exact for links, which pin the inode number. A copy is trusted if its source has the
        identity and times that it had, and those were not young.
        """
        there, ours = _inodes(from_fd), _inodes(self.fd)
        moved = {name for name, inode in there.items() if ours.get(name) != inode}
        trusted = {
            name for name in moved & self._copied.keys() if self._is_as_copied(name, from_fd)
        }
        return moved - trusted, ours.keys() - there.keys()

    def _is_as_copied(self, name: str, from_fd: int) -> bool:
        try:
            with folder_of(name, from_fd) as (fd, last):
                status = status_of(last, dir_fd=fd)
        except (FileNotFoundError, UnsafeFileError):
            return False
        return status is not None and self._copied[name] == _identity(status)

    def names(self) -> set[str]:
        """All names in the tree. Its folder is listed once."""
        return set(_inodes(self.fd))

    def close(self) -> None:
        """Let go of the folder; what is in it stays."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def _inodes(dir_fd: int) -> dict[str, int]:
    """Inode numbers by name, of a folder and the folders in it."""
    found: dict[str, int] = {}
    with os.scandir(dir_fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below = open_directory(entry.name, dir_fd=dir_fd)
                try:
                    inner = {one.name: one.inode() for one in os.scandir(below)}
                finally:
                    os.close(below)
                found.update((f"{entry.name}/{name}", inode) for name, inode in inner.items())
            else:
                found[entry.name] = entry.inode()
    return found


def sizes_below(folder: WorkFolder, *names: str) -> list[int]:
    """Sizes of the files of these names in a work folder, and of all files below folders."""
    sizes: list[int] = []
    for name in names:
        status = status_of(name, dir_fd=folder.fd)
        if status is not None and stat.S_ISDIR(status.st_mode):
            fd = open_directory(name, dir_fd=folder.fd)
            try:
                sizes += _sizes(fd)
            finally:
                os.close(fd)
        elif status is not None:
            sizes.append(status.st_size)
    return sizes


def _sizes(dir_fd: int) -> list[int]:
    sizes: list[int] = []
    with os.scandir(dir_fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below = open_directory(entry.name, dir_fd=dir_fd)
                try:
                    sizes += _sizes(below)
                finally:
                    os.close(below)
            else:
                sizes.append(entry.stat(follow_symlinks=False).st_size)
    return sizes


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def _is_young(status: os.stat_result) -> bool:
    """Whether a second change could have left the same times (clocks tick in whole seconds)."""
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < 3_000_000_000
