"""Writing a whole store where nobody sees it: staged, synced as one, read back and compared.

Nothing refers to a staged folder until it is renamed, so one ``syncfs`` before that is as safe as
syncing each file (performance.md §5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..changes import now_ms
from ..entries import encode
from ..errors import SessionStoreError, StoreIOError
from ..files import (
    digest_of,
    ensure_directory,
    folder_of,
    io_error,
    make_directory_at,
    sync_descriptor,
    sync_file_system,
    sync_named_file,
    write_new,
)
from ..keys import MARKER_NAME, SIDE_AREA
from ..opened import MARKER_FORMAT, MARKER_KIND, OpenDirectory
from ..paths import StorePaths
from .shapes import Progress


class StagedDirectory:
    """A ``sessions.d`` below ``folder``. ``digests`` has what was written, by file name."""

    def __init__(self, paths: StorePaths, folder: Path) -> None:
        self.folder = folder
        self.name = paths.directory.name
        ensure_directory(folder / self.name)
        self.opened = OpenDirectory(replace(paths, directory=folder / self.name))
        self.digests: dict[str, str] = {}

    def add(self, name: str, data: bytes) -> None:
        """Write one file of a name as ``keys.locate`` gives it.

        Raises:
            StoreIOError: the disk refused.
        """
        try:
            if "/" in name:
                make_directory_at(SIDE_AREA, dir_fd=self.opened.fd)
            with folder_of(name, self.opened.fd) as (folder_fd, last):
                write_new(last, data, dir_fd=folder_fd)
        except OSError as error:
            raise as_store_error("write", self.opened.path_of(name), error) from error
        self.digests[name] = hashlib.sha256(data).hexdigest()

    def finish(
        self,
        marker: Mapping[str, object],
        progress: Progress | None = None,
        *,
        durable: bool = True,
    ) -> int:
        """Write the marker, sync everything, read everything back; how many sessions are equal.

        ``durable=False`` leaves the syncing out, for what is removed again at once.

        Raises:
            StoreIOError: the disk refused, or a file does not read back as it was written.
        """
        sessions = len(self.digests)
        self.add(MARKER_NAME, encode(dict(marker)))
        if durable:
            self._sync()
        for number, (name, digest) in enumerate(self.digests.items(), 1):
            check_digest(self.opened.path_of(name), digest)
            if progress is not None and number <= sessions:
                progress(sessions + number, 2 * sessions, name)
        self._check_names()
        return sessions

    def _sync(self) -> None:
        if not sync_file_system(self.opened.fd, self.opened.path):
            for name in self.digests:
                with folder_of(name, self.opened.fd) as (folder_fd, last):
                    sync_named_file(last, dir_fd=folder_fd)
        if SIDE_AREA in self.opened.names():
            with folder_of(f"{SIDE_AREA}/", self.opened.fd) as (folder_fd, _):
                sync_descriptor(folder_fd, self.opened.path_of(SIDE_AREA))
        sync_descriptor(self.opened.fd, self.opened.path)

    def _check_names(self) -> None:
        names = {*self.opened.names()} - {SIDE_AREA}
        names |= {f"{SIDE_AREA}/{name}" for name in self.opened.side_names()}
        for name in names ^ self.digests.keys():
            raise _differs(self.opened.path_of(name))


def new_marker(protocol: str) -> dict[str, object]:
    """The marker of a directory that begins now (``docs/format.md`` §4)."""
    return {
        "kind": MARKER_KIND,
        "format": MARKER_FORMAT,
        "created": now_ms(),
        "locks": protocol,
    }


def stage_file(name: str, data: bytes, *, dir_fd: int, folder: Path) -> None:
    """Write one file in an open folder, synced and read back.

    Raises:
        StoreIOError: the disk refused, or it does not read back as it was written.
    """
    try:
        write_new(name, data, dir_fd=dir_fd, sync="strict")
    except OSError as error:
        raise as_store_error("write", folder / name, error) from error
    check_digest(folder / name, hashlib.sha256(data).hexdigest())


def check_digest(path: str | Path, digest: str) -> None:
    """Read a file back.

    Raises:
        StoreIOError: it is not what was written.
    """
    try:
        found = digest_of(path)
    except FileNotFoundError:
        raise _differs(path) from None
    if found != digest:
        raise _differs(path)


def _differs(path: str | Path) -> StoreIOError:
    return StoreIOError(
        f"{path} does not read back as it was written",
        path=path,
        hint="the disk or another program changed it; what was there before is untouched",
    )


def as_store_error(action: str, path: str | Path, error: OSError) -> SessionStoreError:
    """An error of the system with the path that it is about."""
    return error if isinstance(error, SessionStoreError) else io_error(action, path, error)
