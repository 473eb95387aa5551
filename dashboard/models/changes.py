"""What operators changed, so that it can be listed and taken back, and plans not applied yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models


class Change(models.Model):
    """One change of one session. What it replaced is kept beside the store as a version."""

    at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150, blank=True)
    via = models.CharField(max_length=60, blank=True)
    store_id = models.CharField(max_length=12)
    store_name = models.CharField(max_length=300)
    agent = models.CharField(max_length=300)
    key = models.TextField()
    action = models.CharField(max_length=40)
    fields: models.JSONField[Any, Any] = models.JSONField(default=list)
    version_id = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=32, blank=True)
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    job_id = models.BigIntegerField(null=True, db_index=True)
    undoes_id = models.BigIntegerField(null=True)
    undone_by_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["store_id", "at"], name="changes_of_store")
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor} at {self.at}"


class Plan(models.Model):
    """What a bulk action would do, shown before it is done; applied at most once, by its digest.

    ``items`` are JSON objects, one per session, in the order of the page; ``changing`` of the
    ``total`` would be changed. ``source`` says where and when the sessions were picked. Without an
    action it is only that selection, waiting for one. ``job_id`` is the job that applies it.
    """

    id = models.CharField(primary_key=True, max_length=32)
    action = models.CharField(max_length=40, blank=True)
    title = models.CharField(max_length=300)
    params: models.JSONField[Any, Any] = models.JSONField(default=dict)
    source: models.JSONField[Any, Any] = models.JSONField(default=dict)
    items: models.JSONField[Any, Any] = models.JSONField(default=list)
    total = models.IntegerField(default=0)
    changing = models.IntegerField(default=0)
    digest = models.CharField(max_length=64)
    actor_id = models.BigIntegerField(null=True, db_index=True)
    actor = models.CharField(max_length=150, blank=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    job_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return f"plan {self.id}: {self.title}"

    @property
    def created_at_ms(self) -> int:
        """When it was made, in epoch milliseconds."""
        return int(self.created_at.timestamp() * 1000)

    @property
    def expires_at_ms(self) -> int:
        """Until when it holds, in epoch milliseconds."""
        return int(self.expires_at.timestamp() * 1000)
