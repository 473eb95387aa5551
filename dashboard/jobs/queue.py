"""Ask for a job, and steer one: pause, resume, cancel, try again what failed.

Everything here changes rows only; the work is a runner's. Each change is one transaction with its
audit event, so neither is ever there without the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit, roles
from dashboard.acting import Actor
from dashboard.models import Job, JobItem, JobStore
from dashboard.models.jobs import CANCELLED, FAILED, FINISHED, PAUSED, RUNNING, WAITING
from dashboard.refusals import RefusedError
from dashboard.services.fleet import fleet
from dashboard.services.problems import Problem, ProblemError
from dashboard.services.tree import shown

from .claiming import counts
from .ending import end
from .kinds import KINDS, forgets
from .seeing import no_such_job, state_word, visible_jobs

#: A store's id ("" for what concerns no store), the raw key, and what the kind needs besides.
Item = tuple[str, str, Mapping[str, Any]]
_AT_ONCE = 500
_MOST_NAMED = 100  # of its stores in an audit event; the job itself names them all


def ask(
    actor: Actor,
    *,
    kind: str,
    title: str,
    items: Iterable[Item],
    params: Mapping[str, Any] | None = None,
    reason: str = "",
    not_before: datetime | None = None,
) -> Job:
    """Have something done by the next runner that is free; items are run in the order given.

    Title and reason are masked before they are kept. The stores must be there and in scope now.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: a store is not there.
        ValueError: there is no item, or only some of them name a store.
    """
    check_allowed(actor, KINDS[kind].role)
    wanted = list(items)
    stores = _stores_of(wanted)
    job = _job_of(actor, not_before or timezone.now())
    job.kind, job.total, job.params = kind, len(wanted), dict(params or {})
    job.title, job.reason = shown(title)[:300], shown(reason)[:500]
    with transaction.atomic():
        job.save()
        JobStore.objects.bulk_create(_store_rows(job, stores))
        JobItem.objects.bulk_create(_item_rows(job, wanted), batch_size=_AT_ONCE)
        about = {"items": len(wanted), "stores": stores[:_MOST_NAMED]}
        _record(job, actor, "job.run", "started", about)
    return job


def _job_of(actor: Actor, not_before: datetime) -> Job:
    return Job(
        actor_id=actor.user_id,
        actor=actor.name,
        role=actor.role,
        via=actor.via,
        address=actor.address,
        request_id=actor.request_id,
        agents=None if actor.agents is None else sorted(actor.agents),
        created_at=timezone.now(),
        not_before=not_before,
    )


def check_allowed(actor: Actor, required: str) -> None:
    """Raise a RefusedError for whoever lacks the role, and for everybody in read-only mode."""
    if settings.READ_ONLY:
        raise RefusedError(
            _("This console is read-only (SESSIONSTORE_READ_ONLY), so nothing was changed."),
            _("Use a console that may change things, or have the setting turned off."),
        )
    if not roles.includes(actor.role, required):
        raise RefusedError(
            _("Your role is %(role)s, and this asks for the role %(required)s.")
            % {"role": actor.role or _("none"), "required": required},
            _("Ask an admin for it."),
        )


def _stores_of(items: Sequence[Item]) -> list[str]:
    if not items:
        raise ValueError("a job needs an item")
    stores = {store_id for store_id, _key, _params in items}
    if "" in stores and len(stores) > 1:
        raise ValueError("a job is about stores or about none")
    return sorted(stores - {""})


def _store_rows(job: Job, stores: Sequence[str]) -> list[JobStore]:
    readers = [fleet().reader(store_id) for store_id in stores]
    return [
        JobStore(job=job, store_id=reader.id, agent=reader.agent[:300], name=reader.name[:300])
        for reader in readers
    ]


def _item_rows(job: Job, items: Sequence[Item]) -> list[JobItem]:
    return [
        JobItem(job=job, position=position, store_id=store_id, key=key, params=dict(params))
        for position, (store_id, key, params) in enumerate(items)
    ]


def pause(actor: Actor, job_id: int) -> None:
    """Stop after the item at hand, until somebody resumes it."""
    with _steering(actor, job_id, "job.pause") as job:
        if job.state == WAITING:
            _set(job, state=PAUSED)
        elif job.state == RUNNING and job.wanted != "cancel":
            _set(job, wanted="pause")
        else:
            raise _too_late(job, _("paused"))


def resume(actor: Actor, job_id: int) -> None:
    """Go on with a paused job."""
    with _steering(actor, job_id, "job.resume") as job:
        if job.state == PAUSED:
            _set(job, state=WAITING, not_before=Now(), outcome="")
        elif job.state == RUNNING and job.wanted == "pause":
            _set(job, wanted="")
        else:
            raise _too_late(job, _("resumed"))


def cancel(actor: Actor, job_id: int) -> None:
    """End a job after the item at hand; at once where no runner is at it."""
    with _steering(actor, job_id, "job.cancel") as job:
        if job.state in FINISHED:
            raise _too_late(job, _("cancelled"))
        if job.state == RUNNING and not _is_abandoned(job):
            _set(job, wanted="cancel")
        else:
            end(job, CANCELLED)


def retry_failed(actor: Actor, job_id: int) -> None:
    """Run the failed items of a finished job again, and what a job that broke off never reached.

    It still runs for the person who asked for it, with no more than they may do by then.
    """
    with _steering(actor, job_id, "job.retry") as job:
        states = [FAILED, CANCELLED] if job.state == FAILED else [FAILED]
        again = JobItem.objects.filter(job=job, state__in=states)
        if job.state not in FINISHED or not again.exists():
            raise _too_late(job, _("tried again"))
        if forgets(job):
            raise _forgotten()
        items = again.update(
            state=WAITING, message="", finished_at=None, not_before=None, retries=0, deaths=0
        )
        _set(
            job,
            **counts(job.pk),
            state=WAITING,
            outcome="",
            finished_at=None,
            not_before=Now(),
            request_id=actor.request_id,
        )
        _record(job, actor, "job.run", "started", {"items": items, "again": True})


@contextmanager
def _steering(actor: Actor, job_id: int, action: str) -> Iterator[Job]:
    """Lock the job for a change by somebody who may make it, and tell the audit."""
    check_allowed(actor, "operator")
    with transaction.atomic():
        job = visible_jobs().select_for_update().filter(pk=job_id).first()
        if job is None:
            raise no_such_job()
        if not may_steer(actor, job):
            raise RefusedError(
                _("This job is %s's; operators steer their own jobs only.") % job.actor,
                _("Ask that person, or an admin."),
            )
        yield job
        _record(job, actor, action, "done", {})


def may_steer(actor: Actor, job: Job) -> bool:
    """Tell whether this person may pause, resume, cancel and retry the job."""
    if roles.includes(actor.role, "admin"):
        return True
    is_own = actor.user_id is not None and actor.user_id == job.actor_id
    return is_own and roles.includes(actor.role, "operator")


def _is_abandoned(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists()


def _set(job: Job, **fields: Any) -> None:
    Job.objects.filter(pk=job.pk).update(**fields)


def _too_late(job: Job, done: str) -> ProblemError:
    said = _("It cannot be %(done)s now, since it is %(state)s.")
    return _refused(
        _("The job is not in a state for that"),
        said % {"done": done, "state": state_word(job.state)},
        _("Look at the job; it may have moved on while the page was open."),
    )


def _forgotten() -> ProblemError:
    return _refused(
        _("This job cannot be tried again"),
        _("What was typed for it is not kept once it has ended."),
        _("Open the session and make the change again."),
    )


def _refused(title: str, detail: str, next_step: str) -> ProblemError:
    return ProblemError(Problem(title, detail, next_step, 409))


def _record(job: Job, actor: Actor, action: str, outcome: str, details: Mapping[str, Any]) -> None:
    audit.record(
        None,
        by=actor,
        action=action,
        target=f"job {job.pk}: {job.title}",
        outcome=outcome,
        reason=job.reason if outcome == "started" else "",
        details={"job": job.pk, "kind": job.kind, **details},
    )
