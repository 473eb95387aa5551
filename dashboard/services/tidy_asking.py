"""Ask for a plan to be made, applied, or taken back: what is refused, and what is on record."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Job, TidyPlan
from sessionstore.maintenance import MaintenancePolicy

from .only_read import refuse_only_read
from .problems import Problem, ProblemError
from .readers import Reader
from .tidy_checking import job_at
from .tidy_items import WantedItems, matching
from .tidy_plan_pages import PlanPage, is_as_seen, plan_page
from .tidy_plan_rows import find_plan, new_plan, not_applied, set_excluded
from .tidy_policy import gateway_policy, sources_of
from .tidy_words import APPLY, BACK, CHECK, PLAN


def ask_plan(actor: Actor, reader: Reader, policy: MaintenancePolicy) -> TidyPlan:
    """Have a plan made. It changes nothing in the store.

    Raises:
        ProblemError: the gateway's config has a value that cannot be understood, and it is named;
            or the store is only read.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    refuse_only_read(reader)
    seen = gateway_policy(reader)
    if seen.problem is not None:
        raise ProblemError(seen.problem)
    with transaction.atomic():
        row = new_plan(actor, reader, policy, sources_of(policy, seen.policy, actor.name))
        job = queue.ask(
            actor,
            kind=PLAN,
            title=_("Plan a clean-up of %s") % reader.name,
            items=[(reader.id, reader.name, {"plan": row.pk})],
        )
        row.look_job_id = job.pk
        row.save(update_fields=["look_job_id"])
    return row


def leave_out(
    actor: Actor,
    plan_id: str,
    numbers: Sequence[int],
    wanted: WantedItems | None,
    *,
    excluded: bool,
) -> int:
    """Leave items out of a plan, or put them back: those that are named, or all that match.

    Raises:
        ProblemError: the plan is not there, or no longer one that may be changed.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    row, _reader = find_plan(plan_id)
    _check_open(row)
    items = row.items.filter(position__in=numbers) if wanted is None else matching(row, wanted)
    with transaction.atomic():
        if not not_applied(row).update(is_ready=True):  # whoever applies it waits for us
            raise _applied()
        count = set_excluded(row, row.items.filter(pk__in=items.values("pk")), excluded=excluded)
    if count:
        audit.record(
            None,
            by=actor,
            action="tidy.exclude" if excluded else "tidy.include",
            target=row.name,
            details={"plan": row.pk, "items": count},
        )
    return count


def ask_apply(actor: Actor, plan_id: str, *, digest: str, reason: str) -> Job:
    """Have a plan applied as its page shows it; once.

    Raises:
        ProblemError: it is not the plan that was seen, was applied already, or does nothing.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    seen = plan_page(plan_id, WantedItems())
    queue.check_allowed(actor, needed_role(seen))
    _check_open(seen.plan)
    if not hmac.compare_digest(digest.encode(), seen.seen.encode()):
        raise _changed()
    if not seen.acting:
        raise _refused(
            _("This plan does nothing"),
            _("Nothing is to be done, so nothing was started."),
            _("Make a plan with another policy."),
        )
    _check_free(seen.reader)
    with transaction.atomic():
        job = queue.ask(
            actor,
            kind=APPLY,
            title=_("Clean up %s") % seen.reader.name,
            params={"plan": seen.plan.pk, "digest": seen.plan.digest},
            items=[(seen.reader.id, seen.reader.name, {"plan": seen.plan.pk})],
            reason=reason,
        )
        mine = not_applied(seen.plan)
        predicted = sum(one.frees for one in seen.totals)
        if not mine.update(job_id=job.pk, reason=job.reason, predicted_bytes=predicted):
            raise _applied()
        if not is_as_seen(seen):  # nobody changes it from here on
            raise _changed()
        told = {
            "digest": seen.seen,
            "items": {one.action: one.count for one in seen.totals},
            "excluded": seen.plan.excluded,
            "predicted_bytes": predicted,
        }
        _record_start(actor, "tidy.apply", job, seen, told)
    return job


