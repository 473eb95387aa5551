"""Carrying out one change of one session, with everything around it.

The intent goes to the audit, the entry is changed under its lock with what it replaces kept,
then it is read back and compared, and the outcome is written with what is needed to take it
back. Nothing is ever forced: a lock that cannot be had in time and a field that somebody else
changed are refusals.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.utils.translation import gettext as _

from dashboard import roles
from dashboard.acting import Actor
from dashboard.logs import plain_text
from dashboard.models import AuditEvent, Change
from sessionstore import entries
from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry, redact
from sessionstore.errors import LockTimeoutError, SessionStoreError, StoreIOError
from sessionstore.kept import Keeper, Version
from sessionstore.locks.alone import alone
from sessionstore.store import Store, open_store

from .change_problems import lesser_role, refusal, refused
from .change_records import (
    Difference,
    Task,
    differences_of,
    note_done,
    note_intent,
    note_refusal,
)
from .change_stores import opened_for_change, typical_wait
from .entry_tags import tag_of
from .fleet import fleet
from .only_read import refuse_only_read
from .problems import ProblemError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a change did, as read back afterwards.

    ``change_id`` takes it back; None when nothing changed, and ``skipped`` then says why.
    ``merged`` names fields that somebody else changed meanwhile and that were kept.
    ``verified``: what was read back is what was written; else a writer came right after.
    ``tag`` stands for the entry now. ``entry`` is it, raw: mask it before it is shown. ``key`` is
    masked.
    """

    store_id: str
    ref: str
    key: str
    action: str
    change_id: int | None = None
    version_id: str | None = None
    tag: str = ""
    changed: tuple[Difference, ...] = ()
    merged: tuple[str, ...] = ()
    verified: bool = True
    skipped: str = ""
    notes: tuple[str, ...] = ()
    entry: Entry | None = field(default=None, repr=False)

    @property
    def unchanged(self) -> bool:
        """Whether nothing had to be written."""
        return self.version_id is None


@dataclass(frozen=True, slots=True)
class Work:
    """How to change the entry: ``run`` gets a store that keeps what it replaces.

    ``fields`` may change and are named in the intent, ``note`` goes into the version, ``after``
    is called once the entry is changed and gives sentences about what it did besides.
    """

    run: Callable[[Store], object]
    fields: Sequence[str] = ()
    note: Mapping[str, Any] = field(default_factory=dict)
    after: Callable[[], Sequence[str]] = tuple
    skipped: Callable[[], str] = str


def task_for(
    actor: Actor,
    store_id: str,
    key: str,
    action: str,
    *,
    role: str,
    reason: str = "",
    job_id: int | None = None,
    undoes_id: int | None = None,
) -> Task:
    """Check that this person may change this session, and find its store.

    Raises:
        ProblemError: read-only mode, role, agent scope, no such store, or one that is only read.
    """
    if settings.READ_ONLY:
        raise refused(
            _("This console is read-only"),
            _("SESSIONSTORE_READ_ONLY is on, so nothing was changed."),
            _("Use a console that may change things, or have the setting turned off."),
            403,
        )
    if not roles.includes(actor.role, role):
        raise lesser_role(role)
    reader = fleet().reader(store_id)
    if actor.agents is not None and reader.agent not in actor.agents:
        raise refused(
            _("Not found"),
            _("There is no store with this id below the state directory any more."),
            _("Open the list of agents and stores and choose one that is there."),
            404,
        )
    refuse_only_read(reader)
    # A reason is typed by a person and kept for long: a secret in it must not be.
    told = plain_text(str(redact(reason)), longest=500)[:500]
    return Task(actor, reader, key, action, told, job_id, undoes_id)


