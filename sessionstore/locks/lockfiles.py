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

from .filejudging import FileScope, Judgement, judge_file
from .heldlock import HeldLock
from .identity import started_at_ms
from .legacypayload import LegacyFile, legacy_lock_path, read_legacy_file
from .neighbours import Neighbours
from .procfs import command_of
from .shown import age_s, holding_id, plain_path, within_calendar

TRANSCRIPT_LOCK = ".jsonl.lock"
MOST_READ = 512
MOST_NAMES = 200_000


@dataclass(frozen=True, slots=True)
class Listing:
    """Lock files by path, with how many more there are. ``is_cut``: not all names were seen."""

    paths: tuple[Path, ...]
    unread: int
    is_cut: bool


Looked = tuple[Path, FileScope, LegacyFile | OSError]


def transcript_lock_paths(store_path: Path) -> Listing:
    """The ``*.jsonl.lock`` beside a store, by name: the first 512 of the first 200,000 names.

    Raises:
        OSError: the directory cannot be listed.
    """
    folder = legacy_lock_path(store_path).parent
    try:
        with os.scandir(folder) as entries:
            seen = [entry.name for entry in islice(entries, MOST_NAMES + 1)]
    except (FileNotFoundError, NotADirectoryError):
        return Listing((), 0, False)
    is_cut = len(seen) > MOST_NAMES
    names = [name for name in seen if name.endswith(TRANSCRIPT_LOCK)]
    chosen = heapq.nsmallest(MOST_READ, names) if len(names) > MOST_READ else sorted(names)
    return Listing(tuple(folder / name for name in chosen), len(names) - len(chosen), is_cut)


def look_at(path: Path, scope: FileScope) -> Looked | None:
    """One lock file as it is now, or why it cannot be read; None when there is none."""
    try:
        found = read_legacy_file(path)
    except OSError as error:
        return path, scope, error
    return None if found is None else (path, scope, found)


def shown(looked: Looked, neighbours: Neighbours) -> HeldLock:
    """What the view says of a lock file."""
    path, scope, found = looked
    if isinstance(found, OSError):
        return _unreadable(path, scope, found, neighbours)
    return as_held(found, scope, judge_file(found, scope, neighbours), neighbours)


def as_held(
    found: LegacyFile, scope: FileScope, judged: Judgement, neighbours: Neighbours
) -> HeldLock:
    """A lock file with its verdict."""
    runs = judged.pid > 0
    return HeldLock(
        key=None,
        scope=scope,
        host="" if judged.verdict == "other-host" else neighbours.own.host,
        pid=judged.pid or found.pid or 0,
        started_at_ms=started_at_ms(judged.pid) if runs else 0,
        program=command_of(judged.pid) if runs else "",
        operation="",
        since_ms=within_calendar(found.since_ms),
        held_s=age_s(found.since_ms / 1000),
        waiters=(),
        verdict=judged.verdict,
        evidence=judged.evidence,
        against=judged.against,
        limit_s=judged.limit_s,
        path=plain_path(found.path),
        id=id_of(found),
        container=judged.container,
    )


def id_of(found: LegacyFile) -> str:
    """Names this very file, so that no later lock of the same name is taken for it."""
    return holding_id("file", found.path, *found.stamp, found.content.hex())


def _unreadable(path: Path, scope: FileScope, error: OSError, neighbours: Neighbours) -> HeldLock:
    is_link = error.errno in (errno.ELOOP, errno.EMLINK)
    reason = (
        "It is a symbolic link, which is not followed."
        if is_link
        else f"It cannot be read: {os.strerror(error.errno or 0)}."
    )
    modified_s = _modified_s(path)
    return HeldLock(
        key=None,
        scope=scope,
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
        path=plain_path(path),
        id=holding_id("unreadable", path, modified_s),
    )


def _modified_s(path: Path) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0
