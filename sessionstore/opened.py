"""The open ``sessions.d``: one descriptor, known to be the directory at that path now."""

from __future__ import annotations

import os
import stat
import threading
import weakref

from .blobs import Blobs
from .entries import NotAnEntryError, decode
from .errors import SessionStoreError, UnsupportedStoreError
from .files import (
    close_directory,
    list_names,
    make_directory_at,
    open_directory,
    read_file,
    restrict_directory,
    status_of,
    sync_descriptor,
    sync_directory,
)
from .keys import MARKER_NAME, SIDE_AREA
from .paths import StorePaths

MARKER_KIND = "sessionstore"
MARKER_FORMAT = 1
BLOBS_FORMAT = 2
"""Of a directory in which entries may be folded (``docs/format.md`` §12)."""

BLOBS_FIELD = "blobs"
"""The marker's field: "on", or "leaving" while entries are still to be made whole again."""


class OpenDirectory:
    """A descriptor of ``sessions.d``, closed when nobody uses it any more."""

    def __init__(self, paths: StorePaths) -> None:
        self.path = paths.directory
        self.fd = open_directory(self.path)
        weakref.finalize(self, close_directory, self.fd)
        self.marked = False
        self.folds = False
        """Whether large values go to blobs. Another process may have switched since: whoever is
        about to fold reads the marker again (:meth:`look_again`)."""
        self.blobs = Blobs(paths.sidecar)
        self.identity = (0, 0)

    def path_of(self, name: str) -> str:
        """Absolute path of a name below ``sessions.d``, for messages."""
        return f"{self.path}/{name}"

    def names(self) -> list[str]:
        """All names, unordered."""
        return list_names(self.fd)

    def side_names(self) -> list[str]:
        """Names below ``x/``; none when there is no such folder.

        Raises:
            UnsafeFileError: a link or a file stands in its place.
        """
        try:
            fd = open_directory(SIDE_AREA, dir_fd=self.fd)
        except FileNotFoundError:
            return []
        except SessionStoreError as error:
            raise self._placed(error) from error.__cause__
        try:
            return list_names(fd)
        finally:
            close_directory(fd)

    def make_side_area(self) -> None:
        """Make ``x/``; it may be there already."""
        if make_directory_at(SIDE_AREA, dir_fd=self.fd):
            sync_descriptor(self.fd, self.path)

    def _placed(self, error: SessionStoreError) -> SessionStoreError:
        error.path = self.path_of(SIDE_AREA)
        error.message = error.message.replace(SIDE_AREA, error.path, 1)
        return error

    def sync(self, file_name: str) -> None:
        sync_directory(self.path / SIDE_AREA if "/" in file_name else self.path)

    def restrict(self) -> None:
        restrict_directory(self.fd)

    def look_again(self) -> bool:
        """Read the marker: whether it is there. Says in ``folds`` whether blobs are on."""
        marker = read_marker(self)
        self.folds = marker is not None and marker.get(BLOBS_FIELD) == "on"
        return marker is not None


class Directory:
    """Gives the current :class:`OpenDirectory`, reopened when the path leads elsewhere."""

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self._path = str(paths.directory)
        self._opened: OpenDirectory | None = None
        self._guard = threading.Lock()
        _DIRECTORIES.add(self)

    def current(self) -> OpenDirectory | None:
        """The directory at the path now, None when there is none. One ``lstat``.

        While we hold the descriptor its inode number cannot be used again, so equal numbers
        mean the same directory. An unmarked directory is looked at again each time: another
        process may adopt it.
        """
        status = status_of(self._path)
        if status is None:
            return None
        opened = self._opened
        if (
            opened is not None
            and opened.marked
            and opened.identity == (status.st_dev, status.st_ino)
        ):
            return opened
        with self._guard:
            return self._reopen()

    def _reopen(self) -> OpenDirectory | None:
        try:
            opened = OpenDirectory(self.paths)
        except FileNotFoundError:
            return None
        status = status_of(".", dir_fd=opened.fd)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return None
        opened.identity = (status.st_dev, status.st_ino)
        opened.marked = opened.look_again()
        self._opened = opened
        return opened

    def is_still(self, opened: OpenDirectory) -> bool:
        """Whether this directory is still the one at the path. One ``lstat``."""
        status = status_of(self._path)
        return status is not None and (status.st_dev, status.st_ino) == opened.identity

    def renew_after_fork(self) -> None:
        """In a forked child: a thread that the child does not have may hold the guard."""
        self._guard = threading.Lock()


_DIRECTORIES: weakref.WeakSet[Directory] = weakref.WeakSet()


def _renew_all_after_fork() -> None:
    for directory in list(_DIRECTORIES):
        directory.renew_after_fork()


os.register_at_fork(after_in_child=_renew_all_after_fork)


def check_protocol(opened: OpenDirectory, protocol: str) -> None:
    """Refuse a store whose marker names another lock protocol than the one about to be used.

    Raises:
        UnsupportedStoreError: two protocols on one store would exclude nobody.
    """
    named = (read_marker(opened) or {}).get("locks", protocol)
    if named != protocol:
        raise UnsupportedStoreError(
            f"{opened.path} is locked by the protocol {named!r}, not {protocol!r}",
            path=opened.path / MARKER_NAME,
            hint="write it on a system that has that protocol, or migrate it",
        )


def read_marker(opened: OpenDirectory) -> dict[str, object] | None:
    """The marker's content; None when there is none or it is damaged (then adoption heals it).

    Raises:
        UnsupportedStoreError: a later format, or another program's kind of marker.
    """
    try:
        marker = decode(read_file(MARKER_NAME, dir_fd=opened.fd, max_bytes=1 << 20))
    except (FileNotFoundError, NotAnEntryError):
        return None
    known = (MARKER_FORMAT, BLOBS_FORMAT)
    if marker.get("kind") != MARKER_KIND or marker.get("format") not in known:
        raise UnsupportedStoreError(
            f"{opened.path} has kind {marker.get('kind')!r}, format {marker.get('format')!r}; "
            f"this version knows {MARKER_KIND!r}, formats {MARKER_FORMAT} and {BLOBS_FORMAT}",
            path=opened.path / MARKER_NAME,
            hint="use the version of sessionstore that wrote it",
        )
    return marker
