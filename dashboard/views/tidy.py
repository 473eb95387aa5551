"""What checks found: of all stores or of one, by rule and one by one; and checking now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import list_words, tidy_listing
from dashboard.acting import actor_of
from dashboard.forms_tidy import FindingFilters
from dashboard.jobs import looks
from dashboard.links import Link
from dashboard.listing import Facet
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.problems import not_there
from dashboard.services.tidy_checking import ask_check
from dashboard.services.tidy_pages import TidyPage, readers_of, tidy_page
from dashboard.services.tidy_words import SEVERITY_WORDS, rule_title, word

from .answers import STOP_POLLING, page_or_part, tells_problems

_EVERY_S = 2


@require_safe
@role_required("viewer")
@tells_problems
def findings(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Show what the newest checks found; nothing is checked by looking.

    Its live part follows a job to its end.
    """
    form = FindingFilters(request.GET)
    seen = tidy_page(store_id, form.wanted())
    link = link_of(form, store_id)
    context = {
        "seen": seen,
        "form": form,
        "link": link,
        "facets": _facets(form, seen, link),
        "chips": _chips(seen, link),
        "notes": list_words.left_out(form.unknown()),
        "rules": [(row, str(Link(link.path, (("rule", row.slug),)))) for row in seen.rules],
        "links": _links(seen, link, store_id),
        **powers(request),
    }
    return _answer(request, seen, context)


@require_POST
@role_required("operator")
@tells_problems
def check(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Have one store checked, or all."""
    readers, _problem = readers_of(store_id)
    if not readers:
        raise not_there(_("There is no store to check."), _("Look at the stores."))
    ask_check(actor_of(request), readers)
    messages.success(request, _("The check is asked for. It changes nothing in a store."))
    return redirect("tidy") if store_id is None else redirect("store_tidy", store_id)


def powers(request: ConsoleRequest) -> dict[str, bool]:
    """What the pages offer to this person."""
    may_change = not settings.READ_ONLY
    return {
        "may_check": may_change and includes(request.role, "operator"),
        "may_delete": may_change and includes(request.role, "admin"),
    }


def link_of(form: FindingFilters, store_id: str | None) -> Link:
    """The page's own address: what is valid in its query."""
    path = reverse("tidy") if store_id is None else reverse("store_tidy", args=[store_id])
    return Link(path, tuple(item for item in form.asked() if item[0] != "page"))


def _answer(request: HttpRequest, seen: TidyPage, context: dict[str, Any]) -> HttpResponse:
    """The page or its live part; to a look that finds nothing new only the bar."""
    last = looks.look_of(request)
    look = looks.next_look(last, every_s=_EVERY_S, stamp=seen.stamp, said="")
    is_busy = bool(seen.jobs) and not look.is_over
    context |= {"look": look, "is_busy": is_busy}
    if last is None:
        return page_or_part(request, "tidy.html", "_tidy_live.html", context)
    if last.stamp == look.stamp and is_busy:
        response = render(request, "_tidy_bar.html", context)
        response.headers["HX-Retarget"] = "#tidy-bar"
        return response
    return render(request, "_tidy_live.html", context, status=200 if is_busy else STOP_POLLING)


def _facets(form: FindingFilters, seen: TidyPage, link: Link) -> list[Facet]:
    said = {"rule": rule_title, "severity": _severity, "store": _store_names(seen)}
    made = [
        tidy_listing.facet(
            name,
            str(form.fields[name].label),
            seen.findings.facets[name],
            [value for asked, value in link.items if asked == name],
            link,
            said[name],
        )
        for name in ("rule", "severity", "store")
        if name != "store" or seen.store is None
    ]
    return [one for one in made if one is not None]


def _chips(seen: TidyPage, link: Link) -> list[Any]:
    labels = {
        "q": _("Text"),
        "rule": _("Rule"),
        "severity": _("How bad"),
        "store": _("Store"),
        "show": _("Show"),
    }
    shows = {"new": _("new since the check before"), "gone": _("gone since the check before")}
    said = {
        "rule": rule_title,
        "severity": _severity,
        "store": _store_names(seen),
        "show": lambda value: shows.get(value, value),
    }
    return tidy_listing.chips(link, labels, said)


def _severity(value: str) -> str:
    return word(SEVERITY_WORDS, value)


def _store_names(seen: TidyPage) -> Any:
    names = {row.id: row.name for row in seen.stores}
    return lambda value: names.get(value, value)


def _links(seen: TidyPage, link: Link, store_id: str | None) -> dict[str, Any]:
    name = "tidy" if store_id is None else "store_tidy"
    args = [] if store_id is None else [store_id]
    return {
        "self": str(link.page(seen.findings.page)),
        "clean": link.path,
        "json": str(link.at(reverse(f"{name}_json", args=args))),
        "csv": str(link.at(reverse(f"{name}_csv", args=args))),
        "check": reverse(f"{name}_check", args=args),
        "reports": reverse("tidy_reports" if store_id is None else "store_tidy_reports", args=args),
        "new": str(link.set("show", "new")),
        "gone": str(link.set("show", "gone")),
        "sort": [
            (label, str(link.set("sort", value or None)), dict(link.items).get("sort", "") == value)
            for value, label in (
                ("", _("Worst first")),
                ("size", _("Largest first")),
                ("age", _("Oldest first")),
            )
        ],
        **list_words.neighbours(link, seen.findings.page, seen.findings.pages),
    }
