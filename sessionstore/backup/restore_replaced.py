"""What a whole restore replaced: nothing is kept twice, and nothing goes that is not in a backup.

After the switch the old directory lies in the run's folder. Files that the automatic backup holds
byte for byte are removed; what is left, if anything, stays beside the store as
``sessions.d.bak.<ms>``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .. import entryfiles
from ..blobs import BlobError, is_folded
from ..entries import NotAnEntryError, decode, encode
from ..errors import CorruptEntryError, Finding, SessionStoreError, UnsafeFileError
from ..files import (
    close_directory,
    digest_of,
    folder_of,
    list_names,
    open_directory,
    read_file,
    remove_file,
)
from ..keys import MARKER_NAME, SIDE_AREA, locate
from ..legacyfile import MAX_STORE_BYTES
from ..opened import OpenDirectory
from .reading import Archive, open_archive
from .restore_place import stage_file
from .restore_runs import Run, left_run, left_runs
from .shapes import Backup

RESTORED = "restored"
"""The marker's field that says which run put the directory there."""

_NOTE = "replaced.json"
_LARGEST = 1 << 20


def note_replaced(run: Run, backup: Backup | None) -> None:
    """Write down, durably, which backup holds what is about to be replaced."""
    note = {"backup": None if backup is None else str(backup.path)}
    stage_file(_NOTE, encode(note), dir_fd=run.fd, folder=run.path)


def settle_left_runs(run: Run) -> list[Finding]:
    """Finish what killed restores of this store left; the caller is the only restore.

    A folder that was never swapped in is removed; one that was replaced is settled as
    :func:`settle` does.
    """
    findings: list[Finding] = []
    for run_id in left_runs(run.paths):
        if run_id != run.id:
            with left_run(run.paths, run_id) as left:
                findings += settle(left)
    return findings


def settle(run: Run) -> list[Finding]:
    """Empty the run's folder. Of a replaced directory only goes what its backup holds,
    and what the new one has under the same name.

    Raises:
        StoreIOError: the disk refused; what is left is the next restore's to settle.
    """
    name = run.paths.directory.name
    findings: list[Finding] = []
    if _was_replaced(run, name):
        with _archive_of(run) as archive:
            if archive is not None:
                _remove_held(run, name, archive)
                _remove_carried(run, name)
        if _is_worth_keeping(run, name):
            kept = run.set_aside(name)
            findings.append(
                Finding(
                    "replaced-kept",
                    "warning",
                    None,
                    kept,
                    f"what no backup holds of the replaced directory stays as {kept}",
                    "look at it; remove it when nothing in it is needed",
                )
            )
    for left in list_names(run.fd):
        run.discard(left)
    return findings


def _was_replaced(run: Run, name: str) -> bool:
    """Whether the folder is an old store, not one that was staged: its marker tells."""
    try:
        marker = decode(read_file(f"{name}/{MARKER_NAME}", dir_fd=run.fd, max_bytes=_LARGEST))
    except (FileNotFoundError, NotAnEntryError):
        return False  # staged, and not finished
    except UnsafeFileError:
        return True
    restored = marker.get(RESTORED)
    return not (isinstance(restored, dict) and restored.get("run") == run.id)


@contextmanager
def _archive_of(run: Run) -> Iterator[Archive | None]:
    """The automatic backup that the run noted; None where it cannot be read any more."""
    try:
        note = decode(read_file(_NOTE, dir_fd=run.fd, max_bytes=_LARGEST))
        path = note.get("backup")
        archive = open_archive(Path(path)) if isinstance(path, str) else None
    except (FileNotFoundError, NotAnEntryError, SessionStoreError):
        archive = None  # then everything is kept
    try:
        yield archive
    finally:
        if archive is not None:
            archive.close()


def _remove_held(run: Run, name: str, archive: Archive) -> None:
    """Remove the files whose bytes the archive holds, soundly: it is read to the end for that."""
    files = {one.name: locate(one.key).file_name for one in archive.manifest.sessions}
    files |= {
        one.name: one.file.removeprefix(f"{name}/")
        for one in archive.manifest.damaged
        if one.key is not None
    }
    fd = open_directory(name, dir_fd=run.fd)
    try:
        for checked in archive.walk(files):
            file = files[checked.member.name]
            sha256 = checked.member.sha256
            if checked.problem is not None:
                continue
            if _digest(file, fd) == sha256 or _whole(run, name, file) == sha256:
                remove_file(file, dir_fd=fd)
    finally:
        close_directory(fd)


def _whole(run: Run, name: str, file: str) -> str:
    """Digest of what a backup holds of a folded entry's file; empty for any other."""
    opened = OpenDirectory(replace(run.paths, directory=run.path / name))
    key = ""
    try:
        data = read_file(file, dir_fd=opened.fd, max_bytes=MAX_STORE_BYTES)
        if "/" in file:
            key, data = entryfiles.unwrap(data, file, opened)
        if not is_folded(data):
            return ""
        data = entryfiles.expanded(opened, data, MAX_STORE_BYTES)
    except (FileNotFoundError, UnsafeFileError, CorruptEntryError, BlobError):
        return ""
    if key:
        data = entryfiles.wrap(key, data, max_bytes=2 * MAX_STORE_BYTES)
    return hashlib.sha256(data).hexdigest()


def _remove_carried(run: Run, name: str) -> None:
    """Remove what the restore took over into the new directory as it was."""
    old = open_directory(name, dir_fd=run.fd)
    try:
        new = open_directory(name, dir_fd=run.home_fd)
    except (FileNotFoundError, UnsafeFileError):
        close_directory(old)
        return  # somebody took it away since
    try:
        left = [*list_names(old), *(f"{SIDE_AREA}/{side}" for side in _side_names(old))]
        for file in left:
            if (digest := _digest(file, old)) and digest == _digest(file, new):
                remove_file(file, dir_fd=old)
    finally:
        close_directory(old)
        close_directory(new)


def _digest(file: str, fd: int) -> str:
    try:
        with folder_of(file, fd) as (folder_fd, last):
            return digest_of(last, dir_fd=folder_fd)
    except (FileNotFoundError, UnsafeFileError):
        return ""


def _is_worth_keeping(run: Run, name: str) -> bool:
    """Whether anything is left but the marker and an empty side area."""
    fd = open_directory(name, dir_fd=run.fd)
    try:
        names = {*list_names(fd)} - {MARKER_NAME, SIDE_AREA}
        return bool(names) or bool(_side_names(fd))
    finally:
        close_directory(fd)


def _side_names(fd: int) -> list[str]:
    try:
        side = open_directory(SIDE_AREA, dir_fd=fd)
    except FileNotFoundError:
        return []
    except UnsafeFileError:
        return [SIDE_AREA]
    try:
        return list_names(side)
    finally:
        close_directory(side)
