"""What restoring a backup would do to a store: made, kept for the page and the job, compared.

A plan is kept as rows, one per session with the state that the store had; differences are read
anew for the one session that is looked at. Kept for a day.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.acting import Actor
from dashboard.models import StorePlan, StorePlanSession
from sessionstore.backup.restore_plan import plan_restore
from sessionstore.backup.shapes import RestorePlan
from sessionstore.errors import SessionStoreError

from .archived_sessions import archived
from .backup_catalogue import Kept
from .backup_reports import findings_of
from .backup_work import WAIT_S
from .change_stores import opened_for_change
from .migration_plans import remove_plans
from .problems import Problem, ProblemError, not_there, problem_of
from .readers import Reader
from .refs import SESSION_LENGTH, digest

KIND = "restore"
BUDGET_S = 10.0
QUICK = 2_000
"""Up to so many sessions are compared while somebody waits: well under a second."""
_AT_ONCE = 500
_KEPT_PER_STORE = 3
_ACTIONS = ("changed", "created", "removed", "unusable", "unchanged")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be restored: everything (None), or these sessions, or these fields of one."""

    keys: tuple[str, ...] | None
    fields: tuple[str, ...] | None = None


def keys_of(kept: Kept, refs: Iterable[str]) -> tuple[str, ...]:
    """The keys in a backup that short ids of its page stand for.

    Raises:
        ProblemError: one is not in it, or the archive cannot be read.
    """
    wanted = set(refs)
    found = {
        ref: key for key in _archived_keys(kept) if (ref := digest(key)[:SESSION_LENGTH]) in wanted
    }
    if found.keys() != wanted:
        raise not_there(
            _("A session that was named is not in this backup."),
            _("Open the backup and choose from its sessions."),
        )
    return tuple(found.values())


def _archived_keys(kept: Kept) -> list[str]:
    found = archived(kept)
    if isinstance(found, Problem):
        raise ProblemError(found)
    return [one.key for one in found]


def is_quick(kept: Kept, wanted: Wanted) -> bool:
    """Whether a page may wait for the comparison; a job makes any other one."""
    return kept.backup.sessions <= QUICK if wanted.keys is None else len(wanted.keys) <= QUICK


def plan_at_once(actor: Actor, kept: Kept, wanted: Wanted) -> StorePlan:
    """Compare within a page's time and keep what was seen. Changes nothing in the store.

    Raises:
        ProblemError: the store is gone or slow, or the backup is refused.
    """
    reader = _store_of(kept)
    answer = reader.read(lambda _paths: plan_now(reader, kept, wanted), budget_s=BUDGET_S)
    if isinstance(answer, Problem):
        raise ProblemError(answer)
    return _keep(actor, reader, answer, wanted)


def make_plan(actor: Actor, kept: Kept, wanted: Wanted) -> StorePlan:
    """The same for however long it takes, for jobs and the command.

    Raises:
        ProblemError: the store is gone, or the backup is refused.
    """
    reader = _store_of(kept)
    try:
        return _keep(actor, reader, plan_now(reader, kept, wanted), wanted)
    except SessionStoreError as error:
        raise ProblemError(problem_of(error)) from error


def _store_of(kept: Kept) -> Reader:
    if kept.reader is None:
        raise ProblemError(
            Problem(
                _("The store of this backup is not there"),
                _("It can be compared with nothing and restored in place nowhere."),
                _("Restore it to a new place."),
                409,
            )
        )
    return kept.reader


def plan_now(reader: Reader, kept: Kept, wanted: Wanted) -> RestorePlan:
    """The library's plan as things are now.

    Raises:
        SessionStoreError: as ``plan_restore``.
    """
    with opened_for_change(reader, WAIT_S) as store:
        return plan_restore(kept.backup, store, keys=wanted.keys, fields=wanted.fields)


def tag_of(plan: RestorePlan) -> str:
    """What names a plan on pages: keyed, since its digest is of unmasked content."""
    return salted_hmac("sessionstore.restore", plan.digest).hexdigest()


def _keep(actor: Actor, reader: Reader, plan: RestorePlan, wanted: Wanted) -> StorePlan:
    counts = {name: len(getattr(plan, name)) for name in _ACTIONS}
    row = StorePlan.objects.create(
        store_id=reader.id,
        agent=reader.agent[:300],
        name=reader.name[:300],
        kind=KIND,
        digest=tag_of(plan),
        outcome="restored" if changes_of(counts) else "equal",
        summary={
            "backup": plan.backup.id,
            "whole": plan.whole_store,
            "all": wanted.keys is None,
            "fields": list(plan.fields or ()),
            "counts": counts,
            "needed_bytes": plan.needed_bytes,
            "free_bytes": plan.free_bytes,
            "findings": findings_of(plan.findings),
            "sentence": sentence_of(counts),
        },
        actor=actor.name,
        created_at=timezone.now(),
    )
    rows = list(_rows(row, plan))
    for first in range(0, len(rows), _AT_ONCE):
        StorePlanSession.objects.bulk_create(rows[first : first + _AT_ONCE])
    StorePlan.objects.filter(pk=row.pk).update(is_ready=True)
    older = StorePlan.objects.filter(store_id=reader.id, kind=KIND, pk__lt=row.pk)
    stale = list(older.values_list("pk", flat=True)[_KEPT_PER_STORE - 1 :])
    remove_plans(StorePlan.objects.filter(pk__in=stale))
    return row


def _rows(kept: StorePlan, plan: RestorePlan) -> Iterator[StorePlanSession]:
    position = 0
    for action in _ACTIONS:
        for key in getattr(plan, action):
            yield StorePlanSession(
                plan=kept,
                position=position,
                key=key,
                action=action,
                source=plan.etags.get(key, "")[:300],
            )
            position += 1


def changes_of(counts: Mapping[str, int]) -> int:
    """How many sessions a restore would touch."""
    return sum(counts.get(name, 0) for name in ("changed", "created", "removed"))


def sentence_of(counts: Mapping[str, int]) -> str:
    """What a restore would do, in one sentence."""
    if not changes_of(counts):
        if counts.get("unusable"):
            return _("Nothing can be restored: what the backup holds of it is damaged.")
        return _("Nothing would change: the store is as the backup has it.")
    if sum(counts.values()) == 1:
        words = {
            "changed": _("The session would change."),
            "created": _("The session would be created."),
            "removed": _("The session would be removed."),
        }
        return next(word for name, word in words.items() if counts.get(name))
    told = (
        (counts["changed"], ngettext("%s would change", "%s would change", counts["changed"])),
        (counts["created"], ngettext("%s would be created", "%s would be created", 2)),
        (counts["removed"], ngettext("%s would be removed", "%s would be removed", 2)),
    )
    listed = ", ".join(words % f"{count:,}" for count, words in told if count)
    return _("Of the sessions %(listed)s; %(same)s stay as they are.") % {
        "listed": listed,
        "same": f"{counts['unchanged']:,}",
    }


def difference(kept: Kept, key: str, fields: tuple[str, ...] | None) -> RestorePlan:
    """The plan of one session, which has both of its states.

    Raises:
        ProblemError: the store or the backup does not answer.
    """
    reader = _store_of(kept)
    wanted = Wanted((key,), fields)
    answer = reader.read(lambda _paths: plan_now(reader, kept, wanted), budget_s=BUDGET_S)
    if isinstance(answer, Problem):
        raise ProblemError(answer)
    return answer


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
