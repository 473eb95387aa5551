"""What was last seen of a store before a migration or its undoing: kept, found, compared.

A plan of 100,000 sessions takes seconds to make and a page must not wait for it, so a job makes it
(``migration_work``) and rows keep it. What pages show is what was seen then, with when that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import QuerySet
from django.utils import timezone

from dashboard.acting import Actor
from dashboard.models import StorePlan, StorePlanSession
from sessionstore.migration import MigrationPlan, RollbackPlan

from .migration_summaries import plan_summary, rollback_summary
from .migration_words import MIGRATE, ROLLBACK
from .readers import Reader

KEPT_FOR = timedelta(hours=24)
_AT_ONCE = 500
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Moved:
    """How sessions of a store differ from what a preview shows: keys, raw."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    other: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many sessions are not as it shows them."""
        return len(self.new) + len(self.gone) + len(self.other)


def keep_plan(
    actor: Actor, reader: Reader, plan: MigrationPlan | RollbackPlan, *, job_id: int | None
) -> StorePlan:
    """Keep what was seen in place of what was seen before. Many small transactions, no long one."""
    is_forward = isinstance(plan, MigrationPlan)
    kept = StorePlan.objects.create(
        store_id=reader.id,
        agent=reader.agent[:300],
        name=reader.name[:300],
        kind=MIGRATE if is_forward else ROLLBACK,
        digest=plan.digest,
        outcome=plan.outcome if isinstance(plan, MigrationPlan) else _possible(plan),
        summary=plan_summary(plan) if isinstance(plan, MigrationPlan) else rollback_summary(plan),
        actor=actor.name,
        job_id=job_id,
        created_at=timezone.now(),
    )
    rows = iter(_rows(kept, plan))
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        StorePlanSession.objects.bulk_create(some)
    StorePlan.objects.filter(pk=kept.pk).update(is_ready=True)
    older = StorePlan.objects.filter(store_id=reader.id, kind=kept.kind, pk__lt=kept.pk)
    remove_plans(older)
    kept.is_ready = True
    return kept


def storable(text: str) -> str:
    """Text as a database takes it: NUL and lone surrogates, which an odd name may have, escaped."""
    if "\0" not in text and text.isprintable():
        return text
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _possible(plan: RollbackPlan) -> str:
    return "rolled_back" if plan.possible else "refused"


def _rows(kept: StorePlan, plan: MigrationPlan | RollbackPlan) -> Iterable[StorePlanSession]:
    if isinstance(plan, RollbackPlan):
        for position, back in enumerate(plan.sessions):
            yield StorePlanSession(
                plan=kept,
                position=position,
                key=storable(back.key),
                action=back.action,
                size_bytes=back.size_bytes,
            )
        return
    for position, session in enumerate(plan.sessions):
        yield StorePlanSession(
            plan=kept,
            position=position,
            key=storable(session.key),
            action=session.action,
            source=storable(session.source)[:300],
            size_bytes=session.size_bytes,
            file_name=storable(session.file_name),
            reason=storable(session.reason)[:500],
            spelt=storable(session.spelt),
        )


def find_kept(store_id: str, kind: str) -> StorePlan | None:
    """The newest look at a store; the caller has made sure that the store may be seen."""
    rows = StorePlan.objects.filter(store_id=store_id, kind=kind, is_ready=True)
    return rows.filter(created_at__gt=timezone.now() - KEPT_FOR).first()


def kept_by_store(store_ids: Iterable[str], kind: str) -> Mapping[str, StorePlan]:
    """The newest look at each of these stores that was looked at."""
    rows = StorePlan.objects.filter(store_id__in=list(store_ids), kind=kind, is_ready=True)
    fresh = rows.filter(created_at__gt=timezone.now() - KEPT_FOR)
    return {row.store_id: row for row in fresh.order_by("created_at", "pk")}


def forget_kept(store_id: str) -> None:
    """Remove every look at a store: a run has made them untrue."""
    remove_plans(StorePlan.objects.filter(store_id=store_id))


def moved_since(kept: StorePlan, plan: MigrationPlan | RollbackPlan) -> Moved:
    """The sessions of a plan made now that the one that was kept shows otherwise, or not at all.

    A session that writers changed in between, and whose way is the same, has not moved.
    """
    rows = kept.sessions.order_by().values_list("key", "action")
    seen = {key: _way(action) for key, action in rows}
    now = {storable(session.key): _way(session.action) for session in plan.sessions}
    return Moved(
        new=tuple(key for key in now if key not in seen),
        gone=tuple(key for key in seen if key not in now),
        other=tuple(key for key, action in now.items() if seen.get(key, action) != action),
    )


def _way(action: str) -> str:
    """What becomes of a session; an undo moves one back as it is, written since or not."""
    return "same" if action == "written since" else action


def remove_plans(plans: QuerySet[StorePlan]) -> int:
    """Remove looks with their rows, a few at a time, so that nobody waits for the database."""
    removed = 0
    for plan_id in list(plans.values_list("pk", flat=True)):
        rows = StorePlanSession.objects.filter(plan_id=plan_id)
        while some := list(rows.values_list("pk", flat=True)[:_AT_ONCE]):
            StorePlanSession.objects.filter(pk__in=some).delete()
        removed += StorePlan.objects.filter(pk=plan_id).delete()[0]
    return removed


def remove_old_plans(now: datetime) -> int:
    """Looks that are too old to be shown, and those that were never finished."""
    return remove_plans(StorePlan.objects.filter(created_at__lt=now - KEPT_FOR))
