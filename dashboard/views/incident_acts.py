"""Marking an incident and what is done with it afterwards."""

from __future__ import annotations

import time

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import recent, twins
from dashboard.acting import actor_of
from dashboard.forms_backups import STORE_ID, listed_in
from dashboard.forms_incidents import (
    BundleForm,
    EndForm,
    InstantField,
    MarkForm,
    NoteForm,
    RetitleForm,
    written,
)
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import allowed_when_read_only, role_required
from dashboard.services.fleet import fleet
from dashboard.services.incidents import acts
from dashboard.services.incidents.exporting import export

from .answers import tells_problems
from .incidents import page_of, powers


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def new(request: ConsoleRequest) -> HttpResponseBase:
    """Ask what is to be marked, beginning with the span that the address names; POST marks it."""
    zone = preferences_of(request).shown_zone
    if request.method != "POST":
        return _form(request, MarkForm(initial=_span(request), zone=zone))
    form = MarkForm(request.POST, zone=zone)
    if not form.is_valid():
        return _form(request, form, status=422)
    made = acts.mark(actor_of(request), form.wish())
    messages.success(request, _("The incident is marked, with the locks as they are now."))
    return redirect("incident", made.pk)


def _span(request: ConsoleRequest) -> dict[str, str]:
    """From and to of the address as the form writes them; what is no time is left out."""
    zone = preferences_of(request).shown_zone
    field = InstantField(required=False, max_length=40)
    field.zone = zone
    found = {}
    for name, asked in (("start", "from"), ("end", "to")):
        try:
            at_ms = field.clean(request.GET.get(asked, "").replace("\0", ""))
        except ValidationError:
            continue
        if at_ms is not None:
            found[name] = written(at_ms, zone)
    return {"start": written(time.time_ns() // 1_000_000, zone), **found}


def _form(request: ConsoleRequest, form: MarkForm, *, status: int = 200) -> HttpResponse:
    zone = preferences_of(request).shown_zone
    ticked = form.stores if form.is_bound else listed_in(request.GET, "store", STORE_ID)
    context = {
        "form": form,
        "stores": fleet().scan().readers,
        "ticked": ticked,
        "zone_word": _("UTC") if str(zone) == "UTC" else str(zone),
        "longest_note": acts.MOST_NOTE_TEXT,
        **powers(request),
    }
    return render(request, "incident_new.html", context, status=status)


@require_POST
@role_required("operator")
@tells_problems
def end(request: ConsoleRequest, incident_id: int) -> HttpResponseBase:
    """Say when it ended: at the time that is given, or now."""
    form = EndForm(request.POST, zone=preferences_of(request).shown_zone)
    if not form.is_valid():
        return page_of(request, incident_id, extra={"end_form": form}, status=422)
    acts.end(actor_of(request), incident_id, form.cleaned_data["end"])
    messages.success(request, _("The incident has ended."))
    return redirect("incident", incident_id)


@require_POST
@role_required("operator")
@tells_problems
def retitle(request: ConsoleRequest, incident_id: int) -> HttpResponseBase:
    """Name it anew."""
    form = RetitleForm(request.POST)
    if not form.is_valid():
        return page_of(request, incident_id, extra={"title_form": form}, status=422)
    acts.retitle(actor_of(request), incident_id, form.cleaned_data["title"])
    messages.success(request, _("The incident has its new name."))
    return redirect("incident", incident_id)


@require_POST
@role_required("operator")
@tells_problems
def note(request: ConsoleRequest, incident_id: int) -> HttpResponseBase:
    """Write to it."""
    form = NoteForm(request.POST)
    if not form.is_valid():
        return page_of(request, incident_id, extra={"note_form": form}, status=422)
    acts.add_note(actor_of(request), incident_id, form.cleaned_data["note"])
    messages.success(request, _("The note is kept."))
    return redirect("incident", incident_id)


@require_POST
@role_required("admin")
@tells_problems
def remove(request: ConsoleRequest, incident_id: int) -> HttpResponseBase:
    """Remove it with its notes."""
    if refused := recent.confirmed(request):
        return page_of(request, incident_id, extra={"refused_remove": refused}, status=422)
    acts.remove(actor_of(request), incident_id)
    messages.success(request, _("The incident and its notes are removed. The audit keeps both."))
    return redirect("incidents")


@require_POST
@allowed_when_read_only
@role_required("viewer")
@tells_problems
def bundle(request: ConsoleRequest, incident_id: int) -> HttpResponseBase:
    """Hand out everything about it that may leave, on record; changes nothing."""
    form = BundleForm(request.POST)
    shows_keys = form.is_valid() and form.cleaned_data["keys"] == "masked"
    made = export(actor_of(request), incident_id, shows_keys=shows_keys)
    response = HttpResponse(made.content, content_type="application/zip")
    response["Content-Length"] = str(len(made.content))
    twins.guard(response, twins.safe_name(made.name), attachment=True)
    return response
