"""The jobs of migrations: look at a store, migrate it, undo it. One item per store.

Each looks at the store anew and goes by what it finds; one store's failure keeps no other from
its turn. A run that was killed, paused or told to stop is begun again and goes on from the
journal that the store's own folder keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import parts
from dashboard.jobs.kinds import ItemResult, Kind, RunItem, register
from dashboard.models import Job, JobItem
from dashboard.roles import Role
from sessionstore import migration
from sessionstore.errors import GatewayRunningError, SessionStoreError, StalePlanError
from sessionstore.migration import MigrationPlan, MigrationReport
from sessionstore.store import Store

from .amounts import binary
from .change_stores import opened_for_change
from .fleet import fleet
from .migration_plans import find_kept, forget_kept, keep_plan, moved_since
from .migration_summaries import failure_of, must_choose, report_of, rollback_report_of
from .migration_words import MIGRATE, ROLLBACK, choice_missing, outcome_word
from .problems import ProblemError, problem_of
from .readers import Reader

CHECK, RUN, UNDO = "migration.check", "migration.run", "migration.undo"
KINDS = (CHECK, RUN, UNDO)
WAIT_S = 30.0
_STALE_TRIES = 3
#: Why a run was not begun, and what one is at, as reports and progress call it.
GATEWAY_RUNS, CHOICE_MISSING = "gateway runs", "choice missing"
STAGING, VERIFYING, MERGING = "staging", "verifying", "merging"


def check_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Look what a migration, or its undoing, would do to a store, and keep that."""
    reader = fleet().reader(item.store_id)
    try:
        with opened_for_change(reader, WAIT_S) as store:
            if job.params["kind"] == ROLLBACK:
                back = migration.plan_rollback(store)
                keep_plan(actor, reader, back, job_id=job.pk)
                return ItemResult("done", back.sentence)
            plan = migration.plan_migration(store)
            keep_plan(actor, reader, plan, job_id=job.pk)
            return ItemResult("done", plan.sentence)
    except SessionStoreError as error:
        raise ProblemError(problem_of(error)) from error


def migrate_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Migrate one store, or go on where an earlier run of the item broke off."""
    reader = fleet().reader(item.store_id)
    kept = find_kept(reader.id, MIGRATE)
    try:
        with opened_for_change(reader, WAIT_S) as store:
            plan = planned(store, guard=job.params["guard"])
            if (refused := _why_not(job, plan)) is not None:
                return refused
            changed = moved_since(kept, plan).count if kept and item.attempts == 1 else 0
            report = migration.migrate(
                plan,
                progress=_teller(plan),
                timeout=WAIT_S,
                gateway_lock_dir=settings.GATEWAY_LOCK_DIR,
            )
    except SessionStoreError as error:
        return _failed(job, reader, actor, error)
    told = report_of(report, changed=changed)
    forget_kept(reader.id)
    _record(job, reader, actor, told)
    if report.outcome == "failed":
        return ItemResult("failed", report.sentence, report=told)
    is_done = report.outcome in ("migrated", "merged")
    is_done |= report.outcome == "already" and item.attempts > 1
    return ItemResult("done" if is_done else "skipped", report.sentence, report=told)


def planned(store: Store, *, guard: bool | None) -> MigrationPlan:
    """Plan with the guard that was chosen; None leaves one where OpenClaw was found."""
    plan = migration.plan_migration(store, guard=bool(guard))
    if guard is None and plan.must_choose:
        return migration.plan_migration(store, guard=True)
    return plan


def _why_not(job: Job, plan: MigrationPlan) -> ItemResult | None:
    """What keeps a run from being begun now, if anything does."""
    if plan.outcome not in ("migrated", "merged"):
        return None
    if plan.gateway_pid is not None:
        said = _(
            "An OpenClaw gateway is running on this state directory, process %d. Stop it, then try"
            " this store again."
        )
        return _refused(GATEWAY_RUNS, said % plan.gateway_pid)
    if must_choose(plan) and not job.params["understood"]:
        return _refused(CHOICE_MISSING, choice_missing(by_command=job.via == "command"))
    return _paused_for_room(plan.needed_bytes, plan.free_bytes)


def _paused_for_room(needed_bytes: int, free_bytes: int) -> ItemResult | None:
    """The pause of a job before the disk is full, not after; None where there is room."""
    if free_bytes >= needed_bytes:
        return None
    said = _("No room: it needs %(needed)s, and %(free)s are free. Make room, then resume.")
    told = {"needed": binary(needed_bytes), "free": binary(free_bytes)}
    return ItemResult("pause", said % told)


def _refused(why: str, sentence: str) -> ItemResult:
    report = {**failure_of(sentence, error="", hint=""), "outcome": "refused", "why": why}
    return ItemResult("failed", sentence, report=report)


def rollback_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Undo one store's migration, with everything written since."""
    reader = fleet().reader(item.store_id)
    try:
        with opened_for_change(reader, WAIT_S) as store:
            for _try in range(_STALE_TRIES):
                plan = migration.plan_rollback(store)
                if not plan.possible:
                    return ItemResult("done" if item.attempts > 1 else "skipped", plan.sentence)
                if paused := _paused_for_room(plan.needed_bytes, plan.free_bytes):
                    return paused
                try:
                    report = migration.rollback(plan, progress=_tell_back)
                except StalePlanError:
                    continue  # a session was written meanwhile: look once more
                told = rollback_report_of(report)
                forget_kept(reader.id)
                _record(job, reader, actor, told)
                return ItemResult("done", report.sentence, report=told)
    except SessionStoreError as error:
        return _failed(job, reader, actor, error)
    return ItemResult("retry", _("Writers change it all the time; stop them for a moment."))


