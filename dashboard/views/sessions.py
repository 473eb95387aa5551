"""The session list, of all agents or of one store, as page and as live part."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import listing
from dashboard.columns import DEFAULT_COLUMNS
from dashboard.forms import SessionFilters
from dashboard.links import Link
from dashboard.live import Live
from dashboard.preferences import preferences_of
from dashboard.roles import role_required
from dashboard.services.sessions import SessionList, list_sessions, same_rows
from dashboard.services.vocabulary import Wanted

from .answers import STOP_POLLING, page_or_part, tells_problems

SLOW_S = 0.5
"""A list that takes longer than this is read again less often."""


@require_safe
@role_required("viewer")
@tells_problems
def sessions(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Show one page of the list; HTMX gets the list without its form, a live list its rows."""
    form, wanted = asked(request)
    listed = list_sessions(wanted, store_id=store_id)
    live = Live.of(request)
    context = _context(request, form, listed, store_id, live)
    if live is not None:
        return _live_rows(request, context, listed, live)
    response = page_or_part(request, "sessions.html", "_session_view.html", context)
    if request.headers.get("HX-Trigger") == "filters":
        # The form sends empty fields and usual columns too; the address names what differs.
        response.headers["HX-Replace-Url"] = context["links"]["self"]
    return response


def _live_rows(
    request: HttpRequest, context: dict[str, Any], listed: SessionList, live: Live
) -> HttpResponse:
    """The rows that are on the screen, read again in their order, and what else has changed."""
    now = [(row.store_id, row.ref) for row in listed.rows]
    context["rows"] = same_rows(live.shown)
    context["new_count"] = len(set(now) - set(live.shown))
    context["moved"] = not context["new_count"] and tuple(now) != live.shown
    context["stopped"] = live.is_over(time.time())
    status = STOP_POLLING if context["stopped"] else 200
    return render(request, "_session_live.html", context, status=status)


def asked(request: HttpRequest) -> tuple[SessionFilters, Wanted]:
    """Read the address: the form, and what it asks for."""
    form = SessionFilters(request.GET, zone=preferences_of(request).shown_zone)
    return form, form.wanted()


def _context(
    request: HttpRequest,
    form: SessionFilters,
    listed: SessionList,
    store_id: str | None,
    live: Live | None,
) -> dict[str, Any]:
    link = _link(request, form, store_id)
    columns = [
        name for name in form.columns() if name != "agent" or (not store_id and listed.stores > 1)
    ]
    chips = listing.chips(form, link)
    machine = listing.machine_note(form, listed, link)
    return {
        "form": form,
        "state_dir": listed.state_dir,
        "list": listed,
        "rows": listed.rows,
        "columns": columns,
        "show": dict.fromkeys(columns, True),
        "headings": listing.headings(form, link, columns),
        "facets": listing.facets(form, listed, link),
        "chips": chips,
        "machine": dict(zip(("sentence", "action", "url"), machine, strict=True)),
        "notes": listing.notes(form, listed),
        "field_errors": listing.errors(form),
        "empty": listing.emptiness(chips, listed),
        "carried": listing.facet_state(link),
        "links": _links(link, listed, store_id),
        "sort_choices": listing.sort_choices(),
        "order": form.cleaned_data.get("sort") or "-updated",
        "live_every_s": 60 if listed.took_s > SLOW_S else 15,
        "is_live": form.cleaned_data.get("live") != "off",
        "live_since": live.since_s if live else int(time.time()),
        "shown_ids": " ".join(f"{sid}-{ref}" for sid, ref in live.shown)
        if live
        else " ".join(row.id for row in listed.rows),
    }


def _link(request: HttpRequest, form: SessionFilters, store_id: str | None) -> Link:
    """The list's own address: what it knows of the query, in the order it was written."""
    path = reverse("store_sessions", args=[store_id]) if store_id else reverse("sessions")
    items = [
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if name in form.fields and value and not _is_usual(form, name, value)
    ]
    return Link(path, tuple(items))


def _is_usual(form: SessionFilters, name: str, value: str) -> bool:
    """Whether a parameter says what holds without it."""
    if name == "cols":
        return {*form.columns(), "agent"} == set(DEFAULT_COLUMNS)
    return (name, value) in {("sort", "-updated"), ("page", "1"), ("per", "50")}


def _links(link: Link, listed: SessionList, store_id: str | None) -> dict[str, str]:
    args = [store_id] if store_id else []
    prefix = "store_sessions" if store_id else "sessions"
    whole = link.drop("page", "live")
    return {
        "self": str(link),
        "clean": link.path,
        "json": str(whole.at(reverse(f"{prefix}_json", args=args))),
        "csv": str(whole.at(reverse(f"{prefix}_csv", args=args))),
        "selected_json": reverse(f"{prefix}_json", args=args),
        "selected_csv": reverse(f"{prefix}_csv", args=args),
        "previous": str(link.page(listed.page - 1)) if listed.page > 1 else "",
        "next": str(link.page(listed.page + 1)) if listed.page < listed.pages else "",
        "pause": str(link.set("live", "off").page(listed.page)),
        "resume": str(link.set("live", None).page(listed.page)),
        "machine": str(link.set("machine", "yes")),
    }
