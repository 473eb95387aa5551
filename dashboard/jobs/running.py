"""Run the items of one job, one after the other, each result committed before the next begins.

Begin and result are transactions that first lock the job's row as ours (``Hold.writing``), so a
runner whose lease was taken writes nothing, and each item gets one result. What an item does
happens between the two and outside of both: a runner that dies there has done all, some or none of
it, and the next runner does it again. Kinds must therefore be idempotent (``kinds.Kind``).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath

from django.db import OperationalError
from django.db.models import Min, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from dashboard import logs, scope
from dashboard.acting import Actor
from dashboard.models import Job, JobItem
from dashboard.models.jobs import CANCELLED, DONE, FAILED, WAITING
from dashboard.services.problems import ProblemError
from dashboard.services.tree import shown

from .actors import NoLongerAllowedError, actor_for
from .claiming import Hold, LeaseLostError, counts
from .ending import end, give_back, pause
from .kinds import KINDS, ItemResult, Kind
from .parts import Parts, StopItemError, told_by
from .progress import Progress

_log = logging.getLogger(__name__)

#: An item at which so many runners have died is given up; else it would kill them for ever.
MOST_DEATHS = 3
_LONGEST_PAUSE_S = 60
_MOST_FRAMES = 8
_AT_BEGIN = (
    *("attempts", "deaths", "in_flight"),
    *("part_done", "part_total", "part_from", "part_name", "part_since", "part_at"),
)


@dataclass(frozen=True, slots=True)
class _Step:
    """An item that is begun, and for whom."""

    job: Job
    item: JobItem
    actor: Actor
    kind: Kind


def run_job(hold: Hold, progress: Progress, *, stopping: Callable[[], bool]) -> None:
    """Run items until the job ends, pauses, or ``stopping`` asks to give it back.

    Raises:
        LeaseLostError: another runner has the job; the result at hand was not kept.
    """
    progress.start(counts(hold.job_id))
    while True:
        with hold.writing() as job:
            step = _begin(job, progress, stopping=stopping())
            if progress.fields and step is not None:
                _write(hold, progress)
        if step is None:
            return
        with told_by(Parts(hold, step.item.pk, stopping)):
            result = _result_of(step)
        with hold.writing() as job:
            _keep(step, result, progress)
            if result.state == "pause" and not _others_first(step.item):
                pause(job, shown(result.message))
                return
            _write(hold, progress)


def _write(hold: Hold, progress: Progress) -> None:
    if fields := progress.due():
        hold.renew(fields)


def _begin(job: Job, progress: Progress, *, stopping: bool) -> _Step | None:
    """Begin the next item, or do what has to be done instead and return None."""
    if job.wanted == "cancel":
        end(job, CANCELLED)
    elif job.wanted == "pause":
        pause(job)
    elif stopping:
        give_back(job)
    elif job.kind not in KINDS:
        end(job, FAILED, _("This console knows no jobs of the kind %s.") % shown(job.kind))
    elif (item := _next(job)) is None:
        _wait_or_finish(job)
    else:
        return _begun(job, item, KINDS[job.kind], progress)
    return None


def _next(job: Job) -> JobItem | None:
    due = Q(not_before=None) | Q(not_before__lte=Now())
    waiting = JobItem.objects.filter(due, job=job, state=WAITING)
    return waiting.order_by("retries", "position").first()


def _others_first(item: JobItem) -> bool:
    """Whether items are left that have asked to wait less often than this one by now."""
    waiting = JobItem.objects.filter(job=item.job_id, state=WAITING)
    return waiting.filter(retries__lte=item.retries).exclude(pk=item.pk).exists()


def _wait_or_finish(job: Job) -> None:
    """Nothing is to be done now: give the job back until an item may be tried again, or end it."""
    waiting = JobItem.objects.filter(job=job, state=WAITING)
    again_at = waiting.aggregate(at=Min("not_before"))["at"]
    if again_at is None:
        end(job, DONE)
    else:
        give_back(job, not_before=again_at)


def _begun(job: Job, item: JobItem, kind: Kind, progress: Progress) -> _Step | None:
    try:
        actor = actor_for(job, kind)
    except NoLongerAllowedError as error:
        end(job, FAILED, str(error))
        return None
    item.attempts += 1
    item.deaths += item.in_flight
    item.in_flight = True
    item.part_done = item.part_total = item.part_from = 0
    item.part_name, item.part_since, item.part_at = "", None, None
    item.save(update_fields=_AT_BEGIN)
    progress.at(shown(item.key)[:500])
    return _Step(job, item, actor, kind)


def _result_of(step: _Step) -> ItemResult:
    """Do the work of an item; whatever happens is a result, so that the others are run too."""
    if step.item.deaths >= MOST_DEATHS:
        return ItemResult(
            "failed", _("Its runner ended %d times in the middle of it.") % MOST_DEATHS
        )
    logs.current_request_id.set(f"job-{step.job.pk}")
    try:
        with scope.limited_to(step.actor.agents):
            return step.kind.run_item(step.job, step.item, step.actor)
    except ProblemError as error:
        told = error.problem
        return ItemResult("failed", " ".join(filter(None, (told.title, told.detail, told.hint))))
    except StopItemError as stop:
        return _stopped(stop)
    except LeaseLostError:
        raise
    except OperationalError as error:
        _log_failure(step, error)
        return ItemResult("retry", _("The console's own database did not answer."))
    except Exception as error:  # why: one item's unforeseen failure must not keep all others
        _log_failure(step, error)
        return ItemResult("failed", _("It failed in the console; the log says where."))


def _stopped(stop: StopItemError) -> ItemResult:
    if stop.wanted == "cancel":
        return ItemResult("cancelled", _("Stopped on the way, as somebody asked."))
    return ItemResult("stopped", _("Stopped on the way; it goes on from there."))


def _log_failure(step: _Step, error: Exception) -> None:
    # Never the error's own text: it may quote what is in a store.
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    where = " > ".join(f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in frames)
    name = type(error).__name__
    _log.error("item %d of job %d failed: %s at %s", step.item.position, step.job.pk, name, where)


def _keep(step: _Step, result: ItemResult, progress: Progress) -> None:
    """Keep a result; "retry" sends the item to the end until it has asked too often."""
    item = step.item
    own = JobItem.objects.filter(pk=item.pk, state=WAITING)
    message = shown(result.message)[:500]
    if result.state == "retry" and item.retries < step.kind.most_retries:
        pause_s = min(2**item.retries, _LONGEST_PAUSE_S)
        own.update(
            in_flight=False,
            retries=item.retries + 1,
            not_before=Now() + Value(timedelta(seconds=pause_s)),
            message=message,
        )
        return
    if result.state in ("pause", "stopped"):
        again = {"retries": item.retries + 1} if result.state == "pause" else {}
        own.update(in_flight=False, not_before=None, message=message, **again)
        return
    state = FAILED if result.state == "retry" else result.state
    kept = own.update(
        state=state,
        message=message,
        change_id=result.change_id,
        finished_at=Now(),
        not_before=None,
        in_flight=False,
        report=result.report,
    )
    if not kept:
        raise LeaseLostError(f"job {step.job.pk}: the item has a result already")
    progress.add(state)
