"""What the console keeps, as samples: backups, migrations, jobs, sign-ins, the audit, its cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from django.db.models import Count

import sessionstore
from dashboard.audit_chain import head_now
from dashboard.audit_checks import chain_state
from dashboard.jobs.kinds import KINDS
from dashboard.models import Job
from dashboard.models.jobs import CANCELLED, DONE, FAILED, PAUSED, RUNNING, WAITING
from sessionstore.metrics import Histogram

from . import own_cost
from .backup_catalogue import Catalogue, Kept, catalogue
from .metrics_console import console_totals
from .metrics_shapes import Families
from .metrics_words import FAILURES, MIGRATION_STATES, OTHER
from .migration_plans import kept_by_store
from .migration_runs import last_runs
from .migration_words import MIGRATE
from .pace import pace
from .readers import Reader

_STATES = (WAITING, RUNNING, PAUSED, DONE, FAILED, CANCELLED)
_OUTCOMES = (DONE, FAILED, CANCELLED)
_CATALOGUE_AGE_S = 30.0
_catalogue: tuple[float, tuple[str, ...], Catalogue] | None = None


def tell_backups(families: Families, readers: Sequence[Reader], *, budget_s: float) -> None:
    """Tell how old backups are; nothing while a folder of them cannot be read."""
    seen = _shared_catalogue(readers, budget_s)
    if seen.problems:
        return
    by_agent: dict[str, list[Kept]] = {reader.agent: [] for reader in readers}
    for one in seen.kept:
        if one.reader is not None and one.reader.agent in by_agent:
            by_agent[one.reader.agent].append(one)
    for agent, kept in by_agent.items():
        sound = [k.backup for k in kept if k.backup.scope == "store" and not k.backup.problem]
        times = {
            "success": [backup.created_ms for backup in sound],
            "verified": [backup.verified_ms or 0 for backup in sound],
            "restore_proof": [backup.proven_ms or 0 for backup in sound],
        }
        for what, at_ms in times.items():
            name = f"backup_last_{what}_timestamp_seconds"
            families.value(name, (agent,), max(at_ms, default=0) / 1000)
        families.value("backup_bytes", (agent,), sum(k.backup.size_bytes for k in kept))


def _shared_catalogue(readers: Sequence[Reader], budget_s: float) -> Catalogue:
    """The backups, looked up twice a minute at most: there may be thousands of sidecars."""
    global _catalogue
    of, now_s = tuple(sorted(reader.id for reader in readers)), time.monotonic()
    known = _catalogue
    if known is not None and known[1] == of and now_s - known[0] < _CATALOGUE_AGE_S:
        return known[2]
    seen = catalogue(budget_s=budget_s)
    _catalogue = (now_s, of, seen)
    return seen


def tell_migrations(families: Families, readers: Sequence[Reader]) -> None:
    """Tell what the last look at each store and its last run came to; nothing where neither was."""
    ids = [reader.id for reader in readers]
    previews, runs = kept_by_store(ids, MIGRATE), last_runs(ids)
    by_agent: dict[str, Counter[str]] = {}
    for reader in readers:
        preview, run = previews.get(reader.id), runs.get(reader.id)
        if preview is None and run is None:
            continue
        figures = by_agent.setdefault(reader.agent, Counter())
        if preview is not None:
            counts = preview.summary["counts"]
            figures["pending"] += counts.get("move", 0) + counts.get("differs", 0)
            figures["equal"] += counts.get("equal", 0)
            figures["blocked"] += counts.get("blocked", 0)
        if run is not None and not run.is_undo:
            figures["moved"] += run.report.get("taken", 0)
            if preview is None:
                figures["equal"] += run.report.get("equal", 0)
                figures["blocked"] += run.report.get("blocked_count", 0)
    for agent, figures in by_agent.items():
        for state in MIGRATION_STATES:
            families.value("migration_sessions", (agent, state), figures[state])


def tell_console(families: Families) -> None:
    """Tell of jobs, sign-ins and the audit, by a fixed number of queries."""
    found: Counter[tuple[str, str]] = Counter()
    for kind, state, n in _job_counts():
        found[kind if kind in KINDS else OTHER, state] += n
    kinds = sorted({*KINDS, *(kind for kind, _state in found)})
    for kind in kinds:
        for state in _STATES:
            families.value("jobs", (kind, state), found[kind, state])
    head = head_now()
    families.value("audit_records", (), head.sequence)
    chain = chain_state()
    if chain.state != "unknown":
        families.value("audit_chain_ok", (), float(chain.state == "ok"))
    families.value("build_info", (sessionstore.__version__,), 1)
    totals = console_totals()
    if totals is None:
        return
    for kind in sorted({*KINDS, *totals.jobs}):
        durations = totals.jobs.get(kind, {})
        for outcome in _OUTCOMES:
            families.histogram("job_duration_seconds", (kind, outcome), durations.get(outcome))
    for reason in FAILURES.values():
        families.value("login_failures", (reason,), totals.failures.get(reason, 0))


def _job_counts() -> list[tuple[str, str, int]]:
    rows = Job.objects.order_by().values_list("kind", "state").annotate(n=Count("pk"))
    return list(rows)


def tell_own_cost(families: Families) -> None:
    """Tell what reading stores has cost all processes of the console."""
    sums: Mapping[str, Histogram] = {name: Histogram({}) for name in own_cost.OPERATIONS}
    for _name, cost in own_cost.costs():
        for operation, histogram in cost.scans.items():
            if operation in sums:
                sums[operation].merge(histogram)
    for operation, histogram in sums.items():
        families.histogram("dashboard_scan_duration_seconds", (operation,), histogram)
    now = pace()
    families.value("dashboard_reading_ratio", (), now.share_percent / 100)
    families.value("dashboard_backoff_ratio", (), now.stretch)