def _teller(plan: MigrationPlan) -> Callable[[int, int, str], None]:
    """Tell the job how far a run is: a fresh one writes every session, then reads every one back,
    and counts both; a merge counts once. Where the library tells, it may be stopped."""

    def tell(done: int, total: int, key: str) -> None:
        if plan.outcome == "merged":
            parts.report(done, total, f"{MERGING}: {key}", unit=MERGING)
            return
        half = total // 2
        phase, at = (STAGING, done) if done <= half else (VERIFYING, done - half)
        parts.report(at, half, f"{phase}: {key}", unit=phase)

    return tell


def _tell_back(done: int, total: int, key: str) -> None:
    parts.report(done, total, key)


def _failed(job: Job, reader: Reader, actor: Actor, error: SessionStoreError) -> ItemResult:
    problem = problem_of(error)
    if isinstance(error, GatewayRunningError):  # it was started after we looked
        return _refused(GATEWAY_RUNS, f"{problem.detail}. {problem.hint}.")
    sentence = f"{problem.title}. {problem.detail}"
    if isinstance(error.report, MigrationReport):
        told = report_of(error.report, changed=0)
    else:
        told = failure_of(sentence, error=problem.detail, hint=problem.hint)
    _record(job, reader, actor, told)
    return ItemResult("failed", f"{sentence} {problem.hint}".strip(), report=told)


def _record(job: Job, reader: Reader, actor: Actor, told: Mapping[str, Any]) -> None:
    """Tell the audit what became of one store."""
    names = ("outcome", "taken", "equal", "verified", "guard", "sessions", "source_kept")
    audit.record(
        None,
        by=actor,
        action="store.migrate" if job.kind == RUN else "store.rollback",
        target=reader.name,
        outcome="failed" if told["outcome"] == "failed" else "done",
        reason=told["sentence"],
        details={
            "job": job.pk,
            "store": reader.id,
            **{name: told[name] for name in names if told.get(name) is not None},
        },
    )


def job_outcome(job: Job) -> str:
    """What a whole job came to, in a sentence: that of the store, or how many came to what."""
    items = list(job.items.all())
    if len(items) == 1:
        return items[0].message
    if job.kind == CHECK:
        return ""  # how many were looked at says it
    counts = Counter(_outcome_of(item) for item in items)
    stores = ngettext("%(n)s store", "%(n)s stores", len(items)) % {"n": f"{len(items):,}"}
    what = ", ".join(f"{count:,} {word}" for word, count in counts.most_common())
    taken = sum((item.report or {}).get("taken", 0) for item in items)
    verified = sum((item.report or {}).get("verified", 0) for item in items)
    if not taken:
        return f"{stores}: {what}."
    said = {"verified": f"{verified:,}", "taken": f"{taken:,}"}
    moved = _("%(verified)s of %(taken)s sessions moved and read back equal.") % said
    return f"{stores}: {what}. {moved}"


def _outcome_of(item: JobItem) -> str:
    report = item.report or {}
    return outcome_word(report["outcome"]) if "outcome" in report else _(item.state)


def _register() -> None:
    words = {CHECK: lazy("Check before a migration"), RUN: lazy("Migration")}
    words[UNDO] = lazy("Undo a migration")
    kinds: tuple[tuple[str, Role, RunItem], ...] = (
        (CHECK, "operator", check_item),
        (RUN, "admin", migrate_item),
        (UNDO, "admin", rollback_item),
    )
    for name, role, run_item in kinds:
        register(
            Kind(
                name,
                role,
                run_item,
                words[name],
                stops_within=name != CHECK,
                outcome=job_outcome,
                of_stores=True,
            )
        )


_register()
