"""This process's staging folder: where new files are written before they are renamed in.

Each process has its own (``tmp/<pid>-<random>``), because the directory that a temporary file
is created in is a lock shared by all writers (performance.md §3: up to 2 x the throughput), and
because a folder that its owner keeps locked can be proven dead and swept. Temporary names are
never built from a key, which is what cost older programs 48 bytes of key length.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import stat
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter_ns

from ..errors import SessionStoreError, StoreIOError, UnsafeFileError
from ..files import (
    CREATE_FLAGS,
    DIRECTORY_MODE,
    FILE_MODE,
    Durability,
    Marks,
    ensure_directory,
    folder_of,
    io_error,
    list_names,
    open_directory,
    read_file,
    remove_quietly,
    replace_patiently,
    status_of,
    sync_all,
    write_new,
)

_TRIES = 32
_ALL: weakref.WeakSet[Staging] = weakref.WeakSet()


class _Folder:
    """An open staging folder; its descriptor closes when its last user lets go.

    A descriptor that one thread closes under another could by then be another file's.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.names = itertools.count()
        self.umask_strips = _umask_strips_owner(fd)
        self.close = weakref.finalize(self, os.close, fd)


class Staging:
    """A lazily opened, locked staging folder below one store's sidecar. Thread-safe."""

    def __init__(self, sidecar: Path, *, on_lost: Callable[[], None] = lambda: None) -> None:
        """``on_lost`` is called when somebody removed the folder, and may raise instead of
        going on: the lock file beside it may be gone too, and then a lock that is held on it
        excludes nobody."""
        self.root = sidecar / "tmp"
        self._on_lost = on_lost
        self._folder: _Folder | None = None
        self._guard = threading.Lock()
        _ALL.add(self)

    def put(
        self,
        data: bytes,
        target: str,
        *,
        to_fd: int,
        durability: Durability = "none",
        created: bool = False,
        marks: Marks | None = None,
    ) -> None:
        """Write ``data`` and rename it to ``target`` below the directory ``to_fd``.

        Four system calls (``relaxed`` adds fdatasync, ``strict`` fsync of file and directory).
        ``created`` sets the mode explicitly; a replaced file relies on the umask probed when
        the folder was opened. ``marks`` is told where the time went.

        Raises:
            FileNotFoundError: the target's directory is gone.
            OSError: anything else; no temporary file stays and the target is as it was.
        """
        if "/" in target:
            with folder_of(target, to_fd) as (folder_fd, base):
                self.put(
                    data,
                    base,
                    to_fd=folder_fd,
                    durability=durability,
                    created=created,
                    marks=marks,
                )
            return
        for _ in range(_TRIES):
            folder = self._folder or self._open()
            name = str(next(folder.names))
            if durability != "none" and marks is not None:
                marks.sync_ns = marks.folder_sync_ns = 0
            try:
                set_mode = created or folder.umask_strips
                write_new(
                    name, data, dir_fd=folder.fd, sync=durability, set_mode=set_mode, marks=marks
                )
                if marks is not None:
                    marks.staged_ns = perf_counter_ns()
                self._rename(folder, name, target, to_fd)
            except FileNotFoundError:
                if status_of(name, dir_fd=folder.fd) is not None:
                    remove_quietly(name, dir_fd=folder.fd)
                    raise  # it is the target's directory that is gone
                # Somebody removed our folder under us: a new one serves as well.
                self._on_lost()
                self._replace(folder)
                continue
            if durability == "strict":
                began = perf_counter_ns()
                sync_all(to_fd)
                if marks is not None:
                    marks.folder_sync_ns = perf_counter_ns() - began
            return
        raise StoreIOError(
            f"cannot keep a staging folder in {self.root}: each is removed at once",
            errno=errno.EAGAIN,
            path=self.root,
        )

    @staticmethod
    def _rename(folder: _Folder, name: str, target: str, to_fd: int) -> None:
        try:
            os.rename(name, target, src_dir_fd=folder.fd, dst_dir_fd=to_fd)
        except FileNotFoundError:
            raise
        except PermissionError:
            replace_patiently(name, target, from_fd=folder.fd, to_fd=to_fd)
        except BaseException:
            remove_quietly(name, dir_fd=folder.fd)
            raise

    def time_writes(self, items: Iterable[bytes]) -> int:
        """How many nanoseconds writing and reading back these files takes here; none stays.

        Raises:
            StoreIOError: the disk refused.
        """
        folder = self._folder or self._open()
        spent_ns = 0
        for data in items:
            name = str(next(folder.names))
            started = time.perf_counter_ns()
            try:
                write_new(name, data, dir_fd=folder.fd)
                read_file(name, dir_fd=folder.fd, max_bytes=max(len(data), 1))
            except OSError as error:
                if isinstance(error, SessionStoreError):
                    raise
                raise io_error("write", folder.path / name, error) from error
            finally:
                spent_ns += time.perf_counter_ns() - started
                remove_quietly(name, dir_fd=folder.fd)
        return spent_ns

    def _replace(self, gone: _Folder) -> None:
        with self._guard:
            if self._folder is gone:
                self._folder = None

    def _open(self) -> _Folder:
        with self._guard:
            if self._folder is None:
                ensure_directory(self.root)
                sweep(self.root)
                self._folder = self._claim()
            return self._folder

    def _claim(self) -> _Folder:
        for _ in range(16):
            path = self.root / f"{os.getpid()}-{secrets.token_hex(4)}"
            try:
                os.mkdir(path, DIRECTORY_MODE)
                os.chmod(path, DIRECTORY_MODE)
                fd = open_directory(path)
            except FileNotFoundError:
                ensure_directory(self.root)
                continue
            except OSError as error:
                raise io_error("create", path, error) from error
            try:
                if _lock_now(fd) and _is_still(path, fd):
                    return _Folder(path, fd)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # a sweeper met the folder before it was locked
        raise StoreIOError(
            f"cannot keep a staging folder in {self.root}: each was swept at once",
            errno=errno.EAGAIN,
            path=self.root,
        )

    def close(self) -> None:
        """Remove the folder. A process that dies without this is swept by the next writer."""
        with self._guard:
            folder, self._folder = self._folder, None
        if folder is not None:
            # why: not empty or already gone, the next sweep looks again
            with contextlib.suppress(OSError):
                os.rmdir(folder.path)

    def forget_after_fork(self) -> None:
        """In a forked child: the folder is the parent's, so drop only our copy of it."""
        self._guard = threading.Lock()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()


