"""The first page: is anything wrong right now?"""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.roles import role_required
from dashboard.services.overview import overview as look

from .answers import page_or_part, tells_problems
from .sessions import may_change


@require_safe
@role_required("viewer")
@tells_problems
def overview(request: HttpRequest) -> HttpResponseBase:
    """Show every check; the page's live part reads them again."""
    seen = look(live="X-Live" in request.headers)
    context = {"seen": seen, "may_acknowledge": may_change(request)}
    return page_or_part(request, "overview.html", "_overview_live.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def overview_json(request: HttpRequest) -> HttpResponseBase:
    """Give the same facts as JSON."""
    seen = look()
    content = {
        "state": seen.state,
        "state_dir": seen.stores.state_dir,
        "evaluated_by_runner": seen.is_settled,
        "read_at": twins.iso(seen.stores.read_at_ms),
        "checks": [
            {**asdict(check), "checked_at": twins.iso(check.checked_at_ms)} for check in seen.checks
        ],
        "totals": asdict(seen.totals),
        "own_cost": asdict(seen.cost),
        "last_hour": {"late_stores": seen.trends.late, **asdict(seen.trends.together)},
    }
    return twins.json_response("overview", content)
