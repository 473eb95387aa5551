"""The list of backups: read from sidecars, never from archives; hold, release, note, delete."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ..errors import (
    DamagedBackupError,
    SessionStoreError,
    UnsafeFileError,
)
from ..files import (
    close_directory,
    list_names,
    open_directory,
    status_of,
)
from ..locks.alone import alone
from ..locks.staging import Staging
from ..paths import normalise_agent_id
from ..treefiles import Reader
from . import sidecars
from .places import GONE_PREFIX
from .shapes import Backup, Compression, Depth
from .sidecars import NOTE_SUFFIX, SUFFIXES, Note, read_note

_NAME = re.compile(r"(\d{8}T\d{6}Z-[0-9a-f]{6})(\.json|\.tar\.gz|\.tar\.zst)", re.ASCII)
_TIMEOUT_S = 10.0


def list_backups(root: str | os.PathLike[str]) -> list[Backup]:
    """All backups below ``root``, of all agents, newest first. Opens sidecars only.

    What cannot be used as it is has its ``problem``: archive missing or of another size, sidecar
    missing or damaged, damage found by a verification.

    Raises:
        StoreIOError: ``root`` cannot be listed. A missing ``root`` has no backups.
    """
    base = Path(os.path.abspath(root))
    found = [backup for folder in _folders(base) for backup in _list_folder(folder)]
    return sorted(found, key=lambda one: (one.created_ms, one.id), reverse=True)


def _folders(base: Path) -> Iterator[Path]:
    try:
        names = list_names(base)
    except FileNotFoundError:
        return
    for name in sorted(names):
        if not name.startswith("."):
            yield base / name


def _list_folder(folder: Path) -> Iterator[Backup]:
    try:
        fd = open_directory(folder)
    except (FileNotFoundError, UnsafeFileError):
        return  # a file or a link among the agents' folders is not ours
    try:
        names = list_names(fd)
    finally:
        close_directory(fd)
    parts: dict[str, set[str]] = {}
    for name in names:
        if match := _NAME.fullmatch(name):
            parts.setdefault(match.group(1), set()).add(match.group(2))
    for backup_id, suffixes in parts.items():
        if f"{GONE_PREFIX}{backup_id}{NOTE_SUFFIX}" not in names:
            yield _look(folder, backup_id, suffixes)


def _look(folder: Path, backup_id: str, suffixes: set[str]) -> Backup:
    compression: Compression = "zstd" if SUFFIXES["zstd"] in suffixes else "gzip"
    path = folder / sidecars.archive_name(backup_id, compression)
    try:
        backup = read_note(path).backup
    except FileNotFoundError:
        problem = "its sidecar is missing; verify it, then adopt it"
        return _unknown(path, backup_id, compression, problem)
    except SessionStoreError as error:
        return _unknown(path, backup_id, compression, error.message)
    if backup.id != backup_id:
        problem = f"its sidecar is that of {backup.id}"
        return _unknown(path, backup_id, compression, problem)
    return replace(backup, problem=_problem(backup))


def _problem(backup: Backup) -> str:
    try:
        status = status_of(backup.path)
    except SessionStoreError as error:
        return error.message
    if status is None:
        return "its archive is missing"
    if status.st_size != backup.size_bytes:
        return f"its archive has {status.st_size:,} bytes, not {backup.size_bytes:,}"
    return backup.damage


def _unknown(path: Path, backup_id: str, compression: Compression, problem: str) -> Backup:
    """What can be told of a backup without its sidecar: the name holds the time."""
    stamp = backup_id.partition("-")[0]
    try:
        created = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        created_ms = int(created.timestamp() * 1000)
    except ValueError:
        created_ms = 0
    status = status_of(path)
    return Backup(
        id=backup_id,
        path=path,
        agent_id=None if path.parent.name == "_" else path.parent.name,
        store_path="",
        layout="empty",
        scope="store",
        created_ms=created_ms,
        reason="",
        by="",
        sessions=0,
        transcripts=0,
        with_transcripts=False,
        size_bytes=0 if status is None else status.st_size,
        content_bytes=0,
        sha256="",
        compression=compression,
        linked=True,
        took_s=0.0,
        exclusive_s=0.0,
        problem=problem,
    )


# -- noting --------------------------------------------------------------------------------


def hold_backup(backup: Backup) -> Backup:
    """Keep it whatever a retention policy says. Raises as :func:`change_note`."""
    return change_note(backup, lambda now: replace(now, held=True))


def release_backup(backup: Backup) -> Backup:
    """End :func:`hold_backup`."""
    return change_note(backup, lambda now: replace(now, held=False))


def note_verified(
    backup: Backup, *, at_ms: int, depth: Depth, part: tuple[int, int] | None, damage: str
) -> Backup:
    """Write down that it was verified, how deep, and what was wrong with it.

    A sound verification of a part does not clear damage that another one found.
    """

    def noted(now: Backup) -> Backup:
        kept = damage or ("" if depth == "everything" else now.damage)
        if damage:
            return replace(now, damage=kept)
        return replace(
            now, verified_ms=at_ms, verified_depth=depth, verified_part=part, damage=kept
        )

    return change_note(backup, noted)


def note_proven(backup: Backup, *, at_ms: int) -> Backup:
    """Write down that it was restored on trial and equal."""
    return change_note(backup, lambda now: replace(now, proven_ms=at_ms))


def change_note(backup: Backup, change: Callable[[Backup], Backup]) -> Backup:
    """Rewrite the sidecar from what is on disk now; returns what it says afterwards.

    Raises:
        DamagedBackupError: the sidecar is missing or damaged, so nothing can be noted in it.
        LockTimeoutError: others kept the folder's catalogue locked.
        StoreIOError: the sidecar is as it was.
    """
    folder = backup.path.parent
    with catalogue_of(folder):
        note = _read_present(backup)
        changed = change(note.backup)
        if changed != note.backup:
            write_note(Note(changed, note.pieces))
    return replace(changed, problem=_problem(changed))


def catalogue_of(folder: Path) -> AbstractContextManager[None]:
    """Keep out everybody else who changes sidecars in this folder."""
    return alone(folder, "catalogue", timeout=_TIMEOUT_S)


def _read_present(backup: Backup) -> Note:
    try:
        return read_note(backup.path)
    except FileNotFoundError as error:
        raise DamagedBackupError(
            f"the backup {backup.id} has no sidecar",
            path=sidecars.note_path(backup),
            hint="verify the archive, then adopt it",
        ) from error


def write_note(note: Note) -> None:
    """Replace a sidecar, durably; the caller keeps others out of the catalogue."""
    path = sidecars.note_path(note.backup)
    staging = Staging(path.parent)
    fd = open_directory(path.parent)
    try:
        staging.put(sidecars.encode(note), path.name, to_fd=fd, durability="strict", created=True)
    finally:
        close_directory(fd)
        staging.close()


# -- handing out --------------------------------------------------------------------------


def open_for_download(backup: Backup) -> tuple[str, int, int]:
    """A safe file name, the size in bytes, and an open descriptor; the caller closes it.

    Raises:
        FileNotFoundError: the archive is missing.
        UnsafeFileError: a link or special file stands in its place.
    """
    agent = normalise_agent_id(backup.agent_id or "") or "store"
    name = f"sessions-{agent}-{backup.id}{SUFFIXES[backup.compression]}"
    reader = Reader(backup.path)
    return name, reader.size_bytes, reader.detach()
