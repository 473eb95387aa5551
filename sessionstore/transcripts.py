"""Which file a session's transcript is, and setting it aside the way OpenClaw names archives.

Only names and status: the text of a transcript is never read here. Which path an entry's
``sessionFile`` may name: openclaw-format §6.4; what is refused there is not followed, and the
file derived from the session id counts instead. Archive names: §6.1; when: §6.5.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from .entries import Entry
from .errors import SessionStoreError, StoreIOError, UnsafeFileError
from .files import (
    close_directory,
    open_directory,
    real_path,
    rename_new,
    status_of,
    sync_descriptor,
)
from .paths import StorePaths

Why = Literal["named", "derived", "none"]
Refusal = Literal["", "missing", "outside", "not-a-file", "unreadable"]
ArchiveReason = Literal["deleted", "reset"]

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_THREAD = re.compile(r":(?:topic|thread):([^:]+)$")
_ARCHIVED = re.compile(r".+\.(?:deleted|reset|bak)\.\d{4}-\d\d-\d\dT[\d.-]+Z")


@dataclass(frozen=True, slots=True)
class Transcript:
    """``path`` is the file that counts, None when none can be told; ``why`` how it was found.

    ``refused`` says what was wrong with ``sessionFile`` or with the file; ``trouble`` the
    system's own words. ``locked``: its ``.lock`` is there, so something may be writing it.
    """

    path: Path | None
    why: Why
    is_there: bool = False
    size_bytes: int | None = None
    modified_at_ms: int | None = None
    refused: Refusal = ""
    trouble: str = ""
    locked: bool = False


def find_transcript(
    paths: StorePaths,
    key: str,
    entry: Entry,
    *,
    may_look_at: Callable[[str], bool] = lambda agent: True,
) -> Transcript:
    """Find a session's transcript and look at its status. A handful of ``lstat`` calls.

    ``sessionFile`` may name a file of another agent; where ``may_look_at`` refuses that agent,
    it counts as leading out, whether or not the file is there.
    """
    named = entry.get("sessionFile")
    refused: Refusal = ""
    if isinstance(named, str) and named:
        place = _contained(paths, named, may_look_at)
        if place is None:
            refused = "outside"
        else:
            found = _looked_at(place, "named", "")
            if found.is_there:
                return found
            refused = "missing"
    derived = _derived(paths, key, entry)
    looked = [_looked_at(place, "derived", refused) for place in derived]
    existing = next((found for found in looked if found.is_there), None)
    if existing is not None:
        return existing
    return looked[-1] if looked else Transcript(None, "none", refused=refused)


def archive_name(name: str, reason: ArchiveReason, *, at_ms: int) -> str:
    """``<file>.jsonl.deleted.2026-11-21T09-41-07.123Z``: what OpenClaw's own tools look for."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{name}.{reason}.{at.removesuffix('+00:00').replace(':', '-')}Z"


def archivable(paths: StorePaths, found: Transcript) -> str | None:
    """The transcript's name in the store's directory if it may be set aside, else None.

    Stricter than reading: a regular file directly in this store's own directory that is not
    locked (openclaw-format §6.4, §7.2: an active transcript is never touched).
    """
    if found.path is None or not found.is_there or found.locked:
        return None
    home = Path(real_path(paths.store_path.parent))
    if Path(real_path(found.path.parent)) != home or _ARCHIVED.fullmatch(found.path.name):
        return None
    return found.path.name


def set_aside(paths: StorePaths, name: str, archived: str) -> bool:
    """Rename a transcript to its archive's name; False when it is gone. Never overwrites.

    Raises:
        UnsafeFileError: a name that leads elsewhere, or a transcript that is locked by now.
        StoreIOError: the archive's name is taken, or the system refused.
    """
    _check_names(paths, name, archived)
    if status_of(paths.store_path.with_name(f"{name}.lock")) is not None:
        raise UnsafeFileError(
            f"the transcript {name} is locked, so it was not moved",
            path=paths.store_path.with_name(name),
            hint="a run may be writing it; archive it when the run is over",
        )
    return _rename(paths, name, archived)


def take_back(paths: StorePaths, name: str, archived: str) -> bool:
    """Undo :func:`set_aside`; False when the archive is gone. Never overwrites a transcript.

    Raises:
        UnsafeFileError, StoreIOError: as :func:`set_aside`.
    """
    _check_names(paths, name, archived)
    return _rename(paths, archived, name)


def _check_names(paths: StorePaths, *names: str) -> None:
    for name in names:
        if "/" in name or "\0" in name or name in ("", ".", "..") or ".jsonl" not in name:
            raise UnsafeFileError(
                f"{name!r} is not the name of a transcript",
                path=paths.store_path.parent,
                hint="nothing was moved",
            )


def _rename(paths: StorePaths, name: str, target: str) -> bool:
    folder = paths.store_path.parent
    fd = open_directory(folder, named=True)
    try:
        status = status_of(name, dir_fd=fd)
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise UnsafeFileError(
                f"{name} is not a regular file, so it was not moved",
                path=folder / name,
                hint="look at it and move it out of the store",
            )
        moved = rename_new(name, target, dir_fd=fd)
        sync_descriptor(fd, folder)
        return moved
    except StoreIOError as error:
        if error.path == name:
            error.message = error.message.replace(name, str(folder / name), 1)
            error.path = str(folder / name)
        raise
    finally:
        close_directory(fd)


def _derived(paths: StorePaths, key: str, entry: Entry) -> list[Path]:
    """Candidates, best first; the last is the plain one."""
    session_id = entry.get("sessionId")
    if not isinstance(session_id, str) or not _SESSION_ID.fullmatch(session_id):
        return []
    directory = paths.store_path.parent
    plain = directory / f"{session_id}.jsonl"
    thread = _THREAD.search(key)
    if thread is None:
        return [plain]
    topic = quote(thread[1], safe="!'()*-._~")
    return [directory / f"{session_id}-topic-{topic}.jsonl", plain]


def _contained(paths: StorePaths, named: str, may_look_at: Callable[[str], bool]) -> Path | None:
    """The path that ``sessionFile`` names if it stays where transcripts may be."""
    directory = paths.store_path.parent
    if "\0" in named:
        return None
    place = Path(os.path.normpath(directory / named))
    home = Path(real_path(directory))
    real = Path(real_path(place.parent)) / place.name
    if real.is_relative_to(home) and real != home:
        return place
    is_readable = _is_of_sibling(home, real) and may_look_at(real.parent.parent.name)
    return place if is_readable else None


def _is_of_sibling(home: Path, real: Path) -> bool:
    """Whether it is one file directly under ``agents/<id>/sessions`` of the same state."""
    agents = home.parent.parent
    return (
        home.name == "sessions"
        and agents.name == "agents"
        and real.parent.name == "sessions"
        and real.parent.parent.parent == agents
    )


def _looked_at(place: Path, why: Why, refused: Refusal) -> Transcript:
    seen = Transcript(place, why, refused=refused)
    try:
        status = status_of(place)
        locked = status_of(place.with_name(f"{place.name}.lock")) is not None
    except SessionStoreError as error:
        return replace(seen, refused="unreadable", trouble=error.message)
    if status is None:
        return seen
    if not stat.S_ISREG(status.st_mode):
        return replace(seen, refused="not-a-file")
    return replace(
        seen,
        is_there=True,
        size_bytes=status.st_size,
        modified_at_ms=status.st_mtime_ns // 1_000_000,
        locked=locked,
    )
