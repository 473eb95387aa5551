"""Plans to tidy and what became of them: the list, and one plan with its items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import list_words, recent, tidy_listing
from dashboard.forms_tidy import ApplyForm, ItemFilters, TakeBackForm
from dashboard.jobs import looks
from dashboard.links import Link
from dashboard.listing import Facet
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.tidy_asking import needed_role
from dashboard.services.tidy_items import EXCLUDED
from dashboard.services.tidy_plan_pages import PlanPage, plan_page
from dashboard.services.tidy_runs import list_plans
from dashboard.services.tidy_words import (
    ACTION_WORDS,
    KIND_WORDS,
    OUTCOME_WORDS,
    PLAN_RULE_WORDS,
    word,
)

from .answers import STOP_POLLING, page_or_part, tells_problems
from .tidy import powers

_EVERY_S = 2


@require_safe
@role_required("viewer")
@tells_problems
def plans(request: ConsoleRequest) -> HttpResponseBase:
    """List plans and runs, newest first, with until when each can be taken back."""
    listed = list_plans(tidy_listing.page_number(request.GET))
    link = Link(reverse("tidy_plans"))
    context = {
        "list": listed,
        "links": list_words.neighbours(link, listed.page, listed.pages),
        **powers(request),
    }
    return render(request, "tidy_plans.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def plan(request: ConsoleRequest, tidy_id: str) -> HttpResponseBase:
    """Show what a plan would do, item by item, or what became of it.

    Its live part follows a job to its end.
    """
    return page_of(request, tidy_id)


def page_of(
    request: ConsoleRequest,
    tidy_id: str,
    *,
    form: ApplyForm | None = None,
    back_form: TakeBackForm | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page as it is now, with what somebody had typed where it was refused."""
    filters = ItemFilters(request.GET)
    seen = plan_page(tidy_id, filters.wanted())
    link = Link(
        reverse("tidy_plan", args=[tidy_id]),
        tuple(item for item in filters.asked() if item[0] != "page"),
    )
    role = needed_role(seen)
    context = {
        "seen": seen,
        "filters": filters,
        "link": link,
        "form": form or ApplyForm(deleting=seen.deleting),
        "back_form": back_form or TakeBackForm(),
        "refused": refused,
        "needed_role": role,
        "may_apply": includes(request.role, role),
        "recent": recent.is_recent(request),
        "facets": _facets(filters, seen, link),
        "chips": _chips(filters, link),
        "notes": list_words.left_out(filters.unknown()),
        "links": _links(seen, link),
        **powers(request),
    }
    return _answer(request, seen, context, status=status)


def _answer(
    request: ConsoleRequest, seen: PlanPage, context: dict[str, Any], *, status: int
) -> HttpResponse:
    """The page or its live part; to a look that finds nothing new only the bar."""
    last = looks.look_of(request)
    look = looks.next_look(last, every_s=_EVERY_S, stamp=seen.stamp, said=seen.state)
    is_busy = seen.is_busy and not look.is_over
    said = seen.sentence if last is not None and last.said != look.said else ""
    context |= {"look": look, "is_busy": is_busy, "announcement": said}
    if last is None:
        return page_or_part(
            request, "tidy_plan.html", "_tidy_plan_live.html", context, status=status
        )
    if last.stamp == look.stamp and is_busy:
        response = render(request, "_tidy_plan_bar.html", context)
        response.headers["HX-Retarget"] = "#tidy-bar"
        return response
    return render(request, "_tidy_plan_live.html", context, status=200 if is_busy else STOP_POLLING)


def _said() -> dict[str, Callable[[str], str]]:
    return {
        "action": lambda one: _("Left out") if one == EXCLUDED else word(ACTION_WORDS, one),
        "rule": lambda one: word(PLAN_RULE_WORDS, one),
        "kind": lambda one: word(KIND_WORDS, one),
        "outcome": lambda one: word(OUTCOME_WORDS, one),
    }


def _facets(filters: ItemFilters, seen: PlanPage, link: Link) -> list[Facet]:
    said = _said()
    made = [
        tidy_listing.facet(
            name,
            str(filters.fields[name].label),
            seen.facets[name],
            [value for asked, value in link.items if asked == name],
            link,
            said[name],
        )
        for name in said
    ]
    return [one for one in made if one is not None]


def _chips(filters: ItemFilters, link: Link) -> list[Any]:
    names = ("q", "action", "rule", "kind", "outcome")
    labels = {name: str(filters.fields[name].label) for name in names}
    return tidy_listing.chips(link, labels, _said())


def _links(seen: PlanPage, link: Link) -> dict[str, Any]:
    plan_id = seen.plan.pk
    return {
        "self": str(link.page(seen.page)),
        "clean": link.path,
        "query": str(link.at("")).removeprefix("?"),
        "json": str(link.at(reverse("tidy_plan_json", args=[plan_id]))),
        "csv": str(link.at(reverse("tidy_plan_csv", args=[plan_id]))),
        **list_words.neighbours(link, seen.page, seen.pages),
    }
