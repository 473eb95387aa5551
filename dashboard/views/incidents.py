"""Incidents: the list of what people marked, and one of them with what is known of its span."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import incident_listing, twins
from dashboard.forms_incidents import STATES, EndForm, IncidentFilters, NoteForm, RetitleForm
from dashboard.links import Link
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.incidents.listing import WantedIncidents, list_incidents
from dashboard.services.incidents.meanwhile import marks_of
from dashboard.services.incidents.notes import notes_of
from dashboard.services.incidents.seeing import find_incident, readers_of, row_of
from dashboard.services.incidents.summary import summary_of
from dashboard.services.incidents.verdicts import Seen

from .answers import page_or_part, tells_problems


@require_safe
@role_required("viewer")
@tells_problems
def incidents(request: ConsoleRequest) -> HttpResponseBase:
    """Show one page of the list; HTMX gets the list without its form."""
    form, wanted = asked(request)
    listed = list_incidents(wanted)
    link = incident_listing.link_of(form, request.GET)
    links = incident_listing.links(link, listed)
    context = {
        "form": form,
        "list": listed,
        "states": STATES,
        "links": links,
        "chips": incident_listing.chips(form, link, listed),
        "notes": incident_listing.notes(form, listed),
        "field_errors": list(incident_listing.errors(form)),
        "now_ms": time.time_ns() // 1_000_000,
        **powers(request),
    }
    response = page_or_part(request, "incidents.html", "_incident_view.html", context)
    if request.headers.get("HX-Trigger") == "filters":
        # The form sends empty fields too; the address names what differs.
        response.headers["HX-Replace-Url"] = links["self"]
    return response


def asked(request: HttpRequest) -> tuple[IncidentFilters, WantedIncidents]:
    """Read the address: the form, and what it asks for."""
    form = IncidentFilters(request.GET, zone=preferences_of(request).shown_zone)
    return form, form.wanted()


@require_safe
@role_required("viewer")
@tells_problems
def incident(request: ConsoleRequest, incident_id: int) -> HttpResponseBase:
    """Show one incident."""
    return page_of(request, incident_id)


def page_of(
    request: ConsoleRequest,
    incident_id: int,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of one incident; ``extra`` are forms that were refused, with why."""
    found = find_incident(incident_id)
    row, readers = row_of(found), readers_of(found)
    now_ms = time.time_ns() // 1_000_000
    end_ms = now_ms if row.end_ms is None else row.end_ms
    zone = preferences_of(request).shown_zone
    context = {
        "row": row,
        "length_ms": row.length_ms(now_ms),
        "summary": summary_of(readers, row.start_ms, end_ms),
        "seen": Seen.of(found.seen),
        "store_names": {reader.id: reader.name for reader in readers},
        "notes": notes_of(found),
        "marks": marks_of(found, readers, end_ms),
        "latency_url": _latency_url(row.start_ms, end_ms),
        "end_form": EndForm(zone=zone),
        "title_form": RetitleForm(initial={"title": row.title}),
        "note_form": NoteForm(),
        "zone_word": _("UTC") if str(zone) == "UTC" else str(zone),
        **powers(request),
        **(extra or {}),
    }
    return render(request, "incident.html", context, status=status)


def _latency_url(start_ms: int, end_ms: int) -> str:
    """The page of latencies, of this span."""
    ends = (("from", twins.iso(start_ms) or ""), ("to", twins.iso(end_ms) or ""))
    return str(Link(reverse("latency"), ends))


def powers(request: ConsoleRequest) -> dict[str, bool]:
    """What this person may do with incidents."""
    may_change = not settings.READ_ONLY
    return {
        "may_mark": may_change and includes(request.role, "operator"),
        "may_remove": may_change and includes(request.role, "admin"),
        "may_show_keys": includes(request.role, "admin"),
    }
