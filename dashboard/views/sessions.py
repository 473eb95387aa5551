"""The session list, of all agents or of one store, as page and as live part."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import listing
from dashboard.columns import DEFAULT_COLUMNS
from dashboard.forms import SessionFilters
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.live import Live, stamp_of
from dashboard.preferences import preferences_of
from dashboard.roles import includes, role_required
from dashboard.row_html import RowHtml
from dashboard.services.page_times import timed
from dashboard.services.sessions import SessionList, list_sessions, watch_sessions
from dashboard.services.vocabulary import Wanted

from .answers import STOP_POLLING, page_or_part, tells_problems

EVERY_S = 10
QUIET_EVERY_S = 30
"""How soon a list is read again that changed at the last look, and one that did not."""
SLOW_S, SLOW_EVERY_S = 0.5, 60
"""A list that takes longer than this is read again less often."""


@require_safe
@role_required("viewer")
@tells_problems
def sessions(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Show one page of the list; HTMX gets the list without its form, a live list its rows."""
    form, wanted = asked(request)
    live = Live.of(request)
    if live is not None:
        return _look_again(request, form, wanted, live, store_id)
    return _read_anew(request, form, wanted, store_id)


@timed
def _read_anew(
    request: HttpRequest, form: SessionFilters, wanted: Wanted, store_id: str | None
) -> HttpResponse:
    listed = list_sessions(wanted, store_id=store_id)
    context = _context(request, form, listed, store_id)
    response = page_or_part(request, "sessions.html", "_session_view.html", context)
    if request.headers.get("HX-Trigger") == "filters":
        # The form sends empty fields and usual columns too; the address names what differs.
        response.headers["HX-Replace-Url"] = context["links"]["self"]
    return response


def _look_again(
    request: HttpRequest, form: SessionFilters, wanted: Wanted, live: Live, store_id: str | None
) -> HttpResponse:
    """The rows that are on the screen, read again in their order, and what else has changed.

    When they are as they were, only the bar above them is sent, which asks less often then.
    """
    seen = watch_sessions(wanted, live.shown, store_id=store_id)
    context = _list_context(request, form, seen.list, store_id, live)
    context |= {"new_count": seen.new_count, "moved": seen.moved}
    context["stopped"] = live.is_over(time.time())
    status = STOP_POLLING if context["stopped"] else 200
    if context["live"].stamp != live.stamp:
        return render(request, "_session_live.html", context, status=status)
    context["live_every_s"] = max(QUIET_EVERY_S, context["live_every_s"])
    response = render(request, "_session_bar.html", context, status=status)
    response.headers["HX-Retarget"] = "#session-bar"
    return response


def may_change(request: HttpRequest) -> bool:
    """Whether the page offers changes to this person."""
    return not settings.READ_ONLY and includes(getattr(request, "role", None), "operator")


def asked(request: HttpRequest) -> tuple[SessionFilters, Wanted]:
    """Read the address: the form, and what it asks for."""
    form = SessionFilters(request.GET, zone=preferences_of(request).shown_zone)
    return form, form.wanted()


def _context(
    request: HttpRequest, form: SessionFilters, listed: SessionList, store_id: str | None
) -> dict[str, Any]:
    context = _list_context(request, form, listed, store_id, None)
    link = context["link"]
    chips = listing.chips(form, link)
    machine = listing.machine_note(form, listed, link)
    return context | {
        "form": form,
        "state_dir": listed.state_dir,
        "facets": listing.facets(form, listed, link),
        "chips": chips,
        "machine": dict(zip(("sentence", "action", "url"), machine, strict=True)),
        "notes": listing.notes(form, listed),
        "field_errors": listing.errors(form),
        "empty": listing.emptiness(chips, listed),
        "carried": listing.facet_state(link),
        "sort_choices": listing.sort_choices(),
        "order": form.cleaned_data.get("sort") or "-updated",
        "may_change": may_change(request),
    }


def _list_context(
    request: HttpRequest,
    form: SessionFilters,
    listed: SessionList,
    store_id: str | None,
    live: Live | None,
) -> dict[str, Any]:
    """What the live part needs, which is the table, the bar above and the pages below it."""
    link = _link(form, store_id)
    columns = [
        name for name in form.columns() if name != "agent" or (not store_id and listed.stores > 1)
    ]
    is_ticked = live is None and form.cleaned_data.get("select") == "page"
    html = RowHtml(columns, zone=preferences_of(request).shown_zone, ticked=is_ticked)
    rows = html.rows(listed.rows)
    shown = live.shown if live else tuple((row.store_id, row.ref) for row in listed.rows)
    stamp = stamp_of(rows, listed.matched, listed.page, listed.pages)
    return {
        "link": link,
        "list": listed,
        "rows": rows,
        "columns": columns,
        "ticked": is_ticked,
        "query": urlencode(link.items),
        "headings": listing.headings(form, link, columns),
        "links": _links(link, listed, store_id),
        "live_every_s": SLOW_EVERY_S if listed.took_s > SLOW_S else EVERY_S,
        "is_live": form.cleaned_data.get("live") != "off",
        "live": Live(live.since_s if live else int(time.time()), stamp, shown),
    }


def _link(form: SessionFilters, store_id: str | None) -> Link:
    """The list's own address: what it knows of the query, in the order it was written."""
    path = reverse("store_sessions", args=[store_id]) if store_id else reverse("sessions")
    items = [
        (name, value)
        for name, value in form.asked()
        if name not in ("row", "select") and not _is_usual(form, name, value)
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
        **neighbours(link, listed.page, listed.pages),
        "pause": str(link.set("live", "off").page(listed.page)),
        "resume": str(link.set("live", None).page(listed.page)),
        "machine": str(link.set("machine", "yes")),
        "tick_page": str(link.set("select", "page").page(listed.page)),
    }
