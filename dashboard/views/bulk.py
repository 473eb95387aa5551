"""Bulk actions: sessions are picked, a plan shows what would change, a job applies it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import listing, recent
from dashboard.acting import Actor, actor_of
from dashboard.forms import SessionFilters
from dashboard.forms_bulk import WITHOUT_PARAMS, ActionForm, ApplyForm, PickForm
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.models import Plan
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.actions import ACTIONS
from dashboard.services.bulk_apply import (
    PlanAppliedError,
    PlanMovedError,
    apply_plan,
    moved_since,
)
from dashboard.services.bulk_fields import OFFERED, sections
from dashboard.services.bulk_pages import SHOWS, plan_page
from dashboard.services.bulk_plans import (
    MOST_PLANS,
    MOST_SESSIONS,
    check_action,
    find_plan,
    keep_selection,
    make_plan,
    plan_again,
    plans_of,
    select_again,
)
from dashboard.services.bulk_selection import Selection, matching, ticked
from dashboard.services.bulk_words import BULK_ACTIONS, ORIGIN_WORDS
from dashboard.services.problems import ProblemError

from .answers import page_or_part, tells_problems

_MOST_MOVED = 100


@require_safe
@role_required("operator")
def plans(request: ConsoleRequest) -> HttpResponseBase:
    """List the plans of the last day: one's own, for an admin everybody's."""
    context = {
        "plans": plans_of(actor_of(request)),
        "most_plans": MOST_PLANS,
        "most_sessions": MOST_SESSIONS,
    }
    return render(request, "plans.html", context)


@require_POST
@role_required("operator")
@tells_problems
def make(request: ConsoleRequest) -> HttpResponseBase:
    """Fix which sessions are meant; plan at once when the action needs to be told nothing."""
    pick = PickForm(request.POST)
    filters = SessionFilters(pick.query(), zone=preferences_of(request).shown_zone)
    wanted = filters.wanted()
    source = _source(filters, pick)
    action = request.POST.get("action", "")
    try:
        if pick.is_all:
            selection = matching(wanted, store_id=pick.store_id)
        else:
            selection = ticked(pick.rows, wanted)
        at_once = action in WITHOUT_PARAMS and not pick.is_all
        return redirect(_made(actor_of(request), selection, action, source, at_once=at_once))
    except ProblemError as error:
        context = {"problem": error.problem, "back": source["address"]}
        return render(request, "plan_refused.html", context, status=error.problem.status)


def _made(
    actor: Actor, selection: Selection, action: str, source: dict[str, Any], *, at_once: bool
) -> str:
    """The address of the plan, or of the selection when the action has to be told more."""
    if at_once:
        return reverse("plan", args=[make_plan(actor, selection, action, {}, source).pk])
    kept = reverse("plan", args=[keep_selection(actor, selection, source).pk])
    return f"{kept}?do={action}" if action in BULK_ACTIONS else kept


def _source(filters: SessionFilters, pick: PickForm) -> dict[str, Any]:
    """Where the sessions were picked, as the plan says it later."""
    store_id = pick.store_id
    path = reverse("store_sessions", args=[store_id]) if store_id else reverse("sessions")
    link = Link(path, tuple(filters.asked())).drop("page", "live", "select", "row")
    return {
        "how": "matching" if pick.is_all else "rows",
        "address": str(link),
        "filters": [[chip.label, chip.value] for chip in listing.chips(filters, link)],
    }


@require_safe
@role_required("operator")
@tells_problems
def plan(request: ConsoleRequest, plan_id: str) -> HttpResponseBase:
    """Show what a plan would do, or offer what can be done with a selection."""
    found = find_plan(actor_of(request), plan_id)
    if not found.action:
        return _selection_page(request, found, ActionForm(initial=request.GET.dict()))
    return _plan_page(request, found, ApplyForm())


@require_POST
@role_required("operator")
@tells_problems
def again(request: ConsoleRequest, plan_id: str) -> HttpResponseBase:
    """Plan anew about the same sessions: another action, or the same as things are now."""
    actor = actor_of(request)
    found = find_plan(actor, plan_id)
    if request.POST.get("action") == "choose":
        return redirect("plan", select_again(actor, found).pk)
    if "action" in request.POST:
        form = ActionForm(request.POST)
        if not form.is_valid():
            return _selection_page(request, found, form, status=422)
        action, params = form.cleaned_data["action"], form.params()
    else:
        action, params = found.action, found.params
    check_action(actor, action)
    without = []
    if request.POST.get("without") == "moved":
        without = [(m.item.picked.store_id, m.item.picked.ref) for m in moved_since(found)]
    made = plan_again(actor, found, action, params, without=without)
    return redirect("plan", made.pk)


@require_POST
@role_required("operator")
@tells_problems
def apply(request: ConsoleRequest, plan_id: str) -> HttpResponseBase:
    """Have a plan applied by a job, if everything is still as the plan shows it."""
    actor = actor_of(request)
    found = find_plan(actor, plan_id)
    check_action(actor, found.action)
    is_dangerous = ACTIONS[found.action].dangerous
    form = ApplyForm(request.POST, expected=found.changing if is_dangerous else None)
    refused = ""
    if form.is_valid() and is_dangerous:
        refused = recent.confirmed(request)
    if not form.is_valid() or refused:
        return _plan_page(request, found, form, refused=refused, status=422)
    read = form.cleaned_data
    try:
        job = apply_plan(actor, found, digest=read["digest"], reason=read["reason"])
    except PlanMovedError as error:
        return _moved_page(request, found, error)
    except PlanAppliedError as error:
        messages.info(request, _("This plan is applied already, by the job shown here."))
        return redirect("job", error.job_id)
    return redirect("job", job.pk)


def _selection_page(
    request: ConsoleRequest, found: Plan, form: ActionForm, *, status: int = 200
) -> HttpResponse:
    asked = form.data if form.is_bound else request.GET
    do = asked.get("action") or asked.get("do") or ""
    actions = [name for name in BULK_ACTIONS if includes(request.role, ACTIONS[name].role)]
    context = _shared(request, found, show="all") | {
        "form": form,
        "actions": [(name, ACTIONS[name]) for name in actions],
        "do": do if do in (*actions, "export") else "",
        "sections": sections(),
        "spec": OFFERED.get(asked.get("name", "")),
        "origins": ORIGIN_WORDS.items(),
        "usual_origin": "auto" if "flag=failover" in found.source.get("address", "") else "any",
    }
    return page_or_part(request, "selection.html", "_bulk_value.html", context, status=status)


def _plan_page(
    request: ConsoleRequest,
    found: Plan,
    form: ApplyForm,
    *,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    show = request.GET.get("show", "")
    default = "changes" if found.changing else "skipped"
    action = ACTIONS[found.action]
    context = _shared(request, found, show=show if show in SHOWS else default) | {
        "form": form,
        "refused": refused,
        "action": action,
        "may_apply": includes(request.role, action.role),
        "recent": recent.is_recent(request),
    }
    return render(request, "plan.html", context, status=status)


def _moved_page(request: ConsoleRequest, found: Plan, error: PlanMovedError) -> HttpResponse:
    context = {
        "plan": found,
        "problem": error.problem,
        "moved": error.moved[:_MOST_MOVED],
        "moved_count": len(error.moved),
        "left_count": found.total - len(error.moved),
    }
    return render(request, "plan_moved.html", context, status=409)


def _shared(request: HttpRequest, found: Plan, *, show: str) -> dict[str, Any]:
    number = request.GET.get("page", "")[:9]
    page = plan_page(found, show=show, page=int(number) if number.isdecimal() else 1)
    here = Link(reverse("plan", args=[found.pk]), tuple(_asked(request)))
    return {
        "plan": found,
        "page": page,
        "links": {
            "changes": str(here.set("show", "changes")),
            "skipped": str(here.set("show", "skipped")),
            **neighbours(here, page.page, page.pages),
        },
    }


def _asked(request: HttpRequest) -> list[tuple[str, str]]:
    names = ("show", "do", "name", "page")
    return [(name, request.GET[name][:100]) for name in names if name in request.GET]
