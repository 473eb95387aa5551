"""Who runs a job: a claim is one conditional UPDATE, and a lease says how long it holds.

Two runners may want the same job: the UPDATE names everything that the claim rests on (state,
owner, number of attempts), so that the second one changes no row. That is atomic on SQLite and on
PostgreSQL alike and needs no ``SKIP LOCKED``. A job's stores are claimed in the same transaction,
by rows of which a unique index allows one per store.

Times are the database's (``Now()``), so runners whose clocks differ agree. A clock that jumps
forward ends leases early: the job is taken over while its first runner is still at an item, and
that runner notices when it wants to write, since every write of a runner is for its own job only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from dashboard.models import Job, JobItem, JobStore
from dashboard.models.jobs import RUNNING, WAITING

LEASE = timedelta(seconds=3)
RENEW_EVERY_S = 1.0
_AT_ONCE = 20


class LeaseLostError(Exception):
    """Another runner has the job, or somebody ended it; nothing more may be written."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One runner's hold of one job."""

    job_id: int
    owner: str

    def renew(self, progress: dict[str, Any]) -> bool:
        """Hold on for another lease and note the progress; False when the job is not ours."""
        mine = Job.objects.filter(pk=self.job_id, owner=self.owner, state=RUNNING)
        return bool(mine.update(lease_until=Now() + LEASE, heartbeat_at=Now(), **progress))

    @contextmanager
    def writing(self) -> Iterator[Job]:
        """Open a transaction in which the job is ours and nobody can take or change it.

        Raises:
            LeaseLostError: it is not ours any more.
        """
        with transaction.atomic():
            mine = Job.objects.filter(pk=self.job_id, owner=self.owner, state=RUNNING)
            job = mine.select_for_update().first()
            if job is None:
                raise LeaseLostError(f"job {self.job_id}")
            yield job


def claim(owner: str, *, job_id: int | None = None) -> Hold | None:
    """Take the job that has waited longest and may run now, or that one; None when there is none.

    Costs one indexed query when nothing is to be done.
    """
    claimable = _claimable() if job_id is None else _claimable().filter(pk=job_id)
    for job in claimable[:_AT_ONCE]:
        if _take(job, owner):
            return Hold(job.pk, owner)
    return None


def _claimable() -> QuerySet[Job]:
    """Jobs that wait, and those whose runner is gone, unless another job works on their store."""
    elsewhere = JobStore.objects.filter(at_work=True).exclude(job=OuterRef(OuterRef("pk")))
    busy = JobStore.objects.filter(job=OuterRef("pk"), store_id__in=elsewhere.values("store_id"))
    waits = Q(state=WAITING, not_before__lte=Now())
    abandoned = Q(state=RUNNING, lease_until__lt=Now())
    return Job.objects.filter(waits | abandoned).exclude(Exists(busy)).order_by("created_at", "pk")


def _take(job: Job, owner: str) -> bool:
    unchanged = Job.objects.filter(
        Q(state=WAITING) | Q(lease_until__lt=Now()),
        pk=job.pk,
        state=job.state,
        owner=job.owner,
        attempts=job.attempts,
    )
    try:
        with transaction.atomic():
            taken = unchanged.update(
                state=RUNNING,
                owner=owner,
                lease_until=Now() + LEASE,
                heartbeat_at=Now(),
                claimed_at=Now(),
                started_at=Coalesce("started_at", Now()),
                attempts=F("attempts") + 1,
            )
            if taken:
                _take_stores(job.pk)
                counted = counts(job.pk)
                at_start = sum(counted.values())
                Job.objects.filter(pk=job.pk).update(**counted, claimed_with=at_start)
    except IntegrityError:  # another job took one of the stores between our look and our claim
        return False
    return bool(taken)


def _take_stores(job_id: int) -> None:
    """One by one in a fixed order: two claims that meet must not wait for each other in a ring."""
    for store in JobStore.objects.filter(job=job_id, at_work=False).order_by("store_id"):
        JobStore.objects.filter(pk=store.pk).update(at_work=True)


def leave_stores(job_id: int) -> None:
    """Let other jobs work on the stores; in the transaction that ends or interrupts a job."""
    JobStore.objects.filter(job=job_id, at_work=True).update(at_work=False)


def counts(job_id: int) -> dict[str, int]:
    """How many items have which result, counted anew: done, failed, skipped."""
    results = ("done", "failed", "skipped")
    return JobItem.objects.filter(job=job_id).aggregate(
        **{name: Count("pk", filter=Q(state=name)) for name in results}
    )
