"""The jobs that restore a backup, recover what is left of a store, and prune backups."""

from __future__ import annotations

import errno
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs.kinds import ItemResult, Kind, RunItem, register
from dashboard.models import Change, Job, JobItem, StorePlan
from dashboard.roles import Role
from sessionstore import backup as backups
from sessionstore.backup.restore import restore_to
from sessionstore.backup.restore_in_place import restore
from sessionstore.backup.shapes import RestoreReport
from sessionstore.errors import SessionStoreError
from sessionstore.kept import Version
from sessionstore.paths import STORE_NAME
from sessionstore.versionfiles import read_versions

from .backup_catalogue import Kept, catalogue, find_backup
from .backup_places import new_place, root_of
from .backup_reports import failed, findings_of, job_outcome, policy_of, record, tell
from .backup_work import COMPARE, LOOK_S, PRUNE, RESTORE, WAIT_S, prune_store
from .change_records import Task, differences_of, note_done
from .fleet import fleet
from .kept_comparisons import moved_since, plan_of_job, wanted_of
from .readers import Reader
from .recover_work import recover_item
from .restore_plans import Wanted, make_plan, now_ms, plan_now, tag_of
from .tree import shown

_MOST_NAMED = 20


def restore_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Restore one backup: to a new place, or in place by the plan that somebody has seen."""
    if job.params.get("candidate"):
        return recover_item(job, item, actor)
    if job.params["target"] == "new":
        return _to_new_place(job, item, actor)
    return _in_place(job, item, actor)


def _to_new_place(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    name = str(job.params["name"])
    kept = find_backup(item.key, budget_s=LOOK_S)
    keys = None
    if job.params.get("plan"):
        kept, row = plan_of_job(job.params)
        keys = wanted_of(row).keys
    target = f"{kept.name}: {kept.backup.id}"
    try:
        report = restore_to(kept.backup, new_place(name), keys=keys, progress=tell)
    except SessionStoreError as error:
        if item.attempts > 1 and isinstance(error, OSError) and error.errno == errno.EEXIST:
            # The first attempt found the place free, so what is there now is what it restored.
            said = _("It is in the new place already, from before this job was broken off.")
            return ItemResult("done", said, report={"backup": kept.backup.id, "place": name})
        return failed(job, actor, "backup.restore", target, error)
    told = _told(kept.backup.id, report) | {"place": name}
    record(job, actor, "backup.restore", target, "done", told)
    return ItemResult("done", f"{shown(report.sentence)}: {name}/{STORE_NAME}.", report=told)


def _in_place(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    kept, row = plan_of_job(job.params)
    reader = fleet().reader(item.store_id)
    wanted = wanted_of(row)
    target = f"{reader.name}: {kept.backup.id}"
    begun_ms = int((job.started_at or job.created_at).timestamp() * 1000)
    try:
        plan = plan_now(reader, kept, wanted)
        moved = moved_since(row, plan)
        if moved or (item.attempts == 1 and tag_of(plan) != job.params["digest"]):
            return _moved(job, actor, target, moved)
        report = restore(
            plan,
            root=root_of(reader.paths),
            progress=tell,
            timeout=WAIT_S,
            by=actor.name,
            reason=job.reason,
            gateway_lock_dir=settings.GATEWAY_LOCK_DIR,
        )
    except SessionStoreError as error:
        result = failed(job, actor, "backup.restore", target, error)
        changes = _note_changes(job, actor, reader, kept, row, begun_ms)
        told = {**(result.report or {}), "backup": kept.backup.id, "changes": changes}
        return ItemResult(result.state, result.message, report=told)
    told = _told(kept.backup.id, report)
    record(job, actor, "backup.restore", target, "done", told)
    if not plan.whole_store:
        told["changes"] = _note_changes(job, actor, reader, kept, row, begun_ms)
    return ItemResult("done", f"{shown(report.sentence)}.", report=told)


def _moved(job: Job, actor: Actor, target: str, moved: list[str]) -> ItemResult:
    said = _("The store or the backup is not as the comparison shows it. Nothing was changed.")
    hint = _("Compare again, and start from there; for everything, stop the gateway first.")
    told = {"why": "moved", "moved": [shown(key) for key in moved[:_MOST_NAMED]]}
    record(job, actor, "backup.restore", target, "refused", {"moved": len(moved)})
    return ItemResult("failed", f"{said} {hint}", report=told)


def _told(backup_id: str, report: RestoreReport) -> dict[str, Any]:
    return {
        "backup": backup_id,
        "sessions": report.sessions,
        "transcripts": report.transcripts,
        "verified": report.verified,
        "replaced_backup": report.replaced_backup,
        "took_s": round(report.took_s, 3),
        "exclusive_ms": round(1000 * report.exclusive_s, 3),
        "findings": findings_of(report.findings),
    }


def _note_changes(
    job: Job, actor: Actor, reader: Reader, kept: Kept, row: StorePlan, begun_ms: int
) -> int:
    """Make what was kept of each session something that can be taken back; how many.

    By what is on disk, so that a run that was killed between the two is made good by the next.
    """
    noted = 0
    for key in row.sessions.filter(action__in=("changed", "created")).values_list("key", flat=True):
        for version in read_versions(reader.paths, key):
            if not _is_ours(version, kept, begun_ms):
                continue
            if Change.objects.filter(store_id=reader.id, version_id=version.id).exists():
                continue
            task = Task(actor, reader, key, "restore", job.reason, job.pk)
            intent = audit.record(
                None,
                by=actor,
                action="session.restore",
                target=task.target,
                outcome="started",
                reason=job.reason,
                details={"job": job.pk, "backup": kept.backup.id},
            )
            note_done(task, intent, version, differences_of(version))
            noted += 1
    return noted


def _is_ours(version: Version, kept: Kept, begun_ms: int) -> bool:
    return (
        version.action == "restore"
        and not version.begun
        and version.note.get("backup") == kept.backup.id
        and version.at_ms >= begun_ms
    )


def prune_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Apply a policy to one store's backups, as the preview showed it."""
    reader = fleet().reader(item.store_id)
    policy = policy_of(job.params["policy"])
    assert policy is not None
    promised = item.params.get("digest")
    try:
        if promised and item.attempts == 1:
            mine = [one.backup for one in catalogue(budget_s=LOOK_S).of_store(reader.id)]
            plan = backups.plan_retention(mine, policy, now_ms=now_ms())
            if plan.digest != promised:
                said = _("Backups came, went or were held since the preview; nothing was removed.")
                return ItemResult("failed", said, report={"why": "moved"})
        removed, freed = prune_store(job, actor, reader, policy)
    except SessionStoreError as error:
        return failed(job, actor, "backup.prune", reader.name, error)
    if not removed:
        return ItemResult("skipped", _("The policy keeps every backup of this store."))
    said = _("%(count)d backups removed, %(bytes)s bytes are free.")
    told = {"pruned": removed, "freed_bytes": freed}
    return ItemResult("done", said % {"count": len(removed), "bytes": f"{freed:,}"}, report=told)


def compare_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Compare a backup with its store; the page of the comparison is in the report."""
    kept = find_backup(item.key, budget_s=LOOK_S)
    keys = item.params.get("keys")
    row = make_plan(actor, kept, Wanted(None if keys is None else tuple(keys)))
    told = {"backup": kept.backup.id, "comparison": row.pk}
    return ItemResult("done", row.summary["sentence"], report=told)


def _register() -> None:
    kinds: tuple[tuple[str, Role, RunItem, Any], ...] = (
        (RESTORE, "admin", restore_item, lazy("Restore a backup")),
        (PRUNE, "admin", prune_item, lazy("Prune backups")),
        (COMPARE, "operator", compare_item, lazy("Compare a backup")),
    )
    for name, role, run_item, words in kinds:
        stops = name != COMPARE
        register(
            Kind(
                name, role, run_item, words, stops_within=stops, outcome=job_outcome, of_stores=True
            )
        )


_register()
