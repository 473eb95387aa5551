"""Agents and stores: what stores exist, and in what shape?"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import listing, twins
from dashboard.columns import STORE_COLUMNS
from dashboard.links import Link
from dashboard.roles import role_required
from dashboard.services.latency_trends import trends_of_stores
from dashboard.services.stores import SORTS, StoreRow, list_stores

from .answers import page_or_part, tells_problems

_FIELDS = (
    *("id", "name", "path", "origin", "layout", "is_open", "sessions", "machine_sessions", "bytes"),
    *("biggest_title", "biggest_bytes", "newest_at_ms", "locks", "waiters", "problems"),
)


@require_safe
@role_required("viewer")
@tells_problems
def stores(request: HttpRequest) -> HttpResponseBase:
    """Show every store, also those that could not be opened."""
    order, link = _order(request)
    listed = list_stores(sort=order.lstrip("-"), descending=order.startswith("-"))
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    trends = trends_of_stores(listed).by_store
    context = {
        "list": listed,
        "trends": [(row, trends.get(row.id)) for row in listed.rows],
        "headings": [listing.heading(column, order, link) for column in STORE_COLUMNS],
        "json_url": reverse("stores_json") + query,
        "csv_url": reverse("stores_csv") + query,
    }
    return page_or_part(request, "stores.html", "_store_list.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def stores_json(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as JSON."""
    order, _link = _order(request)
    listed = list_stores(sort=order.lstrip("-"), descending=order.startswith("-"))
    content = {
        "state_dir": listed.state_dir,
        "read_at": twins.iso(listed.read_at_ms),
        "problem": listed.problem.detail if listed.problem else None,
        "stores": [_plain(row) for row in listed.rows],
    }
    return twins.json_response("stores", content)


@require_safe
@role_required("viewer")
@tells_problems
def stores_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as CSV."""
    order, _link = _order(request)
    listed = list_stores(sort=order.lstrip("-"), descending=order.startswith("-"))
    header = [*_FIELDS, "freshness", "why"]
    rows = (
        [*(getattr(row, name) for name in _FIELDS), row.freshness.state, _why(row)]
        for row in listed.rows
    )
    return twins.csv_response("stores", header, rows)


def _order(request: HttpRequest) -> tuple[str, Link]:
    """The order that the address asks for, the usual one when it asks for none that exists."""
    asked = request.GET.get("sort", "agent")
    order = asked if asked.removeprefix("-") in SORTS else "agent"
    return order, Link(reverse("stores"), (("sort", order),) if order != "agent" else ())


def _plain(row: StoreRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in _FIELDS}
    plain["newest_at"] = twins.iso(row.newest_at_ms)
    plain["freshness"] = row.freshness.state
    plain["findings"] = [
        {
            "rule": f.rule,
            "severity": f.severity,
            "key": f.key,
            "path": f.path,
            "message": f.message,
            "hint": f.hint,
        }
        for f in row.findings[:1000]
    ]
    return plain


def _why(row: StoreRow) -> str:
    return "; ".join(finding.message for finding in row.findings[:5])
