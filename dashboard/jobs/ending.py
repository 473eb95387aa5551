"""How a job comes to an end, or to a stop on the way; each in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from django.db.models.functions import Now
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import actor_of_job
from dashboard.models import Job, JobItem
from dashboard.models.jobs import CANCELLED, DONE, FAILED, PAUSED, WAITING

from .claiming import counts, leave_stores
from .kinds import KINDS

_NOBODYS = {"owner": "", "wanted": "", "current": "", "lease_until": None}


def end(job: Job, state: str, sentence: str = "") -> None:
    """End a locked job: items without a result get none, the stores are free, the audit knows."""
    _give_up_items(job)
    counted = counts(job.pk)
    not_run = JobItem.objects.filter(job=job, state=CANCELLED).count()
    if state == DONE and job.total and counted["failed"] == job.total:
        state = FAILED
    kind = KINDS.get(job.kind)
    if not sentence and state != CANCELLED and kind is not None and kind.outcome is not None:
        sentence = kind.outcome(job)
    outcome = sentence or _told(state, counted, not_run)
    Job.objects.filter(pk=job.pk).update(
        **counted, state=state, outcome=outcome[:500], finished_at=Now(), **_NOBODYS
    )
    leave_stores(job.pk)
    _record(job, state, outcome, {**counted, "not_run": not_run})


def _record(job: Job, state: str, outcome: str, counted: dict[str, int]) -> None:
    """Tell the audit what became of a job; a part that failed makes the outcome "failed"."""
    has_failed = state == FAILED or counted["failed"]
    audit.record(
        None,
        by=actor_of_job(job),
        action="job.run",
        target=f"job {job.pk}: {job.title}",
        outcome="failed" if has_failed else "cancelled" if state == CANCELLED else "done",
        reason=outcome,
        details={"job": job.pk, "kind": job.kind, "state": state, "total": job.total, **counted},
    )


def _give_up_items(job: Job) -> None:
    waiting = JobItem.objects.filter(job=job, state=WAITING)
    kind = KINDS.get(job.kind)
    if kind is not None and kind.left_of_params is not None:
        waiting.update(params=kind.left_of_params)
    waiting.filter(in_flight=True).update(
        state=CANCELLED,
        in_flight=False,
        message=_("Begun, and never heard of again: look at the session."),
    )
    waiting.update(state=CANCELLED, message=_("Not run: the job ended before its turn."))


def _told(state: str, counted: dict[str, int], not_run: int) -> str:
    parts = [
        words % f"{count:,}"
        for words, count in (
            (_("%s done"), counted["done"]),
            (_("%s failed"), counted["failed"]),
            (_("%s skipped"), counted["skipped"]),
            (_("%s not run"), not_run),
        )
        if count
    ]
    what = ", ".join(parts) or _("nothing was done")
    return _("Cancelled: %s.") % what if state == CANCELLED else _("Finished: %s.") % what


def pause(job: Job, why: str = "") -> None:
    """Put a locked job aside until somebody resumes it; ``why`` is told where it paused itself."""
    Job.objects.filter(pk=job.pk).update(
        **counts(job.pk), state=PAUSED, outcome=why[:500], **_NOBODYS
    )
    leave_stores(job.pk)


def give_back(job: Job, *, not_before: datetime | None = None) -> None:
    """Let go of a locked job that is not finished, so that any runner may take it."""
    Job.objects.filter(pk=job.pk).update(
        **counts(job.pk),
        state=WAITING,
        not_before=not_before or Now(),
        **_NOBODYS,
    )
    leave_stores(job.pk)
