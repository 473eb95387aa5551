"""The jobs of the clean-up: make a plan, apply it, take a run back. One item per store.

A run that was killed, paused or told to stop is begun again and goes on from the journal that the
store's own sidecar keeps, by the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from dashboard import audit, scope
from dashboard.acting import Actor
from dashboard.jobs import parts
from dashboard.jobs.kinds import ItemResult, Kind, RunItem, register
from dashboard.models import Job, JobItem, TidyItem, TidyPlan
from sessionstore.errors import (
    InvalidPolicyError,
    LockTimeoutError,
    SessionStoreError,
)
from sessionstore.maintenance import (
    MaintenanceReport,
    maintain,
    plan_maintenance,
    read_run,
    take,
)
from sessionstore.maintenance import take_back as take_run_back
from sessionstore.store import open_store

from .change_stores import opened_for_change
from .fleet import fleet
from .problems import ProblemError, problem_of
from .readers import Reader
from .tidy_plan_rows import keep_plan, keep_results, outcomes_of, plan_of
from .tidy_policy import from_row, is_empty
from .tidy_words import APPLY, BACK, PLAN, planned_sentence, ran_sentence
from .tree import shown

WAIT_S = 10.0
_AT_ONCE = 5000


def plan_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Look what a policy would do to a store, and keep that. It changes nothing."""
    reader = fleet().reader(item.store_id)
    row = _row_of(item)
    if not row.is_ready:  # else a runner died after the plan was kept and before the result was
        try:
            with open_store(
                reader.paths.store_path, gateway_lock_dir=settings.GATEWAY_LOCK_DIR
            ) as store:
                look = take(store, may_look_at=scope.allows)
                policy = from_row(row.policy, row.sources)
                plan = plan_maintenance(store, policy, inventory=look)
        except SessionStoreError as error:
            problem = problem_of(error)
            told = shown(error.message) if isinstance(error, InvalidPolicyError) else problem.detail
            said = f"{problem.title}. {told}"
            TidyPlan.objects.filter(pk=row.pk).update(problem=said[:1000])
            raise ProblemError(problem) from error
        keep_plan(row, plan)
    said = planned_sentence(row.totals, is_empty=is_empty(row.policy))
    return ItemResult("done", said, report={"plan": row.pk, "totals": row.totals})


def apply_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Apply a plan as it was seen, or go on where an earlier run of it broke off."""
    reader = fleet().reader(item.store_id)
    row = _row_of(item)
    TidyPlan.objects.filter(pk=row.pk).update(run_id=run_id_of(row))
    try:
        plan = plan_of(row, reader)
        report = maintain(
            plan,
            progress=parts.report,
            by=actor.name,
            reason=job.reason,
            run_id=run_id_of(row),
            timeout=WAIT_S,
            gateway_lock_dir=settings.GATEWAY_LOCK_DIR,
        )
    except parts.StopItemError:
        _keep_journal(row, reader)
        raise
    except LockTimeoutError as error:
        return ItemResult("retry", _sentence(error))
    except SessionStoreError as error:
        if isinstance(error.report, MaintenanceReport):
            _keep(row, error.report)
        told = {"plan": row.pk, "outcomes": outcomes_of(row)}
        _record(job, actor, reader, "tidy.run", "failed", {**told, "why": _sentence(error)})
        return ItemResult("failed", _sentence(error), report=told)
    told = _keep(row, report)
    _record(job, actor, reader, "tidy.run", "done", told)
    said = ran_sentence(row.outcomes, predicted=row.predicted_bytes, achieved=row.achieved_bytes)
    return ItemResult("done", said, report=told)


def back_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Take a run back, all of it or some items, in large portions."""
    reader = fleet().reader(item.store_id)
    row = _row_of(item)
    try:
        _keep_journal(row, reader)  # what it did before it was killed or cancelled
        wanted = item.params.get("items")
        if wanted is None:
            done = row.items.filter(outcome="done").order_by("position")
            wanted = list(done.values_list("ident", flat=True))
        with opened_for_change(reader, WAIT_S) as store:
            for start in range(0, len(wanted), _AT_ONCE):
                parts.report(start, len(wanted), reader.name)
                some = wanted[start : start + _AT_ONCE]
                report = take_run_back(store, row.run_id, items=some, by=actor.name, timeout=WAIT_S)
                _keep(row, report, only=set(some))
    except LockTimeoutError as error:
        return ItemResult("retry", _sentence(error))
    except SessionStoreError as error:
        if isinstance(error.report, MaintenanceReport):
            _keep(row, error.report)
        why = {"plan": row.pk, "run": row.run_id, "why": _sentence(error)}
        _record(job, actor, reader, "tidy.run_back", "failed", why)
        return ItemResult("failed", _sentence(error), report=why)
    back = _count_back(row, wanted)
    told: dict[str, Any] = {
        "plan": row.pk,
        "run": row.run_id,
        "taken_back": back,
        "wanted": len(wanted),
    }
    _record(job, actor, reader, "tidy.run_back", "done", told)
    return ItemResult("done", _back_sentence(back, len(wanted)), report=told)


