"""Accounts: the one-time token of the first start."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models


class SetupToken(models.Model):
    """Lets its holder make the first admin, once. Only the token's hash is kept."""

    digest: models.CharField[str, str] = models.CharField(max_length=64, unique=True)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    used_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return f"made {self.created_at}, {'used' if self.used_at else 'unused'}"
