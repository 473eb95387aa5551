"""What a migration, or its undoing, would do to a store, as it was last looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models


class StorePlan(models.Model):
    """One look at one store. ``kind`` is "migrate" or "rollback".

    ``summary`` is everything of the store's plan but its sessions, masked, as pages show it.
    Rows are added in many small transactions; ``is_ready`` says that all are there. A newer look
    replaces an older one.
    """

    store_id = models.CharField(max_length=12)
    agent = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    kind = models.CharField(max_length=10)
    digest = models.CharField(max_length=64)
    outcome = models.CharField(max_length=20)
    summary: models.JSONField[Any, Any] = models.JSONField(default=dict)
    is_ready = models.BooleanField(default=False)
    actor = models.CharField(max_length=150, blank=True)
    job_id = models.BigIntegerField(null=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["store_id", "kind", "is_ready"], name="looks_at_store")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.name}, looked at {self.created_at}"

    @property
    def created_at_ms(self) -> int:
        """When it was made, in epoch milliseconds."""
        return int(self.created_at.timestamp() * 1000)


class StorePlanSession(models.Model):
    """What would be done with one session of a store. Texts are raw; pages mask what they show.

    ``spelt`` is the key as the source spells it, where that differs.
    """

    plan: models.ForeignKey[StorePlan, StorePlan] = models.ForeignKey(
        StorePlan, on_delete=models.CASCADE, related_name="sessions"
    )
    position = models.IntegerField()
    key = models.TextField()
    action = models.CharField(max_length=16)
    source = models.CharField(max_length=300, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    file_name = models.TextField(blank=True)
    reason = models.CharField(max_length=500, blank=True)
    spelt = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["plan", "action", "position"], name="sessions_by_action"),
            models.Index(fields=["plan", "position"], name="sessions_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.action} at {self.position} of plan {self.plan_id}"
