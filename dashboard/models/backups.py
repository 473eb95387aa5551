"""When backups are taken by themselves: kept by the job runners, of which one comes to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models

DAILY, WEEKLY = "daily", "weekly"


class BackupSchedule(models.Model):
    """One schedule. Hours are those of UTC; ``weekday`` counts from Monday, 0, and is for weekly.

    ``agents`` limits it to some, by what they go by in scopes (null: all there are then).
    ``retention`` is a policy that is applied after each backup (null: none). ``drill``: once a
    week the newest backup is restored on trial. ``slot_at`` is the time that was last begun, by a
    conditional update; ``late_at`` the last time that was begun more than an hour late, or never.
    """

    agents: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    every = models.CharField(max_length=10, default=DAILY)
    weekday = models.IntegerField(default=0)
    hour = models.IntegerField(default=3)
    minute = models.IntegerField(default=0)
    transcripts = models.BooleanField(default=False)
    retention: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    drill = models.BooleanField(default=False)
    actor = models.CharField(max_length=150, blank=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    slot_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    late_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    drilled_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    job_id = models.BigIntegerField(null=True)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.every} at {self.hour:02}:{self.minute:02}"
