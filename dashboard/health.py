"""Is the console able to work: its database answers, the state directory can be listed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: its name, whether it holds, and what was seen (for signed-in eyes)."""

    name: str
    ok: bool
    seen: str


def check_readiness() -> list[Check]:
    """Check everything that a page needs; cheap enough to be asked every second."""
    return [_check_database(), _check_state_dir(settings.STATE_DIR)]


def _check_database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM dashboard_audithead")
    except DatabaseError as error:
        return Check("database", ok=False, seen=str(error))
    return Check("database", ok=True, seen=connection.vendor)


def _check_state_dir(state_dir: Path | None) -> Check:
    if state_dir is None:
        return Check("state directory", ok=False, seen="none is configured")
    try:
        with os.scandir(state_dir) as entries:
            next(entries, None)
    except OSError as error:
        return Check("state directory", ok=False, seen=f"{state_dir}: {error.strerror}")
    return Check("state directory", ok=True, seen=str(state_dir))
