"""Lock files as the held-lock view shows them: OpenClaw's store lock and transcript locks.

Names are listed, lock files of a few hundred bytes are read; transcripts are never opened.
Both are bounded, and what was left out is counted.
"""

from __future__ import annotations

import errno
import heapq
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .filejudging import FileScope, judge_file
from .heldlock import HeldLock
from .legacypayload import LegacyFile, legacy_lock_path, read_legacy_file
from .neighbours import Neighbours
from .shown import age_s, holding_id, within_calendar
from .shown import plain_path as display

TRANSCRIPT_LOCK = ".jsonl.lock"
MOST_READ = 512
MOST_NAMES = 200_000

__all__ = [
    "MOST_READ",
    "Listing",
    "Looked",
    "display",
    "id_of",
    "is_transcript_lock",
    "legacy_lock_path",
    "look_at",
    "shown",
    "transcript_lock_paths",
]


@dataclass(frozen=True, slots=True)
class Listing:
    """Lock files by path, with how many more there are. ``is_cut``: not all names were seen."""

    paths: tuple[Path, ...]
    unread: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """One lock file as it was read, or why it could not be."""

    path: Path
    scope: FileScope
    found: LegacyFile | OSError


def is_transcript_lock(name: str) -> bool:
    """Whether a file of this name locks a transcript."""
    return name.endswith(TRANSCRIPT_LOCK)


def transcript_lock_paths(store_path: Path) -> Listing:
    """The ``*.jsonl.lock`` beside a store, by name: the first 512 of the first 200,000 names.

    Raises:
        OSError: the directory cannot be listed.
    """
    folder = legacy_lock_path(store_path).parent
    try:
        with os.scandir(folder) as entries:
            bounded = islice(entries, MOST_NAMES)
            names = [entry.name for entry in bounded if entry.name.endswith(TRANSCRIPT_LOCK)]
            is_cut = next(entries, None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return Listing((), 0, False)
    chosen = heapq.nsmallest(MOST_READ, names) if len(names) > MOST_READ else sorted(names)
    paths = tuple(folder / name for name in chosen)
    return Listing(paths, len(names) - len(paths), is_cut)


def look_at(path: Path, scope: FileScope) -> Looked | None:
    """One lock file as it is now, or why it cannot be read; None when there is none."""
    try:
        found = read_legacy_file(path)
    except OSError as error:
        return Looked(path, scope, error)
    return None if found is None else Looked(path, scope, found)


def shown(looked: Looked, neighbours: Neighbours) -> HeldLock:
    """What the view says of a lock file."""
    found = looked.found
    if isinstance(found, OSError):
        return _unreadable(looked, found, neighbours)
    judged = judge_file(found, looked.scope, neighbours)
    started, program = neighbours.who(judged.pid) if judged.pid else (0, "")
    return HeldLock(
        key=None,
        scope=looked.scope,
        host="" if judged.verdict == "other-host" else neighbours.own.host,
        pid=judged.pid or found.pid or 0,
        started_at_ms=started,
        program=program,
        operation="",
        since_ms=within_calendar(found.since_ms),
        held_s=age_s(found.since_ms / 1000),
        waiters=(),
        verdict=judged.verdict,
        evidence=judged.evidence,
        against=judged.against,
        limit_s=judged.limit_s,
        path=display(found.path),
        id=id_of(looked),
        container=judged.container,
    )


def id_of(looked: Looked) -> str:
    """Names this very file, so that no later lock of the same name is taken for it."""
    found = looked.found
    if isinstance(found, OSError):
        return holding_id("unreadable", looked.path, _modified_s(looked.path))
    return holding_id("file", found.path, *found.stamp, found.content.hex())


def _unreadable(looked: Looked, error: OSError, neighbours: Neighbours) -> HeldLock:
    is_link = error.errno in (errno.ELOOP, errno.EMLINK)
    reason = (
        "It is a symbolic link, which is not followed."
        if is_link
        else f"It cannot be read: {os.strerror(error.errno or 0)}."
    )
    modified_s = _modified_s(looked.path)
    return HeldLock(
        key=None,
        scope=looked.scope,
        host=neighbours.own.host,
        pid=0,
        started_at_ms=0,
        program="",
        operation="",
        since_ms=within_calendar(int(modified_s * 1000)),
        held_s=age_s(modified_s) if modified_s else 0.0,
        waiters=(),
        verdict="unreadable",
        evidence=(reason,),
        path=display(looked.path),
        id=id_of(looked),
    )


def _modified_s(path: Path) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0
