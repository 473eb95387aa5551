"""Running totals of the console itself: how long jobs took, and which sign-ins failed.

Finished jobs are removed in time and the audit only grows, so neither is counted for each scrape:
what is new is added to ``metrics/console.totals``, as :mod:`.metrics_totals` does it for stores.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from django.db.models import Count

from dashboard.audit_chain import head_now
from dashboard.jobs.kinds import KINDS
from dashboard.models import AuditEvent, Job
from dashboard.models.jobs import FINISHED
from sessionstore.metrics import Histogram

from .metrics_totals import read, write
from .metrics_words import FAILURES, OTHER

_NAME = "console.totals"
_AT_ONCE = 50_000
_OVERLAP_MS = 120_000


class ConsoleTotals(msgspec.Struct):
    """``jobs`` are durations in nanoseconds by kind and outcome, ``failures`` counts by reason.

    ``audit_after`` is the number of the last event that was looked at; ``finished_ms`` the end of
    the newest job that was added, ``recent`` the ids of those that ended about then.
    """

    audit_after: int = 0
    failures: dict[str, int] = {}
    finished_ms: int = 0
    recent: list[int] = []
    jobs: dict[str, dict[str, Histogram]] = {}


def console_totals() -> ConsoleTotals | None:
    """The totals; None where nobody has added up yet."""
    found: ConsoleTotals | None = read(_NAME, ConsoleTotals)
    return found


def add_up() -> None:
    """Add what is new.

    Raises:
        DatabaseError, OSError, StoreIOError: nothing is added; the next call does it.
    """
    totals = console_totals()
    is_new = totals is None
    totals = totals or ConsoleTotals()
    has_failures, has_jobs = _add_failures(totals), _add_jobs(totals)
    if is_new or has_failures or has_jobs:
        write(_NAME, totals)


def _add_failures(totals: ConsoleTotals) -> bool:
    end = head_now().sequence
    if totals.audit_after > end:  # another database than before
        totals.audit_after = end
        return True
    is_changed = totals.audit_after < end
    while totals.audit_after < end:
        last = min(end, totals.audit_after + _AT_ONCE)
        found = AuditEvent.objects.filter(
            sequence__gt=totals.audit_after, sequence__lte=last, action__in=FAILURES
        ).filter(outcome="failed")
        rows = found.order_by().values_list("action").annotate(n=Count("pk"))
        for action, count in rows:
            reason = FAILURES[action]
            totals.failures[reason] = totals.failures.get(reason, 0) + count
        totals.audit_after = last
    return is_changed


def _add_jobs(totals: ConsoleTotals) -> bool:
    since = datetime.fromtimestamp(max(0, totals.finished_ms - _OVERLAP_MS) / 1000, UTC)
    ended = Job.objects.filter(state__in=FINISHED, finished_at__gte=since).order_by("finished_at")
    known, recent = set(totals.recent), []
    rows = ended.values_list("pk", "kind", "state", "started_at", "finished_at")
    for number, kind, state, started_at, finished_at in rows.iterator():
        if finished_at is None:
            continue
        at_ms = int(finished_at.timestamp() * 1000)
        recent.append((number, at_ms))
        totals.finished_ms = max(totals.finished_ms, at_ms)
        if number in known:
            continue
        took_s = (finished_at - (started_at or finished_at)).total_seconds()
        by_outcome = totals.jobs.setdefault(kind if kind in KINDS else OTHER, {})
        by_outcome.setdefault(state, Histogram({})).add(int(max(0.0, took_s) * 1e9))
    totals.recent = [n for n, at_ms in recent if at_ms >= totals.finished_ms - _OVERLAP_MS]
    return any(number not in known for number, _at_ms in recent)
