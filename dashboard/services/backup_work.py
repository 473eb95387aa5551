"""The jobs of backups: take one, verify one, restore one on trial. One item per store or backup.

An item that was broken off begins again: what the library had not finished is not there, and a
backup that was finished is found by the job's name in it and not taken twice.
"""

from __future__ import annotations

import time
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard.acting import Actor
from dashboard.jobs.kinds import ItemResult, Kind, RunItem, register
from dashboard.models import Job, JobItem
from dashboard.roles import Role
from sessionstore import backup as backups
from sessionstore.backup import Backup, RetentionPolicy
from sessionstore.backup.drill import drill
from sessionstore.errors import SessionStoreError

from .amounts import binary
from .backup_catalogue import Kept, catalogue, find_backup
from .backup_places import root_of
from .backup_reports import about, failed, findings_of, job_outcome, policy_of, record, tell
from .change_stores import opened_for_change
from .fleet import fleet
from .readers import Reader
from .tree import shown

CREATE, VERIFY, DRILL = "backup.create", "backup.verify", "backup.drill"
RESTORE, PRUNE, COMPARE = "backup.restore", "backup.prune", "backup.compare"
KINDS = (CREATE, VERIFY, DRILL, RESTORE, PRUNE, COMPARE)
WAIT_S = 30.0
LOOK_S = 30.0
_MOST_NAMED = 100


def create_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Back one store up, and where the job says so apply a retention policy to its backups."""
    reader = fleet().reader(item.store_id)
    by = _signature(job, actor)
    try:
        made = _made_before(reader, by) if item.attempts > 1 else None
        backup = made or _create(job, item, reader, by)
    except SessionStoreError as error:
        return failed(job, actor, "backup.create", reader.name, error)
    told = {
        **about(backup),
        "exclusive_ms": round(1000 * backup.exclusive_s, 3),
        "took_s": round(backup.took_s, 3),
        "linked": backup.linked,
        "findings": findings_of(backup.findings),
    }
    record(job, actor, "backup.create", reader.name, "done", told)
    sentence = _created_words(backup)
    policy = policy_of(job.params.get("retention"))
    if policy is not None:
        removed, freed = prune_store(job, actor, reader, policy)
        told |= {"pruned": removed, "freed_bytes": freed}
        if removed:
            said = _("%(count)d older ones were removed, %(freed)s.")
            sentence += f" {said % {'count': len(removed), 'freed': binary(freed)}}"
    return ItemResult("done", sentence, report=told)


def _create(job: Job, item: JobItem, reader: Reader, by: str) -> Backup:
    keys = item.params.get("keys")
    with opened_for_change(reader, WAIT_S) as store:
        return backups.create_backup(
            store,
            root=root_of(reader.paths),
            reason=job.reason,
            by=by,
            transcripts=bool(job.params.get("transcripts")),
            keys=keys,
            progress=tell,
        )


def _signature(job: Job, actor: Actor) -> str:
    return f"{actor.name}, job {job.pk}"[:200]


def _made_before(reader: Reader, by: str) -> Backup | None:
    """The backup that an earlier attempt at this item finished, if it did."""
    mine = [one.backup for one in catalogue(budget_s=LOOK_S).of_store(reader.id)]
    return next((one for one in mine if one.by == by and not one.problem), None)


def _created_words(backup: Backup) -> str:
    said = _("%(sessions)s sessions, %(size)s; writers were kept out for %(ms).1f ms.") % {
        "sessions": f"{backup.sessions:,}",
        "size": binary(backup.size_bytes),
        "ms": 1000 * backup.exclusive_s,
    }
    if not backup.linked:
        copied = _("This file system has no hard links, so files were copied.")
        said = f"{said} {copied}"
    return said


def verify_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Verify one backup: its structure, a part of it, or every byte."""
    kept = find_backup(item.key, budget_s=LOOK_S)
    part = job.params.get("part")
    try:
        result = backups.verify_backup(
            kept.backup,
            deep=job.params.get("depth") != "structure",
            part=(int(part[0]), int(part[1])) if part else None,
            progress=tell,
        )
    except SessionStoreError as error:
        return failed(job, actor, "backup.verify", _target(kept), error)
    told = {
        "backup": kept.backup.id,
        "depth": result.depth,
        "checked_sessions": result.checked_sessions,
        "checked_bytes": result.checked_bytes,
        "problems": findings_of(result.problems),
        "usable": None if result.usable is None else len(result.usable),
    }
    record(job, actor, "backup.verify", _target(kept), "done" if result.ok else "failed", told)
    if result.ok:
        said = _("Sound: %(bytes)s checked.") % {"bytes": binary(result.checked_bytes)}
        return ItemResult("done", said, report=told)
    first = shown(result.problems[0].message) if result.problems else ""
    said = _("Damaged: %s.") % first
    if result.usable is not None:
        usable = _("%s sessions can still be restored.") % f"{len(result.usable):,}"
        said = f"{said} {usable}"
    return ItemResult("failed", said, report={**told, "why": "damaged"})


def drill_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Restore a backup on trial; without an id the newest sound one of the store."""
    kept = _to_prove(item)
    if kept is None:
        return ItemResult("skipped", _("There is no sound backup of this store to prove."))
    try:
        report = drill(kept.backup, progress=tell)
    except SessionStoreError as error:
        return failed(job, actor, "backup.drill", _target(kept), error)
    told = {
        "backup": kept.backup.id,
        "sessions": report.sessions,
        "transcripts": report.transcripts,
        "compared_bytes": report.compared_bytes,
        "took_s": round(report.took_s, 3),
        "problems": findings_of(report.problems),
    }
    record(job, actor, "backup.drill", _target(kept), "done" if report.ok else "failed", told)
    if report.ok:
        return ItemResult("done", shown(report.sentence), report=told)
    return ItemResult("failed", shown(report.sentence), report={**told, "why": "damaged"})


def _to_prove(item: JobItem) -> Kept | None:
    if not item.params.get("newest"):
        return find_backup(item.key, budget_s=LOOK_S)
    mine = catalogue(budget_s=LOOK_S).of_store(item.store_id)
    return next((one for one in mine if not one.backup.problem), None)


def prune_store(
    job: Job, actor: Actor, reader: Reader, policy: RetentionPolicy
) -> tuple[list[str], int]:
    """Apply a policy to one store's backups; the ids that went and the bytes that are free.

    Raises:
        SessionStoreError: the policy is empty, backups moved meanwhile, or the disk refused.
    """
    mine = [one.backup for one in catalogue(budget_s=LOOK_S).of_store(reader.id)]
    if not mine:
        return [], 0
    plan = backups.plan_retention(mine, policy, now_ms=time.time_ns() // 1_000_000)
    removed = backups.apply_retention(plan, progress=tell)
    ids, freed = [one.id for one in removed], sum(one.size_bytes for one in removed)
    if ids:
        told = {"removed": ids[:_MOST_NAMED], "count": len(ids), "freed_bytes": freed}
        record(job, actor, "backup.prune", reader.name, "done", told)
    return ids, freed


def _target(kept: Kept) -> str:
    return f"{kept.name}: {kept.backup.id}"


def _register() -> None:
    kinds: tuple[tuple[str, Role, RunItem, Any], ...] = (
        (CREATE, "operator", create_item, lazy("Backup")),
        (VERIFY, "operator", verify_item, lazy("Verify a backup")),
        (DRILL, "operator", drill_item, lazy("Trial restore")),
    )
    for name, role, run_item, words in kinds:
        register(
            Kind(
                name, role, run_item, words, stops_within=True, outcome=job_outcome, of_stores=True
            )
        )


_register()
