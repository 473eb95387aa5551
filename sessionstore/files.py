"""Reading and replacing files. With ``locks/`` the only code that touches the file system.

Promises: nothing is opened through a link, a special file never blocks a reader, a final name
is never opened for writing, and after an error the old file is whole and the temporary file
is gone. Sources: performance.md §1 and §3 (staging folder), open(2), rename(2), fsync(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from .errors import FileTooLargeError, SessionStoreError, StoreIOError, UnsafeFileError
from .renames import exchange_names, rename_exclusively, sync_whole

Durability = Literal["none", "relaxed", "strict"]
DURABILITIES: tuple[Durability, ...] = ("none", "relaxed", "strict")

SIDECAR_ROOT = ".sessionstore"
"""Our own folder beside a store; nothing in it is ever reached through a link."""

DEFAULT_MAX_BYTES = 8 * 1024 * 1024
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Sharing violations of virus scanners and network shares pass within milliseconds; after the
# last pause the error travels (issue 112504: it was swallowed after five tries).
_REPLACE_PAUSES_S = (0.001, 0.002, 0.005, 0.01, 0.02)

# A directory, or a file system that has no hard links; a full disk is neither.
_NO_SECOND_NAME = frozenset(
    [errno.EPERM, errno.EISDIR, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV]
)

_HINTS = {
    errno.ENOSPC: "free some space, then try again",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "check the owner and mode of this path",
    errno.EPERM: "check the owner and mode of this path",
    errno.EROFS: "the file system is mounted read-only",
    errno.EIO: "the disk reported an error; check the kernel log",
    errno.EXDEV: "the store and its .sessionstore folder must be on one file system",
    errno.EMFILE: "raise the limit of open files",
    errno.EEXIST: "something has this name already; look at it, and move one of them away",
}


def io_error(action: str, path: str | os.PathLike[str], error: OSError) -> StoreIOError:
    """Wrap an OSError with the path and, where there is one, the next step."""
    code = error.errno or 0
    return StoreIOError(
        f"cannot {action} {os.fspath(path)}: {os.strerror(code)}",
        errno=code,
        path=path,
        hint=_HINTS.get(code, ""),
    )


def read_file(
    path: str | os.PathLike[str],
    *,
    dir_fd: int | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> bytes:
    """Read one regular file; four system calls.

    Raises:
        FileNotFoundError: there is none.
        UnsafeFileError: a link, a special file, or more than ``max_bytes``.
        StoreIOError: any other refusal; never mistaken for absence.
    """
    return read_file_stat(path, dir_fd=dir_fd, max_bytes=max_bytes)[0]


def read_file_stat(
    path: str | os.PathLike[str],
    *,
    dir_fd: int | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[bytes, os.stat_result]:
    """As :func:`read_file`, with the stat of the descriptor that was read."""
    if dir_fd is not None and "/" in (name := os.fspath(path)):
        with folder_of(name, dir_fd) as (folder_fd, base):
            return read_file_stat(base, dir_fd=folder_fd, max_bytes=max_bytes)
    try:
        fd = os.open(path, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        _refuse_open(path, error)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(path, f"is a {_kind(status.st_mode)}, not a regular file")
        if status.st_size > max_bytes:
            raise _too_large(path, f"has {status.st_size:,} bytes of at most {max_bytes:,}")
        data = os.read(fd, status.st_size + 1)
        if len(data) != status.st_size:
            data = _read_changing(fd, data, path, max_bytes)
        return data, status
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("read", path, error) from error
    finally:
        os.close(fd)


def copy_name(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Give a file a second name in another directory; a link is kept as a link.

    Where that cannot be (a directory, or a file system without hard links) the file is moved.
    False when there is nothing of that name.
    """
    try:
        with (
            folder_of(name, from_fd) as (source_fd, source),
            folder_of(target, to_fd) as (target_fd, last),
        ):
            os.link(source, last, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        if error.errno in _NO_SECOND_NAME:
            return move_into(name, target, from_fd=from_fd, to_fd=to_fd)
        raise io_error("keep a copy of", name, error) from error
    return True


@contextlib.contextmanager
def folder_of(name: str, dir_fd: int) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder that a name below ``dir_fd`` is in, and its last part.

    ``O_NOFOLLOW`` speaks of the last part of a path only, so ``x/name`` would be reached through
    a link that somebody put in the place of ``x`` (CWE-59).

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError: as :func:`open_directory`.
    """
    folder, _, base = name.rpartition("/")
    if not folder:
        yield dir_fd, base
        return
    fd = open_directory(folder, dir_fd=dir_fd)
    try:
        yield fd, base
    finally:
        os.close(fd)


def _refuse_open(path: str | os.PathLike[str], error: OSError) -> NoReturn:
    if error.errno in (errno.ELOOP, errno.EMLINK):
        raise _unsafe(path, "is a symbolic link") from error
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP):
        raise _unsafe(path, "is a socket or device") from error
    raise io_error("open", path, error) from error


def _read_changing(fd: int, data: bytes, path: str | os.PathLike[str], max_bytes: int) -> bytes:
    # Only a foreign program that writes in place gets here: our own files never change size.
    while len(data) <= max_bytes and (more := os.read(fd, 1 << 20)):
        data += more
    if len(data) > max_bytes:
        raise _too_large(path, f"grew past {max_bytes:,} bytes while it was read")
    return data


def _unsafe(path: str | os.PathLike[str], why: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{os.fspath(path)} {why}",
        path=path,
        hint="look at it and move it out of the store",
    )


def _too_large(path: str | os.PathLike[str], why: str) -> FileTooLargeError:
    return FileTooLargeError(
        f"{os.fspath(path)} {why}",
        path=path,
        hint="open the store with a larger limit, or move the file out of the store",
    )


def _kind(mode: int) -> str:
    names: list[tuple[Callable[[int], bool], str]] = [
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
    ]
    return next((name for test, name in names if test(mode)), "device")


def list_names(
    path: str | os.PathLike[str] | int, *, shown: str | os.PathLike[str] = "the directory"
) -> list[str]:
    """Names in a directory, unordered. A missing directory raises FileNotFoundError.

    ``shown`` is what a message calls an open one.
    """
    try:
        return os.listdir(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("list", shown if isinstance(path, int) else path, error) from error


def status_of(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> os.stat_result | None:
    """The path's own status (links are not followed); None when there is nothing."""
    try:
        return os.lstat(path, dir_fd=dir_fd)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise io_error("look at", path, error) from error


def link_target(path: str | os.PathLike[str]) -> str:
    """What a symbolic link says, for a message; never to follow it."""
    try:
        return os.readlink(path)
    except OSError as error:
        return os.strerror(error.errno or 0)


def real_path(path: str | os.PathLike[str]) -> str:
    """The path with every link resolved, for telling two spellings of one place."""
    return os.path.realpath(path)


class Room(NamedTuple):
    """What a file system has left. ``files`` is None where it does not count them."""

    free_bytes: int
    block_bytes: int
    files: int | None


def room_at(path: str | os.PathLike[str]) -> Room:
    """What is free, for this process's user, where ``path`` is or would be made.

    Raises:
        StoreIOError: the file system does not say.
    """
    place = Path(path)
    while True:
        try:
            status = os.statvfs(place)
        except FileNotFoundError:
            place = place.parent
            continue
        except OSError as error:
            raise io_error("look at the space of", place, error) from error
        block = status.f_frsize or status.f_bsize
        files = status.f_favail if status.f_files else None
        return Room(status.f_bavail * block, block, files)


def open_directory(
    path: str | os.PathLike[str], *, dir_fd: int | None = None, named: bool = False
) -> int:
    """Open a real directory; the caller closes the descriptor.

    ``named``: a person gave this path, so a link in its last part is theirs and is followed.

    Raises:
        FileNotFoundError, UnsafeFileError (a link or no directory), StoreIOError.
    """
    try:
        flags = DIRECTORY_FLAGS & ~os.O_NOFOLLOW if named else DIRECTORY_FLAGS
        return os.open(path, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
            raise _unsafe(path, "is not a directory of its own") from error
        raise io_error("open", path, error) from error


def restrict_directory(fd: int) -> None:
    """Give an open directory mode 0700 (older programs left 0755)."""
    try:
        os.fchmod(fd, DIRECTORY_MODE)
    except OSError as error:
        raise io_error("change the mode of", "the directory", error) from error


def restrict_file(name: str, *, dir_fd: int) -> None:
    """Give a regular file mode 0600 (older programs left it to the umask); no link is followed.

    Raises:
        StoreIOError: it is gone, or the system refused.
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                os.fchmod(fd, FILE_MODE)
        finally:
            os.close(fd)
    except OSError as error:
        raise io_error("change the mode of", name, error) from error


def move_into(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Rename between two open directories; False when there is nothing of that name."""
    try:
        with (
            folder_of(name, from_fd) as (source_fd, source),
            folder_of(target, to_fd) as (target_fd, last),
        ):
            os.rename(source, last, src_dir_fd=source_fd, dst_dir_fd=target_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise io_error("move", name, error) from error
    return True


def rename_new(name: str, target: str, *, dir_fd: int, to_fd: int | None = None) -> bool:
    """Rename inside an open directory, or into another one (``to_fd``), never over anything.

    False when ``name`` is not there. In one step where the system can. Elsewhere a second name
    comes first, then the old one goes, so there is no moment without the file; where both are
    left by a process that died in between, the next call finishes it. Without hard links the
    target is looked for first.

    Raises:
        StoreIOError: the target exists (``EEXIST``), or the system refused.
    """
    end_fd = dir_fd if to_fd is None else to_fd
    try:
        try:
            if not rename_exclusively(name, target, from_fd=dir_fd, to_fd=end_fd):
                _rename_in_steps(name, target, dir_fd, end_fd)
        except FileExistsError:
            if not _are_one_file(name, target, dir_fd, end_fd):
                raise
            os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("rename", name, error) from error
    return True


def _rename_in_steps(name: str, target: str, from_fd: int, to_fd: int) -> None:
    try:
        os.link(name, target, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_SECOND_NAME:
            raise
        if status_of(target, dir_fd=to_fd) is not None:
            raise FileExistsError(errno.EEXIST, "exists", target) from error
        os.rename(name, target, src_dir_fd=from_fd, dst_dir_fd=to_fd)
        return
    os.unlink(name, dir_fd=from_fd)


def _are_one_file(name: str, target: str, from_fd: int, to_fd: int) -> bool:
    first = os.lstat(name, dir_fd=from_fd)
    return os.path.samestat(first, os.lstat(target, dir_fd=to_fd))


def exchange(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Let two names change places at once; False where the file system cannot do that.

    Raises:
        StoreIOError: one of them is not there, or the system refused.
    """
    try:
        return exchange_names(name, target, from_fd=from_fd, to_fd=to_fd)
    except OSError as error:
        raise io_error("exchange", target, error) from error


def sync_file_system(fd: int, path: str | os.PathLike[str]) -> bool:
    """Make everything durable that was written to the file system of ``fd``; one call for any
    number of files (performance.md §5). False where the system has no such call.

    Raises:
        StoreIOError: something could not be written.
    """
    try:
        return sync_whole(fd)
    except OSError as error:
        raise io_error("sync", path, error) from error


def sync_named_file(name: str, *, dir_fd: int) -> None:
    """Make one file's bytes durable.

    Raises:
        FileNotFoundError, StoreIOError.
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
        try:
            sync_all(fd)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("sync", name, error) from error


_CHUNK = 1 << 20


def copy_file(
    path: str | os.PathLike[str], target: str, *, to_fd: int
) -> tuple[str, os.stat_result]:
    """Copy a regular file to a new, synced one of mode 0600; its sha256 and status as read.

    The copy is read back: what is returned is the digest of both. On error no copy stays.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: a link or special file.
        StoreIOError: the copy could not be written, or does not read back equal.
    """
    try:
        source = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        _refuse_open(path, error)
    try:
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(path, f"is a {_kind(status.st_mode)}, not a regular file")
        try:
            digest = _copy_into(source, target, to_fd)
        except OSError as error:
            raise io_error("copy", path, error) from error
        if digest_of(target, dir_fd=to_fd) != digest:
            remove_quietly(target, dir_fd=to_fd)
            raise StoreIOError(
                f"the copy of {os.fspath(path)} does not read back as it was written",
                errno=errno.EIO,
                path=path,
                hint=_HINTS[errno.EIO],
            )
        return digest, status
    finally:
        os.close(source)


def _copy_into(source: int, target: str, to_fd: int) -> str:
    digest = hashlib.sha256()
    fd = os.open(target, CREATE_FLAGS, FILE_MODE, dir_fd=to_fd)
    try:
        try:
            os.fchmod(fd, FILE_MODE)
            while chunk := os.read(source, _CHUNK):
                digest.update(chunk)
                write_all(fd, chunk)
            sync_all(fd)
        finally:
            os.close(fd)
    except BaseException:
        remove_quietly(target, dir_fd=to_fd)
        raise
    return digest.hexdigest()


def digest_of(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> str:
    """SHA-256 of a regular file of any size, as hex digits.

    Raises:
        FileNotFoundError, UnsafeFileError (a link or special file), StoreIOError.
    """
    try:
        fd = os.open(path, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        _refuse_open(path, error)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(path, f"is a {_kind(status.st_mode)}, not a regular file")
        digest = hashlib.sha256()
        while chunk := os.read(fd, _CHUNK):
            digest.update(chunk)
        return digest.hexdigest()
    except OSError as error:
        raise io_error("read", path, error) from error
    finally:
        os.close(fd)


def remove_tree(name: str, *, dir_fd: int) -> bool:
    """Remove a file, link or directory with all that is in it; False when there was nothing.

    Only for folders of our own; no link is followed.

    Raises:
        StoreIOError: something could not be removed; the rest is gone.
    """
    status = status_of(name, dir_fd=dir_fd)
    if status is None:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return remove_file(name, dir_fd=dir_fd)
    fd = open_directory(name, dir_fd=dir_fd)
    try:
        for inner in list_names(fd):
            remove_tree(inner, dir_fd=fd)
    finally:
        os.close(fd)
    try:
        os.rmdir(name, dir_fd=dir_fd)
    except OSError as error:
        raise io_error("remove", name, error) from error
    return True


def append_line(fd: int, line: bytes) -> None:
    """Add one line to a file from :func:`open_list`; a killed process leaves at most a part of it.

    Raises:
        StoreIOError: the disk refused.
    """
    try:
        write_all(fd, line + b"\n")
    except OSError as error:
        raise io_error("write", "the list of merged sessions", error) from error


def open_list(name: str, *, dir_fd: int) -> int:
    """Open a file of our own that lines are added to, or create it; the caller closes it.

    Raises:
        StoreIOError: it cannot be created.
    """
    try:
        flags = (CREATE_FLAGS & ~os.O_EXCL) | os.O_APPEND
        return os.open(name, flags, FILE_MODE, dir_fd=dir_fd)
    except OSError as error:
        raise io_error("open", name, error) from error


def close_directory(fd: int) -> None:
    """Close a descriptor from :func:`open_directory`."""
    os.close(fd)


def ensure_directory(path: Path) -> None:
    """Make a directory of mode 0700, parents included; existing ones stay as they are.

    Raises:
        UnsafeFileError: something else, or a link, stands at ``path`` or at one of our own
            folders above it, through which we would write elsewhere.
    """
    if SIDECAR_ROOT in path.parts[:-1]:
        ensure_directory(path.parent)
    try:
        _make_directory(path)
    except FileNotFoundError:
        ensure_directory(path.parent)
        _make_directory(path)


def _make_directory(path: Path) -> None:
    try:
        os.mkdir(path, DIRECTORY_MODE)
        os.chmod(path, DIRECTORY_MODE)  # mkdir obeys the umask, which may strip even ours
    except FileExistsError:
        status = status_of(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise _unsafe(path, f"is a {_kind(status.st_mode)}, not a directory") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("create", path, error) from error


def write_new(
    name: str,
    data: bytes,
    *,
    dir_fd: int,
    sync: Durability = "none",
    set_mode: bool = True,
) -> None:
    """Create a file that must not exist and write all of it; on error no file stays."""
    fd = os.open(name, CREATE_FLAGS, FILE_MODE, dir_fd=dir_fd)
    try:
        try:
            if set_mode:
                os.fchmod(fd, FILE_MODE)
            write_all(fd, data)
            if sync == "relaxed":
                sync_data(fd)
            elif sync == "strict":
                sync_all(fd)
        finally:
            os.close(fd)
    except BaseException:
        remove_quietly(name, dir_fd=dir_fd)
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write all of it: a full disk or a signal can make write(2) take less."""
    while written := os.write(fd, data):
        if written == len(data):
            return
        data = data[written:]


def make_directory_at(name: str, *, dir_fd: int) -> bool:
    """Make a directory of mode 0700 below an open one; False when something is there already.

    Raises:
        FileNotFoundError: the open directory has been removed.
    """
    try:
        os.mkdir(name, DIRECTORY_MODE, dir_fd=dir_fd)
        os.chmod(name, DIRECTORY_MODE, dir_fd=dir_fd)
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error("create", name, error) from error
    return True


def sync_descriptor(fd: int, path: str | os.PathLike[str]) -> None:
    """Make the names in an open directory durable."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise io_error("sync", path, error) from error


def sync_data(fd: int) -> None:
    """Make a file's bytes durable, and of its metadata what reading them needs."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        sync_all(fd)


def sync_all(fd: int) -> None:
    """fsync; on macOS with the flush of the drive, which fsync(2) leaves out there."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync_directory(path: str | os.PathLike[str], *, named: bool = False) -> None:
    """Make the names in a directory durable; ``named`` as in :func:`open_directory`."""
    fd = open_directory(path, named=named)
    try:
        sync_descriptor(fd, path)
    finally:
        os.close(fd)


def replace_patiently(source: str, target: str, *, from_fd: int, to_fd: int) -> None:
    """Rename over ``target`` after a PermissionError: five more tries, then it is raised.

    Raises:
        OSError: the temporary file is removed and the target is as it was.
    """
    for pause_s in _REPLACE_PAUSES_S:
        time.sleep(pause_s)
        try:
            os.rename(source, target, src_dir_fd=from_fd, dst_dir_fd=to_fd)
            return
        except OSError as error:
            last = error
            if not isinstance(error, PermissionError):
                break
    remove_quietly(source, dir_fd=from_fd)
    raise last


def remove_quietly(name: str, *, dir_fd: int | None = None) -> None:
    """Remove a temporary file on the way out of an error, without hiding that error."""
    # why: the first error travels; the sweep of dead staging folders takes what is left
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=dir_fd)


def remove_file(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> bool:
    """Remove a file; False when there was none."""
    try:
        if dir_fd is None:
            os.unlink(path)
        else:
            with folder_of(os.fspath(path), dir_fd) as (folder_fd, base):
                os.unlink(base, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("remove", path, error) from error
    return True
