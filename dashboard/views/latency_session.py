"""The writes of one session: a tab of its page, and the same as JSON and CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.roles import role_required
from dashboard.services.fleet import fleet
from dashboard.services.latency_span import HOURS
from dashboard.services.latency_writes import Writes, writes_of
from dashboard.services.problems import ProblemError
from dashboard.services.session import key_behind

from .answers import tells_problems

_USUAL_HOURS = 24
_FIELDS = (
    *("at", "operation", "outcome", "wait_ms", "hold_ms", "write_ms", "written_bytes"),
    *("changed_bytes", "program", "pid", "host"),
)


def writes_tab(request: HttpRequest, store_id: str, ref: str) -> dict[str, Any]:
    """What the tab shows."""
    writes = _writes(request, store_id, ref)
    query = f"?window={writes.hours}"
    here = reverse("session", args=[store_id, ref])
    return {
        "writes": writes,
        "write_windows": [
            (hours, _("%d h") % hours, f"{here}?tab=writes&window={hours}") for hours in HOURS
        ],
        "writes_json_url": reverse("session_writes_json", args=[store_id, ref]) + query,
        "writes_csv_url": reverse("session_writes_csv", args=[store_id, ref]) + query,
    }


@require_safe
@role_required("viewer")
@tells_problems
def writes_json(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the kept writes, and the totals, as JSON."""
    writes = _told(_writes(request, store_id, ref))
    content = {
        "hours": writes.hours,
        "read_at": twins.iso(writes.read_at_ms),
        "reporting_since": twins.iso(writes.since_ms),
        "kept": "the slowest and the latest of each reported window, not every write",
        "matched": writes.matched,
        "totals": [asdict(total) for total in writes.totals],
        "writes": [_plain(row) for row in writes.rows],
    }
    return twins.json_response(f"writes-{ref}", content)


@require_safe
@role_required("viewer")
@tells_problems
def writes_csv(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the same writes as CSV."""
    writes = _told(_writes(request, store_id, ref))
    rows = (list(_plain(row).values()) for row in writes.rows)
    return twins.csv_response(f"writes-{ref}", list(_FIELDS), rows)


def _writes(request: HttpRequest, store_id: str, ref: str) -> Writes:
    key = key_behind(store_id, ref)
    window = request.GET.get("window", "")
    hours = int(window) if window in map(str, HOURS) else _USUAL_HOURS
    return writes_of(fleet().reader(store_id), key, hours=hours)


def _told(writes: Writes) -> Writes:
    """For programs a store that does not answer is an error, not an empty list."""
    if writes.problem is not None:
        raise ProblemError(writes.problem)
    return writes


def _plain(row: Any) -> dict[str, Any]:
    return {name: twins.iso(row.at_ms) if name == "at" else getattr(row, name) for name in _FIELDS}
