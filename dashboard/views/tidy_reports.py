"""Checks over time, with charts and a table twin each; and the schedule that makes them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from dashboard import scope, twins
from dashboard.acting import actor_of
from dashboard.forms_tidy import CheckScheduleForm
from dashboard.jobs import life
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.fleet import fleet
from dashboard.services.tidy_history import StoreHistory, history_of, rows_of
from dashboard.services.tidy_pages import readers_of
from dashboard.services.tidy_schedules import add_schedule, list_schedules, remove_schedule

from .answers import tells_problems
from .tidy import powers

_FIELDS = (
    *("store_id", "store", "at", "rules", "entries", "files", "findings", "errors", "warnings"),
    *("new", "gone", "bytes", "took_ms", "actor", "job_id"),
)
_SCHEDULE_FIELDS = (
    "agents",
    "every",
    "clock",
    "next_at",
    "last_at",
    "missed_at",
    "actor",
    "problem",
)
_MOST_ROWS = 100
_DAYS = (
    *(lazy("Monday"), lazy("Tuesday"), lazy("Wednesday"), lazy("Thursday"), lazy("Friday")),
    *(lazy("Saturday"), lazy("Sunday")),
)
_USUAL = {"every": "daily", "at": "04:00"}


@require_safe
@role_required("viewer")
@tells_problems
def reports(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Show the checks that are kept, as curves and as a table."""
    readers, problem = readers_of(store_id)
    histories = history_of(readers)
    rows = rows_of(histories)
    name = "tidy_reports" if store_id is None else "store_tidy_reports"
    args = [] if store_id is None else [store_id]
    context = {
        "store": readers[0] if store_id is not None else None,
        "problem": problem,
        "histories": [_shown(one) for one in histories],
        "rows": rows[:_MOST_ROWS],
        "left_out": max(0, len(rows) - _MOST_ROWS),
        "links": {
            "json": reverse(f"{name}_json", args=args),
            "csv": reverse(f"{name}_csv", args=args),
        },
        **powers(request),
    }
    return render(request, "tidy_reports.html", context)


def _shown(one: StoreHistory) -> dict[str, Any]:
    times = [report.examined_at_ms for report in one.reports]
    return {
        "id": one.reader.id,
        "name": one.reader.name,
        "json": reverse("store_tidy_reports_json", args=[one.reader.id]),
        "is_drawn": len(times) > 1,
        "charts": [(chart, list(zip(times, chart.rows, strict=True))) for chart in one.charts],
    }


@require_safe
@role_required("viewer")
@tells_problems
def reports_json(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the checks that are kept as JSON; for one store with its charts."""
    readers, _problem = readers_of(store_id)
    histories = history_of(readers)
    content: dict[str, Any] = {"reports": [_plain(row) for row in rows_of(histories)]}
    if store_id is not None:
        content |= _drawn(histories[0]) if histories else {"charts": []}
    return twins.json_response("checks", content)


@require_safe
@role_required("viewer")
@tells_problems
def reports_csv(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the same checks as CSV."""
    readers, _problem = readers_of(store_id)
    rows = [list(_plain(row).values()) for row in rows_of(history_of(readers))]
    return twins.csv_response("checks", list(_FIELDS), rows)


def _plain(row: Any) -> dict[str, Any]:
    return {name: twins.iso(row.at_ms) if name == "at" else getattr(row, name) for name in _FIELDS}


def _drawn(one: StoreHistory) -> dict[str, Any]:
    """What the charts are drawn from: one column for each check."""
    times = [report.examined_at_ms for report in one.reports]
    ends = [*times[1:], times[-1]]
    return {
        "labels": [f"{report.examined_at:%m-%d %H:%M}" for report in one.reports],
        "step_edges_ms": [list(edge) for edge in zip(times, ends, strict=True)],
        "step_ms": 0,
        "events": [],
        "charts": [
            {
                "name": chart.name,
                "title": chart.title,
                "kind": chart.kind,
                "unit": chart.unit,
                "columns": [{"name": c.name, "label": c.label} for c in chart.columns],
                "rows": [None if r is None else [c.value for c in r] for r in chart.rows],
                "texts": [None if r is None else [c.text for c in r] for r in chart.rows],
            }
            for chart in one.charts
        ],
    }


@require_safe
@role_required("viewer")
@tells_problems
def schedules(request: ConsoleRequest) -> HttpResponseBase:
    """Show every schedule of checks, with its next time and what was missed."""
    return _schedules_page(request, CheckScheduleForm(initial=_USUAL))


@require_safe
@role_required("viewer")
@tells_problems
def schedules_json(request: ConsoleRequest) -> HttpResponseBase:
    """Give the schedules as JSON."""
    rows = [dict(zip(_SCHEDULE_FIELDS, row, strict=True)) for row in _schedule_rows()]
    return twins.json_response("check-schedules", {"schedules": rows})


@require_safe
@role_required("viewer")
@tells_problems
def schedules_csv(request: ConsoleRequest) -> HttpResponseBase:
    """Give the schedules as CSV."""
    return twins.csv_response("check-schedules", list(_SCHEDULE_FIELDS), _schedule_rows())


def _schedule_rows() -> list[list[object]]:
    return [
        [
            "all" if one.agents is None else ", ".join(one.agents),
            one.weekday_word if one.weekly else "daily",
            one.clock,
            twins.iso(one.next_at_ms),
            twins.iso(one.last_at_ms),
            twins.iso(one.missed_at_ms),
            one.actor,
            one.problem,
        ]
        for one in list_schedules()
    ]


@require_POST
@role_required("operator")
@tells_problems
def schedule_add(request: ConsoleRequest) -> HttpResponseBase:
    """Have stores checked by themselves from now on."""
    form = CheckScheduleForm(request.POST)
    if not form.is_valid():
        return _schedules_page(request, form, status=422)
    add_schedule(actor_of(request), form.wish(scope.current()))
    messages.success(request, _("The checks are made by the job runners from now on."))
    return redirect("tidy_schedules")


@require_POST
@role_required("operator")
@tells_problems
def schedule_remove(request: ConsoleRequest, schedule_id: int) -> HttpResponseBase:
    """Stop one; what its checks found stays."""
    remove_schedule(actor_of(request), schedule_id)
    messages.success(request, _("The schedule is removed. What its checks found stays."))
    return redirect("tidy_schedules")


def _schedules_page(
    request: ConsoleRequest, form: CheckScheduleForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "schedules": list_schedules(),
        "form": form,
        "days": list(enumerate(map(str, _DAYS))),
        "agents": sorted({reader.agent for reader in fleet().scan().readers}),
        "has_runner": life.is_any_alive(),
        **powers(request),
    }
    return render(request, "tidy_schedules.html", context, status=status)
