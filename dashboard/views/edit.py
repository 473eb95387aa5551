"""Editing one session, by form or as raw JSON."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.edit_kinds import FORM, TEXT

from .answers import tells_problems
from .edit_flow import answer, open_page


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def session_edit(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Show the form of a session, or check or save it."""
    if request.method == "POST":
        return answer(request, FORM, store_id, ref)
    return open_page(request, FORM, store_id, ref)


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("admin")
@tells_problems
def session_edit_json(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Show the entry as JSON text, or check or save it."""
    if request.method == "POST":
        return answer(request, TEXT, store_id, ref)
    return open_page(request, TEXT, store_id, ref)
