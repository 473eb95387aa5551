"""Taking changes back, whole or by field, without losing what writers wrote since."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from dashboard import roles
from dashboard.acting import Actor
from dashboard.models import Change
from sessionstore import entries, transcripts
from sessionstore.editing import Choice
from sessionstore.entries import Entry
from sessionstore.errors import (
    ConflictError,
    CorruptEntryError,
    SessionStoreError,
    UnsafeFileError,
)
from sessionstore.kept import Version, read_version
from sessionstore.store import Store
from sessionstore.versions import undo

from .actions import ACTIONS
from .carrying import Saved, Work, carry_out, task_for
from .change_problems import VanishedError, lesser_role
from .change_records import Task
from .change_rules import label_checker
from .field_rights import beyond, beyond_undo, refuse_beyond, replaced
from .problems import Problem
from .restored_entry import compared_etag, restored

DAMAGED = "damaged"
"""Instead of an etag: what is there cannot be read, and the person saw that."""


def take_back(
    actor: Actor,
    change_id: int,
    *,
    choices: Mapping[str, Choice] | None = None,
    still: Callable[[str, Any], bool] | None = None,
    reason: str = "",
    wait_s: float = 2.0,
    job_id: int | None = None,
) -> Saved:
    """Undo one recorded change: its fields return to what they were, all others stay.

    Asks for the role that the change asked for, where that removes a session for the one that
    deleting asks for, and where it would put back fields that operators may not change for admin.
    ``choices`` settles fields that were changed since: "mine" puts the old value back, "now"
    keeps what is there. ``still`` is asked, under the lock, whether a field is
    still as it was when "mine" was chosen for it.

    Raises:
        OverlapError: fields were changed since. VanishedError: there is nothing to go back to.
        InvalidFieldsError: another session has its label by now. LockedError, ProblemError.
    """
    change = Change.objects.filter(pk=change_id).first()
    if change is None:
        raise _nothing_left("", _("There is no such change on record."))
    task = task_for(
        actor,
        change.store_id,
        change.key,
        "undo",
        role=_role_for(change.action),
        reason=reason,
        job_id=job_id,
        undoes_id=change.pk,
    )
    if change.undone_by_id is not None:
        raise _nothing_left(change.key, _("It was undone already."))
    return carry_out(task, _undoing(task, change, choices, still), wait_s=wait_s)


def restore(
    actor: Actor,
    store_id: str,
    key: str,
    version_id: str,
    *,
    fields: Sequence[str] | None,
    opened_etag: str,
    reason: str = "",
    wait_s: float = 2.0,
) -> Saved:
    """Bring a version's entry back, or only some of its fields, over the entry that was seen.

    ``opened_etag`` is that of the entry which the version was compared with, whole or only what
    is replaced (:func:`compared_etag`), "" when there was none. ``updatedAt`` stays what it is.
    With :data:`DAMAGED` the whole entry takes the place of a file that cannot be read, which goes
    to quarantine; no version is kept of that, so ``Saved.skipped`` says what was done.

    Raises:
        ProblemError: it would replace a field that this person may not change.
        MovedError: the entry is another one by now: compare again.
        VanishedError: the version is gone. LockedError, InvalidFieldsError, ProblemError.
    """
    task = task_for(actor, store_id, key, "restore", role="operator", reason=reason)
    version = version_of(task, version_id)
    source = version.entry or {}
    names = [*source, *version.changed] if fields is None else list(fields)
    check = label_checker(task.reader, key)

    def change(fresh: Entry | None) -> Entry | None:
        _check_unmoved(key, fresh, fields, opened_etag)
        entry = restored(source, fresh, fields)
        refuse_beyond(beyond(actor.role, replaced(fresh, entry)))
        check(fresh, entry)
        return entry

    def run(store: Store) -> object:
        if opened_etag == DAMAGED:
            check(None, source)
            return _over_damage(store, key, source)
        return store.update(key, change, create=version.entry is not None)

    def skipped() -> str:
        return _("The damaged file is in quarantine.") if opened_etag == DAMAGED else ""

    def after() -> Sequence[str]:
        return _transcript_back(task, version) if fields is None else []

    work = Work(run, fields=names, note={"restores": version_id}, after=after, skipped=skipped)
    return carry_out(task, work, wait_s=wait_s)


def version_of(task: Task, version_id: str) -> Version:
    """One version of this session.

    Raises:
        VanishedError: it is gone, damaged, or another session's.
    """
    try:
        version = read_version(task.reader.paths, version_id)
    except SessionStoreError as error:
        raise _nothing_left(task.key, str(entries.redact(error.message))) from error
    if version is None or version.key != task.key:
        raise _nothing_left(task.key, _("What it replaced is no longer kept."))
    return version


def _undoing(
    task: Task,
    change: Change,
    choices: Mapping[str, Choice] | None,
    still: Callable[[str, Any], bool] | None,
) -> Work:
    version = version_of(task, change.version_id)
    if version.entry is None and not roles.includes(task.actor.role, ACTIONS["delete"].role):
        raise lesser_role(ACTIONS["delete"].role)
    refuse_beyond(beyond_undo(task.actor.role, change, version))
    note: dict[str, Any] = {"undoes": version.id}
    check = label_checker(task.reader, task.key)

    def run(store: Store) -> object:
        return undo(store, version.id, choices=choices, still=still, check=check)

    return Work(
        run, fields=version.changed, note=note, after=lambda: _transcript_back(task, version)
    )


def _transcript_back(task: Task, version: Version) -> Sequence[str]:
    """Take the transcript back that the change set aside, and say what came of it."""
    match version.note.get("transcript"):
        case [str() as name, str() as archived]:
            pass
        case _:
            return []
    try:
        moved = transcripts.take_back(task.reader.paths, name, archived)
    except SessionStoreError as error:
        return [_("Its transcript stays where it is: %s") % str(entries.redact(error.message))]
    if not moved:
        return [_("Its transcript was not set aside, or is gone.")]
    return [_("Its transcript is back.")]


def _role_for(action: str) -> str:
    """Whoever may do it may undo it; bringing a deleted session back loses nothing."""
    known = ACTIONS.get(action)
    return "operator" if known is None or action == "delete" else known.role


def _over_damage(store: Store, key: str, entry: Entry) -> object:
    try:
        store.get(key)
    except (CorruptEntryError, UnsafeFileError):
        return store.put(key, entry)
    raise ConflictError(
        f"session {key!r} can be read again; nothing was written",
        key=key,
        hint="compare it again and repeat the step",
    )


def _check_unmoved(
    key: str, fresh: Entry | None, fields: Sequence[str] | None, opened_etag: str
) -> None:
    seen = {"" if fresh is None else entries.etag(fresh), compared_etag(fresh, fields)}
    if opened_etag not in seen:
        raise ConflictError(
            f"session {key!r} has changed since it was compared; nothing was written",
            key=key,
            hint="compare it again and repeat the step",
        )


def _nothing_left(key: str, why: str) -> VanishedError:
    return VanishedError(
        key,
        Problem(
            _("This can no longer be undone"),
            why,
            _("A backup may still have the session as it was."),
            410,
        ),
    )
