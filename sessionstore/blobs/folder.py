"""The blob files of one store: ``<sidecar>/blobs/<2 hex>/<sha256>``.

A blob is written once and never changed; its time says when a writer last referred to it anew,
which is what keeps the collector away. One that was collected waits in ``blobs/retired`` and is
still read there.
"""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Final

from ..errors import UnsafeFileError
from ..files import (
    Durability,
    close_directory,
    ensure_directory,
    open_below,
    open_directory,
    read_file,
    sync_descriptor,
    sync_directory,
    sync_named_file,
    touch,
)
from ..locks.staging import Staging
from .form import BlobError, Known, expand, fold, target_of

FOLDER: Final = "blobs"
RETIRED: Final = "retired"
CACHE_BYTES: Final = 8 << 20


class Blobs:
    """The blobs of one store, and a bounded cache of their bytes. Thread-safe; opens nothing."""

    def __init__(self, sidecar: Path) -> None:
        self._sidecar = sidecar
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0
        self._guard = threading.Lock()
        _ALL.add(self)

    def path_of(self, sha256: str) -> Path:
        """Where a blob is kept."""
        return self._sidecar / FOLDER / sha256[:2] / sha256

    def expand(self, data: bytes, *, max_bytes: int) -> tuple[bytes, list[Known]]:
        """The whole entry of a folded one. Opens each blob that is not in the cache.

        Raises:
            BlobError: one is missing or damaged. StoreIOError: one cannot be read now.
        """
        return expand(data, self._fetch, max_bytes=max_bytes)

    def fold(
        self, data: bytes, known: list[Known], staging: Staging, durability: Durability
    ) -> bytes:
        """The text to store for an entry; its blobs are there, and as durable, on return.

        The caller holds the session's lock until that text is in place: the collector never
        works meanwhile.

        Raises:
            OSError, StoreIOError: a blob cannot be written.
        """
        folded = fold(data, known)
        if folded is None:
            return data
        taken_over = {one.reference for one in known}
        for cut in folded[1]:
            if cut.reference not in taken_over:
                self._keep(target_of(cut.reference)[0], cut.value, staging, durability)
        return folded[0]

    # -- reading -----------------------------------------------------------------------

    def _fetch(self, sha256: str, size: int) -> bytes:
        with self._guard:
            value = self._cache.get(sha256)
            if value is not None:
                self._cache.move_to_end(sha256)
        if value is None:
            value = self._read(sha256, size)
            self._remember(sha256, value)
        if len(value) != size:
            raise self._problem(sha256, "has another size than the entry says")
        return value

    def _read(self, sha256: str, size: int) -> bytes:
        why = "is missing"
        try:
            fd = open_folder(self._sidecar)
        except FileNotFoundError:
            raise self._problem(sha256, why) from None
        try:
            # The first place again: one that is taken back moves while we look.
            for folder in (sha256[:2], RETIRED, sha256[:2]):
                try:
                    data = read_file(f"{folder}/{sha256}", dir_fd=fd, max_bytes=size)
                except FileNotFoundError:
                    continue
                except UnsafeFileError:
                    why = "is damaged"
                    continue
                if hashlib.sha256(data).hexdigest() == sha256:
                    return data
                why = "is damaged"
        finally:
            close_directory(fd)
        raise self._problem(sha256, why)

    def _problem(self, sha256: str, why: str) -> BlobError:
        return BlobError(f"cannot be put together: the blob {self.path_of(sha256)} {why}")

    def _remember(self, sha256: str, value: bytes) -> None:
        if len(value) > CACHE_BYTES // 4:
            return
        with self._guard:
            if sha256 not in self._cache:
                self._cache[sha256] = value
                self._cached += len(value)
            while self._cached > CACHE_BYTES:
                self._cached -= len(self._cache.popitem(last=False)[1])

    # -- writing -----------------------------------------------------------------------

    def _keep(self, sha256: str, value: bytes, staging: Staging, durability: Durability) -> None:
        """Let the blob be there, whole and young. One that is damaged is written over."""
        path = self.path_of(sha256)
        if durability == "none":
            durability = "relaxed"  # others will rely on it: it must never be torn
        fd = self._open(path.parent)
        try:
            if touch(sha256, dir_fd=fd) and self._is_whole(sha256, value, fd):
                if durability == "strict":
                    sync_named_file(sha256, dir_fd=fd)
                    sync_descriptor(fd, path.parent)
            else:
                staging.put(value, sha256, to_fd=fd, durability=durability, created=True)
        finally:
            close_directory(fd)
        self._remember(sha256, value)

    def _is_whole(self, sha256: str, value: bytes, fd: int) -> bool:
        with self._guard:
            if sha256 in self._cache:
                return True  # this process read or wrote it
        try:
            return read_file(sha256, dir_fd=fd, max_bytes=len(value)) == value
        except (FileNotFoundError, UnsafeFileError):
            return False

    def _open(self, folder: Path) -> int:
        try:
            return open_folder(self._sidecar, folder.name)
        except FileNotFoundError:
            ensure_directory(folder)
        # Or a power cut could take the folder away, with a blob in it that is on disk.
        for parent in (folder.parent, self._sidecar):
            sync_directory(parent)
        return open_folder(self._sidecar, folder.name)

    def renew_after_fork(self) -> None:
        """In a forked child: a thread that the child does not have may hold the guard."""
        self._guard = threading.Lock()


def open_folder(sidecar: Path, name: str = "") -> int:
    """Open the folder of the blobs, or one below it, through no link; to be closed.

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError.
    """
    fd = open_below(sidecar, FOLDER)
    if not name:
        return fd
    try:
        return open_directory(name, dir_fd=fd)
    finally:
        close_directory(fd)


_ALL: weakref.WeakSet[Blobs] = weakref.WeakSet()


def _renew_all_after_fork() -> None:
    for blobs in list(_ALL):
        blobs.renew_after_fork()


os.register_at_fork(after_in_child=_renew_all_after_fork)
