"""Comparisons of backups with their stores as they are kept: found, and held against now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.models import StorePlan
from sessionstore.backup.shapes import RestorePlan

from .backup_catalogue import Kept, find_backup
from .backup_work import WAIT_S
from .migration_plans import KEPT_FOR
from .problems import not_there
from .restore_plans import KIND, Wanted


def find_plan(kept: Kept, plan_id: int) -> StorePlan:
    """A kept plan of a backup.

    Raises:
        ProblemError: there is none, or it is older than a day.
    """
    row = StorePlan.objects.filter(
        pk=plan_id,
        kind=KIND,
        is_ready=True,
        store_id=kept.store_id or "-",
        created_at__gt=timezone.now() - KEPT_FOR,
    ).first()
    if row is None or row.summary.get("backup") != kept.backup.id:
        raise not_there(
            _("There is no such comparison, or not any more: one is kept for a day."),
            _("Open the backup and compare it with the store again."),
        )
    return row


def wanted_of(row: StorePlan) -> Wanted:
    """What a kept plan was made for."""
    if row.summary["all"]:
        return Wanted(None)
    keys: Sequence[str] = tuple(row.sessions.values_list("key", flat=True))
    return Wanted(tuple(keys), tuple(row.summary["fields"]) or None)


def moved_since(row: StorePlan, plan: RestorePlan) -> list[str]:
    """Keys that a plan made now has otherwise, for a run that goes on after it was broken off.

    What is as the backup has it is done; the rest must be as it was when somebody looked at it.
    """
    seen: dict[str, tuple[str, str]] = {
        key: (action, source)
        for key, action, source in row.sessions.order_by().values_list("key", "action", "source")
    }
    return [
        key
        for action in ("changed", "created", "removed")
        for key in getattr(plan, action)
        if seen.get(key) != (action, plan.etags.get(key, ""))
    ]


def plan_of_job(params: Mapping[str, Any]) -> tuple[Kept, StorePlan]:
    """The backup and the kept plan that a job is to carry out.

    Raises:
        ProblemError: one of them is not there any more.
    """
    kept = find_backup(str(params["backup"]), budget_s=WAIT_S)
    return kept, find_plan(kept, int(params["plan"]))
