"""Plans and selected sessions for programs: JSON, JSON lines and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, recent, twins
from dashboard.acting import actor_of
from dashboard.forms import SessionFilters
from dashboard.forms_bulk import PickForm
from dashboard.models import Plan
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import allowed_when_read_only, role_required
from dashboard.services.bulk_export import exported
from dashboard.services.bulk_items import PlanItem
from dashboard.services.bulk_pages import SHOWS, chosen_items
from dashboard.services.bulk_plans import find_plan, items_of, plans_of
from dashboard.services.bulk_selection import Picked, rows_of, ticked
from dashboard.services.bulk_words import told_params
from dashboard.services.problems import Problem, ProblemError

from .answers import tells_problems
from .session_twins import plain_row, rows_csv

_HEADER = ("store_id", "ref", "agent", "key", "title", "override_origin", "changes", "reason")
_ABOUT = (
    *("id", "title", "action", "total", "changing", "digest", "actor", "created_at", "expires_at"),
    "job_id",
)
EXPORT_FORMATS = ("jsonl", "json")


@require_safe
@role_required("operator")
def plans_json(request: ConsoleRequest) -> HttpResponseBase:
    """Give the list of plans as JSON."""
    plans = [_about(plan) for plan in plans_of(actor_of(request))]
    return twins.json_response("plans", {"plans": plans})


@require_safe
@role_required("operator")
def plans_csv(request: ConsoleRequest) -> HttpResponseBase:
    """Give the list of plans as CSV."""
    rows = [list(_about(plan).values()) for plan in plans_of(actor_of(request))]
    return twins.csv_response("plans", list(_ABOUT), rows)


@require_safe
@role_required("operator")
@tells_problems
def plan_json(request: ConsoleRequest, plan_id: str) -> HttpResponseBase:
    """Give a plan as JSON, every session of it."""
    plan = find_plan(actor_of(request), plan_id)
    content = _about(plan) | {
        "told": dict(told_params(plan.action, plan.params)),
        "picked": {"filters": plan.source.get("filters", []), "late": plan.source.get("late", [])},
        "sessions": [_plain(item) for item in _asked_items(request, plan)],
    }
    return twins.json_response("plan", content)


@require_safe
@role_required("operator")
@tells_problems
def plan_csv(request: ConsoleRequest, plan_id: str) -> HttpResponseBase:
    """Give a plan as CSV: one line for each field that would change, one for each that stays."""
    plan = find_plan(actor_of(request), plan_id)
    header = [*_HEADER, "field", "before", "after"]
    return twins.csv_response("plan", header, _lines(_asked_items(request, plan)))


@require_safe
@role_required("operator")
@tells_problems
def entries(request: ConsoleRequest, plan_id: str, form: str) -> HttpResponseBase:
    """Give the masked entries of a plan's sessions as they are now."""
    plan = find_plan(actor_of(request), plan_id)
    return _entries(form, [item.picked for item in items_of(plan)], masked=True)


@require_POST
@role_required("admin")
@tells_problems
def whole_entries(request: ConsoleRequest, plan_id: str) -> HttpResponseBase:
    """Give the entries with everything that is masked elsewhere; audited, after a recent sign-in.

    Allowed on purpose only: the reason is asked for, and who got how many is kept.
    """
    actor = actor_of(request)
    plan = find_plan(actor, plan_id)
    reason = request.POST.get("reason", "").strip()[:500]
    refused = recent.confirmed(request) or ("" if reason else _("Say why you need them."))
    if refused:
        raise ProblemError(
            Problem(_("Refused"), refused, _("Go back to the selection and try again."), 422)
        )
    picked = [item.picked for item in items_of(plan)]
    audit.record(
        None,
        by=actor,
        action="bulk.export_unmasked",
        target=f"plan {plan.pk}: {plan.title}",
        reason=reason,
        details={"plan": plan.pk, "sessions": len(picked)},
    )
    return _entries(request.POST.get("format", ""), picked, masked=False)


@allowed_when_read_only
@require_POST
@role_required("viewer")
@tells_problems
def selected(request: ConsoleRequest) -> HttpResponseBase:
    """Give the ticked rows of the list as CSV or JSON, or their masked entries. Changes nothing."""
    pick = PickForm(request.POST)
    filters = SessionFilters(pick.query(), zone=preferences_of(request).shown_zone)
    selection = ticked(pick.rows, filters.wanted())
    form = request.POST.get("format", "")
    if form in EXPORT_FORMATS:
        return _entries(form, selection.picked, masked=True)
    rows = rows_of(selection)
    if form == "rows-json":
        content = {"sessions": [plain_row(row) for row in rows]}
        return twins.json_response("sessions", content, attachment=True)
    return rows_csv(filters, rows)


def _entries(form: str, picked: Sequence[Picked], *, masked: bool) -> HttpResponseBase:
    rows = exported(picked, masked=masked)
    name = "entries" if masked else "entries-unmasked"
    if form == "json":
        return twins.json_stream(name, {"masked": masked}, "sessions", rows, attachment=True)
    return twins.lines_response(name, rows)


def _about(plan: Plan) -> dict[str, Any]:
    about = {name: getattr(plan, name) for name in _ABOUT}
    for name in ("created_at", "expires_at"):
        about[name] = twins.iso(getattr(plan, f"{name}_ms"))
    return about


def _asked_items(request: ConsoleRequest, plan: Plan) -> list[PlanItem]:
    show = request.GET.get("show", "")
    return chosen_items(items_of(plan), show if show in SHOWS else "all")


def _plain(item: PlanItem) -> dict[str, Any]:
    return {
        "store_id": item.picked.store_id,
        "ref": item.picked.ref,
        "agent": item.agent,
        "key": item.shown_key,
        "title": item.title,
        "override_origin": item.effects.origin,
        "changes": item.changes,
        "reason": item.effects.skip,
        "fields": [
            {"name": one.name, "before": one.before, "after": one.after}
            for one in item.effects.fields
        ],
    }


def _lines(items: Iterable[PlanItem]) -> Iterator[list[object]]:
    for item in items:
        plain = _plain(item)
        about = [plain[name] for name in _HEADER]
        if not item.changes:
            yield [*about, "", "", ""]
        for one in item.effects.fields:
            yield [*about, one.name, one.before, one.after]