def ask_take_back(actor: Actor, plan_id: str, numbers: Iterable[int] | None, *, reason: str) -> Job:
    """Have a run taken back, all of it (None) or these items, as long as that is possible.

    Raises:
        ProblemError: it is too late, nothing is left to take back, or a job is at the store.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    seen = plan_page(plan_id, WantedItems())
    if not seen.may_take_back:
        raise _refused(
            _("This run cannot be taken back"),
            _("Its time is over, or nothing of it is left to take back."),
            _("Look at the run as it is now; backups may still have what it took away."),
        )
    idents = _done_items(seen, numbers)
    _check_free(seen.reader)
    with transaction.atomic():
        job = queue.ask(
            actor,
            kind=BACK,
            title=_("Take back a clean-up of %s") % seen.reader.name,
            params={"plan": seen.plan.pk},
            items=[(seen.reader.id, seen.reader.name, {"plan": seen.plan.pk, "items": idents})],
            reason=reason,
        )
        TidyPlan.objects.filter(pk=seen.plan.pk).update(back_job_id=job.pk)
        count = "all" if idents is None else len(idents)
        told = {"run": seen.plan.run_id, "items": count}
        _record_start(actor, "tidy.take_back", job, seen, told)
    return job


def _done_items(seen: PlanPage, numbers: Iterable[int] | None) -> list[str] | None:
    """Names of the items that were done among those that were ticked; None means all."""
    if numbers is None:
        return None
    done = seen.plan.items.filter(position__in=list(numbers), outcome="done")
    idents = list(done.values_list("ident", flat=True))
    if not idents:
        raise _refused(
            _("Nothing was chosen"),
            _("None of the items that were ticked can be taken back."),
            _("Tick items that were done."),
        )
    return idents


def _record_start(
    actor: Actor, action: str, job: Job, seen: PlanPage, told: Mapping[str, object]
) -> None:
    """Say in the audit what a job is about to do, in the transaction that asks for it."""
    audit.record(
        None,
        by=actor,
        action=action,
        target=job.title,
        outcome="started",
        reason=job.reason,
        details={"job": job.pk, "plan": seen.plan.pk, **told},
    )


def needed_role(seen: PlanPage) -> str:
    """The least role that may apply a plan: deleting asks for more than archiving."""
    return "admin" if seen.deleting else "operator"


def _check_open(row: TidyPlan) -> None:
    """Refuse a plan that may not be changed or applied any more."""
    if row.job_id is not None:
        raise _applied()
    if not row.is_ready:
        raise _refused(
            _("This plan is not ready"),
            _("It is still being made, or it could not be made."),
            _("Wait until its page shows what it would do."),
        )
    if row.expires_at < timezone.now():
        raise _refused(
            _("This plan is too old"),
            _("It is older than 24 hours, and the store may look otherwise now."),
            _("Make a new plan."),
        )


def _check_free(reader: Reader) -> None:
    job = job_at(reader.id)
    if job is not None and job.kind not in (CHECK, PLAN):
        raise _refused(
            _("Another clean-up is at this store"),
            _("%(who)s has asked for it: job %(id)d, %(title)s.")
            % {"who": job.actor, "id": job.pk, "title": job.title},
            _("Wait until it is done, then look at the plan again."),
        )


def _applied() -> ProblemError:
    return _refused(
        _("This plan was applied already"),
        _("A plan is applied once. Nothing more was started."),
        _("Look at what became of it, or make a new plan."),
    )


def _changed() -> ProblemError:
    return _refused(
        _("This is not the plan that you saw"),
        _("Items were left out or put back meanwhile. Nothing was started."),
        _("Look at the plan as it is now, and start from there."),
    )


def _refused(title: str, detail: str, next_step: str) -> ProblemError:
    return ProblemError(Problem(title, detail, next_step, 409))
