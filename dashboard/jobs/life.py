"""Signs of life: which runner processes there are, by rows that they touch while they live."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from dashboard.logs import plain_text
from dashboard.models import JobRunner

TOUCH_EVERY_S = 5.0
SILENT_AFTER = timedelta(seconds=15)
_FORGET_AFTER = timedelta(days=1)


def new_name() -> str:
    """A name that no other runner has or ever had: host, process and a random part."""
    host = plain_text(socket.gethostname(), longest=60)[:60]
    return f"{host}-{os.getpid()}-{secrets.token_hex(6)}"


def begin(name: str) -> None:
    """Say that a runner has started, and forget those that were killed long ago."""
    JobRunner.objects.filter(seen_at__lt=Now() - _FORGET_AFTER).delete()
    JobRunner.objects.create(name=name, started_at=timezone.now(), seen_at=timezone.now())
    touch(name)  # by the clock that all runners share


def touch(name: str) -> None:
    """Say that a runner lives."""
    JobRunner.objects.filter(pk=name).update(seen_at=Now())


def finish(name: str) -> None:
    """Say that a runner ends in good order."""
    JobRunner.objects.filter(pk=name).delete()


def is_any_alive() -> bool:
    """Tell whether any runner has given a sign of life lately."""
    return JobRunner.objects.filter(seen_at__gte=Now() - SILENT_AFTER).exists()
