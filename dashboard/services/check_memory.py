"""What the runners settled of each check, for pages that only look."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from dashboard import scope
from dashboard.models import CheckState

from .check_judging import LONGEST_GAP_MS, Memory

FRESH_FOR = timedelta(milliseconds=LONGEST_GAP_MS)
"""Older states are nobody's: the runner that settled them is down."""

Memories = dict[tuple[str, str], Memory]


def fresh_memories(now: datetime | None = None) -> Memories:
    """States settled lately, by store id and check; what is of all stores only for who sees all."""
    since = (now or timezone.now()) - FRESH_FOR
    rows = CheckState.objects.filter(evaluated_at__gte=since)
    if scope.current() is not None:
        rows = rows.exclude(store_id="")
    return {(row.store_id, row.check_name): memory_of(row) for row in rows}


def is_evaluated(now: datetime | None = None) -> bool:
    """Whether a runner has evaluated the checks lately."""
    since = (now or timezone.now()) - FRESH_FOR
    return CheckState.objects.filter(evaluated_at__gte=since).exists()


def memory_of(row: CheckState) -> Memory:
    """A row as the pure part knows it."""
    return Memory(row.state, milliseconds(row.since), row.pending, milliseconds(row.evaluated_at))


def milliseconds(moment: datetime) -> int:
    """A moment in epoch milliseconds."""
    return int(moment.timestamp() * 1000)
