"""Locks for programs: JSON and CSV of the list, JSON of one lock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.forms_locks import LockFilters
from dashboard.roles import role_required
from dashboard.services.locks_figures import LockFigures
from dashboard.services.locks_list import LockList, list_locks
from dashboard.services.locks_page import lock_page, not_held, support_text
from dashboard.services.locks_rows import LockRow

from .answers import tells_problems

FIELDS = (
    *("id", "store_id", "store", "kind", "what", "key", "ref", "path", "program", "host", "pid"),
    *("container", "operation", "held_s", "limit_s", "verdict", "is_kernel", "is_proven_dead"),
)
_CSV = (
    *FIELDS,
    *("process_started_at", "since", "waiters", "longest_wait_s", "wait_limit_s"),
    *("evidence", "against"),
)


def plain(row: LockRow) -> dict[str, Any]:
    """A lock as JSON."""
    told: dict[str, Any] = {name: getattr(row, name) for name in FIELDS}
    told["process_started_at"] = twins.iso(row.started_at_ms or None)
    told["since"] = twins.iso(row.since_ms) if row.is_since_known else None
    if not row.is_since_known:
        told["held_s"] = None
    told["evidence"], told["against"] = list(row.evidence), list(row.against)
    told["waiters"] = [
        {
            **{name: getattr(waiter, name) for name in ("program", "host", "pid", "container")},
            "operation": waiter.operation,
            "since": twins.iso(waiter.since_ms),
            "waited_s": waiter.waited_s,
            "timeout_s": waiter.timeout_s,
        }
        for waiter in row.waiters
    ]
    return told


@require_safe
@role_required("viewer")
@tells_problems
def locks_json(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give every lock that the filters let through, and what writers reported, as JSON."""
    listed = _listed(request, store_id)
    content = {
        "read_at": twins.iso(listed.read_at_ms),
        "total": listed.total,
        "left_behind": listed.left_behind,
        "waiters": listed.waiters,
        "verdicts": listed.verdicts,
        "sampled": {"looks_in_the_last_hour": listed.looks},
        "reported": reported(listed.figures),
        "late_stores": [
            {"store_id": late.id, "name": late.name, "problem": late.problem.detail}
            for late in listed.late
        ],
        "problem": listed.problem.detail if listed.problem else None,
        "locks": [plain(row) for row in listed.every_row],
    }
    return twins.json_response("locks", content)


def reported(figures: LockFigures) -> dict[str, Any] | None:
    """What writers reported of the last hour; None, and no zeros, where nobody did."""
    silent = list(figures.silent)
    if not figures.is_reported:
        return None
    return {
        "span_s": 3600,
        "acquisitions": figures.acquisitions,
        "contended": figures.contended,
        "timeouts": figures.timeouts,
        "timeouts_in_5_minutes": figures.recent_timeouts,
        "longest_wait_ms": figures.longest_wait_ms,
        "processes": figures.processes,
        "dropped": figures.dropped,
        "until": twins.iso(figures.until_ms),
        "silent_stores": silent,
        "kept_timeouts": [{**asdict(one), "at": twins.iso(one.at_ms)} for one in figures.examples],
    }


@require_safe
@role_required("viewer")
@tells_problems
def locks_csv(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the same locks as CSV."""
    rows = (_cells(row) for row in _listed(request, store_id).every_row)
    return twins.csv_response("locks", list(_CSV), rows)


def _cells(row: LockRow) -> list[object]:
    told, longest = plain(row), row.longest
    told["waiters"] = len(row.waiters)
    told["longest_wait_s"] = longest.waited_s if longest else None
    told["wait_limit_s"] = longest.timeout_s if longest else None
    told["evidence"], told["against"] = " ".join(row.evidence), " ".join(row.against)
    return [told[name] for name in _CSV]


def _listed(request: HttpRequest, store_id: str | None) -> LockList:
    return list_locks(LockFilters(request.GET).wanted(), store_id=store_id)


@require_safe
@role_required("viewer")
@tells_problems
def lock_json(request: HttpRequest, store_id: str, lock_id: str) -> HttpResponseBase:
    """Give one lock as JSON, with its text for support."""
    page = lock_page(store_id, lock_id)
    if page.row is None:
        raise not_held(page)
    content = {
        **plain(page.row),
        "read_at": twins.iso(page.read_at_ms),
        "meaning": page.row.meaning,
        "what_to_do": list(page.row.steps),
        "support_text": support_text(page),
    }
    return twins.json_response(f"lock-{lock_id}", content)