def _keep_journal(row: TidyPlan, reader: Reader) -> None:
    """Keep what the journal says of a run that did not come to its end.

    Raises:
        SessionStoreError: there is no such run any more, or it cannot be read.
    """
    _keep(row, read_run(reader.paths, run_id_of(row)).report())


def run_id_of(row: TidyPlan) -> str:
    """What the library calls the run of a plan: the same however often the job is begun."""
    return f"console-{row.pk}"


def _row_of(item: JobItem) -> TidyPlan:
    return TidyPlan.objects.defer("record").get(pk=item.params["plan"])


def _keep(
    row: TidyPlan, report: MaintenanceReport, *, only: set[str] | None = None
) -> dict[str, Any]:
    """Keep what a run came to so far, and say it."""
    keep_results(row, (one for one in report.results if only is None or one.id in only))
    row.run_id = report.run_id
    row.ran_at = row.ran_at or timezone.now()
    row.achieved_bytes, row.held_bytes = report.achieved_bytes, report.held_bytes
    row.take_back_until_ms = report.take_back_until_ms
    row.outcomes = outcomes_of(row)
    row.save(
        update_fields=[
            *("run_id", "ran_at", "achieved_bytes", "held_bytes", "take_back_until_ms"),
            "outcomes",
        ]
    )
    return {
        "plan": row.pk,
        "run": row.run_id,
        "outcomes": row.outcomes,
        "predicted_bytes": row.predicted_bytes,
        "achieved_bytes": row.achieved_bytes,
        "held_bytes": row.held_bytes,
        "take_back_until_ms": row.take_back_until_ms,
    }


def _count_back(row: TidyPlan, wanted: list[str]) -> int:
    found = 0
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        found += TidyItem.objects.filter(plan=row, ident__in=some, outcome="taken-back").count()
    return found


def _back_sentence(back: int, wanted: int) -> str:
    said = ngettext(
        "%(back)s of %(wanted)s item is back as it was.",
        "%(back)s of %(wanted)s items are back as they were.",
        wanted,
    ) % {"back": f"{back:,}", "wanted": f"{wanted:,}"}
    return said if back == wanted else f"{said} {_('The others say why they are not.')}"


def _sentence(error: SessionStoreError) -> str:
    told = problem_of(error)
    return " ".join(part for part in (f"{told.title}.", told.detail, told.hint) if part)


def _record(
    job: Job,
    actor: Actor,
    reader: Reader,
    action: str,
    outcome: str,
    told: Mapping[str, Any],
) -> None:
    """Tell the audit what became of one store."""
    details = {"job": job.pk, "store": reader.id, **told}
    audit.record(
        None, by=actor, action=action, target=reader.name, outcome=outcome, details=details
    )


def job_outcome(job: Job) -> str:
    """What a whole job came to: what its one store did."""
    items = list(job.items.all())
    return items[0].message if len(items) == 1 else ""


def _register() -> None:
    kinds: tuple[tuple[str, RunItem, Any], ...] = (
        (PLAN, plan_item, lazy("Plan of a clean-up")),
        (APPLY, apply_item, lazy("Clean-up")),
        (BACK, back_item, lazy("Take back a clean-up")),
    )
    for name, run_item, words in kinds:
        register(
            Kind(
                name,
                "operator",
                run_item,
                words,
                stops_within=name != PLAN,
                outcome=job_outcome,
                of_stores=True,
            )
        )


_register()
