"""Long work: a job is a row that one runner at a time holds by a lease; each item has a result."""

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
    ``agents`` is the agent scope of who asked (null: all).
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

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"job {self.pk}: {self.title} ({self.state})"


class JobItem(models.Model):
    """One item of a job, usually a session, and what became of it."""

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
    finished_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["job", "position"], name="one_item_per_position")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["job", "state", "position"], name="items_by_state")
        ]

    def __str__(self) -> str:
        return f"{self.position} of job {self.job_id}: {self.state}"
