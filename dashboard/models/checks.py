"""What checks remember: limits that were set, settled states, acknowledgements, and alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models


class Threshold(models.Model):
    """Limits that an admin set for a rule, in base units; without a row the default counts."""

    rule = models.CharField(primary_key=True, max_length=60)
    watch = models.FloatField(null=True)
    bad = models.FloatField(null=True)
    actor = models.CharField(max_length=150, blank=True)
    changed_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.rule}: watch {self.watch}, bad {self.bad}"


class Alert(models.Model):
    """Something that was told, once: ``kind`` is "bad", "clear" or "test".

    ``uid`` stays the same however often it is sent, so that receivers can drop doubles. ``about``
    is the uid of what a "clear" ends.
    """

    uid = models.CharField(max_length=32, unique=True)
    about = models.CharField(max_length=32, blank=True)
    kind = models.CharField(max_length=10)
    store_id = models.CharField(max_length=12, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    check_name = models.CharField(max_length=60)
    state = models.CharField(max_length=10)
    sentence = models.CharField(max_length=500)
    at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind}: {self.check_name} of {self.agent or 'all'}"


class AlertDelivery(models.Model):
    """An alert on its way to one target of the settings, such as "webhook-1" or "mail".

    A runner takes it by moving ``next_at`` into the future, so one that dies at it leaves it due
    again. ``gave_up``: it was tried too often.
    """

    alert: models.ForeignKey[Alert, Alert] = models.ForeignKey(
        Alert, on_delete=models.CASCADE, related_name="deliveries"
    )
    target = models.CharField(max_length=30)
    attempts = models.IntegerField(default=0)
    next_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    sent_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    gave_up = models.BooleanField(default=False)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["alert", "target"], name="one_delivery_per_target")
        ]

    def __str__(self) -> str:
        return f"alert {self.alert_id} to {self.target}"


class CheckState(models.Model):
    """What is settled of one check in one store, or, with an empty ``store_id``, in all.

    ``pending`` is what the last evaluation found and none has confirmed. ``alert`` is the one that
    is open: it was told that this is bad, and not yet that it ended.
    """

    store_id = models.CharField(max_length=12, blank=True)
    check_name = models.CharField(max_length=60)
    agent = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10)
    since: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    pending = models.CharField(max_length=10, blank=True)
    evaluated_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    alert: models.ForeignKey[Alert | None, Alert | None] = models.ForeignKey(
        Alert, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["check_name", "store_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["store_id", "check_name"], name="one_state_per_check")
        ]

    def __str__(self) -> str:
        return f"{self.check_name} of {self.store_id or 'all'}: {self.state}"


class Acknowledgement(models.Model):
    """Somebody knows of a check that is not good, until a time. It turns nothing green.

    ``state`` is how bad it was then; once it is worse, this counts no longer. ``agents`` is the
    agent scope of who wrote it (null: all).
    """

    check_name = models.CharField(max_length=60, db_index=True)
    state = models.CharField(max_length=10)
    note = models.CharField(max_length=500)
    actor = models.CharField(max_length=150, blank=True)
    agents: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    until: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self.check_name} until {self.until}"
