"""The audit log: append-only, gapless, each event chained to the one before by its hash."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from django.db import models

#: What the first event has as its predecessor's hash.
GENESIS = "0" * 64


class AppendOnlyError(TypeError):
    """Someone tried to change or remove an audit event."""


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Reads only; the database's triggers refuse what goes round this class."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("audit events are never changed")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("audit events are never removed")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("audit events are never changed")


class AuditEvent(models.Model):
    """One thing that someone did or tried. Every field is plain text, whoever supplied it."""

    sequence = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=150, blank=True, db_index=True)
    actor_id = models.BigIntegerField(null=True)
    role = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=60, db_index=True)
    target = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=20)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=32, blank=True)
    # Canonical JSON as text: a JSON column may reorder or rewrite it, and the hash covers it.
    details = models.TextField(default="{}")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["sequence"]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; saving an event a second time is refused."""
        if not self._state.adding:
            raise AppendOnlyError("audit events are never changed")
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("audit events are never removed")

    def computed_hash(self) -> str:
        """Return the sha256 of this event's canonical JSON, its predecessor's hash included."""
        content = {name: getattr(self, name) for name in _HASHED}
        content["at"] = _canonical_time(self.at)
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()


_HASHED = (
    *("sequence", "actor", "actor_id", "role", "address", "action", "target", "outcome"),
    *("reason", "request_id", "details", "previous_hash"),
)


def _canonical_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class AuditHead(models.Model):
    """The end of the chain: one row, locked while an event is appended."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=GENESIS)

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"
