"""Long work: a job is a row that one runner at a time holds by a lease; each item has a result.

Times that a lease depends on are the database's own (``Now()``), so that runners on machines
whose clocks differ agree on who holds what.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models

WAITING, RUNNING, PAUSED = "waiting", "running", "paused"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
SKIPPED = "skipped"
#: States in which nothing more will happen by itself.
FINISHED = frozenset({DONE, FAILED, CANCELLED})


class Job(models.Model):
    """One piece of long work, who asked for it, and how far it is.

    ``wanted`` is what somebody has asked a running job to do next: "", "pause" or "cancel".
    ``owner`` names the runner; another one may take over once ``lease_until`` has passed.
    ``agents`` is the agent scope of who asked (null: all). ``attempts`` counts the runners that
    took the job; the last one did so at ``claimed_at``, when ``claimed_with`` items had a result:
    what the rate is measured from.
    """

    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=300)
    params: models.JSONField[Any, Any] = models.JSONField(default=dict)
    state = models.CharField(max_length=12, default=WAITING, db_index=True)
    wanted = models.CharField(max_length=10, blank=True)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    current = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=500, blank=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=20, blank=True)
    via = models.CharField(max_length=60, blank=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=32, blank=True)
    agents: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    reason = models.CharField(max_length=500, blank=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    not_before: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    started_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    finished_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    owner = models.CharField(max_length=100, blank=True)
    lease_until: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    heartbeat_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    attempts = models.IntegerField(default=0)
    claimed_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    claimed_with = models.IntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"job {self.pk}: {self.title} ({self.state})"


class JobStore(models.Model):
    """A store that a job works on. At most one job at a time is at work on a store.

    ``agent`` and ``name`` are the store's when the job was asked for.
    """

    job: models.ForeignKey[Job, Job] = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="stores"
    )
    store_id = models.CharField(max_length=12)
    agent = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    at_work = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["store_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["job", "store_id"], name="one_row_per_store_of_a_job"),
            models.UniqueConstraint(
                fields=["store_id"],
                condition=models.Q(at_work=True),
                name="one_job_at_work_per_store",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of job {self.job_id}"


class JobItem(models.Model):
    """One item of a job, usually a session, and what became of it.

    ``attempts`` counts how often it was begun at all. Since it last had no result, ``retries``
    counts how often it asked to be tried again later, ``deaths`` how often a runner died at it;
    ``in_flight`` means that one is at it now, or died.

    An item that is long by itself says how far it is: ``part_done`` of ``part_total`` at
    ``part_at``, at ``part_name``; what it measures began at ``part_since`` with ``part_from``
    done. ``report`` is what a kind has to say of its result besides the message.
    """

    job: models.ForeignKey[Job, Job] = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="items"
    )
    position = models.IntegerField()
    store_id = models.CharField(max_length=12, blank=True)
    key = models.TextField()
    params: models.JSONField[Any, Any] = models.JSONField(default=dict)
    state = models.CharField(max_length=12, default=WAITING)
    message = models.CharField(max_length=500, blank=True)
    change_id = models.BigIntegerField(null=True)
    attempts = models.IntegerField(default=0)
    retries = models.IntegerField(default=0)
    deaths = models.IntegerField(default=0)
    in_flight = models.BooleanField(default=False)
    part_done = models.BigIntegerField(default=0)
    part_total = models.BigIntegerField(default=0)
    part_name = models.CharField(max_length=500, blank=True)
    part_from = models.BigIntegerField(default=0)
    part_since: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    part_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    report: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    not_before: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    finished_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["job", "position"], name="one_item_per_position")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["job", "state", "retries", "position"], name="items_by_state")
        ]

    def __str__(self) -> str:
        return f"{self.position} of job {self.job_id}: {self.state}"


class JobRunner(models.Model):
    """A runner process and its last sign of life; its row goes when it ends in good order."""

    name = models.CharField(primary_key=True, max_length=100)
    started_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    seen_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["started_at"]

    def __str__(self) -> str:
        return f"{self.name}, seen {self.seen_at}"


class Chore(models.Model):
    """When a chore of the housekeeping was last begun, by whichever runner."""

    name = models.CharField(primary_key=True, max_length=60)
    begun_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return f"{self.name} at {self.begun_at}"
