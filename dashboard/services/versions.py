"""The versions of one session: what operators' changes replaced, and who made them.

A session that is gone has versions too, and is found by the id in its address all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.models import Change
from sessionstore.entries import Entry, equal, updated_at_ms
from sessionstore.errors import CorruptEntryError, SessionStoreError, UnsafeFileError
from sessionstore.kept import Version, read_version
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.versionfiles import keys_with_versions, version_ids
from sessionstore.versions import carried_out, sweep

from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError, not_there, problem_of
from .readers import Reader, refresh_all
from .refs import digest
from .tree import shown
from .undo_words import action_word, few

_log = logging.getLogger(__name__)

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as a page shows it, masked: the state that a change replaced, and the change.

    ``existed``: there was a session before it. ``removed``: it deleted the session. ``is_now``:
    what it replaced is what is there again. ``change_id`` is the change on record, which may be
    gone before the version is.
    """

    id: str
    at_ms: int
    by: str
    action: str
    reason: str
    fields: tuple[str, ...]
    existed: bool
    removed: bool
    is_now: bool
    change_id: int | None = None
    undone: bool = False

    @property
    def few_fields(self) -> str:
        """The names of the first fields it changed."""
        return few(self.fields)


@dataclass(frozen=True, slots=True)
class History:
    """All versions of a session, newest first. ``there``: the session exists.

    ``now_problem`` says why the entry that is there cannot be read; ``repairable``: it is damaged,
    and a version may take its place. ``damaged`` are the messages
    of versions that cannot. The raw key and entries are for whoever changes something.
    """

    store_id: str
    store_name: str
    ref: str
    key: str
    there: bool
    updated_at_ms: int | None
    rows: tuple[VersionRow, ...]
    damaged: tuple[str, ...]
    now_problem: Problem | None
    repairable: bool
    raw_key: str = field(repr=False)
    now: Entry | None = field(repr=False)
    versions: Mapping[str, Version] = field(repr=False)

    def row(self, version_id: str) -> VersionRow | None:
        """One row by its version's id."""
        return next((row for row in self.rows if row.id == version_id), None)


@dataclass(frozen=True, slots=True)
class _Read:
    versions: list[Version]
    damaged: list[str]
    now: Entry | None
    problem: Problem | None
    repairable: bool = False


def history_of(store_id: str, ref: str) -> History:
    """Read the versions of a session that is there, or was.

    Raises:
        ProblemError: there is no such store, nothing is known of such a session, or the store
            does not answer.
    """
    reader = fleet().reader(store_id)
    refresh_all([reader], budget_s=page_budget_s())
    key = _key_of(reader, ref)
    read = reader.read(lambda paths: _read(paths, key), budget_s=page_budget_s())
    if isinstance(read, Problem):
        raise ProblemError(read)
    kept = _carried_out(reader.id, read)
    now = read.now
    return History(
        store_id=reader.id,
        store_name=reader.name,
        ref=ref,
        key=shown(key),
        there=now is not None or read.problem is not None,
        updated_at_ms=None if now is None else updated_at_ms(now),
        rows=tuple(row for row, _version in kept),
        damaged=tuple(read.damaged),
        now_problem=read.problem,
        repairable=read.repairable,
        raw_key=key,
        now=now,
        versions={version.id: version for _row, version in kept},
    )


def sweep_all(now: datetime) -> int:
    """Remove versions that are past their time or number, in every store; returns how many.

    A store that fails is logged and keeps no other from its turn.
    """
    if settings.READ_ONLY:
        return 0
    removed = 0
    for reader in fleet().scan().readers:
        try:
            removed += sweep(
                reader.paths,
                now_ms=int(now.timestamp() * 1000),
                keep_count=settings.VERSIONS_KEPT,
                keep_for_s=settings.VERSIONS_DAYS * 86_400.0,
            )
        except SessionStoreError as error:
            _log.error("versions of store %s: %s", reader.id, type(error).__name__)
    return removed


def _key_of(reader: Reader, ref: str) -> str:
    """The raw key behind an id: of a session that is there, that has versions, or on record."""
    key = reader.key_of(ref)
    if key is not None:
        return key
    found = reader.read(lambda paths: keys_with_versions(paths, ref), budget_s=page_budget_s())
    if isinstance(found, Problem):
        raise ProblemError(found)
    keys = set(found) or _keys_on_record(reader.id, ref)
    if len(keys) != 1:
        raise not_there(
            _("The store of %s has no session with this id, and no versions of one.") % reader.name,
            _("Search the list of sessions for it, or look through the changes."),
        )
    return keys.pop()


def _keys_on_record(store_id: str, ref: str) -> set[str]:
    changes = Change.objects.filter(store_id=store_id).order_by()
    if (agents := scope.current()) is not None:
        changes = changes.filter(agent__in=agents)
    keys = changes.values_list("key", flat=True).distinct()
    return {key for key in keys.iterator() if digest(key).startswith(ref)}


def _read(paths: StorePaths, key: str) -> _Read:
    """Visit the disk: every version and the entry. Runs in the reader's thread."""
    kept: list[Version] = []
    damaged: list[str] = []
    for version_id in version_ids(paths, key):
        try:
            version = read_version(paths, version_id)
        except SessionStoreError as error:
            damaged.append(shown(error.message)[:_LONGEST])
            continue
        if version is not None and version.key == key:
            kept.append(version)
    try:
        with open_store(paths.store_path) as store:
            return _Read(kept, damaged, store.get(key), None)
    except SessionStoreError as error:
        repairable = isinstance(error, CorruptEntryError | UnsafeFileError)
        return _Read(kept, damaged, None, problem_of(error), repairable)


def _carried_out(store_id: str, read: _Read) -> list[tuple[VersionRow, Version]]:
    """Versions with their changes on record, without one whose change was never made."""
    found = read.versions if read.problem else carried_out(read.versions, read.now)
    ids = [version.id for version in found]
    changes = {
        c.version_id: c for c in Change.objects.filter(store_id=store_id, version_id__in=ids)
    }
    return [(_row(version, changes.get(version.id), read), version) for version in found]


def _row(version: Version, change: Change | None, read: _Read) -> VersionRow:
    return VersionRow(
        id=version.id,
        at_ms=version.at_ms,
        by=shown(version.by)[:150],
        action=action_word(version.action),
        reason=shown(version.reason)[:_LONGEST],
        fields=tuple(shown(name)[:100] for name in version.changed[:200]),
        existed=version.entry is not None,
        removed=version.removed,
        is_now=read.problem is None and _equal(version.entry, read.now),
        change_id=None if change is None else change.pk,
        undone=change is not None and change.undone_by_id is not None,
    )


def _equal(entry: Entry | None, now: Entry | None) -> bool:
    return entry is now if entry is None or now is None else equal(entry, now)
