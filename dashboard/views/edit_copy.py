"""Downloading a copy of one entry: masked for all, as it is for admins, on record."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import recent, twins
from dashboard.acting import actor_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.edit_copy import whole_entry
from dashboard.services.edit_look import Look, look_at
from dashboard.services.session import find_session

from .answers import tells_problems
from .edit_refusals import gone, impossible

_LONGEST_REASON = 500


@require_safe
@role_required("viewer")
@tells_problems
def session_copy(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Offer the copies that the person may have."""
    look = look_at(store_id, ref)
    return impossible(request, look) if look.is_damaged else _page(request, look, {})


@require_safe
@role_required("viewer")
@tells_problems
def session_copy_json(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the masked entry as a file."""
    found = find_session(store_id, ref)
    if found.entry is None:
        raise gone()
    return twins.json_response(f"{found.row.title}-masked", found.entry, attachment=True)


@require_POST
@role_required("admin")
@tells_problems
def session_copy_whole(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the entry as it is as a file, with a reason and a recent sign-in."""
    look = look_at(store_id, ref)
    if look.is_damaged:
        return impossible(request, look)
    if look.entry is None:
        raise gone()
    reason = request.POST.get("reason", "").strip()[:_LONGEST_REASON]
    if not reason:
        said = _("Say why it has to leave the console; it is written down with your name.")
        return _page(request, look, {"reason_error": said}, status=422)
    if refusal := recent.confirmed(request):
        return _page(request, look, {"reason": reason, "confirm_error": refusal}, status=422)
    entry = whole_entry(actor_of(request), look, reason=reason)
    return twins.json_response(look.row.title, entry, attachment=True)


def _page(
    request: ConsoleRequest, look: Look, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    if look.entry is None:
        raise gone()
    shown = {"look": look, "row": look.row, **context}
    return render(request, "session_copy.html", shown, status=status)
