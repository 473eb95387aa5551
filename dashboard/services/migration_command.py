"""What ``manage.py sessions`` does, by the same services and jobs as the pages: stores are chosen,
looked at, migrated or moved back, and each comes to one of a few results with its exit status.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.jobs.foreground import Foreground
from dashboard.jobs.rows import JobRow
from dashboard.models import Job, JobItem
from dashboard.models.jobs import DONE, PAUSED, SKIPPED
from sessionstore import migration
from sessionstore.errors import SessionStoreError
from sessionstore.migration import ExportReport, MigrationPlan, RollbackPlan

from .amounts import binary
from .change_stores import opened_for_change
from .command_stores import UsageError, chosen
from .migration_asking import job_at
from .migration_export import export_to
from .migration_summaries import blocked_of, must_choose, plan_summary, rollback_summary
from .migration_words import MIGRATE, kind_title
from .migration_work import CHOICE_MISSING, GATEWAY_RUNS, RUN, UNDO, WAIT_S, planned
from .problems import Problem, ProblemError, problem_of
from .readers import Reader
from .tree import shown

OK, FAILED, USAGE, NOTHING, CHOICE, GATEWAY, NO_ROOM, STOPPED = range(8)
#: Of several stores the first of these that one has is the exit status.
_WORST_FIRST = (FAILED, GATEWAY, NO_ROOM, CHOICE, STOPPED, OK, NOTHING)
_REFUSALS = {GATEWAY_RUNS: GATEWAY, CHOICE_MISSING: CHOICE}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one store. ``told`` is the whole report or plan as JSON, masked."""

    store: str
    outcome: str
    sentence: str
    status: int
    told: dict[str, Any]