def sweep(root: Path) -> int:
    """Remove staging folders whose process is dead; returns how many. Never blocks."""
    swept = 0
    try:
        names = list_names(root)
    except FileNotFoundError:
        return 0  # nobody has written here
    for name in names:
        path = root / name
        try:
            fd = open_directory(path)
        except (FileNotFoundError, UnsafeFileError):
            continue  # gone by now, or no folder at all
        except StoreIOError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                continue  # another user's; maintenance reports it
            raise
        try:
            if _lock_now(fd) and _is_still(path, fd):
                swept += _remove_folder(path, fd)
        finally:
            os.close(fd)
    return swept


def is_in_use(name: str, *, dir_fd: int) -> bool:
    """Whether a living process has a staging folder. Nothing is removed or kept locked.

    Ask only about folders older than a moment: a process that is just claiming one would take
    this look for a sweeper's and start another.
    """
    fd = open_directory(name, dir_fd=dir_fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _remove_folder(path: Path, fd: int) -> int:
    for name in list_names(fd):
        remove_quietly(name, dir_fd=fd)
    try:
        os.rmdir(path)
    except OSError:
        return 0  # it holds something that is not ours to remove
    return 1


def _lock_now(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, fd: int) -> bool:
    status = status_of(path)
    return status is not None and os.path.samestat(status, os.fstat(fd))


def _umask_strips_owner(fd: int) -> bool:
    probe = os.open("mode", CREATE_FLAGS, FILE_MODE, dir_fd=fd)
    try:
        return stat.S_IMODE(os.fstat(probe).st_mode) != FILE_MODE
    finally:
        os.close(probe)
        remove_quietly("mode", dir_fd=fd)


def _forget_all_after_fork() -> None:
    for staging in list(_ALL):
        staging.forget_after_fork()


os.register_at_fork(after_in_child=_forget_all_after_fork)
