"""A transcript without its conversation: where it is, how large, its header, lock and archives.

What is here may be seen by whoever may see the session; nothing in it was said by anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.errors import SessionStoreError
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.transcripts import Head, SessionFiles, look_inside
from sessionstore.transcripts import Transcript as Found

from .fleet import below_state, fleet, page_budget_s
from .locks_look import StoreLook, look_at_locks
from .locks_rows import LockRow, lock_row
from .problems import Problem, ProblemError, problem_of
from .readers import Reader
from .session import key_behind
from .transcript_files import FileRow, file_row, found_for, listed_files
from .transcripts import Transcript, facts_of
from .tree import shown


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
    files: SessionFiles
    session_id: str
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
        transcript=None if raw.found is None else _facts(raw.found),
        head=None if raw.head is None else _head(raw.head),
        problem=raw.problem,
        files=tuple(
            file_row(one, current=current, session_id=raw.session_id) for one in raw.files.files
        ),
        left_out=raw.files.left_out,
        files_problem=raw.files_problem,
        locks=_locks(reader, current),
    )


def _facts(found: Found) -> Transcript:
    facts = facts_of(found)
    return replace(facts, path=below_state(facts.path))


def _look(paths: StorePaths, key: str) -> _Raw:
    """Visit the disk. Runs in the reader's thread."""
    with open_store(paths.store_path) as store:
        entry = store.get(key)
    if entry is None:
        return _Raw(None, None, None, SessionFiles(()), "", None)
    found = found_for(paths, key, entry)
    session_id = entry.get("sessionId")
    named = session_id if isinstance(session_id, str) else ""
    head, problem = None, None
    if found.is_there and found.path is not None:
        try:
            head = look_inside(paths, found.path)
        except FileNotFoundError:
            problem = gone()
        except SessionStoreError as error:
            problem = problem_of(error)
    try:
        files = listed_files(paths, key, entry)
    except SessionStoreError as error:
        return _Raw(found, head, problem, SessionFiles(()), named, problem_of(error))
    return _Raw(found, head, problem, files, named, None)


def gone() -> Problem:
    """The file went away between two looks."""
    return Problem(
        _("The transcript is gone"),
        _("It was archived, renamed or removed a moment ago."),
        _("Open the session again."),
        404,
    )


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