def carry_out(task: Task, work: Work, *, wait_s: float) -> Saved:
    """Do the work, with everything around it: intent, version, reading back, outcome."""
    intent = note_intent(task, work.fields)
    keeper = Keeper(
        reason=task.reason,
        by=task.actor.name,
        action=task.action,
        note=work.note,
        keep_count=settings.VERSIONS_KEPT,
        keep_for_s=settings.VERSIONS_DAYS * 86_400.0,
    )
    try:
        with opened_for_change(task.reader, wait_s) as store, _room_for(task, work, wait_s):
            work.run(store.keeping(keeper))
    except SessionStoreError as error:
        if keeper.kept:
            raise _changed_all_the_same(task, keeper, intent, error) from error
        told = refusal(task.reader.id, task.key, error, typical=typical_wait(task.reader))
        failed = isinstance(error, StoreIOError) and not isinstance(error, LockTimeoutError)
        note_refusal(task, intent, told.problem.detail, outcome="failed" if failed else "refused")
        raise told from error
    except ProblemError as error:
        note_refusal(task, intent, error.problem.detail)
        raise
    # From here on the entry is changed: what fails now must not read as if it were not.
    notes = tuple(work.after()) if keeper.kept else ()
    version, change = _recorded(task, keeper, intent)
    return _saved(task, version, change, notes=notes, skipped=work.skipped())


def _room_for(task: Task, work: Work, wait_s: float) -> AbstractContextManager[None]:
    """No two changes of labels in one store at once: each checks that its own is free."""
    if "label" not in work.fields:
        return nullcontext()
    return alone(task.reader.paths.sidecar, "labels", timeout=wait_s)


def _saved(
    task: Task,
    version: Version | None,
    change: Change | None,
    *,
    notes: tuple[str, ...],
    skipped: str,
) -> Saved:
    seen, trouble = _read_back(task)
    if trouble:
        notes = (*notes, _("It could not be read back: %s") % trouble)
    return Saved(
        store_id=task.reader.id,
        ref=task.reader.refs.of(task.key),
        key=str(redact(task.key)),
        action=task.action,
        change_id=change.pk if change else None,
        version_id=version.id if version else None,
        tag="" if seen is None else tag_of(task.reader.id, task.key, entries.etag(seen)),
        changed=() if version is None else differences_of(version),
        verified=not trouble and (version is None or _is_as_written(version, seen)),
        skipped=skipped or ("" if version else _("It is like that already; nothing was written.")),
        notes=notes,
        entry=seen,
    )


def _recorded(
    task: Task, keeper: Keeper, intent: AuditEvent
) -> tuple[Version | None, Change | None]:
    try:
        version = keeper.kept[-1] if keeper.kept else None
        differences = () if version is None else differences_of(version)
        return version, note_done(task, intent, version, differences)
    except DatabaseError as error:
        _log.exception("a change was made and could not be recorded")
        raise refused(
            _("The change was made, but not recorded"),
            _("The session was changed; writing down the outcome failed."),
            _("What it replaced is under the session's versions. Check the console's database."),
            500,
        ) from error


def _changed_all_the_same(
    task: Task, keeper: Keeper, intent: AuditEvent, error: SessionStoreError
) -> ProblemError:
    """The store raised after it kept a version: the entry was changed, or nobody can tell."""
    why = str(redact(error.message))
    if keeper.kept[-1].begun:
        note_refusal(task, intent, why, outcome="failed")
        title = _("It is not certain that the change was made")
        hint = _("Open the session again. If it was changed, its versions have what it replaced.")
    else:
        _recorded(task, keeper, intent)
        title = _("The change was made, but may not last")
        hint = _("Repair the disk and look at the session again. The change can be undone.")
    return refused(title, why, hint, 500)


def _read_back(task: Task) -> tuple[Entry | None, str]:
    """The entry as anybody reads it now, or why it cannot be read."""
    try:
        with open_store(task.reader.paths.store_path) as store:
            return store.get(task.key), ""
    except SessionStoreError as error:
        return None, str(redact(error.message))


def _is_as_written(version: Version, seen: Entry | None) -> bool:
    if version.removed:
        return seen is None
    return seen is not None and all(
        same(seen.get(name, ABSENT), version.written.get(name, ABSENT)) for name in version.changed
    )
