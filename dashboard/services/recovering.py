"""What a damaged or missing store, or one session, can be recovered from. Repairs nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.backup.recover import recovery_candidates
from sessionstore.backup.shapes import Candidate
from sessionstore.errors import Finding
from sessionstore.paths import StorePaths

from .backup_asking import ref_of
from .backup_places import root_of, suggested_name
from .backup_rows import day_of
from .change_stores import opened_for_change
from .findings import masked_finding
from .fleet import below_state, fleet
from .problems import Problem, not_there
from .readers import Reader, refresh_all
from .tree import shown

_WAIT_S = 5.0
_BUDGET_S = 10.0
_MOST = 200
_WORDS = {
    "backup": "backup",
    "file": "another sessions.json",
    "directory": "another sessions.d",
    "version": "version of one session",
    "quarantine": "set aside as damaged",
    "leftover": "left by interrupted work",
}


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One candidate, masked. ``ref`` is what it goes by in forms.

    ``backup_id`` is set where it is a backup with a page of its own.
    """

    kind: str
    word: str
    ref: str
    name: str
    sessions: int
    newest_at_ms: int | None
    at_ms: int | None
    size_bytes: int
    readable: bool
    note: str
    backup_id: str
    new_name: str


@dataclass(frozen=True, slots=True)
class RecoverPage:
    """Everything on the page; ``ref`` is set where it is about one session."""

    store_id: str
    store: str
    ref: str
    key: str
    archived_ref: str
    rows: tuple[CandidateRow, ...]
    more: int
    problem: Problem | None
    findings: tuple[Finding, ...]
    read_at_ms: int


def recover_page(store_id: str, *, ref: str = "") -> RecoverPage:
    """List candidates for a store, or for one session of it, the newest first.

    Raises:
        ProblemError: there is no such store, or no such session was ever known here.
    """
    reader = fleet().reader(store_id)
    refresh_all([reader], budget_s=_WAIT_S)
    key = None
    if ref:
        key = reader.key_of(ref)
        if key is None:
            raise not_there(
                _("There is no session with this id in the store."),
                _("Open what the whole store can be recovered from."),
            )
    answer = reader.read(lambda paths: _found(reader, paths, key), budget_s=_BUDGET_S)
    found = [] if isinstance(answer, Problem) else answer
    return RecoverPage(
        store_id=reader.id,
        store=reader.name,
        ref=ref,
        key=shown(key or ""),
        archived_ref=ref_of(key) if key else "",
        rows=tuple(_row(reader, one) for one in found[:_MOST]),
        more=max(0, len(found) - _MOST),
        problem=answer if isinstance(answer, Problem) else None,
        findings=tuple(
            masked_finding(one) for one in reader.findings()[:20] if one.severity == "error"
        ),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def _found(reader: Reader, paths: StorePaths, key: str | None) -> list[Candidate]:
    with opened_for_change(reader, _WAIT_S) as store:
        return recovery_candidates(store, root=root_of(paths), key=key)


def candidate_ref(one: Candidate) -> str:
    """A short id of a candidate: its name may be anything that a file can be called."""
    return ref_of(f"{one.kind}:{one.name}")


def _row(reader: Reader, one: Candidate) -> CandidateRow:
    day = day_of(one.at_ms) if one.at_ms is not None else None
    return CandidateRow(
        kind=one.kind,
        word=_(_WORDS[one.kind]),
        ref=candidate_ref(one),
        name=shown(one.name),
        sessions=one.sessions,
        newest_at_ms=one.newest_updated_at_ms,
        at_ms=one.at_ms,
        size_bytes=one.size_bytes,
        readable=one.readable,
        note=below_state(shown(one.note))[:500],
        backup_id=one.backup.id if one.backup is not None else "",
        new_name=suggested_name(f"{reader.name}-{one.kind}", str(day or "undated")),
    )
