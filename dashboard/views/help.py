"""Help on the keyboard, and what a person chose about how pages look."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from dashboard import preferences as chosen
from dashboard.roles import allowed_when_read_only, role_required

from .answers import page_or_part

_YEAR_S = 365 * 24 * 3600


@require_safe
@role_required("viewer")
def help_page(request: HttpRequest) -> HttpResponseBase:
    """Explain the keys, the states and the words."""
    return page_or_part(request, "help.html", "_help.html", {})


@require_POST
@role_required("viewer")
@allowed_when_read_only
def preferences(request: HttpRequest) -> HttpResponseBase:
    """Keep what was chosen and go back to the page it was chosen on."""
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    # A path: a word alone would be looked up as the name of a route.
    if not is_ours or not target.startswith("/"):
        target = "/"
    response = redirect(target)
    for name, value in chosen.cookies_for(request.POST).items():
        _keep(response, name, value)
    return response


def _keep(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=_YEAR_S, httponly=True, samesite="Lax")
