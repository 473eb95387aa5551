"""Applying a plan: only what was shown, only as it was shown, and only once.

The effects are worked out again first. When one differs from the plan, or a session that should
be quiet was used since, nothing is applied and the difference is named. What moves after
that is found by the job itself, which looks at each session once more (``bulk_work``).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Job, Plan

from .bulk_effects import Effects, effects
from .bulk_items import PlanItem
from .bulk_plans import check_action, has_expired, items_of
from .bulk_selection import again
from .bulk_words import told_params
from .problems import Problem, ProblemError, not_there

KIND = "bulk"


@dataclass(frozen=True, slots=True)
class Moved:
    """A session that is not as the plan showed it, and in what."""

    item: PlanItem
    why: str


class PlanMovedError(ProblemError):
    """Sessions are not as the plan shows them; nothing was applied."""

    def __init__(self, moved: Sequence[Moved]) -> None:
        self.moved = tuple(moved)
        said = ngettext(
            "%(count)s session changed since this plan was made.",
            "%(count)s sessions changed since this plan was made.",
            len(moved),
        ) % {"count": f"{len(moved):,}"}
        super().__init__(
            Problem(
                _("The plan does not hold any more"),
                said + " " + _("Nothing was applied."),
                _("Plan again and look at what would change now."),
                409,
            )
        )


class PlanAppliedError(ProblemError):
    """The plan has been applied already; ``job_id`` did it."""

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(
            Problem(
                _("The plan is applied already"),
                _("A plan is applied once, and this one was: by job %d.") % job_id,
                _("Look at that job for what became of each session."),
                409,
            )
        )


def moved_since(plan: Plan) -> list[Moved]:
    """The sessions whose effect is another one now than the plan shows, or that were used since."""
    items = items_of(plan)
    picked = again([item.picked for item in items]).picked
    now = effects(picked, plan.action, plan.params, now_ms=time.time_ns() // 1_000_000)
    rows = [one.row.updated_at_ms if one.row else None for one in picked]
    # What is kept, not what may be shown: to a smaller scope than the maker's it has moved.
    seen = [kept["seen"] for kept in plan.items]
    return [
        Moved(item, _why(item, fresh, updated))
        for item, was, fresh, updated in zip(items, seen, now, rows, strict=True)
        if fresh.seen != was
    ]


def _applied_or_gone(plan: Plan) -> ProblemError:
    now = Plan.objects.filter(pk=plan.pk).first()
    if now is not None:
        return PlanAppliedError(now.job_id or 0)
    return not_there(
        _("This plan is no longer kept, so nothing was applied."),
        _("Select the sessions again and make a new plan."),
    )


def apply_plan(actor: Actor, plan: Plan, *, digest: str, reason: str) -> Job:
    """Have the plan applied by a job.

    Raises:
        PlanAppliedError: it was applied before, or at the same moment by somebody else.
        PlanMovedError: sessions are not as it shows them.
        ProblemError: another digest, expired, nothing to do, or not for this role.
    """
    check_action(actor, plan.action)
    _check_state(plan, digest)
    moved = moved_since(plan)
    if moved:
        _record(actor, plan, "refused", reason, moved=len(moved))
        raise PlanMovedError(moved)
    items = [item for item in items_of(plan) if item.changes]
    with transaction.atomic():
        # The condition is the whole guard: of two that get here, one changes the row.
        if not Plan.objects.filter(pk=plan.pk, job_id=None).update(job_id=0):
            raise _applied_or_gone(plan)
        job = queue.ask(
            actor,
            kind=KIND,
            title=plan.title,
            params={"plan": plan.pk, "action": plan.action, "params": plan.params},
            items=[
                (item.picked.store_id, item.picked.key or "", {"seen": item.effects.seen})
                for item in items
            ],
            reason=reason,
        )
        Plan.objects.filter(pk=plan.pk).update(job_id=job.pk)
        _record(actor, plan, "done", reason, job=job.pk)
    return job


def _check_state(plan: Plan, digest: str) -> None:
    if plan.job_id is not None:
        raise PlanAppliedError(plan.job_id)
    if has_expired(plan):
        raise _refused(
            _("The plan is too old"),
            _("Plans hold for 24 hours, and this one is older. Nothing was applied."),
        )
    if not hmac.compare_digest(digest.encode(), plan.digest.encode()):
        raise _refused(
            _("This is not the plan that you saw"),
            _("The form names another digest than the plan has. Nothing was applied."),
        )
    if not plan.changing:
        raise _refused(
            _("There is nothing to apply"),
            _("No session would change, so there is no work for a job."),
        )


def _refused(title: str, detail: str) -> ProblemError:
    return ProblemError(Problem(title, detail, _("Open the plan and plan again from there."), 409))


def _why(item: PlanItem, now: Effects, updated_at_ms: int | None) -> str:
    if now.skip:
        return now.skip
    if item.effects.skip:
        return _("The plan leaves it as it is; it would be changed now.")
    if updated_at_ms != item.updated_at_ms:
        return _("It was active since.")
    return _("Fields that would change have other values now.")


def _record(actor: Actor, plan: Plan, outcome: str, reason: str, **details: int) -> None:
    audit.record(
        None,
        by=actor,
        action="bulk.apply",
        target=f"plan {plan.pk}: {plan.title}",
        outcome=outcome,
        reason=reason,
        details={
            "plan": plan.pk,
            "digest": plan.digest,
            "action": plan.action,
            "told": dict(told_params(plan.action, plan.params)),
            "sessions": plan.changing,
            **details,
        },
    )
