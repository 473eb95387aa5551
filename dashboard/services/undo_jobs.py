"""Taking back many changes as a job: all of one job's, or one that waits for a lock.

An item is one change. What changed since in the same fields is nobody's to overwrite from a
job: it is left alone and said so, and can be chosen for on the change's own page.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.jobs.kinds import ItemResult, Kind, register
from dashboard.models import Change, Job, JobItem

from . import changing
from .change_problems import InvalidFieldsError, LockedError, OverlapError, VanishedError
from .change_rows import find_change
from .problems import Problem, ProblemError
from .tree import shown
from .undo_list import open_changes
from .undo_words import action_word, few

KIND = "undo"
_WAIT_S = 5.0
_MAKES_SESSIONS = ("edit", "restore", "undo")


def undo_job(actor: Actor, job_id: int, *, reason: str) -> Job:
    """Ask for a job that takes back every change of a job that may still be, newest first.

    Raises:
        ProblemError: there is none, or a store is not there.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    changes = list(open_changes(job_id))
    if not changes:
        raise ProblemError(
            Problem(
                _("There is nothing to undo"),
                _("Every change of this job was undone already, is past its time, or is gone."),
                _("Open the list of changes to see how each of them stands."),
                409,
            )
        )
    title = ngettext(
        "Undo %(count)s change of job %(job)d",
        "Undo %(count)s changes of job %(job)d",
        len(changes),
    ) % {"count": f"{len(changes):,}", "job": job_id}
    return _ask(actor, changes, title, reason)


def may_remove(job_id: int) -> bool:
    """Whether undoing the job may remove sessions: those that its own undoing or editing made.

    What each change did is in its version, of which there may be thousands; actions tell enough.
    """
    return open_changes(job_id).filter(action__in=_MAKES_SESSIONS).exists()


def undo_later(actor: Actor, change_id: int, *, reason: str) -> Job:
    """Ask for a job that takes one change back, as soon as its session's lock can be had.

    Raises:
        As :func:`undo_job`.
    """
    change = find_change(change_id)
    said = {"action": action_word(change.action), "key": shown(change.key)}
    return _ask(actor, [change], _("Undo: %(action)s of %(key)s") % said, reason)


def _ask(actor: Actor, changes: list[Change], title: str, reason: str) -> Job:
    items = [(change.store_id, change.key, {"change": change.pk}) for change in changes]
    return queue.ask(actor, kind=KIND, title=title, items=items, reason=reason)


def run_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Take one change back. Does nothing where an earlier run of the same item did it."""
    change_id = item.params["change"]
    change = Change.objects.filter(pk=change_id).first()
    if change is None:
        return ItemResult("skipped", _("The change is no longer on record."))
    if (earlier := _done_before(job, change)) is not None:
        return ItemResult("done", change_id=earlier)
    if change.undone_by_id is not None:
        return ItemResult("skipped", _("It was undone already."))
    try:
        saved = changing.take_back(
            actor, change_id, reason=job.reason, wait_s=_WAIT_S, job_id=job.pk
        )
    except OverlapError as error:
        names = [shown(overlap.name)[:100] for overlap in error.overlaps]
        said = _("Changed since: %s. Open the change and choose which values stay.")
        return ItemResult("skipped", said % few(names))
    except LockedError as error:
        return ItemResult("retry", error.problem.detail)
    except (VanishedError, InvalidFieldsError) as error:
        return ItemResult("skipped", f"{error.problem.detail} {error.problem.hint}".strip())
    if saved.unchanged:
        return ItemResult("skipped", saved.skipped)
    return ItemResult("done", " ".join(saved.notes), saved.change_id)


def _done_before(job: Job, change: Change) -> int | None:
    """The undo that this job made of the change, if its runner died before it could say so."""
    made = Change.objects.filter(undoes_id=change.pk, job_id=job.pk).first()
    if made is None:
        return None
    Change.objects.filter(pk=change.pk, undone_by_id=None).update(undone_by_id=made.pk)
    return made.pk


register(Kind(KIND, "operator", run_item, title=lazy("Undo")))
