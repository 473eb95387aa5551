"""How much each API token was used in its latest minute, for the limit that all processes share."""

from __future__ import annotations

from django.db import models


class ApiUse(models.Model):
    """One token's requests in one minute of the clock, and how many of them were changes."""

    prefix = models.CharField(max_length=16, primary_key=True)
    window = models.BigIntegerField()
    requests = models.IntegerField(default=0)
    changes = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.prefix}: {self.requests} requests"
