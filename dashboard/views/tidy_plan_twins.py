"""Plans and runs of the clean-up for programs: JSON and CSV."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import scope, twins
from dashboard.forms_tidy import ItemFilters
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.tidy_items import ItemRow, all_items
from dashboard.services.tidy_plan_pages import plan_page
from dashboard.services.tidy_plan_rows import find_plan
from dashboard.services.tidy_runs import PlanRow, list_plans

from .answers import tells_problems

_LIST_FIELDS = (
    *("id", "store_id", "store", "state", "sentence", "actor", "reason", "made_at", "ran_at"),
    *("predicted_bytes", "achieved_bytes", "take_back_until", "job_id"),
)
_FIELDS = (
    *("number", "kind", "action", "rule", "reason", "subject", "others", "size_bytes"),
    *("frees_bytes", "age_s", "protected_by", "is_excluded", "outcome", "message", "freed_bytes"),
)


@require_safe
@role_required("viewer")
@tells_problems
def plans_json(request: ConsoleRequest) -> HttpResponseBase:
    """Give every plan and run as JSON."""
    rows = [_plain_plan(row) for row in list_plans(None).rows]
    return twins.json_response("clean-up-plans", {"plans": rows})


@require_safe
@role_required("viewer")
@tells_problems
def plans_csv(request: ConsoleRequest) -> HttpResponseBase:
    """Give every plan and run as CSV."""
    rows = [list(_plain_plan(row).values()) for row in list_plans(None).rows]
    return twins.csv_response("clean-up-plans", list(_LIST_FIELDS), rows)


def _plain_plan(row: PlanRow) -> dict[str, Any]:
    values = (
        *(row.id, row.store_id, row.store, row.state, row.sentence, row.actor, row.reason),
        *(twins.iso(row.made_at_ms), twins.iso(row.ran_at_ms), row.predicted_bytes),
        *(row.achieved_bytes, twins.iso(row.take_back_until_ms), row.job_id),
    )
    return dict(zip(_LIST_FIELDS, values, strict=True))


@require_safe
@role_required("viewer")
@tells_problems
def plan_json(request: HttpRequest, tidy_id: str) -> HttpResponseBase:
    """Give a plan as JSON, every item of it that matches, with what became of each."""
    filters = ItemFilters(request.GET)
    seen = plan_page(tidy_id, filters.wanted())
    kept = seen.plan
    around: dict[str, Any] = {
        "id": kept.pk,
        "store": seen.reader.name,
        "state": seen.state,
        "sentence": seen.sentence,
        "policy": [
            {"label": label, "value": value, "source": source}
            for label, value, source in seen.policy
        ],
        "examined": dict(kept.examined),
        "total_bytes": kept.total_bytes,
        "totals": dict(kept.totals),
        "excluded": kept.excluded,
        "warnings": list(seen.warnings),
        "digest": kept.digest,
        "made_at": twins.iso(kept.made_at_ms or None),
        "by": kept.actor,
        "run": {
            "at": twins.iso(kept.ran_at_ms),
            "reason": kept.reason,
            "outcomes": dict(kept.outcomes),
            "predicted_bytes": kept.predicted_bytes,
            "achieved_bytes": kept.achieved_bytes,
            "take_back_until": twins.iso(kept.take_back_until_ms),
            "job_id": kept.job_id,
        }
        if kept.job_id is not None
        else None,
        "matched": seen.matched,
    }
    items = map(_plain, all_items(kept, seen.reader, filters.wanted()))
    return twins.json_stream(
        f"clean-up-{seen.reader.name}", around, "items", scope.limited_items(items, scope.current())
    )


@require_safe
@role_required("viewer")
@tells_problems
def plan_csv(request: HttpRequest, tidy_id: str) -> HttpResponseBase:
    """Give the same items as CSV."""
    kept, reader = find_plan(tidy_id)
    items = all_items(kept, reader, ItemFilters(request.GET).wanted())
    rows = (
        ["; ".join(value) if isinstance(value, list) else value for value in _plain(one).values()]
        for one in items
    )
    return twins.csv_response(
        f"clean-up-{reader.name}", list(_FIELDS), scope.limited_items(rows, scope.current())
    )


def _plain(row: ItemRow) -> dict[str, Any]:
    return {name: list(row.others) if name == "others" else getattr(row, name) for name in _FIELDS}
