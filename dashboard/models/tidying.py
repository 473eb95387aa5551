"""What checks of stores found, plans to tidy them, and what became of these plans."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from .backups import DAILY


class TidyReport(models.Model):
    """One check of one store. Its findings are kept for the newest two; the counts for longer.

    ``totals`` says by rule how many findings there are, of how many bytes, since when, how bad and
    how sure. ``figures`` are amounts of the store at that time, for the curves: sessions, files,
    bytes and what of them is stale. ``new`` and ``gone`` count against the check before it.
    """

    store_id = models.CharField(max_length=12)
    agent = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    examined_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    took_ms = models.BigIntegerField(default=0)
    rules = models.IntegerField(default=0)
    entries = models.IntegerField(default=0)
    files = models.IntegerField(default=0)
    findings_count = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    warnings = models.IntegerField(default=0)
    new = models.IntegerField(default=0)
    gone = models.IntegerField(default=0)
    totals: models.JSONField[Any, Any] = models.JSONField(default=dict)
    figures: models.JSONField[Any, Any] = models.JSONField(default=dict)
    previous_id = models.BigIntegerField(null=True)
    is_ready = models.BooleanField(default=False)
    actor = models.CharField(max_length=150, blank=True)
    job_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-examined_at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["store_id", "is_ready", "examined_at"], name="reports_of_store")
        ]

    def __str__(self) -> str:
        return f"check of {self.name} at {self.examined_at}"

    @property
    def examined_at_ms(self) -> int:
        """When it was made, in epoch milliseconds."""
        return int(self.examined_at.timestamp() * 1000)


class TidyFinding(models.Model):
    """One finding of a check. Texts are raw but for what a database cannot take; pages mask them.

    ``ident`` is a digest of what it is about, the same from one check to the next. ``rank`` orders
    by how bad it is; ``is_new``: the check before this one had no such finding, ``is_gone``: the
    one after it has none.
    """

    report: models.ForeignKey[TidyReport, TidyReport] = models.ForeignKey(
        TidyReport, on_delete=models.CASCADE, related_name="findings"
    )
    position = models.IntegerField()
    ident = models.CharField(max_length=64)
    rule = models.CharField(max_length=60)
    severity = models.CharField(max_length=10)
    rank = models.IntegerField(default=0)
    confidence = models.CharField(max_length=10, blank=True)
    key = models.TextField(blank=True)
    path = models.TextField(blank=True)
    message = models.TextField()
    hint = models.TextField(blank=True)
    evidence: models.JSONField[Any, Any] = models.JSONField(default=list)
    size_bytes = models.BigIntegerField(default=0)
    at_ms = models.BigIntegerField(null=True)
    is_new = models.BooleanField(default=False)
    is_gone = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["rank", "position"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["report", "rule"], name="findings_by_rule"),
            models.Index(fields=["report", "rank", "position"], name="findings_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} at {self.position} of check {self.report_id}"


class TidySchedule(models.Model):
    """When stores are checked by themselves; it never changes a store. Hours are those of UTC.

    ``agents``, ``slot_at`` and ``late_at`` are as those of a schedule of backups.
    """

    agents: models.JSONField[Any, Any] = models.JSONField(null=True, default=None)
    every = models.CharField(max_length=10, default=DAILY)
    weekday = models.IntegerField(default=0)
    hour = models.IntegerField(default=4)
    minute = models.IntegerField(default=0)
    actor = models.CharField(max_length=150, blank=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    slot_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    late_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    job_id = models.BigIntegerField(null=True)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"check {self.every} at {self.hour:02}:{self.minute:02}"


class TidyPlan(models.Model):
    """What a policy would do to a store, looked at once and applied at most once by its digest.

    ``policy`` are the fields of the library's policy, ``sources`` says where each value comes from.
    ``record`` is the library's plan, compressed. ``totals`` are count, bytes and bytes freed by
    action, without the ``excluded``; ``digest`` names the plan without these. ``problem`` says why
    there is none. A plan that was applied becomes the account of its run: ``run_id`` names it to
    the library, ``outcomes`` counts its items by what became of them, and ``held_bytes`` of what
    was freed stay on the disk until it can no longer be taken back.
    """

    id = models.CharField(primary_key=True, max_length=32)
    store_id = models.CharField(max_length=12, db_index=True)
    agent = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    policy: models.JSONField[Any, Any] = models.JSONField(default=dict)
    sources: models.JSONField[Any, Any] = models.JSONField(default=dict)
    record: models.BinaryField[bytes, bytes] = models.BinaryField(default=b"")
    digest = models.CharField(max_length=64, blank=True)
    excluded = models.IntegerField(default=0)
    made_at_ms = models.BigIntegerField(default=0)
    examined: models.JSONField[Any, Any] = models.JSONField(default=dict)
    total_bytes = models.BigIntegerField(default=0)
    totals: models.JSONField[Any, Any] = models.JSONField(default=dict)
    warnings: models.JSONField[Any, Any] = models.JSONField(default=list)
    problem = models.CharField(max_length=1000, blank=True)
    is_ready = models.BooleanField(default=False)
    actor = models.CharField(max_length=150, blank=True)
    actor_id = models.BigIntegerField(null=True)
    look_job_id = models.BigIntegerField(null=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    reason = models.CharField(max_length=500, blank=True)
    job_id = models.BigIntegerField(null=True, db_index=True)
    run_id = models.CharField(max_length=120, blank=True)
    ran_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, db_index=True
    )
    predicted_bytes = models.BigIntegerField(default=0)
    achieved_bytes = models.BigIntegerField(default=0)
    held_bytes = models.BigIntegerField(default=0)
    outcomes: models.JSONField[Any, Any] = models.JSONField(default=dict)
    take_back_until_ms = models.BigIntegerField(null=True)
    back_job_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"plan of {self.name}, made {self.created_at}"

    @property
    def created_at_ms(self) -> int:
        """When it was asked for, in epoch milliseconds."""
        return int(self.created_at.timestamp() * 1000)

    @property
    def ran_at_ms(self) -> int | None:
        """When its run ended, in epoch milliseconds."""
        return None if self.ran_at is None else int(self.ran_at.timestamp() * 1000)


class TidyItem(models.Model):
    """One item of a plan as pages show it, which mask it, and after the run what became of it.

    ``ident`` is the item's own in the library's plan; ``subject`` its key or path, ``others`` the
    files or fields that it is about besides.
    """

    plan: models.ForeignKey[TidyPlan, TidyPlan] = models.ForeignKey(
        TidyPlan, on_delete=models.CASCADE, related_name="items"
    )
    position = models.IntegerField()
    ident = models.CharField(max_length=100)
    kind = models.CharField(max_length=12)
    action = models.CharField(max_length=10)
    rule = models.CharField(max_length=60)
    reason = models.TextField(blank=True)
    subject = models.TextField()
    has_key = models.BooleanField(default=False)
    others: models.JSONField[Any, Any] = models.JSONField(default=list)
    size_bytes = models.BigIntegerField(default=0)
    frees_bytes = models.BigIntegerField(default=0)
    age_s = models.FloatField(null=True)
    protected_by = models.CharField(max_length=300, blank=True)
    is_excluded = models.BooleanField(default=False)
    outcome = models.CharField(max_length=12, blank=True)
    message = models.TextField(blank=True)
    freed_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["plan", "position"], name="tidy_items_in_order"),
            models.Index(fields=["plan", "action", "position"], name="tidy_items_by_action"),
            models.Index(fields=["plan", "outcome", "position"], name="tidy_items_by_outcome"),
            models.Index(fields=["plan", "ident"], name="tidy_items_by_ident"),
        ]

    def __str__(self) -> str:
        return f"{self.action} at {self.position} of plan {self.plan_id}"
