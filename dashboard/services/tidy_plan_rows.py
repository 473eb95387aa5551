"""Plans as they are kept: the library's own, compressed, and a row per item to look through."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.models import TidyItem, TidyPlan
from sessionstore.maintenance import (
    ItemResult,
    MaintenancePlan,
    MaintenancePolicy,
    decode_plan,
    encode_plan,
    without,
)

from .fleet import fleet
from .migration_plans import storable
from .problems import ProblemError, not_there
from .readers import Reader
from .tidy_policy import to_row

KEPT_FOR = timedelta(hours=24)
RUNS_KEPT_FOR = timedelta(days=400)
_AT_ONCE = 500
_ROWS_AT_ONCE = 2000


def new_plan(
    actor: Actor, reader: Reader, policy: MaintenancePolicy, sources: Mapping[str, str]
) -> TidyPlan:
    """A row for a plan that a job is going to make."""
    now = timezone.now()
    return TidyPlan.objects.create(
        id=uuid.uuid4().hex,
        store_id=reader.id,
        agent=reader.agent[:300],
        name=reader.name[:300],
        policy=to_row(policy),
        sources=dict(sources),
        actor=actor.name,
        actor_id=actor.user_id,
        created_at=now,
        expires_at=now + KEPT_FOR,
    )


def find_plan(plan_id: str) -> tuple[TidyPlan, Reader]:
    """A plan and its store.

    Raises:
        ProblemError: there is none, or it is of a store that is not in scope or not there.
    """
    row = TidyPlan.objects.defer("record").filter(pk=plan_id).first()
    if row is not None:
        try:
            return row, fleet().reader(row.store_id)
        except ProblemError:
            pass  # a plan of a store that may not be seen is as one that is not there
    raise not_there(
        _("There is no such plan, or not any more: one that is not applied is kept for a day."),
        _("Look at the plans, or make a new one."),
    )


def keep_plan(row: TidyPlan, plan: MaintenancePlan) -> None:
    """Keep what the library plans. Many small transactions; a try that broke off is replaced."""
    remove_items(row.items.all())
    rows = iter(_rows(row, plan))
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        TidyItem.objects.bulk_create(some)
    row.record = zlib.compress(encode_plan(plan), 6)
    row.digest, row.made_at_ms = plan.digest, plan.made_at_ms
    row.examined, row.total_bytes = dict(plan.examined), plan.total_bytes
    row.warnings = [storable(text) for text in plan.warnings]
    row.totals, row.is_ready = totals_of(row), True
    row.save()


def _rows(row: TidyPlan, plan: MaintenancePlan) -> Iterable[TidyItem]:
    for position, one in enumerate(plan.items):
        yield TidyItem(
            plan=row,
            position=position,
            ident=one.id,
            kind=one.kind,
            action=one.action,
            rule=storable(one.rule)[:60],
            reason=storable(one.reason),
            subject=storable(one.key if one.key is not None else one.path or ""),
            has_key=one.key is not None,
            others=[storable(text) for text in (*one.files, *one.fields)],
            size_bytes=one.size_bytes,
            frees_bytes=one.frees_bytes,
            age_s=one.age_s,
            protected_by=storable(one.protected_by)[:300],
        )


def plan_of(row: TidyPlan, reader: Reader) -> MaintenancePlan:
    """The library's plan, without what was excluded. Seconds for 100,000 items: for jobs.

    Raises:
        SessionStoreError: what is kept cannot be used.
    """
    record = TidyPlan.objects.values_list("record", flat=True).get(pk=row.pk)
    plan = decode_plan(reader.paths, zlib.decompress(bytes(record)))
    excluded = set(row.items.filter(is_excluded=True).order_by().values_list("ident", flat=True))
    return without(plan, excluded) if excluded else plan


def not_applied(row: TidyPlan) -> QuerySet[TidyPlan]:
    """The plan as long as nobody applies it; changing it keeps others from doing so meanwhile."""
    return TidyPlan.objects.filter(pk=row.pk, job_id=None, is_ready=True)


def totals_of(row: TidyPlan) -> dict[str, Any]:
    """Count, bytes and bytes freed by action; what was excluded counts as kept."""
    acting = row.items.filter(is_excluded=False).order_by().values("action")
    told: dict[str, Any] = {
        one["action"]: {"count": one["n"], "bytes": one["size"] or 0, "frees": one["frees"] or 0}
        for one in acting.annotate(n=Count("pk"), size=Sum("size_bytes"), frees=Sum("frees_bytes"))
    }
    excluded = row.items.filter(is_excluded=True).aggregate(n=Count("pk"), size=Sum("size_bytes"))
    if excluded["n"]:
        kept = told.setdefault("keep", {"count": 0, "bytes": 0, "frees": 0})
        kept["count"] += excluded["n"]
        kept["bytes"] += excluded["size"] or 0
    return told


def set_excluded(row: TidyPlan, items: QuerySet[TidyItem], *, excluded: bool) -> int:
    """Leave items out of a plan, or put them back; how many changed. Gives it another digest."""
    changed = items.exclude(action="keep").filter(is_excluded=not excluded)
    count = changed.update(is_excluded=excluded)
    if count:
        row.excluded = row.items.filter(is_excluded=True).count()
        row.totals = totals_of(row)
        row.save(update_fields=["excluded", "totals"])
    return count


def keep_results(row: TidyPlan, results: Iterable[ItemResult]) -> None:
    """Keep what became of the items that these are about."""
    left = iter(results)
    while some := {one.id: one for one in islice(left, _AT_ONCE)}:
        rows = list(row.items.filter(ident__in=list(some)))
        for item in rows:
            one = some[item.ident]
            item.outcome, item.message = one.outcome, storable(one.message)
            item.freed_bytes = one.freed_bytes
        TidyItem.objects.bulk_update(rows, ["outcome", "message", "freed_bytes"])


def outcomes_of(row: TidyPlan) -> dict[str, int]:
    """How many items came to what, as kept."""
    acting = row.items.exclude(Q(action="keep") | Q(is_excluded=True)).order_by()
    return dict(acting.values_list("outcome").annotate(n=Count("pk")))


def remove_items(items: QuerySet[TidyItem]) -> None:
    """Remove rows a few at a time, so that nobody waits for the database."""
    while some := list(items.order_by().values_list("pk", flat=True)[:_AT_ONCE]):
        TidyItem.objects.filter(pk__in=some).delete()


def remove_old_tidy_plans(now: datetime) -> int:
    """Plans that nobody applied in time, and accounts of runs of long ago."""
    old = TidyPlan.objects.filter(
        Q(job_id=None, expires_at__lt=now) | Q(created_at__lt=now - RUNS_KEPT_FOR)
    )
    removed = 0
    for plan_id in list(old.values_list("pk", flat=True)):
        remove_items(TidyItem.objects.filter(plan_id=plan_id))
        removed += TidyPlan.objects.filter(pk=plan_id).delete()[0]
    return removed
