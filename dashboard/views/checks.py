"""The checks: every rule with its limits and what it finds now, limits of locks, and alerts."""

from __future__ import annotations

from dataclasses import asdict

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.jobs import life
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.alert_pages import alert_rows, alert_targets
from dashboard.services.check_pages import checks_page

from .answers import tells_problems

_HEADER = ["rule", "agent", "state", "found", "value", "samples", "since", "sentence"]


@require_safe
@role_required("viewer")
@tells_problems
def checks(request: ConsoleRequest) -> HttpResponseBase:
    """Show every rule and the newest alerts."""
    may_set = includes(request.role, "admin") and not settings.READ_ONLY
    context = {
        "seen": checks_page(),
        "alerts": alert_rows(),
        "targets": alert_targets(),
        "has_runner": life.is_any_alive(),
        "may_set": may_set,
    }
    return render(request, "checks.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def checks_json(request: HttpRequest) -> HttpResponseBase:
    """Give rules, figures of each agent, limits of locks and alerts as JSON."""
    seen = checks_page()
    content = {
        "read_at": twins.iso(seen.stores.read_at_ms),
        "evaluated_by_runner": seen.is_settled,
        "rules": [asdict(rule) for rule in seen.rules],
        "limits": asdict(seen.sanity),
        "alerts": [asdict(row) for row in alert_rows()],
    }
    return twins.json_response("checks", content)


@require_safe
@role_required("viewer")
@tells_problems
def checks_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the figures of each agent as CSV; values in seconds, bytes, shares or times."""
    rows = [
        [
            *(one.rule, one.agent, one.state, one.found, one.value, one.samples),
            *(twins.iso(one.since_ms), one.sentence),
        ]
        for one in checks_page().figures
    ]
    return twins.csv_response("checks", _HEADER, rows)
