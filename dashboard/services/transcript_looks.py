"""A transcript without its conversation: where it is, how large, its header, lock and archives.

What is here may be seen by whoever may see the session; nothing in it was said by anybody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.errors import SessionStoreError
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.transcripts import Head, SessionFile, files_of, find_transcript, look_inside
from sessionstore.transcripts import Transcript as Found

from .. import scope
from .fleet import below_state, fleet, page_budget_s
from .locks_look import StoreLook, look_at_locks
from .locks_rows import LockRow, lock_row
from .problems import Problem, ProblemError, problem_of
from .readers import Reader
from .session import key_behind
from .transcripts import Transcript, facts_of
from .tree import shown

ID_LENGTH = 16
CURRENT = "current"
_READABLE = frozenset(
    ("transcript", "topic", "fork", "checkpoint", "archive-deleted", "archive-reset", "archive-bak")
)


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """The ends of a transcript's file, masked. ``odd`` says what is wrong with its first line."""

    id: str
    version: str
    cwd: str
    started: str
    parent: str
    odd: str
    last_at: str
    last_type: str
    lines: int | None
    lines_are_exact: bool
    is_unfinished: bool
    mode: str
    is_open_to_others: bool
    links: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file that has the session's id in its name. ``id`` names it in addresses."""

    id: str
    name: str
    kind: str
    word: str
    size_bytes: int | None
    at_ms: int
    topic: str
    is_current: bool
    is_readable: bool


@dataclass(frozen=True, slots=True)
class TranscriptLook:
    """What the tab shows; ``problem`` says why the file's own facts are missing."""

    key: str
    store_name: str
    transcript: Transcript | None
    head: HeadFacts | None
    problem: Problem | None
    files: tuple[FileRow, ...]
    left_out: int
    files_problem: Problem | None
    locks: tuple[LockRow, ...]

    @property
    def is_there(self) -> bool:
        """Whether there is a file that can be read."""
        return self.transcript is not None and self.transcript.exists


@dataclass(frozen=True, slots=True)
class _Raw:
    found: Found | None
    head: Head | None
    problem: Problem | None
    files: tuple[SessionFile, ...]
    left_out: int
    files_problem: Problem | None


def look_at_transcript(store_id: str, ref: str) -> TranscriptLook:
    """Look at a session's transcript and what belongs to it: its ends, its folder's names.

    Raises:
        ProblemError: there is no such store or session, or the store does not answer.
    """
    reader, key = fleet().reader(store_id), key_behind(store_id, ref)
    raw = reader.read(lambda paths: _look(paths, key), budget_s=page_budget_s())
    if isinstance(raw, Problem):
        raise ProblemError(raw)
    current = "" if raw.found is None or raw.found.path is None else raw.found.path.name
    return TranscriptLook(
        key=shown(key),
        store_name=reader.name,
        transcript=None if raw.found is None else facts_of(raw.found),
        head=None if raw.head is None else _head(raw.head),
        problem=raw.problem,
        files=tuple(_row(one, current) for one in raw.files),
        left_out=raw.left_out,
        files_problem=raw.files_problem,
        locks=_locks(reader, current),
    )


def current_file(paths: StorePaths, key: str) -> Found | None:
    """The transcript of a session as its entry says now; None without an entry."""
    with open_store(paths.store_path) as store:
        entry = store.get(key)
    if entry is None:
        return None
    return find_transcript(paths, key, entry, may_look_at=lambda agent: scope.allows(shown(agent)))


def file_with(paths: StorePaths, key: str, file_id: str) -> Path | None:
    """The path of a file of the session by its id in addresses, from a listing made now."""
    if file_id == CURRENT:
        found = current_file(paths, key)
        return None if found is None or not found.is_there else found.path
    with open_store(paths.store_path) as store:
        entry = store.get(key) or {}
    for one in _files(paths, entry)[0]:
        if id_of(one.name) == file_id and _is_readable(one):
            return paths.store_path.parent / one.name
    return None


