"""What ``manage.py sessions backup|verify|prune|restore|drill|backups`` does, by the same services
and jobs as the pages; each item comes to one of a few results with its exit status.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dashboard.jobs import queue
from dashboard.jobs.foreground import Foreground
from dashboard.jobs.rows import JobRow
from dashboard.models import Job, JobItem
from dashboard.models.jobs import DONE, PAUSED, SKIPPED
from sessionstore.backup import RetentionPolicy

from .backup_asking import (
    Target,
    ask_backup,
    ask_drill,
    ask_prune,
    ask_restore,
    ask_verify,
)
from .backup_catalogue import Kept, catalogue, find_backup
from .backup_rows import BackupRow, row_of
from .migration_command import (
    FAILED,
    NO_ROOM,
    NOTHING,
    OK,
    STOPPED,
    Result,
    UsageError,
    chosen,
    command_actor,
)
from .problems import ProblemError
from .readers import Reader
from .restore_plans import Wanted, make_plan
from .retention_pages import RetentionPreview, preview
from .tree import shown

DAMAGED, MOVED = 8, 9
#: Of several items the first of these that one has is the exit status.
_WORST_FIRST = (FAILED, DAMAGED, NO_ROOM, MOVED, STOPPED, OK, NOTHING)
_REFUSALS = {"damaged": DAMAGED, "moved": MOVED}
_FOUND_S = 30.0

Tell = Callable[[JobRow], None]
Started = Callable[[Foreground], None]


def listed(readers: Sequence[Reader] | None) -> list[BackupRow]:
    """Every backup, or those of some stores, newest first."""
    ids = None if readers is None else {reader.id for reader in readers}
    kept = catalogue(budget_s=_FOUND_S).kept
    return [row_of(one) for one in kept if ids is None or one.store_id in ids]


def back_up(
    readers: Sequence[Reader], *, transcripts: bool, reason: str, tell: Tell, started: Started
) -> list[Result]:
    """Back stores up, and wait for it; one result per store."""
    job = ask_backup(command_actor(), readers, transcripts=transcripts, reason=reason)
    return _followed(job, tell, started)


def named(ids: Sequence[str], readers: Sequence[Reader] | None, *, newest: bool) -> list[Kept]:
    """The backups that are meant: by id, or all or the newest of some stores.

    Raises:
        UsageError: one is not there.
    """
    try:
        found = [find_backup(one, budget_s=_FOUND_S) for one in ids]
    except ProblemError as error:
        raise UsageError(error.problem.detail) from error
    if readers is None:
        return found
    seen = catalogue(budget_s=_FOUND_S)
    for reader in readers:
        mine = seen.of_store(reader.id)
        found.extend(mine[:1] if newest else mine)
    return found


def check(
    kept: Sequence[Kept],
    *,
    depth: str,
    part: tuple[int, int] | None,
    reason: str,
    tell: Tell,
    started: Started,
) -> list[Result]:
    """Verify backups, or with ``depth`` "drill" restore them on trial; one result per backup."""
    results: list[Result] = []
    actor = command_actor()
    # A job is about stores or about none, so what has lost its store goes by itself.
    for group in ([one for one in kept if one.reader], [one for one in kept if not one.reader]):
        if group:
            job = (
                ask_drill(actor, group, reason=reason)
                if depth == "drill"
                else ask_verify(actor, group, depth=depth, part=part, reason=reason)
            )
            results += _followed(job, tell, started)
    return results


def previewed(policy: RetentionPolicy, readers: Sequence[Reader]) -> RetentionPreview:
    """What a policy would keep and remove.

    Raises:
        UsageError: the policy is empty.
    """
    seen = preview(policy, [reader.id for reader in readers])
    if seen.problem is not None:
        raise UsageError(f"{seen.problem.detail} ({seen.problem.hint})")
    return seen


def prune(
    seen: RetentionPreview, policy: RetentionPolicy, *, reason: str, tell: Tell, started: Started
) -> list[Result]:
    """Remove what a preview says; one result per store."""
    if not seen.plans:
        return []
    job = ask_prune(command_actor(), seen.plans, policy, reason=reason)
    return _followed(job, tell, started)


def compared(kept: Kept, keys: Sequence[str] | None) -> Result:
    """What restoring in place would do; changes nothing.

    Raises:
        ProblemError: the store is gone, or the backup is refused.
    """
    plan = make_plan(command_actor(), kept, Wanted(tuple(keys) if keys else None))
    told = {"backup": kept.backup.id, "digest": plan.digest, **plan.summary}
    return Result(kept.name, plan.outcome, plan.summary["sentence"], OK, told)


def restored(
    kept: Kept,
    keys: Sequence[str] | None,
    target: Target,
    *,
    reason: str,
    tell: Tell,
    started: Started,
) -> list[Result]:
    """Restore a backup, or sessions of it, to a new place or in place."""
    actor = command_actor()
    wanted = Wanted(tuple(keys) if keys else None)
    plan = None
    if target.in_place or keys:
        plan = make_plan(actor, kept, wanted)
    job = ask_restore(
        actor, kept, target, reason=reason, plan=plan, promised=plan.digest if plan else ""
    )
    return _followed(job, tell, started)


def _followed(job: Job, tell: Tell, started: Started) -> list[Result]:
    actor = command_actor()
    foreground = Foreground(actor, job.pk, tell)
    started(foreground)
    job = foreground.run()
    results = [_result(job, item) for item in job.items.order_by("position")]
    if job.state == PAUSED and job.outcome:  # by itself: whoever made room says it again
        queue.cancel(actor, job.pk)
    return results


def _result(job: Job, item: JobItem) -> Result:
    report = dict(item.report or {})
    return Result(shown(item.key), item.state, item.message, _status(job, item, report), report)


def _status(job: Job, item: JobItem, report: dict[str, object]) -> int:
    if item.state == DONE:
        return OK
    if item.state == SKIPPED:
        return NOTHING
    if report.get("why") in _REFUSALS:
        return _REFUSALS[str(report["why"])]
    if job.state == PAUSED and job.outcome and item.retries:
        return NO_ROOM
    return FAILED if item.state == "failed" else STOPPED


def worst(results: Sequence[Result]) -> int:
    """The exit status of several items: what asks for a hand before what went well."""
    found = {result.status for result in results}
    return next((status for status in _WORST_FIRST if status in found), NOTHING)


__all__ = [
    "DAMAGED",
    "FAILED",
    "MOVED",
    "NOTHING",
    "OK",
    "Kept",
    "Reader",
    "Result",
    "Target",
    "UsageError",
    "chosen",
]
