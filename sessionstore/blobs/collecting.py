"""Removing blobs that no file refers to, while writers go on.

A blob is listed, then every file is read, and in exclusive mode it is looked at once more: a
writer that took it up since has touched it (under its session's lock, which excludes exclusive
mode), so what is untouched is referred to by nobody. It is then only retired: renamed to
``blobs/retired``, where readers still find it, which is for those that had read an entry before
and for snapshots. What has been there for the grace and is still referred to by nobody goes.
Killed anywhere, the next run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..files import (
    close_directory,
    ensure_directory,
    move_into,
    open_directory,
    remove_file,
    status_of,
    touch,
)
from ..locks import StoreLocks
from ..paths import StorePaths
from .folder import FOLDER, RETIRED, open_folder
from .marking import Blob, list_blobs, list_retired, look_at, references_in

GRACE_S: Final = 86_400.0
_AT_ONCE: Final = 200  # renames in one exclusive section: a few milliseconds


@dataclass(frozen=True, slots=True)
class Collected:
    """What one run did: blobs and their bytes, retired (still readable) and removed for good,
    and how many retired ones were put back because a file refers to them."""

    retired: int = 0
    retired_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0
    put_back: int = 0


def unreferenced(paths: StorePaths, *, older_than_s: float = GRACE_S) -> list[Blob]:
    """Blobs that no file refers to and no writer took up for so long; changes nothing.

    Cost: one ``lstat`` per blob, and every file of the store read once.

    Raises:
        StoreIOError: a file cannot be read, so nothing can be said.
    """
    blobs = list_blobs(paths)  # before the files: what is taken up from now on is touched
    before_ns = _before_ns(older_than_s)
    if not any(blob.touched_ns <= before_ns for blob in blobs):
        return []
    return _loose(blobs, _marked(paths), before_ns)


def _marked(paths: StorePaths) -> set[str]:
    return {one.sha256 for one in references_in(paths)}


def _before_ns(older_than_s: float) -> int:
    return time.time_ns() - int(older_than_s * 1e9)


def _loose(blobs: Sequence[Blob], marked: Collection[str], before_ns: int) -> list[Blob]:
    return [b for b in blobs if b.sha256 not in marked and b.touched_ns <= before_ns]


def collect(
    paths: StorePaths,
    locks: StoreLocks,
    *,
    older_than_s: float = GRACE_S,
    timeout: float = 10.0,
    keep: Collection[str] = (),
) -> Collected:
    """Retire what is unreferenced, and remove what has been retired for ``older_than_s``.

    ``keep`` are digests of retired ones that stay.

    Cost: as :func:`unreferenced`; exclusive mode for some milliseconds per 200 blobs.

    Raises:
        StoreIOError: a file cannot be read, or the disk refused; what is done stays done.
        LockTimeoutError: a writer held its session too long.
    """
    blobs = list_blobs(paths)
    before_ns = _before_ns(older_than_s)
    if not any(one.is_retired or one.touched_ns <= before_ns for one in blobs):
        return Collected()
    marked = _marked(paths)
    loose = _loose(blobs, marked, before_ns)
    removed = _remove(paths, [b for b in loose if b.is_retired and b.sha256 not in keep])
    back = put_back(paths, [one for one in blobs if one.is_retired and one.sha256 in marked])
    fresh = [one for one in loose if not one.is_retired]
    retired: list[Blob] = []
    for start in range(0, len(fresh), _AT_ONCE):
        with locks.exclusive("collect", timeout):
            retired += retire(paths, fresh[start : start + _AT_ONCE])
    return Collected(
        retired=len(retired),
        retired_bytes=sum(one.size_bytes for one in retired),
        removed=len(removed),
        removed_bytes=sum(one.size_bytes for one in removed),
        put_back=back,
    )


def finish(
    paths: StorePaths, *, older_than_s: float = GRACE_S, keep: Collection[str] = ()
) -> Collected:
    """Remove what was retired so long ago and is still referred to by nobody; retires nothing.

    One that a file refers to is put back. ``keep`` are digests of those that stay. Cost: one
    ``lstat`` per retired blob, and every file of the store read once where one has had its time.

    Raises:
        StoreIOError: a file cannot be read, or the disk refused; what is done stays done.
    """
    before_ns = _before_ns(older_than_s)
    over = [b for b in list_retired(paths) if b.touched_ns <= before_ns and b.sha256 not in keep]
    if not over:
        return Collected()
    marked = _marked(paths)
    removed = _remove(paths, [one for one in over if one.sha256 not in marked])
    return Collected(
        removed=len(removed),
        removed_bytes=sum(one.size_bytes for one in removed),
        put_back=put_back(paths, [one for one in over if one.sha256 in marked]),
    )


def retire(paths: StorePaths, blobs: Iterable[Blob]) -> list[Blob]:
    """Retire those that are still as they were listed; the caller holds exclusive mode.

    The time is set before the rename, so that one killed in between leaves a blob that is young.
    """
    ensure_directory(paths.sidecar / FOLDER / RETIRED)
    target = open_folder(paths.sidecar, RETIRED)
    done = []
    try:
        for blob in blobs:
            fd = open_folder(paths.sidecar, blob.sha256[:2])
            try:
                if look_at(blob.sha256, fd) == blob and touch(blob.sha256, dir_fd=fd):
                    move_into(blob.sha256, blob.sha256, from_fd=fd, to_fd=target)
                    done.append(blob)
            finally:
                close_directory(fd)
    finally:
        close_directory(target)
    return done


def _remove(paths: StorePaths, blobs: Sequence[Blob]) -> list[Blob]:
    if not blobs:
        return []
    fd = open_folder(paths.sidecar, RETIRED)
    try:
        return [
            one
            for one in blobs
            if look_at(one.sha256, fd, is_retired=True) == one
            and remove_file(one.sha256, dir_fd=fd)
        ]
    finally:
        close_directory(fd)


def put_back(paths: StorePaths, blobs: Sequence[Blob]) -> int:
    """Bring retired ones back into place; returns how many came.

    One that a writer has written anew meanwhile is there: its retired copy goes.
    """
    count = 0
    for blob in blobs:
        ensure_directory(paths.sidecar / FOLDER / blob.sha256[:2])
        top = open_folder(paths.sidecar)
        source = open_directory(RETIRED, dir_fd=top)
        target = open_directory(blob.sha256[:2], dir_fd=top)
        try:
            there = status_of(blob.sha256, dir_fd=target)
            if there is not None and there.st_size == blob.size_bytes:
                remove_file(blob.sha256, dir_fd=source)
            else:
                count += move_into(blob.sha256, blob.sha256, from_fd=source, to_fd=target)
        finally:
            for fd in (top, source, target):
                close_directory(fd)
    return count