def id_of(name: str) -> str:
    """What a file of the session is called in addresses."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:ID_LENGTH]


def _look(paths: StorePaths, key: str) -> _Raw:
    """Visit the disk. Runs in the reader's thread."""
    with open_store(paths.store_path) as store:
        entry = store.get(key)
    if entry is None:
        return _Raw(None, None, None, (), 0, None)
    found = find_transcript(paths, key, entry, may_look_at=lambda agent: scope.allows(shown(agent)))
    head, problem = None, None
    if found.is_there and found.path is not None:
        try:
            head = look_inside(paths, found.path)
        except FileNotFoundError:
            problem = gone()
        except SessionStoreError as error:
            problem = problem_of(error)
    try:
        files, left_out = _files(paths, entry)
    except SessionStoreError as error:
        return _Raw(found, head, problem, (), 0, problem_of(error))
    return _Raw(found, head, problem, files, left_out, None)


def gone() -> Problem:
    """The file went away between two looks."""
    return Problem(
        _("The transcript is gone"),
        _("It was archived, renamed or removed a moment ago."),
        _("Open the session again."),
        404,
    )


def _files(paths: StorePaths, entry: dict[str, Any]) -> tuple[tuple[SessionFile, ...], int]:
    session_id = entry.get("sessionId")
    if not isinstance(session_id, str) or not session_id:
        return (), 0
    listed = files_of(paths, session_id)
    return listed.files, listed.left_out


def _is_readable(one: SessionFile) -> bool:
    return (
        one.named.kind in _READABLE and not one.named.is_compressed and one.size_bytes is not None
    )


def _row(one: SessionFile, current: str) -> FileRow:
    return FileRow(
        id=id_of(one.name),
        name=shown(one.name)[:400],
        kind=one.named.kind,
        word=_word(one),
        size_bytes=one.size_bytes,
        at_ms=one.at_ms,
        topic=shown(one.named.topic or "")[:200],
        is_current=one.name == current,
        is_readable=_is_readable(one),
    )


def _word(one: SessionFile) -> str:
    words = {
        "transcript": _("transcript"),
        "topic": _("transcript of a topic"),
        "fork": _("fork"),
        "checkpoint": _("copy from before a compaction"),
        "trajectory": _("trace"),
        "trajectory-pointer": _("pointer to a trace"),
        "archive-deleted": _("archive of a deletion"),
        "archive-reset": _("archive of a reset"),
        "archive-bak": _("copy from before a truncation"),
        "transcript-lock": _("lock file"),
        "repair-backup": _("copy from before a repair"),
    }
    word = words.get(one.named.kind, one.named.kind)
    return _("%s, compressed") % word if one.named.is_compressed else word


def _head(head: Head) -> HeadFacts:
    header = head.header or {}
    words = {
        "empty": _("The file is empty."),
        "no-header": _("It has no header; a truncation may have cut it off."),
        "damaged": _("Its first line is damaged."),
        "long": _("Its first line is too long to be a header."),
    }
    return HeadFacts(
        id=_text(header.get("id")),
        version=_text(header.get("version")),
        cwd=below_state(_text(header.get("cwd"))),
        started=_text(header.get("timestamp")),
        parent=below_state(_text(header.get("parentSession"))),
        odd=words.get(head.odd, ""),
        last_at=_text(head.last_at),
        last_type=_text(head.last_type),
        lines=head.lines,
        lines_are_exact=head.lines_are_exact,
        is_unfinished=head.is_unfinished,
        mode=f"{head.mode:04o}",
        is_open_to_others=bool(head.mode & 0o077),
        links=head.links,
    )


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return shown(str(value) if isinstance(value, str) or abs(value) < 10**15 else "")[:400]


def _locks(reader: Reader, name: str) -> tuple[LockRow, ...]:
    if not name:
        return ()
    look = look_at_locks([reader])[reader.id]
    if not isinstance(look, StoreLook):
        return ()
    return tuple(
        lock_row(reader, lock)
        for lock in look.locks
        if lock.scope == "transcript" and lock.path.rpartition("/")[2] == f"{name}.lock"
    )
