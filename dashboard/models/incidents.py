"""Spans of time that somebody marked as an incident, and what people wrote to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models


class Incident(models.Model):
    """One incident, of all stores (``everywhere``) or of those in its rows of stores.

    ``ended_at`` is null while it lasts. ``seen`` is what the locks of its stores looked like when
    it was marked, masked: ``locks``, ``unread`` (names of stores that did not answer in time) and
    ``left_out``, how many locks there were beyond those that are kept.
    """

    title = models.CharField(max_length=200)
    started_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    ended_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )
    everywhere = models.BooleanField(default=False)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150, blank=True)
    marked_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    seen: models.JSONField[Any, Any] = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"incident {self.pk}: {self.title}"


class IncidentStore(models.Model):
    """A store that an incident is about; ``agent`` and ``name`` are those when it was marked."""

    incident: models.ForeignKey[Incident, Incident] = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="stores"
    )
    store_id = models.CharField(max_length=12, db_index=True)
    agent = models.CharField(max_length=300)
    name = models.CharField(max_length=300)

    class Meta:
        ordering: ClassVar[list[str]] = ["name", "store_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["incident", "store_id"], name="one_row_per_store_of_an_incident"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} of incident {self.incident_id}"


class IncidentNote(models.Model):
    """What somebody wrote to an incident. Added, never changed; it goes with the incident."""

    incident: models.ForeignKey[Incident, Incident] = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="notes"
    )
    at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150, blank=True)
    text = models.TextField()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"note {self.pk} of incident {self.incident_id}"