def command_actor() -> Actor:
    """Whoever has this machine's shell may do everything; the audit has their name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name in the system's list
        name = _("unknown user")
    return Actor(None, f"command line ({shown(name)[:100]})", "admin", via="command")


def looked_at(reader: Reader, kind: str, *, guard: bool | None, understood: bool) -> Result:
    """What a run would come to; changes nothing."""
    try:
        with opened_for_change(reader, WAIT_S) as store:
            if kind == MIGRATE:
                plan = planned(store, guard=guard)
                return _planned(reader, plan, understood=understood)
            return _planned_back(reader, migration.plan_rollback(store))
    except SessionStoreError as error:
        problem = problem_of(error)
        return Result(reader.name, "failed", f"{problem.title}. {problem.detail}", FAILED, {})


def _planned(reader: Reader, plan: MigrationPlan, *, understood: bool) -> Result:
    sentence, status = shown(plan.sentence), OK
    if plan.outcome == "failed":
        status = FAILED
    elif plan.outcome not in ("migrated", "merged"):
        status = NOTHING
    elif plan.gateway_pid is not None:
        said = _("An OpenClaw gateway is running, process %d: stop it first.")
        sentence, status = said % plan.gateway_pid, GATEWAY
    elif must_choose(plan) and not understood:
        said = _("OpenClaw was found, which reads no sessions.d.")
        if not plan.must_choose:
            said = _("It is outside of the state directory.")
        sentence, status = f"{said} {_('Say --yes-i-know to migrate all the same.')}", CHOICE
    elif not plan.has_room:
        said = _("It needs %(needed)s, and %(free)s are free.")
        room = {"needed": binary(plan.needed_bytes), "free": binary(plan.free_bytes)}
        sentence, status = said % room, NO_ROOM
    told = {"would": plan.outcome, "digest": plan.digest, **plan_summary(plan)}
    told["blocked"] = blocked_of(one for one in plan.sessions if one.action == "blocked")
    return Result(reader.name, plan.outcome, sentence, status, told)


def _planned_back(reader: Reader, plan: RollbackPlan) -> Result:
    told = {"digest": plan.digest, **rollback_summary(plan)}
    outcome, status = ("rolled_back", OK) if plan.possible else ("refused", NOTHING)
    return Result(reader.name, outcome, shown(plan.sentence), status, told)


def run(
    readers: Sequence[Reader],
    kind: str,
    *,
    guard: bool | None,
    understood: bool,
    reason: str,
    tell: Callable[[JobRow], None],
    started: Callable[[Foreground], None],
) -> list[Result]:
    """Have one job do it here, and wait for its end; one result per store.

    A run that was killed earlier, and that no runner has taken over, is gone on with.

    Raises:
        ProblemError: somebody else's job is at one of the stores.
        RefusedError: the console is read-only.
    """
    actor = command_actor()
    job = _earlier(readers, kind) or queue.ask(
        actor,
        kind=RUN if kind == MIGRATE else UNDO,
        title=kind_title(kind, _names(readers)),
        params={"guard": guard, "understood": understood},
        items=[(reader.id, reader.name, {}) for reader in readers],
        reason=reason,
    )
    if job.state == PAUSED:
        queue.resume(actor, job.pk)
    foreground = Foreground(actor, job.pk, tell)
    started(foreground)
    job = foreground.run()
    results = [_result(job, item) for item in job.items.order_by("position")]
    if job.state == PAUSED and job.outcome:  # by itself: whoever made room says it again
        queue.cancel(actor, job.pk)
    return results


def _earlier(readers: Sequence[Reader], kind: str) -> Job | None:
    """The same job, if it was asked for before and has not come to its end."""
    jobs = {job for reader in readers if (job := job_at(reader.id)) is not None}
    wanted = RUN if kind == MIGRATE else UNDO
    same = [job for job in jobs if job.kind == wanted and job.via == "command"]
    if len(same) == 1 and set(same[0].stores.values_list("store_id", flat=True)) == {
        reader.id for reader in readers
    }:
        return same[0]
    return None


def _result(job: Job, item: JobItem) -> Result:
    report = dict(item.report or {})
    outcome = str(report.get("outcome", item.state))
    return Result(shown(item.key), outcome, item.message, _status(job, item, report), report)


def _status(job: Job, item: JobItem, report: dict[str, Any]) -> int:
    if item.state == DONE:
        return OK
    if item.state == SKIPPED:
        return NOTHING
    if report.get("why") in _REFUSALS:
        return _REFUSALS[report["why"]]
    if job.state == PAUSED and job.outcome and item.retries:
        return NO_ROOM
    return FAILED if item.state == "failed" else STOPPED


def export(reader: Reader, path: Path, *, reason: str) -> ExportReport:
    """Write a ``sessions.json`` of one store.

    Raises:
        ProblemError: it is there already, or the store refuses.
        RefusedError: the console is read-only.
    """
    try:
        return export_to(command_actor(), reader, path, reason=reason)
    except SessionStoreError as error:
        raise ProblemError(problem_of(error)) from error


def worst(results: Sequence[Result]) -> int:
    """The exit status of several stores: what asks for a hand before what went well."""
    found = {result.status for result in results}
    return next((status for status in _WORST_FIRST if status in found), NOTHING)


def refusal(problem: Problem) -> str:
    """What kept a command from its work, in sentences."""
    said = f"{problem.title}: {problem.detail}."
    return f"{said} {_('Next:')} {problem.hint}." if problem.hint else said


def summary(results: Sequence[Result], *, would: bool) -> str:
    """One line on all stores; ``would``: nothing was done yet."""
    done = sum(result.status == OK for result in results)
    stores = ngettext("%(n)s store", "%(n)s stores", len(results)) % {"n": f"{len(results):,}"}
    idle = sum(result.status == NOTHING for result in results)
    rest = len(results) - done - idle
    parts = [(_("%d would be done") if would else _("%d done")) % done] if done else []
    parts += [_("%d with nothing to do") % idle] if idle else []
    parts += [(_("%d would not be done") if would else _("%d not done")) % rest] if rest else []
    return f"{stores}: {', '.join(parts) or _('none')}."


def _names(readers: Sequence[Reader]) -> str:
    return readers[0].name if len(readers) == 1 else _("%d stores") % len(readers)


__all__ = [
    "Reader",
    "Result",
    "UsageError",
    "chosen",
    "export",
    "looked_at",
    "refusal",
    "run",
    "summary",
    "worst",
]
