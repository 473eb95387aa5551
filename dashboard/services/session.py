"""One session: its entry explained field by field, its file and locks, what is wrong with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from sessionstore import entries
from sessionstore.errors import Finding, SessionStoreError
from sessionstore.locks import HeldLock, held_locks
from sessionstore.paths import StorePaths
from sessionstore.store import open_store

from .damage import Damage, damage_of
from .entry_fields import FieldGroup, groups_of
from .entry_file import EntryFile, entry_file
from .entry_tags import tag_of
from .findings import masked_finding
from .fleet import below_state, fleet, page_budget_s
from .layouts import LAYOUT_WORDS
from .problems import Problem, ProblemError, not_there, problem_of
from .readers import Freshness, Reader, refresh_all
from .rows import SessionRow, session_row
from .session_history import Lives, lives_of
from .transcripts import Transcript, transcript_of
from .tree import Node, tree_of


@dataclass(frozen=True, slots=True)
class Session:
    """Everything about one session, masked. Parts that could not be read are None."""

    row: SessionRow
    store_name: str
    layout: str
    freshness: Freshness
    entry: dict[str, Any] | None
    tag: str
    groups: tuple[FieldGroup, ...]
    tree: Node | None
    file: EntryFile | None
    transcript: Transcript | None
    locks: tuple[HeldLock, ...]
    locks_known: bool
    lives: Lives
    findings: tuple[Finding, ...]
    problem: Problem | None
    damage: Damage | None
    read_at_ms: int

    @property
    def is_only_read(self) -> bool:
        """Whether it is in OpenClaw's database, so that nothing here can change it."""
        return self.layout == "sqlite"

    @property
    def layout_words(self) -> str:
        """The layout of its store, said for a person."""
        return _(LAYOUT_WORDS.get(self.layout, self.layout))


@dataclass(frozen=True, slots=True)
class _Raw:
    """What one visit to the disk brought."""

    entry: dict[str, Any] | None
    etag: str
    problem: Problem | None
    file: EntryFile | None
    damage: Damage | None
    transcript: Transcript | None
    locks: tuple[HeldLock, ...] | None
    lives: Lives


def find_session(store_id: str, ref: str) -> Session:
    """Read one session now.

    Raises:
        ProblemError: there is no such store or session, or the store does not answer.
    """
    reader = fleet().reader(store_id)
    refresh_all([reader], budget_s=page_budget_s())
    key = reader.key_of(ref)
    row = reader.row(key) if key is not None else None
    if row is None or key is None:
        raise _missing(reader, key)
    raw = reader.read(
        lambda paths: _read(paths, row.key, row.file_name, row.has_key), budget_s=page_budget_s()
    )
    if isinstance(raw, Problem):
        raise ProblemError(raw)
    lock = next((lock for lock in raw.locks or () if lock.key == row.key), None)
    now_ms = time.time_ns() // 1_000_000
    masked = None if raw.entry is None else entries.redact(raw.entry)
    return Session(
        row=session_row(reader, row, lock=lock, now_ms=now_ms),
        store_name=reader.name,
        layout=row.layout,
        freshness=reader.freshness(),
        entry=masked,
        tag=tag_of(store_id, key, raw.etag),
        groups=() if masked is None else groups_of(masked, now_ms=now_ms, refs=reader.refs.of),
        tree=None if masked is None else tree_of(masked),
        file=raw.file and replace(raw.file, path=below_state(raw.file.path)),
        transcript=raw.transcript
        and replace(raw.transcript, path=below_state(raw.transcript.path)),
        locks=raw.locks or (),
        lives=raw.lives,
        locks_known=raw.locks is not None,
        findings=_findings(reader, row.key),
        problem=raw.problem,
        damage=raw.damage,
        read_at_ms=now_ms,
    )


def key_behind(store_id: str, ref: str) -> str:
    """The raw key of a session, from its id in an address.

    Raises:
        ProblemError: there is no such store or session, or the store does not answer.
    """
    reader = fleet().reader(store_id)
    refresh_all([reader], budget_s=page_budget_s())
    key = reader.key_of(ref)
    if key is None:
        raise _missing(reader, None)
    return key


def _missing(reader: Reader, key: str | None) -> ProblemError:
    freshness = reader.freshness()
    if freshness.state == "unknown" and freshness.problem is not None:
        return ProblemError(freshness.problem)
    if key is None:
        cause = _("The store of %s has no session with this id; it was deleted, or never existed.")
        return not_there(cause % reader.name, _("Search the list of sessions for it."))
    cause = _("The session %(key)s was in the store of %(store)s and has been deleted since.")
    shown = {"key": entries.redact(key), "store": reader.name}
    return not_there(
        cause % shown, _("Search the list of sessions; a reset session has a new entry.")
    )


def _read(paths: StorePaths, key: str, file_name: str, has_key: bool) -> _Raw:
    """Visit the disk. Runs in the reader's thread."""
    entry, problem = _entry(paths, key) if has_key else (None, None)
    file = entry_file(paths, key, file_name)
    damage = None
    if entry is None:
        damage = damage_of(paths, key, file_name)
    return _Raw(
        entry=entry,
        etag=entries.etag(entry) if entry is not None else "",
        problem=problem,
        file=file,
        damage=damage,
        transcript=transcript_of(paths, key, entry) if entry is not None else None,
        locks=_locks(paths, key),
        lives=lives_of(paths, key, current_id=(entry or {}).get("sessionId"))
        if has_key
        else Lives(),
    )


def _entry(paths: StorePaths, key: str) -> tuple[dict[str, Any] | None, Problem | None]:
    try:
        with open_store(paths.store_path) as store:
            return store.get(key), None
    except SessionStoreError as error:
        return None, problem_of(error)


def _locks(paths: StorePaths, key: str) -> tuple[HeldLock, ...] | None:
    """Locks that matter to this session: its own, and those of the whole store."""
    try:
        found = held_locks(paths.sidecar, store_path=paths.store_path)
    except SessionStoreError:
        return None  # shown as "could not be looked at"
    return tuple(lock for lock in found if lock.key in (None, key) or lock.scope != "session")


def _findings(reader: Reader, key: str) -> tuple[Finding, ...]:
    row = reader.row(key)
    found = [f for f in reader.findings() if f.key == key]
    if row is not None and row.problem is not None and row.problem not in found:
        found.insert(0, row.problem)
    return tuple(masked_finding(finding) for finding in found)
